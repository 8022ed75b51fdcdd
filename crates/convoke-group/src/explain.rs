//! The words of a refusal: the call as one would type it, members with their roles, the near miss.

use std::collections::BTreeMap;

use crate::barriers::Barriers;
use crate::board::Board;
use crate::names::{MemberName, MessageId, RoleName};
use crate::near::{is_near_miss, nearest};
use crate::parking::{Key, Missing, Parked, Want};
use crate::protocol::{Call, CallKind};
use crate::refusal::{Refusal, list};
use crate::roster::{Roster, Slot};
use crate::verdict::{Verdict, judge};

/// Members named in one waiter's line of a stuck group before the rest is only counted.
const NAMED: usize = 5;

/// Everything words are made from.
#[derive(Clone, Copy)]
pub(crate) struct Scene<'a> {
    pub(crate) roster: &'a Roster,
    pub(crate) board: &'a Board,
    pub(crate) barriers: &'a Barriers,
}

impl Scene<'_> {
    pub(crate) fn timed_out(self, member: Slot, key: &Key) -> Refusal {
        let missing = self.missing(member, key);
        Refusal::TimedOut {
            what: what(key),
            waiter: self.name(member),
            missing: self.missing_words(&missing),
            hint: self.hint(key, &missing.members),
            members: self.names(&missing.members),
            facts: Vec::new(),
        }
    }

    /// The limit was nothing, and nobody asks who is missing.
    pub(crate) fn not_yet(self, member: Slot, key: &Key) -> Refusal {
        Refusal::TimedOut {
            what: what(key),
            waiter: self.name(member),
            missing: Vec::new(),
            members: Vec::new(),
            hint: None,
            facts: Vec::new(),
        }
    }

    pub(crate) fn members_left(self, member: Slot, key: &Key, gone: &[Slot]) -> Refusal {
        let without = if key.want == Want::Sync { "arriving" } else { "sending" };
        let words = |slot: &Slot| {
            let why = self.roster.get(*slot).left.as_deref().unwrap_or_default();
            let why = if why.is_empty() { String::new() } else { format!(": {why}") };
            format!("{} left without {without}{why}", self.name(*slot))
        };
        Refusal::MembersLeft {
            what: what(key),
            waiter: self.name(member),
            gone: gone.iter().map(words).collect(),
            members: self.names(gone),
            hint: self.hint(key, gone),
        }
    }

    pub(crate) fn all_waiting(self, member: Slot, key: &Key, calls: &[&Parked]) -> Refusal {
        let missing = self.missing(member, key);
        // Calls that wait for the same have the same words, which in a large group are worth keeping.
        let mut words: BTreeMap<&Key, String> = BTreeMap::new();
        let mut waits = Vec::with_capacity(calls.len());
        for call in calls {
            let words = words.entry(&call.key).or_insert_with(|| self.waits_for(call));
            waits.push(format!("{} waits in {words}", self.name(call.member)));
        }
        // Whoever has left is why those that are there cannot help each other.
        let left = self.roster.all().iter().filter_map(|member| Some((member, member.left.as_deref()?)));
        for (member, why) in left.take(NAMED) {
            waits.push(if why.is_empty() { format!("{member} left") } else { format!("{member} left: {why}") });
        }
        Refusal::AllWaiting {
            what: what(key),
            waiter: self.name(member),
            waits,
            hint: self.hint(key, &missing.members),
            members: self.names(&missing.members),
            facts: Vec::new(),
        }
    }

    pub(crate) fn no_such_role(self, key: &Key, role: &RoleName) -> Refusal {
        let mut roles: Vec<&str> = Vec::new();
        for member in self.roster.all() {
            if !roles.contains(&member.role.as_str()) {
                roles.push(member.role.as_str());
            }
        }
        let hint = nearest(role.as_str(), roles.iter().copied()).map(|near| format!("did you mean {near}?"));
        let why = format!("no member of the group has the role {}; its roles are {}", role, roles.join(", "));
        Refusal::Invalid { what: what(key), why, hint }
    }

    /// Who is missing for this asker. Nobody is named as missing to itself in a `lava-wait`.
    pub(crate) fn missing(self, asker: Slot, key: &Key) -> Missing {
        match judge(key, self.roster, self.board, self.barriers) {
            Verdict::Open(missing) => for_asker(missing, asker, key),
            Verdict::Lost(members) => Missing { members, unregistered: self.roster.unregistered() },
            Verdict::Satisfied | Verdict::NoSuchRole => Missing::default(),
        }
    }

    pub(crate) fn names(self, slots: &[Slot]) -> Vec<MemberName> {
        slots.iter().map(|slot| self.roster.get(*slot).name.clone()).collect()
    }

    fn name(self, slot: Slot) -> String {
        self.roster.get(slot).to_string()
    }

    fn missing_words(self, missing: &Missing) -> Vec<String> {
        let mut words: Vec<String> = missing.members.iter().map(|slot| self.name(*slot)).collect();
        match missing.unregistered {
            0 => {}
            1 => words.push("1 member that has not registered".to_owned()),
            n => words.push(format!("{n} members that have not registered")),
        }
        words
    }

    /// The call, and for whom it waits; the same for every caller.
    fn waits_for(self, call: &Parked) -> String {
        let what = what(&call.key);
        if call.key.want == Want::Anybody {
            return format!("{what}, which nobody has sent");
        }
        let mut names = self.missing_words(&self.missing(call.member, &call.key));
        if names.len() > NAMED {
            let more = names.split_off(NAMED).len();
            names.push(format!("{more} more"));
        }
        format!("{what} for {}", list(&names, ", "))
    }

    /// An ID that somebody used and that this call was probably about. With members named as missing, only what one of
    /// them did counts: that the others used another ID too says nothing.
    fn hint(self, key: &Key, missing: &[Slot]) -> Option<String> {
        let relevant = |doers: Vec<Slot>| -> Vec<Slot> {
            doers.into_iter().filter(|slot| key.want == Want::Anybody || missing.contains(slot)).collect()
        };
        let sent = || self.board.sent().map(|(id, by)| (id, relevant(by))).filter(|(_, by)| !by.is_empty());
        let synced = || self.barriers.open().map(|(id, by)| (id, relevant(by))).filter(|(_, by)| !by.is_empty());
        let who = |by: &[Slot]| self.roster.get(by[0]).name.to_string();
        match key.want {
            Want::Assembled => None,
            Want::Sync => {
                if let Some((id, by)) = sent().find(|(id, _)| **id == key.id) {
                    let id = quoted(id);
                    return Some(format!("{} sent {id} as a message, but a sync waits for syncs only", who(&by)));
                }
                let near: Vec<_> = synced().filter(|(id, _)| is_near_miss(key.id.as_str(), id.as_str())).collect();
                let id = nearest(key.id.as_str(), near.iter().map(|(id, _)| id.as_str()))?;
                let (_, by) = near.iter().find(|(known, _)| known.as_str() == id)?;
                Some(format!("did anyone mean {id:?}? {} is in that sync", who(by)))
            }
            Want::Anybody | Want::Everybody | Want::Role(_) => {
                if let Some((id, by)) = synced().find(|(id, _)| **id == key.id) {
                    let id = quoted(id);
                    return Some(format!("{} called lava-sync {id}, but a wait waits for messages only", who(&by)));
                }
                let near: Vec<_> = sent().filter(|(id, _)| is_near_miss(key.id.as_str(), id.as_str())).collect();
                let id = nearest(key.id.as_str(), near.iter().map(|(id, _)| id.as_str()))?;
                let (_, by) = near.iter().find(|(known, _)| known.as_str() == id)?;
                Some(format!("did anyone mean {id:?}? {} sent that", who(by)))
            }
        }
    }
}

