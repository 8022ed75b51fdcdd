//! Whether a group could ever be served, and if not, every smallest reason (scheduling.md §9.6).
//!
//! Counted are all devices but retired ones, busy or not: a job is refused only when waiting would not help.

use std::collections::BTreeSet;

use crate::inventory::{Inventory, When};
use crate::matching::{self, Limits};
use crate::shortage::Shortage;
use crate::wanted::Wanted;

/// Every reason why `wanted` can never be served together; empty when it can.
///
/// First what is wrong with one role by itself (unknown type, tag, device or worker), then for the roles without such a
/// fault the minimal sets that need more than exists. Each role is named in at most one such set.
pub fn check(wanted: &[Wanted], inventory: &Inventory) -> Vec<Shortage> {
    let mut found = Vec::new();
    let mut sound = Vec::new();
    for class in classes(&wanted.iter().collect::<Vec<_>>()) {
        let faults = faults(class[0], inventory);
        if faults.is_empty() {
            sound.extend(class);
        }
        found.extend(faults);
    }
    for set in deficits(&sound, inventory, When::Ever) {
        let enough_without_limits = matching::best(&set, inventory, When::Ever, Limits::Ignored).covers;
        found.push(if enough_without_limits {
            Shortage::worker_limit(&set, inventory)
        } else {
            Shortage::count(&set, inventory)
        });
    }
    found
}

/// What is wrong with a need whatever the others need.
fn faults(want: &Wanted, inventory: &Inventory) -> Vec<Shortage> {
    if !inventory.device_types().contains(&want.device_type.as_str()) {
        return vec![Shortage::unknown_type(want, inventory)];
    }
    let known: BTreeSet<&str> = inventory.tags().into_iter().collect();
    let mut found: Vec<Shortage> = want
        .tags
        .iter()
        .filter(|tag| !known.contains(tag.as_str()))
        .map(|tag| Shortage::unknown_tag(want, tag, inventory))
        .collect();
    if let Some(worker) = &want.worker
        && !inventory.worker_names().contains(&worker.as_str())
    {
        found.push(Shortage::unknown_worker(want, worker, inventory));
    }
    if let Some(name) = &want.device {
        let device = inventory.device(name).filter(|device| device.health.exists());
        if device.is_none_or(|device| found.is_empty() && !want.suits(device)) {
            found.push(Shortage::device(want, name, inventory));
        }
    }
    found
}

/// The minimal sets of needs that cannot be served together, disjoint, in the order of `wanted`.
///
/// A set is minimal by class: with any one class (role and need) less it can be served.
pub(crate) fn deficits<'a>(wanted: &[&'a Wanted], inventory: &Inventory, when: When) -> Vec<Vec<&'a Wanted>> {
    let feasible = |classes: &[Vec<&Wanted>]| matching::best(&classes.concat(), inventory, when, Limits::Kept).covers;
    let mut open = classes(wanted);
    let mut found = Vec::new();
    while !feasible(&open) {
        let mut set = open.clone();
        // From the last to the first, so that of several sets the one with the earliest roles is named.
        for place in (0..set.len()).rev() {
            let class = set.remove(place);
            if feasible(&set) {
                set.insert(place, class);
            }
        }
        open.retain(|class| !set.contains(class));
        found.push(set.concat());
    }
    found
}

/// Members with the same role and the same need together, in order of first appearance.
fn classes<'a>(wanted: &[&'a Wanted]) -> Vec<Vec<&'a Wanted>> {
    let mut classes: Vec<Vec<&Wanted>> = Vec::new();
    for want in wanted {
        let alike = |class: &&mut Vec<&Wanted>| class[0].role == want.role && class[0].same_need(want);
        match classes.iter_mut().rev().find(alike) {
            Some(class) => class.push(want),
            None => classes.push(vec![want]),
        }
    }
    classes
}
