//! The properties of scheduling.md §11 that concern one decision, against an exhaustive search for small sizes.

use std::collections::{BTreeMap, BTreeSet};

use convoke_schedule::{Assigned, DeviceEntry, Health, Inventory, ShortageKind, Wanted, WorkerEntry, allocate, check};
use proptest::prelude::*;

const TYPES: [&str; 2] = ["qemu", "panda"];
const TAGS: [&str; 3] = ["tap", "usb", "kvm"];
const WORKERS: [&str; 2] = ["rack-1", "rack-2"];

fn tags() -> impl Strategy<Value = BTreeSet<String>> {
    prop::sample::subsequence(TAGS.to_vec(), 0..=2).prop_map(|tags| tags.into_iter().map(str::to_owned).collect())
}

prop_compose! {
    fn device()(
        device_type in prop::sample::select(TYPES.to_vec()),
        tags in tags(),
        worker in prop::option::of(prop::sample::select(WORKERS.to_vec())),
        health in prop::sample::select(vec![Health::Good, Health::Good, Health::Unknown, Health::Bad, Health::Retired]),
        busy in prop::bool::weighted(0.2),
        demand in 0..3_u32,
        last_used in prop::option::of(0..3_u64),
    ) -> DeviceEntry {
        let (device_type, worker) = (device_type.to_owned(), worker.map(str::to_owned));
        DeviceEntry { name: String::new(), device_type, tags, worker, health, busy, demand, last_used }
    }
}

fn worker() -> impl Strategy<Value = WorkerEntry> {
    (0..3_u32, prop::bool::weighted(0.9)).prop_map(|(job_limit, usable)| WorkerEntry { job_limit, usable })
}

prop_compose! {
    fn inventory()(
        mut devices in prop::collection::vec(device(), 0..6),
        limits in prop::collection::vec(worker(), 2),
    ) -> Inventory {
        for (number, device) in devices.iter_mut().enumerate() {
            device.name = format!("d{number}");
        }
        let workers: BTreeMap<_, _> = WORKERS.iter().map(|name| (*name).to_owned()).zip(limits).collect();
        Inventory { devices, workers, on_demand: Vec::new() }
    }
}

prop_compose! {
    fn role()(
        device_type in prop::sample::select(TYPES.to_vec()),
        tags in tags(),
        count in 1..3_u32,
        device in prop::option::weighted(0.1, 0..6_u32),
        worker in prop::option::weighted(0.1, prop::sample::select(WORKERS.to_vec())),
    ) -> (Wanted, u32) {
        let device = device.map(|number| format!("d{number}"));
        let count = if device.is_some() { 1 } else { count };
        let (device_type, worker) = (device_type.to_owned(), worker.map(str::to_owned));
        (Wanted { member: 0, role: None, device_type, tags, device, worker }, count)
    }
}

fn wanted() -> impl Strategy<Value = Vec<Wanted>> {
    prop::collection::vec(role(), 0..4).prop_map(|roles| {
        let mut wanted = Vec::new();
        for (number, (want, count)) in roles.into_iter().enumerate() {
            for _ in 0..count {
                let member = u32::try_from(wanted.len()).unwrap();
                wanted.push(Wanted { member, role: Some(format!("r{number}")), ..want.clone() });
            }
        }
        wanted
    })
}

fn usable(inventory: &Inventory, device: &DeviceEntry) -> bool {
    let worker = device.worker.as_ref().and_then(|name| inventory.workers.get(name));
    matches!(device.health, Health::Good | Health::Unknown) && !device.busy && worker.is_none_or(|worker| worker.usable)
}

/// Tries every assignment; `now` counts only usable devices and what busy ones take of the workers' limits.
fn exhaustive(wanted: &[Wanted], inventory: &Inventory, now: bool) -> bool {
    let mut held: BTreeMap<&str, u32> = BTreeMap::new();
    for device in inventory.devices.iter().filter(|device| now && device.busy) {
        if let Some(worker) = &device.worker {
            *held.entry(worker).or_default() += 1;
        }
    }
    search(wanted, inventory, now, &mut BTreeSet::new(), &mut held)
}

fn search<'a>(
    wanted: &[Wanted],
    inventory: &'a Inventory,
    now: bool,
    taken: &mut BTreeSet<&'a str>,
    held: &mut BTreeMap<&'a str, u32>,
) -> bool {
    let Some((want, rest)) = wanted.split_first() else { return true };
    for device in &inventory.devices {
        let counts = if now { usable(inventory, device) } else { device.health != Health::Retired };
        let limit = |name: &str| inventory.workers.get(name).map_or(0, |worker| worker.job_limit);
        let full = device
            .worker
            .as_deref()
            .is_some_and(|name| limit(name) > 0 && held.get(name).copied().unwrap_or_default() >= limit(name));
        if !counts || full || !want.suits(device) || !taken.insert(&device.name) {
            continue;
        }
        if let Some(name) = &device.worker {
            *held.entry(name).or_default() += 1;
        }
        let found = search(rest, inventory, now, taken, held);
        if let Some(name) = &device.worker {
            *held.entry(name).or_default() -= 1;
        }
        taken.remove(device.name.as_str());
        if found {
            return true;
        }
    }
    false
}

