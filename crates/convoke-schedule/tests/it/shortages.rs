//! What is said when devices are missing.

use convoke_schedule::{Health, Inventory, Wanted, check};

use crate::support::{group, inventory, limit, sandboxes};

/// Code, message and help of every finding.
#[track_caller]
fn expect(wanted: &[Wanted], inventory: &Inventory, expected: &[&str]) {
    let found: Vec<String> = check(wanted, inventory)
        .iter()
        .map(|shortage| format!("{}: {}", shortage.kind.code(), shortage.message))
        .collect();
    assert_eq!(found, expected);
}

#[track_caller]
fn expect_help(wanted: &[Wanted], inventory: &Inventory, expected: &str) {
    assert_eq!(check(wanted, inventory)[0].help.as_deref(), Some(expected));
}

#[test]
fn roles_that_fit_alone_but_not_together() {
    let mut lab = inventory(&["docker-01 docker", "docker-02 docker", "docker-03 docker"]);
    lab.devices[2].health = Health::Bad;
    expect(
        &group(&["server 2 docker", "client 2 docker"]),
        &lab,
        &["inventory.group: roles server and client together need 4 devices of type docker, 3 exist"],
    );
}

#[test]
fn one_role_by_itself() {
    let mut lab = inventory(&["q1 qemu", "q2 qemu tap", "q3 qemu tap"]);
    expect(&group(&["a 4 qemu"]), &lab, &["inventory.count: role a needs 4 devices of type qemu, 3 exist"]);
    expect(
        &group(&["a 3 qemu tap"]),
        &lab,
        &["inventory.tags: role a needs 3 devices of type qemu with tag tap, 2 exist"],
    );
    lab.devices[0].health = Health::Retired;
    expect(&group(&["a 3 qemu"]), &lab, &["inventory.count: role a needs 3 devices of type qemu, 2 exist"]);
    lab.devices[1].tags.insert("usb".into());
    expect(
        &group(&["a 2 qemu tap,usb"]),
        &lab,
        &["inventory.tags: role a needs 2 devices of type qemu with tags tap and usb, 1 exists"],
    );
}

#[test]
fn only_the_roles_at_fault_are_named() {
    let lab = inventory(&["q1 qemu tap", "q2 qemu tap", "q3 qemu", "d1 docker"]);
    expect(
        &group(&["other 1 docker", "server 2 qemu tap", "plain 1 qemu", "probe 1 qemu tap"]),
        &lab,
        &["inventory.group: roles server and probe together need 3 devices of type qemu with tag tap, 2 exist"],
    );
    expect(
        &group(&["server 3 qemu tap", "a 1 docker", "b 1 docker"]),
        &lab,
        &[
            "inventory.group: roles a and b together need 2 devices of type docker, 1 exists",
            "inventory.tags: role server needs 3 devices of type qemu with tag tap, 2 exist",
        ]
        .iter()
        .rev()
        .copied()
        .collect::<Vec<_>>(),
    );
}

#[test]
fn different_tags_on_the_same_devices() {
    let lab = inventory(&["q1 qemu tap,usb", "q2 qemu tap", "q3 qemu"]);
    expect(
        &group(&["a 2 qemu tap", "b 1 qemu usb"]),
        &lab,
        &["inventory.group: roles a and b together need 3 devices of type qemu with tag tap or with tag usb, 2 exist"],
    );
}

#[test]
fn unknown_types_and_tags_are_named_with_the_likely_one() {
    let lab = inventory(&["q1 qemu tap"]);
    expect(&group(&["a 1 qmeu"]), &lab, &["inventory.type: there is no device of type qmeu"]);
    expect_help(&group(&["a 1 qmeu"]), &lab, "did you mean qemu?");
    expect_help(&group(&["a 1 panda"]), &lab, "types that exist: qemu");
    expect_help(&group(&["a 1 panda"]), &inventory(&[]), "the lab has no devices");
    expect(&group(&["a 1 qemu tpa"]), &lab, &["inventory.tag: no device carries the tag tpa"]);
    expect_help(&group(&["a 1 qemu tpa"]), &lab, "did you mean tap?");
    expect(&group(&["a 1 sandbox gpu"]), &sandboxes(), &["inventory.tag: no device carries the tag gpu"]);
}

