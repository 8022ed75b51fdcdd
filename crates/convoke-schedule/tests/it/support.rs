//! Short ways to write inventories and needs.

use std::collections::BTreeSet;

use convoke_schedule::{Assigned, DeviceEntry, Health, Inventory, OnDemand, Wanted, WorkerEntry, allocate};

/// `"q1 qemu tap,usb rack-1"`: name, type, tags (`-` for none), worker.
pub(crate) fn device(text: &str) -> DeviceEntry {
    let mut words = text.split_whitespace();
    let name = words.next().unwrap().to_owned();
    let device_type = words.next().unwrap().to_owned();
    DeviceEntry {
        name,
        device_type,
        tags: tags(words.next().unwrap_or("-")),
        worker: words.next().map(str::to_owned),
        health: Health::Good,
        ..DeviceEntry::default()
    }
}

pub(crate) fn inventory(devices: &[&str]) -> Inventory {
    Inventory { devices: devices.iter().map(|text| device(text)).collect(), ..Inventory::default() }
}

pub(crate) fn sandboxes() -> Inventory {
    let made = OnDemand { device_type: "sandbox".into(), tags: BTreeSet::new(), limit: None, in_use: 0 };
    Inventory { on_demand: vec![made], ..Inventory::default() }
}

pub(crate) fn limit(mut inventory: Inventory, worker: &str, job_limit: u32) -> Inventory {
    inventory.workers.insert(worker.into(), WorkerEntry { job_limit, usable: true });
    inventory
}

/// `"server 2 qemu tap"`: role, count, type, tags; members are numbered through.
pub(crate) fn group(roles: &[&str]) -> Vec<Wanted> {
    let mut wanted = Vec::new();
    for text in roles {
        let words: Vec<&str> = text.split_whitespace().collect();
        for _ in 0..words[1].parse::<u32>().unwrap() {
            wanted.push(Wanted {
                member: u32::try_from(wanted.len()).unwrap(),
                role: Some(words[0].into()),
                device_type: words[2].into(),
                tags: tags(words.get(3).unwrap_or(&"-")),
                ..Wanted::default()
            });
        }
    }
    wanted
}

fn tags(text: &str) -> BTreeSet<String> {
    text.split(',').filter(|tag| *tag != "-").map(str::to_owned).collect()
}

/// The names of the devices given, in member order; `+type` for one made on demand.
pub(crate) fn names(wanted: &[Wanted], inventory: &Inventory) -> Vec<String> {
    let assigned = allocate(wanted, inventory).unwrap();
    let members: Vec<u32> = assigned.iter().map(|assignment| assignment.member).collect();
    assert_eq!(members, wanted.iter().map(|want| want.member).collect::<Vec<_>>());
    let name = |device| match device {
        Assigned::Listed(name) => name,
        Assigned::Made { device_type } => format!("+{device_type}"),
    };
    assigned.into_iter().map(|assignment| name(assignment.device)).collect()
}
