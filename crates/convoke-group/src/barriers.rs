//! The syncs of a group, in rounds.
//!
//! ```text
//!            calls sync                    all of the group arrived
//!   (idle) ─────────────▶ arrived ──────────────────────────────────▶ answered ──▶ (idle)
//!                            │  its call timed out, was refused            │ answer not delivered
//!                            │  or withdrawn before that                   ▼
//!                            └──────────────────────────────────────────▶ owed ──▶ next sync answered at once
//! ```
//!
//! One ID can be used again and again; syncs know nothing of messages (coordinator-protocol.md §7.1 D5). A round is
//! complete when every member of the group has arrived at it. A member arrives at the next round only after it was
//! answered for this one, so nobody runs a round ahead (D6).
//!
//! An arrival is never taken back, whatever happens to the call that made it: the member did reach this point, as a
//! message stays that was sent (`lava-sync foo` is "effectively the same as `lava-send foo` followed by
//! `lava-wait-all foo`"). A member whose call ended without the release is therefore still in the same round; when it
//! calls again it goes on waiting for that round, or is answered at once if the round was completed meanwhile. So
//! `lava-sync go || lava-sync go` works.
//!
//! Two syncs of one ID open at once on one member are one arrival, and both are answered when the round is complete.
//! The other reading, two rounds, would hang `timeout 5 lava-sync go || lava-sync go`: nobody tells the group that the
//! first caller was killed.

use std::collections::{BTreeMap, BTreeSet};

use crate::names::{MessageId, WaitId};
use crate::roster::{Roster, Slot};
use crate::tally::Tally;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Barriers {
    barriers: BTreeMap<MessageId, Barrier>,
    /// Where the calls are that are answered for their member's last round.
    answers: BTreeMap<WaitId, (MessageId, Slot)>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Barrier {
    /// Arrived at the open round.
    arrived: BTreeSet<Slot>,
    /// Counts them.
    tally: Tally,
    /// Arrived at a complete round, and not answered for it.
    owed: BTreeSet<Slot>,
    /// The calls answered for the member's last round, until it calls again.
    answered: BTreeMap<Slot, BTreeSet<WaitId>>,
}

/// What a call of sync means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// The member has arrived at the open round.
    Open,
    /// The member was still owed the release of a complete round; it is given now.
    Owed,
}

impl Barriers {
    pub(crate) fn arrive(&mut self, id: &MessageId, member: Slot, wait: WaitId) -> Arrival {
        let barrier = self.barriers.entry(id.clone()).or_default();
        for answered in barrier.answered.remove(&member).into_iter().flatten() {
            self.answers.remove(&answered);
        }
        if barrier.owed.remove(&member) {
            barrier.answered.entry(member).or_default().insert(wait);
            self.answers.insert(wait, (id.clone(), member));
            return Arrival::Owed;
        }
        barrier.tally.done += usize::from(barrier.arrived.insert(member));
        Arrival::Open
    }

    pub(crate) fn has_arrived(&self, id: &MessageId, member: Slot) -> bool {
        self.barriers.get(id).is_some_and(|barrier| barrier.arrived.contains(&member))
    }

    /// How many members have arrived at the open round, and whether one has left without.
    pub(crate) fn count(&mut self, id: &MessageId, roster: &Roster) -> (usize, bool) {
        let Some(Barrier { arrived, tally, .. }) = self.barriers.get_mut(id) else {
            return (0, !roster.gone().is_empty());
        };
        (tally.done, tally.lacks(roster.gone(), |slot| arrived.contains(&slot)))
    }

    pub(crate) fn is_owed(&self, id: &MessageId, member: Slot) -> bool {
        self.barriers.get(id).is_some_and(|barrier| barrier.owed.contains(&member))
    }

    /// Closes the open round: `answers` are the calls answered now; whoever arrived and has none is owed.
    pub(crate) fn complete(&mut self, id: &MessageId, answers: &[(Slot, WaitId)]) {
        let Some(barrier) = self.barriers.get_mut(id) else { return };
        barrier.owed.append(&mut barrier.arrived);
        barrier.tally = Tally::default();
        for (member, wait) in answers {
            barrier.owed.remove(member);
            barrier.answered.entry(*member).or_default().insert(*wait);
            self.answers.insert(*wait, (id.clone(), *member));
        }
    }

    /// An answer did not reach its caller. When no other answer of the round did, the member is owed it again.
    pub(crate) fn undelivered(&mut self, wait: WaitId) {
        let Some((id, member)) = self.answers.remove(&wait) else { return };
        let Some(barrier) = self.barriers.get_mut(&id) else { return };
        if let Some(waits) = barrier.answered.get_mut(&member) {
            waits.remove(&wait);
            if waits.is_empty() {
                barrier.answered.remove(&member);
                barrier.owed.insert(member);
            }
        }
    }

    /// Every ID with an open round, and who has arrived at it.
    pub(crate) fn open(&self) -> impl Iterator<Item = (&MessageId, Vec<Slot>)> {
        let open = self.barriers.iter().filter(|(_, barrier)| !barrier.arrived.is_empty());
        open.map(|(id, barrier)| (id, barrier.arrived.iter().copied().collect()))
    }
}
