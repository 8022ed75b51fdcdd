//! `--keep`: the devices stand after the job, can be entered with the command that is printed, and go with the program.

use std::io::{BufRead, BufReader};
use std::process::Command;

use nix::sys::signal::Signal;

use crate::bad_input::job;
use crate::harness::{Place, Running, User};

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
