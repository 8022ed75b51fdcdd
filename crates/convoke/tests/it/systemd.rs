//! The unit under a real systemd, in a container over this machine's own files: `systemd/container.sh` makes it, and
//! `systemd/probe.sh` does in it what a lab does with the service.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::{Place, User, repository};

/// What the service did, one line a step.
const SEEN: &str = "\
started: active
user: convoke-coordinator 700
member: 00000014{\"response\": \"wait\"}
killed, restarts: 1
group g: 1 of 2 members
reloaded: active
stuck, restarts: 2
mistaken, status: 2 failed failed
LAVA, ours: active inactive
LAVA, ours: inactive active
group g: 1 of 2 members
stopped: success
";

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/systemd").join(name)
}

#[test]
fn the_unit_serves_restarts_and_takes_the_place_of_lavas() {
    let place = Place::new(User::Root);
    let folder = place.path("container");
    std::fs::create_dir(&folder).unwrap();
    // A container needs root, as installing the packages of the tests did.
    let mut command = match rustix::process::geteuid().is_root() {
        true => Command::new("unshare"),
        false => Command::new("sudo"),
    };
    if command.get_program() == "sudo" {
        command.arg("unshare");
    }
    // Whatever ends the test ends the container, and with its mounts its files.
    command.args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh"]).arg(script("container.sh"));
    command.arg(&folder).arg(env!("CARGO_BIN_EXE_convoke"));
    command.arg(repository().join("dist/convoke-coordinator.service")).arg(script("probe.sh"));
    let output = command.output().unwrap();
    let seen = String::from_utf8_lossy(&output.stdout);
    assert_eq!(seen, SEEN, "{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}", output.status);
}
