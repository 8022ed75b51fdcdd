//! Jobs against labs: code, place and words of what is missing.

use convoke_job::{Diagnostic, Job, Source, read};
use convoke_lab::config::Lab;
use convoke_lab::inventory::{check_inventory, wanted};

use crate::config::{fixture, lab};

fn job(source: &Source) -> Job {
    let checked = read(source, &Default::default());
    let errors: Vec<&Diagnostic> = checked.diagnostics.iter().filter(|finding| finding.is_error()).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    checked.job.unwrap()
}

/// A job with these roles that does nothing but deploy.
fn group(roles: &str) -> Source {
    let text = format!(
        "job_name: x\nvisibility: public\ntimeouts: {{job: {{minutes: 9}}, action: {{minutes: 1}}}}\nprotocols:\n  lava-multinode:\n    \
         roles:\n{roles}\nactions:\n- deploy: {{to: sandbox}}\n- boot: {{method: sandbox}}\n"
    );
    Source::new("job.yaml", text)
}

/// `line code at path: message [help] | label @ line …`
#[track_caller]
fn check(source: &Source, lab: &Lab, expected: &[&str]) {
    let shown: Vec<String> = check_inventory(&job(source), lab)
        .iter()
        .map(|finding| {
            assert!(finding.is_error());
            let label = |label: &convoke_job::Label| {
                let text = &source.text()[label.span.start..label.span.end];
                format!("{}:{text}", source.position(label.span.start).line)
            };
            let labels: Vec<String> = finding.labels.iter().map(label).collect();
            let help = finding.help.as_deref().unwrap_or_default();
            format!("{} at {}: {} [{help}] {}", finding.code, finding.path, finding.message, labels.join(" "))
        })
        .collect();
    assert_eq!(shown, expected);
}

#[test]
fn roles_that_together_ask_for_too_much() {
    let source = Source::new("b20.yaml", fixture("b20-overcommitted.yaml"));
    check(
        &source,
        &lab(&fixture("lab-small.yaml")),
        &[
            "inventory.group at roles.server.count: roles server and client together need 4 devices of type docker, 3 exist \
           [lower `count`, or add devices to the lab] 10:2 11:2",
        ],
    );
}

