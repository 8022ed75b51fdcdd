//! A machine that is logged in to by ssh, as a member of its own: one with a real sshd, and everything that can go wrong
//! with the way there. The machine is this one's file system under an overlay, so that nothing that is written stays.

use std::net::TcpListener;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::dispatch::{ends_with_the_test, free_port, wait_for};
use crate::harness::{Ended, Place, Run, Running, User, is_root};
use crate::terminal::Terminal;

/// Makes `/` an overlay within namespaces of processes and mounts, and runs sshd in it: PORT, place of its log, public key.
const MACHINE: &str = r#"
set -e
mount -t tmpfs none /mnt
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay none -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work /mnt/root
mount --rbind /dev /mnt/root/dev
mount -t proc none /mnt/root/proc
mount -t tmpfs none /mnt/root/run
mkdir /mnt/root/run/sshd
echo "$3" > /mnt/root/run/authorized
exec >> "$2" 2>&1
exec chroot /mnt/root sh -c '
    ssh-keygen -q -t ed25519 -N "" -f /run/key
    exec /usr/sbin/sshd -D -e -f /dev/null -p "$1" -h /run/key -o ListenAddress=127.0.0.1 -o UsePAM=no -o StrictModes=no \
        -o AuthorizedKeysFile=/run/authorized -o "Subsystem=sftp internal-sftp"' sh "$1"
"#;

