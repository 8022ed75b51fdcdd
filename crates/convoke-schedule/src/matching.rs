//! Members to devices as a network: source, needs, devices, workers, sink.
//!
//! Members that ask for the same thing are one need, as wide as they are many: the network grows with the roles of a
//! group, not with their counts. A need has an edge to every device that suits it, a device one to its worker or the
//! sink, a worker one to the sink as wide as its job limit. A flow that covers all members is an allocation. What an edge costs says how good a fit it
//! is (scheduling.md §9.5): first tags the device has for nothing, then how many others wait for it, then how recently it
//! was used, then its place by name; a difference in an earlier one always outweighs the later ones.

use std::collections::BTreeMap;

use crate::flow::{Cost, Network};
use crate::inventory::{Inventory, When};
use crate::wanted::Wanted;

/// What a member was matched to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Match {
    /// The device at this place by name.
    Listed(usize),
    /// One made on demand, of the entry at this place.
    Made(usize),
}

/// The result: matches by place in `wanted`; `covers` says whether nobody was left out.
pub(crate) struct Matching {
    pub(crate) matches: Vec<Option<Match>>,
    pub(crate) covers: bool,
}

/// Whether worker limits count.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limits {
    Kept,
    Ignored,
}

const FIELD_BITS: u32 = 30;
/// Keeps the sum over a thousand members within a field.
const FIELD_MOST: u64 = 1 << 20;

fn cost(fields: [u64; 4]) -> Cost {
    fields.iter().fold(0, |sum, field| (sum << FIELD_BITS) + Cost::from(*field.min(&FIELD_MOST)))
}

/// Devices in the order of their names; places in it name devices in a [`Match`].
pub(crate) fn by_name(inventory: &Inventory) -> Vec<usize> {
    let mut order: Vec<usize> = (0..inventory.devices.len()).collect();
    order.sort_by(|left, right| inventory.devices[*left].name.cmp(&inventory.devices[*right].name));
    order
}

/// The best matching of as many of `wanted` as possible.
pub(crate) fn best(wanted: &[&Wanted], inventory: &Inventory, when: When, limits: Limits) -> Matching {
    let order = by_name(inventory);
    let recency = recency(inventory);
    let workers = workers(inventory, limits, when);
    let needs = needs(wanted);
    let (source, sink) = (0, 1);
    let first_need = 2;
    let first_device = first_need + needs.len();
    let first_made = first_device + order.len();
    let first_worker = first_made + inventory.on_demand.len();
    let mut network = Network::new(first_worker + workers.len());

    let mut choices = vec![Vec::new(); needs.len()];
    for (number, members) in needs.iter().enumerate() {
        let (node, want) = (first_need + number, wanted[members[0]]);
        let many = u32::try_from(members.len()).unwrap_or(u32::MAX);
        network.edge(source, node, many, 0);
        for (rank, index) in order.iter().enumerate() {
            let device = &inventory.devices[*index];
            if inventory.counts(device, when) && want.suits(device) {
                let spare = device.tags.len() - want.tags.len();
                let price = cost([spare as u64, device.demand.into(), recency[*index], rank as u64]);
                choices[number].push((network.edge(node, first_device + rank, 1, price), Match::Listed(rank)));
            }
        }
        for (index, made) in inventory.on_demand.iter().enumerate() {
            if want.suits_made(made) {
                // Dearer than any device that is there anyway.
                let price = cost([FIELD_MOST, 0, 0, 0]);
                choices[number].push((network.edge(node, first_made + index, many, price), Match::Made(index)));
            }
        }
    }
    for (rank, index) in order.iter().enumerate() {
        let worker = inventory.devices[*index].worker.as_deref();
        let onward = worker.and_then(|name| workers.get(name)).map_or(sink, |(place, _)| first_worker + place);
        network.edge(first_device + rank, onward, 1, 0);
    }
    for (index, made) in inventory.on_demand.iter().enumerate() {
        let in_use = if when == When::Now { made.in_use } else { 0 };
        let room = made.limit.map_or(u32::MAX, |limit| limit.saturating_sub(in_use));
        network.edge(first_made + index, sink, room, 0);
    }
    for (place, room) in workers.values() {
        network.edge(first_worker + place, sink, *room, 0);
    }

    let sent = network.run(source, sink);
    let mut matches = vec![None; wanted.len()];
    for (members, choices) in needs.iter().zip(&choices) {
        // Choices are in the order of names, so the first member gets the first device.
        let taken = choices.iter().flat_map(|(edge, found)| (0..network.carried(*edge)).map(move |_| *found));
        for (member, found) in members.iter().zip(taken) {
            matches[*member] = Some(found);
        }
    }
    Matching { matches, covers: sent as usize == wanted.len() }
}

/// Places in `wanted` that ask for the same thing together, in order of first appearance.
fn needs(wanted: &[&Wanted]) -> Vec<Vec<usize>> {
    let mut needs: Vec<Vec<usize>> = Vec::new();
    for (place, want) in wanted.iter().enumerate() {
        // Equal ones mostly follow each other: look from the end.
        match needs.iter_mut().rev().find(|need| wanted[need[0]].same_need(want)) {
            Some(need) => need.push(place),
            None => needs.push(vec![place]),
        }
    }
    needs
}

/// Rank by last use of every device, longest ago first; equal times share a rank.
fn recency(inventory: &Inventory) -> Vec<u64> {
    let mut times: Vec<_> = inventory.devices.iter().map(|device| device.last_used).collect();
    times.sort_unstable();
    times.dedup();
    let rank = |time| times.binary_search(time).unwrap_or_default() as u64;
    inventory.devices.iter().map(|device| rank(&device.last_used)).collect()
}

/// Workers that have a limit: place among them and room left.
fn workers(inventory: &Inventory, limits: Limits, when: When) -> BTreeMap<&str, (usize, u32)> {
    if limits == Limits::Ignored {
        return BTreeMap::new();
    }
    let limited = inventory.worker_names().into_iter().filter_map(|name| Some((name, inventory.room(name, when)?)));
    limited.enumerate().map(|(place, (name, room))| (name, (place, room))).collect()
}
