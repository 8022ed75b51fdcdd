//! The parked calls of a group, found by number, by what they wait for, and by deadline.
//!
//! Calls that wait for the same share a [`Key`]: whether it is satisfied is decided once for all of them. All lists are
//! in the order of parking, so that answers come in one order whatever the numbers of the calls are.

use std::collections::{BTreeMap, BTreeSet};

use crate::names::{MessageId, RoleName, Time, WaitId};
use crate::protocol::Quiet;
use crate::roster::Slot;

/// What a parked call waits for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    /// First, so that the keys of one ID lie together.
    pub(crate) id: MessageId,
    pub(crate) want: Want,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Want {
    Assembled,
    Anybody,
    Everybody,
    Role(RoleName),
    Sync,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parked {
    pub(crate) wait: WaitId,
    pub(crate) order: u64,
    pub(crate) member: Slot,
    pub(crate) key: Key,
    pub(crate) since: Time,
    pub(crate) deadline: Option<Time>,
    pub(crate) quiet: Quiet,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parking {
    next_order: u64,
    calls: BTreeMap<WaitId, Parked>,
    queues: BTreeMap<Key, Queue>,
    deadlines: BTreeSet<(Time, u64, WaitId)>,
    by_member: BTreeMap<Slot, BTreeSet<WaitId>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Queue {
    waits: BTreeSet<(u64, WaitId)>,
    /// What was last said of who is missing.
    told: Option<Missing>,
}

/// Who is missing: by slot, and how many without a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Missing {
    pub(crate) members: Vec<Slot>,
    pub(crate) unregistered: usize,
}

impl Parking {
    pub(crate) fn park(
        &mut self,
        wait: WaitId,
        member: Slot,
        key: Key,
        since: Time,
        deadline: Option<Time>,
        quiet: Quiet,
    ) {
        let order = self.next_order;
        self.next_order += 1;
        self.queues.entry(key.clone()).or_default().waits.insert((order, wait));
        self.by_member.entry(member).or_default().insert(wait);
        if let Some(deadline) = deadline {
            self.deadlines.insert((deadline, order, wait));
        }
        self.calls.insert(wait, Parked { wait, order, member, key, since, deadline, quiet });
    }

    pub(crate) fn remove(&mut self, wait: WaitId) -> Option<Parked> {
        let call = self.calls.remove(&wait)?;
        if let Some(queue) = self.queues.get_mut(&call.key) {
            queue.waits.remove(&(call.order, wait));
            if queue.waits.is_empty() {
                self.queues.remove(&call.key);
            }
        }
        if let Some(waits) = self.by_member.get_mut(&call.member) {
            waits.remove(&wait);
            if waits.is_empty() {
                self.by_member.remove(&call.member);
            }
        }
        if let Some(deadline) = call.deadline {
            self.deadlines.remove(&(deadline, call.order, wait));
        }
        Some(call)
    }

    pub(crate) fn get(&self, wait: WaitId) -> Option<&Parked> {
        self.calls.get(&wait)
    }

    /// Every parked call in the order of parking.
    pub(crate) fn all(&self) -> Vec<&Parked> {
        let mut calls: Vec<&Parked> = self.calls.values().collect();
        calls.sort_by_key(|call| call.order);
        calls
    }

    pub(crate) fn keys(&self) -> Vec<Key> {
        self.queues.keys().cloned().collect()
    }

    /// The keys of one ID that somebody waits for.
    pub(crate) fn keys_of(&self, id: &MessageId) -> Vec<Key> {
        let first = Key { id: id.clone(), want: Want::Assembled };
        self.queues.range(first..).map(|(key, _)| key).take_while(|key| key.id == *id).cloned().collect()
    }

    pub(crate) fn queue(&self, key: &Key) -> Vec<WaitId> {
        self.queues.get(key).map(|queue| queue.waits.iter().map(|(_, wait)| *wait).collect()).unwrap_or_default()
    }

    /// Notes who is missing for `key`; returns whether that is news to those who wait already.
    pub(crate) fn tell(&mut self, key: &Key, missing: &Missing) -> bool {
        let Some(queue) = self.queues.get_mut(key) else { return false };
        if queue.told.as_ref() == Some(missing) {
            return false;
        }
        queue.told = Some(missing.clone());
        true
    }

    pub(crate) fn of_member(&self, member: Slot) -> Vec<WaitId> {
        self.by_member.get(&member).map(|waits| waits.iter().copied().collect()).unwrap_or_default()
    }

    /// How many members have a parked call.
    pub(crate) fn waiting(&self) -> usize {
        self.by_member.len()
    }

    /// Whether one of the member's parked calls says that nothing else of it is alive.
    pub(crate) fn is_blocked(&self, member: Slot) -> bool {
        self.by_member.get(&member).is_some_and(|waits| {
            waits.iter().any(|wait| self.calls.get(wait).is_some_and(|call| call.quiet == Quiet::Certain))
        })
    }

    /// Something of the member was alive beside its parked calls: what they said of being alone no longer holds.
    pub(crate) fn disturb(&mut self, member: Slot) {
        let Some(waits) = self.by_member.get(&member) else { return };
        for wait in waits {
            if let Some(call) = self.calls.get_mut(wait) {
                call.quiet = Quiet::Unknown;
            }
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Time> {
        self.deadlines.first().map(|(time, ..)| *time)
    }

    /// The call whose limit passes first: by deadline, then order of parking; calls without a limit last.
    pub(crate) fn first_to_end(&self) -> Option<WaitId> {
        if let Some((.., wait)) = self.deadlines.first() {
            return Some(*wait);
        }
        self.calls.values().min_by_key(|call| call.order).map(|call| call.wait)
    }
}