/// `missing` as it concerns one asker: in a `lava-wait` one does not wait for oneself.
pub(crate) fn for_asker(mut missing: Missing, asker: Slot, key: &Key) -> Missing {
    if key.want == Want::Anybody {
        missing.members.retain(|slot| *slot != asker);
    }
    missing
}

/// The call as one would type it.
pub(crate) fn what(key: &Key) -> String {
    let id = quoted(&key.id);
    match &key.want {
        Want::Assembled => "assembling the group".to_owned(),
        Want::Anybody => format!("lava-wait {id}"),
        Want::Everybody => format!("lava-wait-all {id}"),
        Want::Role(role) => format!("lava-wait-all {id} {role}"),
        Want::Sync => format!("lava-sync {id}"),
    }
}

/// What a call waits for, or, for a send, the words of the call.
pub(crate) fn key_of(call: &Call) -> Result<Key, String> {
    let (id, want) = match call {
        Call::Send { message_id, .. } => return Err(format!("lava-send {}", quoted(message_id))),
        Call::Wait { message_id } => (message_id.clone(), Want::Anybody),
        Call::WaitAll { message_id, role: None } => (message_id.clone(), Want::Everybody),
        Call::WaitAll { message_id, role: Some(role) } => (message_id.clone(), Want::Role(role.clone())),
        Call::Sync { message_id } => (message_id.clone(), Want::Sync),
        Call::Assemble => (MessageId::new(""), Want::Assembled),
    };
    Ok(Key { id, want })
}

pub(crate) fn kind(key: &Key) -> CallKind {
    match key.want {
        Want::Assembled => CallKind::Assemble,
        Want::Anybody => CallKind::Wait,
        Want::Everybody | Want::Role(_) => CallKind::WaitAll,
        Want::Sync => CallKind::Sync,
    }
}

/// An ID as text of a command line: plain when it is one plain word.
fn quoted(id: &MessageId) -> String {
    let text = id.as_str();
    let plain = !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '"');
    if plain { text.to_owned() } else { format!("{text:?}") }
}