/// A machine that takes the key `lab` of the place.
fn machine(place: &Place, port: u16) -> Running {
    let log = place.write("sshd.log", "");
    let public = std::fs::read_to_string(place.path("lab.pub")).unwrap();
    let mut command = Command::new("unshare");
    command.args(["--mount", "--pid", "--fork", "--kill-child", "sh", "-c", MACHINE, "sh", &port.to_string()]);
    command.arg(&log).arg(public.trim());
    let running = Running(ends_with_the_test(&command).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    wait_for(&log, "Server listening");
    running
}

/// A pair of keys.
fn key(place: &Place, name: &str) {
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(place.path(name)).status();
    assert!(made.unwrap().success());
}

/// The lab file with the machine at this address.
fn lab(place: &Place, file: &str, (host, port, key): (&str, u16, &str)) {
    let ssh = json!({"host": host, "port": port, "identity_file": place.path(key)});
    let actions = json!({"deploy": {"methods": {"ssh": ssh}}, "boot": {"methods": {"ssh": null}}});
    let lab = json!({"devices": [{"name": "box-1", "type": "box", "dictionary": {"actions": actions}}]});
    place.write(file, lab.to_string());
}

/// Logs in at this address and does the steps, with so many seconds for the boot.
fn log_in(place: &Place, address: (&str, u16, &str), steps: &[&str], seconds: u32) -> Run {
    lab(place, "lab.yaml", address);
    let job = json!({
        "job_name": "login",
        "visibility": "public",
        "device_type": "box",
        "timeouts": {"job": {"minutes": 3}, "action": {"minutes": 2}, "connection": {"minutes": 2}},
        "actions": [
            {"deploy": {"to": "ssh"}},
            {"boot": {"method": "ssh", "prompts": ["# $"], "timeout": {"seconds": seconds}}},
            {"test": {"definitions": [{
                "from": "inline", "name": "steps", "path": "inline/steps.yaml",
                "repository": {
                    "metadata": {"format": "Lava-Test Test Definition 1.0", "name": "steps"},
                    "run": {"steps": steps},
                },
            }]}},
        ],
    });
    place.run(&place.write("job.yaml", job.to_string()), &["--lab", "lab.yaml"])
}

/// The failure of a run that the lab is to blame for.
#[track_caller]
fn lab_failed(run: &Run) -> Value {
    run.expect(3);
    let ended = run.journal().into_iter().find(|event| event["event"] == "member-ended").unwrap();
    assert_eq!(ended["failure"]["class"], "Infrastructure", "{ended}");
    ended["failure"].clone()
}

#[test]
fn a_machine_is_logged_in_to_and_left() {
    // Only root can be the root that sshd wants to be.
    if !is_root() {
        return;
    }
    let place = Place::new(User::Root);
    key(&place, "lab");
    let port = free_port();
    let _machine = machine(&place, port);
    let steps = [
        "lava-test-case terminal --shell tty",
        "lava-test-case kept --shell tar -tzf /1001-overlay-1.1.5.tar.gz",
        "lava-test-case there --shell test \"$(lava-target-ip)\" = 127.0.0.1",
        "lava-test-case odd --result fail",
    ];
    let run = log_in(&place, ("127.0.0.1", port, "lab"), &steps, 100);
    run.expect(1);
    for (case, result) in [("terminal", "pass"), ("kept", "pass"), ("there", "pass"), ("odd", "fail")] {
        run.has("", case, result, 1);
    }
    assert!(!std::path::Path::new("/1001-overlay-1.1.5.tar.gz").exists());
    // It took leave: nobody is logged in.
    wait_for(&place.path("sshd.log"), "Disconnected from user root");
}

#[test]
fn a_machine_that_does_not_take_the_key_is_said() {
    if !is_root() {
        return;
    }
    let place = Place::new(User::Root);
    key(&place, "lab");
    key(&place, "other");
    let port = free_port();
    let _machine = machine(&place, port);
    let failure = lab_failed(&log_in(&place, ("127.0.0.1", port, "other"), &["true"], 100));
    let message = failure["message"].as_str().unwrap();
    assert!(
        message.contains("scp to 127.0.0.1 fails: ") && message.contains("Permission denied (publickey"),
        "{message}"
    );
}

/// A name that nobody knows, an address where nothing listens, and a key that is not there.
#[test]
fn a_wrong_address_is_said() {
    let place = Place::new(User::Ordinary);
    place.write("lab", "no key at all\n");
    for (host, words) in [
        ("nowhere.invalid", "scp to nowhere.invalid fails: ssh: Could not resolve hostname nowhere.invalid"),
        ("127.0.0.1", "Connection refused"),
    ] {
        let run = log_in(&place, (host, free_port(), "lab"), &["true"], 100);
        let failure = lab_failed(&run);
        let message = failure["message"].as_str().unwrap();
        assert!(message.contains(words), "{message}");
        std::fs::remove_dir_all(&run.dir).unwrap();
    }
}

/// Something listens, but it never says a word: the limit of the boot ends that.
#[test]
fn a_machine_whose_sshd_never_comes_up_ends_the_boot_at_its_limit() {
    let place = Place::new(User::Ordinary);
    place.write("lab", "no key at all\n");
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let run = log_in(&place, ("127.0.0.1", port, "lab"), &["true"], 3);
    let ended = run.journal().into_iter().find(|event| event["event"] == "member-ended").unwrap();
    assert_eq!(ended["health"], "Incomplete", "{ended}");
    assert_eq!(ended["failure"]["class"], "Infrastructure", "{ended}");
    assert_eq!(ended["failure"]["message"], "ssh-connection timed out after 3 s", "{ended}");
    drop(silent);
}

/// A group that was stopped: another login gives another shell, and the test goes on.
#[test]
fn a_machine_is_entered_by_another_login_while_its_group_stands_still() {
    if !is_root() {
        return;
    }
    let place = Place::new(User::Root);
    key(&place, "lab");
    let port = free_port();
    let _machine = machine(&place, port);
    lab(&place, "job.lab.yaml", ("127.0.0.1", port, "lab"));
    let test = |role: &str, steps: &[&str]| {
        json!({"test": {"role": [role], "definitions": [{
            "from": "inline", "name": role, "path": "t.yaml",
            "repository": {
                "metadata": {"format": "Lava-Test Test Definition 1.0", "name": role}, "run": {"steps": steps},
            },
        }]}})
    };
    let job = json!({
        "job_name": "login", "visibility": "public",
        "timeouts": {"job": {"minutes": 3}, "action": {"minutes": 2}, "connection": {"minutes": 2}},
        "protocols": {"lava-multinode": {"timeout": {"minutes": 1}, "roles": {
            "far": {"device_type": "box", "count": 1}, "near": {"device_type": "sandbox", "count": 1},
        }}},
        "actions": [
            {"deploy": {"role": ["far"], "to": "ssh"}}, {"deploy": {"role": ["near"], "to": "sandbox"}},
            {"boot": {"role": ["far"], "method": "ssh", "prompts": ["# $"]}},
            {"boot": {"role": ["near"], "method": "sandbox"}},
            test("far", &["lava-sync go", "lava-test-case visited --shell test -e /root/visited"]),
            test("near", &["lava-sync go"]),
        ],
    });
    let job = place.write("job.yaml", job.to_string());
    let arguments = ["run", job.to_str().unwrap(), "--output", "run", "--break", "go"];
    let mut terminal = Terminal::start(&place.command(&arguments), (30, 100));
    let at = terminal.until(0, "stopped at go");
    let at = terminal.until(at, "> ");
    terminal.press("far\r");
    let at = terminal.until(at, "another shell");
    let at = terminal.until(at, "# ");
    terminal.press("mkdir -p /root; touch /root/visited; echo do''ne\r");
    let at = terminal.until(at, "\ndone");
    terminal.press("\x1d");
    let at = terminal.until(at, "> ");
    terminal.press("c\r");
    terminal.until(at, "Complete after");
    let (status, stdout) = terminal.end();
    let run = Run { ended: Ended { code: status.code(), stdout, stderr: String::new() }, dir: place.path("run") };
    run.expect(0).has("far", "visited", "pass", 1);
}
