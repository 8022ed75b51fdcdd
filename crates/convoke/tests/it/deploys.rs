//! What gets onto QEMU machines besides plain images: what an earlier block left, what an address leads to on this
//! device, and overlays that machines fetch themselves.

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::harness::{Place, User, repository};
use crate::machines::{APPEND, applied, image, job};

/// One block downloads, another one uses what it has left; the device says where that is.
#[test]
fn what_one_block_leaves_another_one_boots() {
    let place = Place::new(User::Ordinary);
    place.write("board-7/vmlinuz", std::fs::read(image("vmlinuz")).unwrap());
    let packed = Command::new("gzip").args(["-1", "-c"]).arg(image("base.cpio")).stdout(Stdio::piped()).output();
    place.write("board-7/base.cpio.gz", packed.unwrap().stdout);
    let info = json!([{"folder": place.path("board-7"), "number": 7}]);
    place.write("job.lab.yaml", lab(&info).to_string());

    let mut job = job(applied(), &["lava-test-case up --shell uname -r"]);
    let images = &mut job["actions"][0]["deploy"]["images"];
    images["kernel"]["url"] = "downloads://vmlinuz".into();
    images["ramdisk"]["url"] = "downloads://initial/base.cpio".into();
    let uniquified = json!({"deploy": {"to": "downloads", "namespace": "tool", "uniquify": true, "images": {
        "initial": {"url": "file://{folder}/base.cpio.gz", "compression": "gz"},
    }}});
    let plain = json!({"deploy": {"to": "downloads", "namespace": "tool", "images": {
        "kernel": {"url": "file://{folder}/vmlinuz"},
    }}});
    // Fetched only.
    let fetched = json!({"deploy": {"to": "download", "namespace": "tool", "images": {
        "kernel": {"url": "./board-{number}/vmlinuz"},
    }}});
    let actions = job["actions"].as_array_mut().unwrap();
    for action in &mut *actions {
        let (_, block) = action.as_object_mut().unwrap().iter_mut().next().unwrap();
        block["namespace"] = "dut".into();
    }
    actions.splice(0..0, [uniquified, plain, fetched]);
    let run = place.run(&place.write("job.yaml", job.to_string()), &[]);
    run.expect(0).has("", "up", "pass", 1);
    let log = run.file("members/0/log.yaml");
    assert!(log.contains("later blocks find it at downloads://initial/base.cpio"), "{log}");
    let left = std::fs::read_dir(run.dir.join("members/0")).unwrap().map(|entry| entry.unwrap().file_name());
    let mut left: Vec<_> = left.map(|name| name.into_string().unwrap()).collect();
    left.sort();
    assert_eq!(left, ["console.log", "definition.yaml", "log.yaml", "results.yaml"]);
}

/// A lab with one machine like those that are made on demand.
fn lab(info: &Value) -> Value {
    let options = ["-machine", "pc", "-m", "256", "-nographic", "-no-reboot", "-nic", "none"];
    json!({"devices": [{"name": "one", "type": "qemu", "dictionary": {
        "static_info": info,
        "actions": {
            "deploy": {"methods": {"image": null}},
            "boot": {"methods": {"qemu": {"parameters": {"command": "qemu-system-x86_64", "options": options}}}},
        },
    }}]})
}

/// A job whose machine fetches its overlay, in this network.
fn fetching(netdevice: &str) -> Value {
    let steps = ["lava-test-case fetched --shell test -e /overlay-1.1.4.tar.gz", "lava-test-case up --shell true"];
    let mut job = job(json!({}), &steps);
    job["context"]["netdevice"] = netdevice.into();
    let kernel = format!("-kernel {{kernel}} -append \"{APPEND} guest_address=dhcp\"");
    job["actions"][0]["deploy"]["images"]["kernel"]["image_arg"] = kernel.into();
    job["actions"][1]["boot"]["transfer_overlay"] =
        json!({"download_command": "cd / && wget -q", "unpack_command": "tar -C / -xzf"});
    job
}

/// On the group's network and on QEMU's own.
#[test]
fn a_machine_fetches_its_overlay() {
    for (user, netdevice) in [(User::Ordinary, "tap"), (User::Root, "user")] {
        let place = Place::new(user);
        for name in ["vmlinuz", "base.cpio"] {
            place.write(name, std::fs::read(image(name)).unwrap());
        }
        let ours = image("vmlinuz").parent().unwrap().display().to_string();
        let text = fetching(netdevice).to_string().replace(&format!("file://{ours}"), ".");
        let run = place.run(&place.write("job.yaml", text), &[]);
        run.expect(0).has("", "fetched", "pass", 1).has("", "up", "pass", 1);
        let console = run.file("members/0/console.log");
        assert!(!console.contains("/dev/disk/by-uuid"), "{console}");
    }
}

