//! QEMU machines as devices: real ones, and what is refused before one is started.

use std::path::PathBuf;
use std::process::Command;

use nix::sys::signal::Signal;
use serde_json::json;

use crate::harness::{Place, Running, User, Watched, fixture, repository};

/// A guest image.
pub(crate) fn image(name: &str) -> PathBuf {
    let path = std::fs::canonicalize(repository()).unwrap().join("target/images").join(name);
    assert!(path.exists(), "the guest images are built by `cargo xtask setup`");
    path
}

/// What lets the kernel boot quickly, and end with its machine when it panics.
pub(crate) const APPEND: &str = "console=ttyS0 quiet panic=-1 mitigations=off nokaslr no_timer_check tsc=reliable";

/// A job for one machine with these steps; `ramdisk` has further keys of the initramfs.
pub(crate) fn job(ramdisk: serde_json::Value, steps: &[&str]) -> serde_json::Value {
    let mut initramfs =
        json!({"url": format!("file://{}", image("base.cpio").display()), "image_arg": "-initrd {ramdisk}"});
    initramfs.as_object_mut().unwrap().extend(ramdisk.as_object().unwrap().clone());
    json!({
        "job_name": "machine",
        "visibility": "public",
        "timeouts": {"job": {"minutes": 9}, "action": {"minutes": 4}, "connection": {"minutes": 3}},
        "device_type": "qemu",
        "context": {"arch": "amd64", "memory": 256},
        "actions": [
            {"deploy": {"to": "tmpfs", "images": {
                "kernel": {
                    "url": format!("file://{}", image("vmlinuz").display()),
                    "image_arg": format!("-kernel {{kernel}} -append \"{APPEND}\""),
                },
                "ramdisk": initramfs,
            }}},
            {"boot": {"method": "qemu", "media": "tmpfs", "prompts": ["root@dut:~# "]}},
            {"test": {"definitions": [{
                "from": "inline", "name": "steps", "path": "inline/steps.yaml",
                "repository": {
                    "metadata": {"format": "Lava-Test Test Definition 1.0", "name": "steps"},
                    "run": {"steps": steps},
                },
            }]}},
        ],
    })
}

/// A group of members with one machine each, by role, and their steps.
pub(crate) fn group_job(roles: &[(&str, &[&str])]) -> serde_json::Value {
    let mut group = job(applied(), &["true"]);
    let fields = group.as_object_mut().unwrap();
    fields.remove("device_type");
    let context = fields.remove("context").unwrap();
    let mut test = fields["actions"].as_array_mut().unwrap().pop().unwrap();
    let names: Vec<&str> = roles.iter().map(|(role, _)| *role).collect();
    for action in fields["actions"].as_array_mut().unwrap() {
        action.as_object_mut().unwrap().values_mut().for_each(|block| block["role"] = json!(names));
    }
    let mut wanted = serde_json::Map::new();
    for (role, steps) in roles {
        test["test"]["role"] = json!([role]);
        test["test"]["definitions"][0]["name"] = json!(role);
        test["test"]["definitions"][0]["repository"]["run"]["steps"] = json!(steps);
        fields["actions"].as_array_mut().unwrap().push(test.clone());
        wanted.insert((*role).to_owned(), json!({"device_type": "qemu", "count": 1, "context": context}));
    }
    fields.insert("protocols".into(), json!({"lava-multinode": {"timeout": {"minutes": 4}, "roles": wanted}}));
    group
}

/// The overlay within the initramfs.
pub(crate) fn applied() -> serde_json::Value {
    json!({"format": "cpio.newc", "overlays": {"lava": true}})
}

/// LAVA's own configuration of a device; the overlay comes on a disk of its own. The lab file beside the job is found.
#[test]
fn a_device_of_lavas_with_an_overlay_disk() {
    let place = Place::new(User::Root);
    place.write("devices/one.yaml", std::fs::read(fixture("lava-run/device.yaml")).unwrap());
    place.write("job.lab.yaml", "devices: [{name: one, type: qemu, dictionary: devices/one.yaml}]\n");
    let steps =
        ["lava-test-case disk --shell grep -q lava-1001 /proc/mounts", "lava-test-case kernel --shell uname -r"];
    let run = place.run(&place.write("job.yaml", job(json!({}), &steps).to_string()), &[]);
    run.expect(0).has("", "disk", "pass", 1).has("", "kernel", "pass", 1);
    assert!(run.lava_results().iter().any(|found| found.case == "kernel-messages" && found.result == "pass"));
    let journal = run.file("journal.jsonl");
    assert!(journal.contains("\"device\":\"one\""), "{journal}");
}

#[test]
fn a_kernel_that_panics_ends_its_test_at_once() {
    let place = Place::new(User::Ordinary);
    for name in ["vmlinuz", "base.cpio"] {
        place.write(name, std::fs::read(image(name)).unwrap());
    }
    let steps =
        ["echo '<2>BUG: only said' > /dev/kmsg", "dmesg | grep 'Linux version'", "echo c > /proc/sysrq-trigger"];
    let text = job(applied(), &steps).to_string();
    let ours = image("vmlinuz").parent().unwrap().display().to_string();
    let text = text.replace(&format!("file://{ours}"), ".");
    let run = place.run(&place.write("job.yaml", text), &[]);
    run.expect(1);
    let log = run.file("members/0/log.yaml");
    assert!(log.contains("kernel oops: BUG: only said"), "{log}");
    let ended = run.journal().into_iter().find(|event| event["event"] == "member-ended").unwrap();
    assert_eq!(ended["failure"]["class"], "Test", "{ended}");
    assert_eq!(ended["failure"]["reason"], "kernel-panic", "{ended}");
    assert!(ended["failure"]["message"].as_str().unwrap().contains("sysrq triggered crash"), "{ended}");
}