/// The fewest unneeded tags with which everybody can be served, by trying everything; without worker limits.
fn least_spare(wanted: &[Wanted], inventory: &Inventory, taken: &mut BTreeSet<usize>) -> Option<usize> {
    let Some((want, rest)) = wanted.split_first() else { return Some(0) };
    let mut least = None;
    for (place, device) in inventory.devices.iter().enumerate() {
        if !usable(inventory, device) || !want.suits(device) || !taken.insert(place) {
            continue;
        }
        let spare = device.tags.difference(&want.tags).count();
        let total = least_spare(rest, inventory, taken).map(|others| others + spare);
        least = [least, total].into_iter().flatten().min();
        taken.remove(&place);
    }
    least
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    /// P10: refused exactly when no assignment exists among all that may ever serve.
    #[test]
    fn refused_only_when_nothing_fits(wanted in wanted(), inventory in inventory()) {
        prop_assert_eq!(check(&wanted, &inventory).is_empty(), exhaustive(&wanted, &inventory, false));
    }

    /// P1–P4: everybody gets a device of the right kind that is free, or nobody does; and nobody only when it must be.
    #[test]
    fn all_or_nothing_and_legal(wanted in wanted(), inventory in inventory()) {
        let possible = exhaustive(&wanted, &inventory, true);
        match allocate(&wanted, &inventory) {
            Ok(assigned) => {
                prop_assert!(possible);
                prop_assert_eq!(assigned.len(), wanted.len());
                let mut taken = BTreeSet::new();
                for (want, assignment) in wanted.iter().zip(&assigned) {
                    prop_assert_eq!(want.member, assignment.member);
                    let Assigned::Listed(name) = &assignment.device else { panic!("nothing is made on demand here") };
                    let device = inventory.device(name).unwrap();
                    prop_assert!(want.suits(device) && usable(&inventory, device));
                    prop_assert!(taken.insert(name.clone()));
                }
                for (name, worker) in inventory.workers.iter().filter(|(_, worker)| worker.job_limit > 0) {
                    let of = |device: &&DeviceEntry| device.worker.as_ref() == Some(name);
                    let held = inventory.devices.iter().filter(of);
                    let held = held.filter(|device| device.busy || taken.contains(&device.name)).count();
                    let before = inventory.devices.iter().filter(of).filter(|device| device.busy).count();
                    prop_assert!(held == before || held <= worker.job_limit as usize);
                }
            }
            Err(shortages) => {
                prop_assert!(!possible);
                prop_assert!(!shortages.is_empty());
            }
        }
    }

    /// A set of roles in a shortage is minimal: all of it cannot be served, and with any one role less it can.
    #[test]
    fn the_named_set_is_minimal(wanted in wanted(), inventory in inventory()) {
        let counted = [ShortageKind::Count, ShortageKind::Tags, ShortageKind::Group, ShortageKind::WorkerLimit];
        for shortage in check(&wanted, &inventory).iter().filter(|shortage| counted.contains(&shortage.kind)) {
            let set: Vec<Wanted> =
                wanted.iter().filter(|want| shortage.members.contains(&want.member)).cloned().collect();
            prop_assert!(!exhaustive(&set, &inventory, false));
            for role in &shortage.roles {
                let rest: Vec<Wanted> =
                    set.iter().filter(|want| want.role.as_ref() != Some(role)).cloned().collect();
                prop_assert!(exhaustive(&rest, &inventory, false));
            }
        }
    }

    /// P17: neither the order of devices nor a second call changes the answer.
    #[test]
    fn the_answer_depends_on_nothing_else(wanted in wanted(), inventory in inventory()) {
        let mut turned = inventory.clone();
        turned.devices.reverse();
        prop_assert_eq!(allocate(&wanted, &inventory), allocate(&wanted, &turned));
        prop_assert_eq!(check(&wanted, &inventory), check(&wanted, &turned));
    }

    /// P11: a single job takes the usable device with the fewest tags it does not need.
    #[test]
    fn best_fit(want in role(), inventory in inventory()) {
        let wanted = vec![want.0];
        if let Ok(assigned) = allocate(&wanted, &inventory) {
            let Assigned::Listed(name) = &assigned[0].device else { panic!("nothing is made on demand here") };
            let spare = |device: &DeviceEntry| device.tags.difference(&wanted[0].tags).count();
            let open = |device: &DeviceEntry| {
                let alone = Inventory { devices: inventory.devices.clone(), ..inventory.clone() };
                let mut alone = alone;
                for other in alone.devices.iter_mut().filter(|other| other.name != device.name && !other.busy) {
                    other.health = Health::Bad;
                }
                allocate(&wanted, &alone).is_ok()
            };
            let least = inventory.devices.iter().filter(|device| open(device)).map(spare).min();
            prop_assert_eq!(Some(spare(inventory.device(name).unwrap())), least);
        }
    }

    /// The same for a group: no other way to serve everybody wastes fewer tags.
    #[test]
    fn best_fit_of_a_group(wanted in wanted(), mut inventory in inventory()) {
        inventory.workers.values_mut().for_each(|worker| worker.job_limit = 0);
        if let Ok(assigned) = allocate(&wanted, &inventory) {
            let spare = |(want, assignment): (&Wanted, &convoke_schedule::Assignment)| {
                let Assigned::Listed(name) = &assignment.device else { panic!("nothing is made on demand here") };
                inventory.device(name).unwrap().tags.difference(&want.tags).count()
            };
            let total: usize = wanted.iter().zip(&assigned).map(spare).sum();
            prop_assert_eq!(Some(total), least_spare(&wanted, &inventory, &mut BTreeSet::new()));
        }
    }
}