#[test]
fn an_overlay_that_is_not_fetched_ends_the_job() {
    let place = Place::new(User::Root);
    let mut job = fetching("tap");
    job["actions"][1]["boot"]["transfer_overlay"]["download_command"] = "cd / && wget -q -O nothing".into();
    let run = place.run(&place.write("job.yaml", job.to_string()), &[]);
    run.expect(2);
    let ended = run.journal().into_iter().find(|event| event["event"] == "member-ended").unwrap();
    let message = ended["failure"]["message"].as_str().unwrap();
    assert!(message.contains("`tar -C / -xzf overlay-1.1.4.tar.gz` failed on the device"), "{message}");
}

/// A sandbox has its overlay from the start, whatever the device would do for it.
#[test]
fn a_rehearsal_fetches_nothing() {
    let place = Place::new(User::Ordinary);
    let run = place.run(&repository().join("examples/board-serial.yaml"), &["--rehearse"]);
    // Both are on this machine's kernel.
    run.expect(1).has("board", "multinode-wait-checked", "pass", 1).has("peer", "another-kernel", "fail", 1);
}

/// What cannot be had is said when the job is checked, and where.
#[test]
fn what_does_not_get_onto_a_machine_is_refused_when_the_job_is_checked() {
    let changed = |changes: &[(&str, Value)]| {
        let mut job = job(applied(), &["true"]);
        for (pointer, value) in changes {
            let (parent, key) = pointer.rsplit_once('/').unwrap();
            job.pointer_mut(parent).unwrap().as_object_mut().unwrap().insert(key.to_owned(), value.clone());
        }
        job
    };
    let transfer =
        |method: &str| json!({"download_command": "wget", "unpack_command": "tar", "transfer_method": method});
    let url = "/actions/0/deploy/images/kernel/url";
    let deploy = "/actions/0/deploy";
    let images = json!({"kernel": {"url": "http://host/k"}});
    let cases = [
        (changed(&[(url, "http://{server}/k".into())]), "no static_info of that name", "actions[0].deploy"),
        (
            changed(&[(
                "/actions/0/deploy/images/ramdisk/overlays/more",
                json!({"url": "{x}", "format": "file", "path": "/x"}),
            )]),
            "image ramdisk: the address {x} has {x}",
            "actions[0].deploy",
        ),
        (
            changed(&[(deploy, json!({"to": "downloads", "images": images, "postprocess": {"docker": {}}}))]),
            "not processed by programs in containers",
            "actions[0].deploy",
        ),
        (
            changed(&[(deploy, json!({"to": "downloads", "images": images}))]),
            "nothing brings the tests onto the device",
            "actions[2].test",
        ),
        (
            changed(&[(deploy, json!({"to": "downloads", "images": {"a": {"url": "scp://host/k"}}}))]),
            "image a: scp is not supported",
            "actions[0].deploy",
        ),
        (
            changed(&[("/actions/1/boot/transfer_overlay", transfer("nfs"))]),
            "cannot be transferred by nfs",
            "actions[1].boot",
        ),
        (
            changed(&[("/actions/1/boot/transfer_overlay", transfer("http")), ("/context/netdevice", "none".into())]),
            "without a network",
            "actions[1].boot",
        ),
        (
            changed(&[("/actions/1/boot", json!({"method": "qemu-iso", "media": "img", "prompts": ["# "]}))]),
            "no boot method qemu-iso",
            "actions[1].boot",
        ),
        (changed(&[("/actions/1/boot/method", "qemu-nfs".into())]), "no boot method qemu-nfs", "actions[1].boot"),
    ];
    let place = Place::new(User::Root);
    place.write("empty.yaml", "{}\n");
    for (job, message, path) in cases {
        let job = place.write("job.yaml", job.to_string());
        let checked = place.convoke(&["check", job.to_str().unwrap(), "--lab", "empty.yaml", "--format", "json"]);
        assert_eq!(checked.code, Some(2), "{message}: {}{}", checked.stdout, checked.stderr);
        let object: Value = serde_json::from_str(&checked.stdout).unwrap();
        let found = object["diagnostics"].as_array().unwrap().iter().find(|found| found["code"] == "device.refused");
        let found = found.unwrap_or_else(|| panic!("{message}: {}", checked.stdout));
        assert!(found["message"].as_str().unwrap().contains(message), "{found}");
        assert_eq!(found["path"], path, "{found}");
        assert_eq!(place.run(&job, &[]).ended.code, Some(2), "{message}");
        assert!(!place.path("run").exists(), "{message}");
    }
}