#[test]
fn each_rule_points_at_its_key() {
    let lab = lab("workers: {rack: {job_limit: 1}}
devices:
- {name: q1, type: qemu, tags: [tap]}
- {name: q2, type: qemu}
- {name: p1, type: panda, worker: rack}
- {name: p2, type: panda, worker: rack}
");
    let cases = [
        (
            "a: {device_type: qmeu, count: 1}",
            "inventory.type at roles.a.device_type: there is no device of type qmeu [did you mean qemu?] 7:qmeu",
        ),
        (
            "a: {device_type: qemu, count: 1, tags: [tap, tpa]}",
            "inventory.tag at roles.a.tags: no device carries the tag tpa [did you mean tap?] 7:tpa",
        ),
        (
            "a: {device_type: qemu, count: 1, device: q9}",
            "inventory.device at roles.a.device: there is no device q9 [did you mean q1?] 7:q9",
        ),
        (
            "a: {device_type: qemu, count: 1, device: p1}",
            "inventory.device at roles.a.device: device p1 is of type panda, not qemu [name a device that has all the role asks for] 7:p1",
        ),
        (
            "a: {device_type: qemu, count: 1, worker: shelf}",
            "inventory.device at roles.a.worker: there is no worker shelf [workers that exist: rack] 7:shelf",
        ),
        (
            "a: {device_type: qemu, count: 3}",
            "inventory.count at roles.a.count: role a needs 3 devices of type qemu, 2 exist [lower `count`, or add devices to the lab] 7:3",
        ),
        (
            "a: {device_type: qemu, count: 2, tags: [tap]}",
            "inventory.tags at roles.a.count: role a needs 2 devices of type qemu with tag tap, 1 exists [lower `count`, or add devices to the lab] 7:2",
        ),
        (
            "a: {device_type: panda, count: 2}",
            "inventory.worker-limit at roles.a.count: role a needs 2 devices of type panda, but worker rack runs at most 1 at a time [raise the worker's `job_limit`, or lower `count`] 7:2",
        ),
    ];
    for (role, expected) in cases {
        check(&group(&format!("      {role}")), &lab, &[expected]);
    }
}

#[test]
fn several_findings_stand_in_the_order_of_the_job() {
    let source = group(
        "      a: {device_type: beagle, count: 1}\n      b: {device_type: sandbox, count: 2}\n      c: {device_type: panda, count: 1}",
    );
    check(
        &source,
        &Lab::default(),
        &[
            "inventory.type at roles.a.device_type: there is no device of type beagle [types that exist: qemu, sandbox; list devices in a lab file, or rehearse the job on sandboxes] 7:beagle",
            "inventory.type at roles.c.device_type: there is no device of type panda [types that exist: qemu, sandbox; list devices in a lab file, or rehearse the job on sandboxes] 9:panda",
        ],
    );
}

#[test]
fn a_job_for_one_device() {
    let text = "job_name: x\nvisibility: public\ntimeouts: {job: {minutes: 9}}\ndevice_type: beagle\ntags: [tap]\nactions:\n- deploy: {to: sandbox}\n";
    let source = Source::new("job.yaml", text);
    check(&source, &lab("devices: [{name: b1, type: beagle, tags: [tap]}]\n"), &[]);
    check(
        &source,
        &lab("devices: [{name: b1, type: beagle}, {name: p1, type: panda, tags: [tap]}]\n"),
        &["inventory.tags at device_type: the job needs 1 device of type beagle with tag tap, none exists \
           [lower `count`, or add devices to the lab] 4:beagle"],
    );
}

#[test]
fn guests_are_counted_and_need_nothing() {
    let roles = "      host: {device_type: sandbox, count: 1}\n      g: {connection: ssh, host_role: host, expect_role: host, count: 2, request: lava-start}\n      last: {device_type: sandbox, count: 2}";
    let source = Source::new(
        "job.yaml",
        group(roles).text().replace("- deploy: {to: sandbox}\n- boot: {method: sandbox}\n", "- deploy: {role: [host, last], to: sandbox, authorize: ssh}\n- deploy:\n    role: [g]\n    to: ssh\n    protocols:\n      lava-multinode: [{action: prepare-scp-overlay, request: lava-wait, messageID: ip, message: {a: $a}}]\n- boot: {role: [g], method: ssh, prompts: ['x'], parameters: {hostID: ip, host_key: a}}\n"),
    );
    let members: Vec<u32> = wanted(&job(&source)).iter().map(|want| want.member).collect();
    assert_eq!(members, [0, 3, 4]);
    check(&source, &Lab::default(), &[]);
}

#[test]
fn what_a_device_cannot_do_stands_at_the_block_that_asks_for_it() {
    let device = "devices: [{name: b1, type: beagle, dictionary: {actions: {boot: {methods: {qemu: {parameters: {command: sh}}}}}}}]\n";
    let job = |to: &str| {
        Source::new(
            "job.yaml",
            format!(
                "job_name: x\nvisibility: public\ntimeouts: {{job: {{minutes: 9}}}}\ndevice_type: beagle\nactions:\n- deploy: {{to: {to}}}\n"
            ),
        )
    };
    check(
        &job("tftp"),
        &lab(device),
        &["device.refused at actions[0].deploy: device b1: a QEMU machine has no deploy to tftp \
           [use `to: tmpfs` with `images`] 6:{to: tftp}"],
    );
}

#[test]
fn images_that_cannot_be_had_are_told_before_a_run() {
    let job_of = |image: &str| {
        Source::new(
            "job.yaml",
            format!(
                "job_name: x\nvisibility: public\ntimeouts: {{job: {{minutes: 9}}}}\ndevice_type: qemu\nactions:\n\
                 - deploy: {{to: tmpfs, images: {{rootfs: {image}}}}}\n"
            ),
        )
    };
    for (image, words) in [
        ("{url: 'scp://host/x', image_arg: '{rootfs}'}", "image rootfs: scp is not supported"),
        ("{url: 'http://host/x', image_arg: '{rootfs}', sha256sum: abc}", "image rootfs: \"abc\" is no sha256sum"),
        (
            "{url: 'http://host/x', image_arg: '{rootfs}', overlays: {lava: true}}",
            "image rootfs: `overlays` needs `format`",
        ),
    ] {
        let source = job_of(image);
        let found = check_inventory(&job(&source), &Lab::default());
        let said: Vec<&str> = found.iter().map(|finding| finding.message.as_str()).collect();
        assert!(said.len() == 1 && said[0].contains(words), "{said:?}");
    }
}
