//! Hardware virtualisation: used only where the lab says so, and where it wants that proved, after a guest has run.
//!
//! No test uses it: in the place of QEMU stands a script that starts the real one for a machine that is emulated, and fails
//! for one that is not. The guest that proves it is run for real under emulation.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use convoke_device::acceleration;
use serde_json::{Value, json};

use crate::harness::{Place, Run, User};
use crate::machines::{applied, job};

/// What the script does when it is to run the guest that proves it.
const WORKS: &str = "exit 33";
const REFUSED: &str = "echo 'Could not access KVM kernel module: Permission denied' >&2; exit 1";
const HANGS: &str = "exec sleep 1000";

struct Lab {
    place: Place,
}

impl Lab {
    /// `probed` is what comes of the guest that proves it; `lab` is the lab file.
    fn new(probed: &str, lab: impl Fn(&str) -> Value) -> Lab {
        let place = Place::new(User::Root);
        let asked = place.path("asked");
        let script = format!(
            "#!/bin/sh\necho \"$*\" >>{}\ncase \"$*\" in\n*isa-debug-exit*) {probed} ;;\n*kvm*) echo 'it runs with kvm' >&2; exit 3 \
             ;;\nesac\nexec /usr/bin/qemu-system-x86_64 \"$@\"\n",
            asked.display()
        );
        let program = place.write("bin/qemu-system-x86_64", script);
        std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
        place.write("job.lab.yaml", lab(program.to_str().unwrap()).to_string());
        Lab { place }
    }

    /// Boots the machine, without tests.
    fn run(&self) -> Run {
        let mut job = job(applied(), &[]);
        job["actions"].as_array_mut().unwrap().truncate(2);
        let file = self.place.write("job.yaml", job.to_string());
        let mut command = self.place.command(&["run", file.to_str().unwrap(), "--output", "run"]);
        let path = format!("{}:{}", self.place.path("bin").display(), std::env::var("PATH").unwrap());
        let ended = command.env("PATH", path).output().unwrap().into();
        Run { ended, dir: self.place.path("run") }
    }

    /// The command lines that the script was started with.
    fn asked(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.place.path("asked")).unwrap();
        text.lines().map(str::to_owned).collect()
    }
}

/// A listed machine whose configuration asks for KVM.
fn listed(kvm: Option<Value>) -> impl Fn(&str) -> Value {
    move |program| {
        let options =
            ["-machine", "pc,accel=kvm:tcg", "-cpu", "host", "-enable-kvm", "-m", "256", "-nographic", "-nic", "none"];
        let parameters = json!({"command": program, "options": options});
        let mut device = json!({"name": "one", "type": "qemu", "dictionary": {
            "actions": {"boot": {"methods": {"qemu": {"parameters": parameters}}}},
        }});
        if let Some(kvm) = &kvm {
            device["kvm"] = kvm.clone();
        }
        json!({"devices": [device]})
    }
}

#[test]
fn without_a_word_of_the_lab_machines_are_emulated() {
    let lab = Lab::new(WORKS, listed(None));
    let run = lab.run();
    run.expect(0);
    assert!(run.file("members/0/log.yaml").contains("the lab does not say `kvm: probe` or `kvm: yes`"));
    let asked = lab.asked();
    assert!(asked.len() == 1 && asked[0].contains("-machine pc,accel=tcg -cpu max -m 256"), "{asked:?}");
}

#[test]
fn a_guest_that_does_not_run_means_emulation() {
    let wrong = [(REFUSED, "Could not access KVM kernel module: Permission denied"), (HANGS, "does not end within")];
    for (probed, why) in wrong {
        let lab = Lab::new(probed, listed(Some("probe".into())));
        let run = lab.run();
        run.expect(0);
        assert!(run.file("members/0/log.yaml").contains(why), "{}", run.file("members/0/log.yaml"));
        let asked = lab.asked();
        assert!(asked.len() == 2 && asked[0].contains("-accel kvm") && !asked[1].contains("kvm"), "{asked:?}");
    }
}

/// Of those that are made on demand, too.
#[test]
fn a_guest_that_runs_means_acceleration() {
    let made = |_: &str| json!({"machines": {"kvm": "probe"}});
    let cases = [
        (Lab::new(WORKS, listed(Some("probe".into()))), "-machine pc,accel=kvm:tcg -cpu host -enable-kvm"),
        (Lab::new(WORKS, made), "-accel kvm -cpu host"),
    ];
    for (lab, options) in cases {
        let run = lab.run();
        run.expect(3);
        assert!(run.ended.stdout.contains("it runs with kvm"), "{}", run.ended.stdout);
        let asked = lab.asked();
        assert!(asked.len() == 2 && asked[0].contains("isa-debug-exit") && asked[1].contains(options), "{asked:?}");
    }
}

#[test]
fn a_lab_may_do_without_the_proof() {
    let lab = Lab::new(REFUSED, listed(Some(true.into())));
    lab.run().expect(3);
    let asked = lab.asked();
    assert!(asked.len() == 1 && asked[0].contains("-enable-kvm"), "{asked:?}");
}

#[test]
fn a_program_that_leaves_no_choice_is_refused() {
    let lab = Lab::new(WORKS, |_| listed(None)("/usr/bin/kvm"));
    let run = lab.run();
    run.expect(2);
    assert!(run.ended.stderr.contains("/usr/bin/kvm always uses hardware virtualisation"), "{}", run.ended.stderr);
}

/// The guest that proves it ends as it should, here under emulation.
#[test]
fn the_guest_runs_to_its_end() {
    let place = Place::new(User::Root);
    let image = place.path("guest");
    let probe = acceleration::probe("qemu-system-x86_64", "tcg", image.to_str().unwrap(), "x86_64").unwrap();
    place.write("guest", &probe.image);
    let ended = Command::new("qemu-system-x86_64").args(&probe.options).stdin(Stdio::null()).output().unwrap();
    assert_eq!(ended.status.code(), Some(probe.status), "{}", String::from_utf8_lossy(&ended.stderr));
    assert!(probe.options.windows(2).any(|words| words == ["-accel", "tcg"]));
}