#[test]
fn a_known_tag_on_devices_of_another_type_only() {
    let lab = inventory(&["q1 qemu", "d1 docker tap"]);
    expect(
        &group(&["a 1 qemu tap"]),
        &lab,
        &["inventory.tags: role a needs 1 device of type qemu with tag tap, none exists"],
    );
}

#[test]
fn named_devices_and_workers() {
    let mut lab = inventory(&["q1 qemu tap rack", "q2 qemu", "d1 docker"]);
    let one = |device: Option<&str>, worker: Option<&str>, kind: &str| {
        let mut wanted = group(&[kind]);
        wanted[0].device = device.map(str::to_owned);
        wanted[0].worker = worker.map(str::to_owned);
        wanted
    };
    expect(&one(Some("q9"), None, "a 1 qemu"), &lab, &["inventory.device: there is no device q9"]);
    expect(&one(Some("d1"), None, "a 1 qemu"), &lab, &["inventory.device: device d1 is of type docker, not qemu"]);
    expect(&one(Some("q2"), None, "a 1 qemu tap"), &lab, &["inventory.device: device q2 does not carry the tag tap"]);
    expect(&one(None, Some("rcak"), "a 1 qemu"), &lab, &["inventory.device: there is no worker rcak"]);
    let elsewhere = one(Some("q2"), Some("rack"), "a 1 qemu");
    expect(&elsewhere, &lab, &["inventory.device: device q2 is attached to no worker, not to rack"]);
    let twice = one(None, Some("rack"), "a 2 qemu");
    expect(&twice[..1], &lab, &[]);
    lab.devices[1].health = Health::Retired;
    expect(&one(Some("q2"), None, "a 1 qemu"), &lab, &["inventory.device: device q2 is retired"]);

    let mut both = group(&["a 1 qemu", "b 1 qemu"]);
    both.iter_mut().for_each(|want| want.device = Some("q1".into()));
    expect(&both, &lab, &["inventory.group: roles a and b together need 2 devices of type qemu named q1, 1 exists"]);
}

#[test]
fn a_group_larger_than_its_workers_limit() {
    let lab = limit(inventory(&["q1 qemu - rack", "q2 qemu - rack", "q3 qemu - rack"]), "rack", 2);
    expect(
        &group(&["a 3 qemu"]),
        &lab,
        &["inventory.worker-limit: role a needs 3 devices of type qemu, but worker rack runs at most 2 at a time"],
    );
    let lab = limit(inventory(&["q1 qemu - rack", "d1 docker - rack"]), "rack", 1);
    expect(
        &group(&["a 1 qemu", "b 1 docker"]),
        &lab,
        &[
            "inventory.worker-limit: roles a and b together need 2 devices of type docker or of type qemu, but worker rack runs at most 1 at a time",
        ],
    );
}

#[test]
fn a_job_without_roles_is_called_the_job() {
    let mut wanted = group(&["a 1 qemu tap"]);
    wanted[0].role = None;
    let lab = inventory(&["q1 qemu", "d1 docker tap"]);
    expect(&wanted, &lab, &["inventory.tags: the job needs 1 device of type qemu with tag tap, none exists"]);
}

#[test]
fn the_limit_of_sandboxes_counts() {
    let mut lab = sandboxes();
    lab.on_demand[0].limit = Some(2);
    expect(
        &group(&["a 2 sandbox", "b 1 sandbox"]),
        &lab,
        &["inventory.group: roles a and b together need 3 devices of type sandbox, 2 exist"],
    );
}
