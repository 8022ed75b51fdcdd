//! `--keep`: the devices stand after the job, can be entered with the command that is printed, and go with the program.

use std::io::{BufRead, BufReader, Write};
use std::process::Command;

use nix::sys::signal::Signal;

use crate::bad_input::job;
use crate::harness::{Place, Running, User, Watched, descendants, name_of};
use crate::machines;

fn kept(user: User) {
    let place = Place::new(user);
    let job = place.write("job.yaml", job(2, &["echo of the test > /root/left-here", "lava-sync go"], 30));
    let arguments = ["run".as_ref(), job.as_os_str(), "--keep".as_ref(), "--output".as_ref(), "run".as_ref()];
    let mut running = Running(place.command(&arguments).spawn().unwrap());
    let mut out = BufReader::new(running.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut entrances = out.by_ref().filter(|line| line.contains("nsenter"));
    let first = entrances.next().unwrap();
    let (name, enter) = first.trim().split_once(": ").unwrap();
    assert_eq!(name, "sandbox-1, 1001 (node)");
    assert!(entrances.next().unwrap().contains("sandbox-2, 1002 (node)"));
    drop(entrances);

    let mut shell = Command::new("sh");
    if user == User::Ordinary && crate::harness::is_root() {
        shell = Command::new("setpriv");
        shell.args(["--reuid=65534", "--regid=65534", "--clear-groups", "sh"]);
    }
    let inside = shell.arg("-c").arg(format!("{enter} -c 'hostname; cat /root/left-here'")).output().unwrap();
    let (said, error) = (String::from_utf8_lossy(&inside.stdout), String::from_utf8_lossy(&inside.stderr));
    assert_eq!(said, "sandbox-1\nof the test\n", "{enter}: {error}");

    running.signal(Signal::SIGINT);
    out.for_each(drop);
    assert_eq!(running.wait().code(), Some(0));
}

#[test]
fn kept_devices_are_entered_as_root() {
    kept(User::Root);
}

#[test]
fn kept_devices_are_entered_as_an_ordinary_user() {
    kept(User::Ordinary);
}

/// A kept machine goes on running; its console is on a terminal, again and again.
#[test]
fn a_kept_machine_is_reached_by_its_console() {
    let place = Place::new(User::Root);
    let job = machines::job(machines::applied(), &["echo of the test > /root/left-here"]);
    let job = place.write("job.yaml", job.to_string());
    let arguments = ["run".as_ref(), job.as_os_str(), "--keep".as_ref(), "--output".as_ref(), "run".as_ref()];
    let mut running = Running(place.command(&arguments).spawn().unwrap());
    let mut out = BufReader::new(running.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let entrance = out.by_ref().find(|line| line.contains("/dev/pts/")).unwrap();
    let (name, command) = entrance.trim().split_once(": ").unwrap();
    assert_eq!(name, "qemu-1, 1001");
    let terminal = command.strip_prefix("screen ").unwrap().to_owned();
    for number in 1..3 {
        let mut line = std::fs::File::options().read(true).write(true).open(&terminal).unwrap();
        writeln!(line, "cat /root/left-here; echo is$((number))there{number}; number=$((number + 1))").unwrap();
        let answer = format!("is{}there{number}\r", number - 1);
        let mut said =
            BufReader::new(line).split(b'\n').map(|line| String::from_utf8_lossy(&line.unwrap()).into_owned());
        assert!(said.by_ref().any(|line| line == "of the test\r"));
        assert!(said.any(|line| line == answer));
    }
    let mut machine = descendants(running.0.id());
    machine.retain(|pid| name_of(*pid).starts_with("qemu-system"));
    assert_eq!(machine.len(), 1);
    let machine = Watched::new(&machine);

    running.signal(Signal::SIGINT);
    out.for_each(drop);
    assert_eq!(running.wait().code(), Some(0));
    assert!(!std::path::Path::new(&terminal).exists());
    machine.wait();
}
