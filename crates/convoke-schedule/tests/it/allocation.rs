//! Who gets which device.

use convoke_schedule::{Health, ShortageKind, allocate};

use crate::support::{device, group, inventory, limit, names, sandboxes};

#[test]
fn an_untagged_job_leaves_the_tagged_device_alone() {
    let lab = inventory(&["q1 qemu tap", "q2 qemu"]);
    assert_eq!(names(&group(&["plain 1 qemu"]), &lab), ["q2"]);
    assert_eq!(names(&group(&["plain 1 qemu", "net 1 qemu tap"]), &lab), ["q2", "q1"]);
}

#[test]
fn best_fit_gives_way_where_the_group_needs_it() {
    let lab = inventory(&["q1 qemu tap", "q2 qemu tap,usb,kvm"]);
    assert_eq!(names(&group(&["net 1 qemu tap", "all 1 qemu kvm"]), &lab), ["q1", "q2"]);
    let lab = inventory(&["q1 qemu a", "q2 qemu b", "q3 qemu a,b,c", "q4 qemu c,d"]);
    assert_eq!(names(&group(&["x 1 qemu a", "y 1 qemu a"]), &lab), ["q1", "q3"]);
    assert_eq!(names(&group(&["x 2 qemu", "y 1 qemu c"]), &lab), ["q1", "q2", "q4"]);
}

#[test]
fn the_less_demanded_then_the_longest_unused_device_is_taken() {
    let mut lab = inventory(&["q1 qemu", "q2 qemu", "q3 qemu"]);
    lab.devices[0].demand = 2;
    lab.devices[1].last_used = Some(7);
    lab.devices[2].last_used = Some(5);
    assert_eq!(names(&group(&["a 1 qemu"]), &lab), ["q3"]);
    lab.devices[1].last_used = None;
    assert_eq!(names(&group(&["a 1 qemu"]), &lab), ["q2"]);
}

#[test]
fn members_alike_get_their_devices_by_name() {
    let lab = inventory(&["q3 qemu", "q1 qemu", "q2 qemu", "d1 docker"]);
    assert_eq!(names(&group(&["a 2 qemu", "d 1 docker", "b 1 qemu"]), &lab), ["q1", "q2", "d1", "q3"]);
}

#[test]
fn bad_and_busy_devices_exist_but_do_not_serve() {
    let mut lab = inventory(&["q1 qemu", "q2 qemu", "q3 qemu"]);
    lab.devices[0].health = Health::Bad;
    lab.devices[1].health = Health::Unknown;
    assert_eq!(names(&group(&["a 2 qemu"]), &lab), ["q2", "q3"]);
    lab.devices[2].busy = true;
    let shortage = allocate(&group(&["a 2 qemu"]), &lab).unwrap_err().remove(0);
    assert_eq!(shortage.kind, ShortageKind::Busy);
    assert_eq!(
        shortage.message,
        "role a needs 2 devices of type qemu, 1 of 3 can be used now (q1 is Bad and q3 is busy)"
    );
}

#[test]
fn a_named_device_is_kept_for_who_names_it() {
    let lab = inventory(&["q1 qemu", "q2 qemu"]);
    let mut wanted = group(&["a 1 qemu", "b 1 qemu"]);
    wanted[1].device = Some("q1".into());
    assert_eq!(names(&wanted, &lab), ["q2", "q1"]);
}

#[test]
fn a_worker_at_its_limit_gives_nothing_now() {
    let mut lab = limit(inventory(&["q1 qemu - rack", "q2 qemu - rack", "q3 qemu - other"]), "rack", 1);
    assert_eq!(names(&group(&["a 2 qemu"]), &lab), ["q1", "q3"]);
    lab.devices[0].busy = true;
    let shortage = allocate(&group(&["a 2 qemu"]), &lab).unwrap_err().remove(0);
    assert_eq!(
        shortage.message,
        "role a needs 2 devices of type qemu, 1 of 3 can be used now (q1 is busy and worker rack is at its limit)"
    );
    lab.workers.get_mut("rack").unwrap().usable = false;
    lab.devices[0].busy = false;
    assert_eq!(names(&group(&["a 1 qemu"]), &lab), ["q3"]);
}

#[test]
fn sandboxes_are_made_without_end_but_listed_ones_go_first() {
    assert_eq!(names(&group(&["a 3 sandbox"]), &sandboxes()), ["+sandbox"; 3]);
    let mut lab = sandboxes();
    lab.devices.push(device("box sandbox gpu"));
    assert_eq!(names(&group(&["a 2 sandbox"]), &lab), ["box", "+sandbox"]);
    lab.on_demand[0].limit = Some(1);
    lab.on_demand[0].in_use = 1;
    assert_eq!(allocate(&group(&["a 2 sandbox"]), &lab).unwrap_err()[0].kind, ShortageKind::Busy);
}

#[test]
fn nobody_needs_nothing() {
    assert_eq!(allocate(&[], &inventory(&[])), Ok(vec![]));
}

/// scheduling.md §10: 64 members of 1000 devices; the time is asserted nowhere, but an algorithm that is too slow shows.
#[test]
fn a_large_group_in_a_large_lab() {
    let names_of: Vec<String> = (0..1000).map(|n| format!("q{n:04} qemu {}", ["-", "a", "a,b"][n % 3])).collect();
    let texts: Vec<&str> = names_of.iter().map(String::as_str).collect();
    let lab = inventory(&texts);
    let got = names(&group(&["x 32 qemu a", "y 16 qemu b", "z 16 qemu"]), &lab);
    assert_eq!(got.len(), 64);
    assert_eq!((got[0].as_str(), got[32].as_str(), got[48].as_str()), ("q0001", "q0002", "q0000"));
}

/// A hostile count costs no more than its members.
#[test]
fn a_hundred_thousand_members() {
    let wanted = group(&["a 100000 sandbox", "b 1 sandbox"]);
    assert_eq!(names(&wanted, &sandboxes()).len(), 100_001);
    let mut lab = sandboxes();
    lab.on_demand[0].limit = Some(7);
    let shortage = allocate(&wanted, &lab).unwrap_err().remove(0);
    assert_eq!(shortage.message, "role a needs 100000 devices of type sandbox, 7 exist");
}
