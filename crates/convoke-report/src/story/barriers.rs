//! The rounds of the syncs: who arrived when, and when all were let go.
//!
//! A member's sync of an ID belongs to the round whose number is how often that member has passed a sync of this ID
//! before. A sync that ran into its limit and is called again is therefore in the same round as its first try.

use std::collections::BTreeMap;

use super::calls::Call;

/// One round of a sync.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Barrier {
    /// ID.
    pub message_id: String,
    /// Round of this ID, from 0.
    pub round: usize,
    /// Indexes of its calls in the story's calls, in order of arrival.
    pub calls: Vec<usize>,
    /// When the last member arrived; `None` when it was never complete.
    pub complete_ns: Option<u64>,
    /// When the first member was let go.
    pub released_ns: Option<u64>,
    /// When the last member was let go.
    pub last_released_ns: Option<u64>,
}

/// All rounds, in order of their first arrivals.
pub(super) fn of(calls: &[Call]) -> Vec<Barrier> {
    let mut passed: BTreeMap<(&str, u32), usize> = BTreeMap::new();
    let mut rounds: BTreeMap<(&str, usize), Barrier> = BTreeMap::new();
    for (index, call) in calls.iter().enumerate().filter(|(_, call)| call.call == "sync") {
        let id = call.message_id.as_str();
        let round = passed.entry((id, call.member)).or_default();
        let barrier = rounds.entry((id, *round)).or_insert_with(|| Barrier {
            message_id: id.to_owned(),
            round: *round,
            calls: Vec::new(),
            complete_ns: None,
            released_ns: None,
            last_released_ns: None,
        });
        barrier.calls.push(index);
        if let Some(end) = call.end.as_ref().filter(|end| end.ok) {
            *round += 1;
            let first = barrier.released_ns.map_or(end.at_ns, |at| at.min(end.at_ns));
            let last = barrier.last_released_ns.map_or(end.at_ns, |at| at.max(end.at_ns));
            (barrier.released_ns, barrier.last_released_ns) = (Some(first), Some(last));
        }
    }
    let mut rounds: Vec<Barrier> = rounds.into_values().collect();
    for barrier in &mut rounds {
        if let Some(released) = barrier.released_ns {
            let arrivals = barrier.calls.iter().map(|call| calls[*call].made_ns);
            barrier.complete_ns = arrivals.filter(|made| *made <= released).max();
        }
    }
    rounds.sort_by_key(|barrier| barrier.calls.first().copied());
    rounds
}