/// Everything that is refused before anything is started: the message, and where it stands.
#[test]
fn what_a_machine_cannot_do_is_refused_when_the_job_is_checked() {
    let changed = |pointer: &str, value: serde_json::Value| {
        let mut job = job(applied(), &["true"]);
        *job.pointer_mut(pointer).unwrap() = value;
        job
    };
    let initramfs = "/actions/0/deploy/images/ramdisk/image_arg";
    let cases = [
        (changed(initramfs, "-initrd {ramdsk}".into()), "names {ramdsk}", "actions[0].deploy"),
        (changed(initramfs, "-drive file={ramdisk},snapshot=off".into()), "write to the image", "actions[0].deploy"),
        (
            changed("/actions/0/deploy/images/kernel/url", "scp://host/vmlinuz".into()),
            "image kernel: scp is not supported",
            "actions[0].deploy",
        ),
        (changed("/context", json!({"arch": "sparc"})), "no architecture \"sparc\"", "device_type"),
        (changed("/actions/1/boot/method", "minimal".into()), "no boot method minimal", "actions[1].boot"),
        (
            changed(
                "/actions/2/test",
                json!({"services": [{"name": "s", "from": "git", "repository": "r", "path": "p"}]}),
            ),
            "services cannot be run",
            "actions[2].test",
        ),
    ];
    let place = Place::new(User::Root);
    place.write("empty.yaml", "{}\n");
    for (job, message, path) in cases {
        let job = place.write("job.yaml", job.to_string());
        let checked = place.convoke(&["check", job.to_str().unwrap(), "--lab", "empty.yaml", "--format", "json"]);
        assert_eq!(checked.code, Some(2), "{message}: {}{}", checked.stdout, checked.stderr);
        let object: serde_json::Value = serde_json::from_str(&checked.stdout).unwrap();
        let found = object["diagnostics"].as_array().unwrap().iter().find(|found| found["code"] == "device.refused");
        let found = found.unwrap_or_else(|| panic!("{message}: {}", checked.stdout));
        assert!(found["message"].as_str().unwrap().contains(message), "{found}");
        assert_eq!(found["path"], path, "{found}");
        assert_eq!(place.run(&job, &[]).ended.code, Some(2), "{message}");
        assert!(!place.path("run").exists(), "{message}");
    }
}

#[test]
fn what_cannot_be_started_says_why() {
    let place = Place::new(User::Root);
    let mut missing = job(applied(), &["true"]);
    missing["actions"][0]["deploy"]["images"]["kernel"]["url"] = "./nothing".into();
    let mut wrong = job(applied(), &["true"]);
    wrong["context"]["machine"] = "toaster".into();
    for (job, message) in [(missing, "image kernel: cannot read"), (wrong, "unsupported machine type")] {
        let run = place.run(&place.write("job.yaml", job.to_string()), &[]);
        run.expect(2);
        let ended = run.journal().into_iter().find(|event| event["event"] == "member-ended").unwrap();
        assert_eq!(ended["failure"]["class"], "Job", "{ended}");
        assert!(ended["failure"]["message"].as_str().unwrap().contains(message), "{ended}");
        std::fs::remove_dir_all(&run.dir).unwrap();
    }
}

/// Killed while its machine boots, convoke leaves no machine behind.
#[test]
fn a_machine_does_not_outlive_convoke() {
    let place = Place::new(User::Root);
    let token = format!("token={}", std::process::id());
    let mut waiting = job(applied(), &["true"]);
    let arg = format!("-kernel {{kernel}} -append \"console=ttyS0 {token}\"");
    waiting["actions"][0]["deploy"]["images"]["kernel"]["image_arg"] = arg.into();
    let job = place.write("job.yaml", waiting.to_string());
    let mut command = place.command(&["run", job.to_str().unwrap(), "--output", "run", "--format", "json"]);
    let mut child = command.spawn().unwrap();
    let mut output = std::io::BufReader::new(child.stdout.take().unwrap());
    let running = Running(child);
    // It is waited for a prompt when the machine runs.
    let mut line = String::new();
    while !line.contains("\"auto-login-action\"") {
        line.clear();
        assert!(std::io::BufRead::read_line(&mut output, &mut line).unwrap() > 0, "the run ended early");
    }
    let machines = || {
        let found = Command::new("pgrep").args(["-f", &token]).output().unwrap();
        String::from_utf8(found.stdout).unwrap().lines().map(|pid| pid.parse::<i32>().unwrap()).collect::<Vec<_>>()
    };
    let pids = machines();
    assert!(!pids.is_empty());
    let watched = Watched::new(&pids);
    running.signal(Signal::SIGKILL);
    watched.wait();
    running.wait();
    assert_eq!(machines(), Vec::<i32>::new());
}
