//! Whether what a call waits for is there, can still come, or certainly cannot.
//!
//! | call | satisfied when | certainly lost when |
//! |---|---|---|
//! | `lava-wait` | anybody has sent, the asker included | (only by the rule of the stuck group) |
//! | `lava-wait-all` | every member of the group has sent, counted by the group's size | a member left without sending |
//! | `lava-wait-all` with role | the group is full and every member of the role has sent; the asker counts only if it has the role | a member of the role left without sending; the full group has no such role |
//! | `lava-sync` | every member of the group has arrived at the round | a member left without arriving at it |
//! | assemble | the group is full | never: who is not registered can still come |
//!
//! Rules: coordinator-protocol.md §4.4–4.6, §7.1 D1, D2, D8–D11. All of these are monotone: more messages, arrivals and
//! registrations never make a satisfied call unsatisfied, and a lost one stays lost because the dead send nothing.

use crate::barriers::Barriers;
use crate::board::Board;
use crate::parking::{Key, Missing, Want};
use crate::roster::{Roster, Slot};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Satisfied,
    Open(Missing),
    /// These members have left, and would be needed.
    Lost(Vec<Slot>),
    /// The group is full and nobody has the role.
    NoSuchRole,
}

/// A verdict without who is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Satisfied,
    Open,
    Lost,
    NoSuchRole,
}

impl From<&Verdict> for Standing {
    fn from(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Satisfied => Self::Satisfied,
            Verdict::Open(_) => Self::Open,
            Verdict::Lost(_) => Self::Lost,
            Verdict::NoSuchRole => Self::NoSuchRole,
        }
    }
}

/// The verdict by counts, without looking at every member: each arrival at a barrier asks for it.
pub(crate) fn standing(key: &Key, roster: &Roster, board: &mut Board, barriers: &mut Barriers) -> Standing {
    let of = |(done, lost): (usize, bool), needed: usize| match () {
        () if lost => Standing::Lost,
        () if done == needed && roster.is_full() => Standing::Satisfied,
        () => Standing::Open,
    };
    match &key.want {
        Want::Assembled => of((0, false), 0),
        Want::Anybody => {
            if board.has_any(&key.id) {
                Standing::Satisfied
            } else {
                Standing::Open
            }
        }
        Want::Everybody => of(board.count(&key.id, roster), roster.size()),
        Want::Role(role) => match roster.company(role) {
            Some(company) => of(board.count_role(&key.id, role, roster), company.size),
            None if roster.is_full() => Standing::NoSuchRole,
            None => Standing::Open,
        },
        Want::Sync => of(barriers.count(&key.id, roster), roster.size()),
    }
}

/// The verdict with who is missing or lost, for words.
pub(crate) fn judge(key: &Key, roster: &Roster, board: &Board, barriers: &Barriers) -> Verdict {
    match &key.want {
        Want::Assembled => Needs { members: Vec::new(), gone: Vec::new() }.verdict(roster),
        Want::Anybody if board.has_any(&key.id) => Verdict::Satisfied,
        Want::Anybody => {
            let members = roster.live().map(|(slot, _)| slot).collect();
            Verdict::Open(Missing { members, unregistered: roster.unregistered() })
        }
        Want::Everybody => Needs::of(roster, |slot| !board.has_sent(&key.id, slot)).verdict(roster),
        Want::Role(role) => {
            if roster.is_full() && !roster.all().iter().any(|member| member.role == *role) {
                return Verdict::NoSuchRole;
            }
            Needs::of(roster, |slot| roster.get(slot).role == *role && !board.has_sent(&key.id, slot)).verdict(roster)
        }
        Want::Sync => Needs::of(roster, |slot| !barriers.has_arrived(&key.id, slot)).verdict(roster),
    }
}

/// What a call still needs from registered members.
struct Needs {
    members: Vec<Slot>,
    gone: Vec<Slot>,
}

impl Needs {
    fn of(roster: &Roster, needed: impl Fn(Slot) -> bool) -> Self {
        let mut needs = Self { members: Vec::new(), gone: Vec::new() };
        for (slot, member) in roster.slots().filter(|(slot, _)| needed(*slot)) {
            if member.left.is_some() { needs.gone.push(slot) } else { needs.members.push(slot) }
        }
        needs
    }

    fn verdict(self, roster: &Roster) -> Verdict {
        let unregistered = roster.unregistered();
        if !self.gone.is_empty() {
            Verdict::Lost(self.gone)
        } else if self.members.is_empty() && unregistered == 0 {
            Verdict::Satisfied
        } else {
            Verdict::Open(Missing { members: self.members, unregistered })
        }
    }
}
