//! A member of the simulation: makes the calls of its script one after the other, each again until it is answered, as
//! LAVA's dispatcher does (polls) or as ours (held, and named).

use std::num::NonZeroUsize;
use std::time::Duration;

use convoke_group::{GroupName, MemberName, MessageId, RoleName};

use super::script::{Act, IDS};
use crate::wire::{Ask, Extras, Request, Size};

#[derive(Debug)]
pub(super) struct Member {
    pub(super) number: usize,
    /// Ours: asks to be held.
    pub(super) holds: bool,
    /// Says that nothing else of it is alive, which is true.
    pub(super) quiet: bool,
    pub(super) script: Vec<Act>,
    /// Which call it is at.
    pub(super) at: usize,
    /// The connection on which it waits for a reply.
    pub(super) connection: Option<usize>,
    /// Whether it has asked for the call it is at.
    pub(super) begun: bool,
}

pub(super) fn name(member: usize) -> MemberName {
    MemberName::new(format!("c{member}"))
}

pub(super) fn role(role: usize) -> RoleName {
    RoleName::new(format!("r{role}"))
}

impl Member {
    pub(super) fn act(&self) -> Option<&Act> {
        self.script.get(self.at)
    }

    pub(super) fn is_last(&self) -> bool {
        self.at + 1 == self.script.len()
    }

    /// How often a sync of this ID is among the first `until` calls.
    pub(super) fn syncs(&self, id: usize, until: usize) -> usize {
        self.script[..until].iter().filter(|act| **act == Act::Sync(id)).count()
    }

    /// The request of the call it is at.
    pub(super) fn request(&self, group: &GroupName, size: usize) -> Request {
        let id = |id: &usize| MessageId::new(IDS[*id]);
        let act = self.act().unwrap();
        let ask = match act {
            Act::Assemble => Ask::GroupData,
            Act::Send(message_id, value) => {
                Ask::Send { message_id: id(message_id), message: format!("{{\"v\": {value}}}") }
            }
            Act::Wait(message_id) => Ask::Wait { message_id: id(message_id) },
            Act::WaitAll(message_id) => Ask::WaitAll { message_id: id(message_id), role: None },
            Act::WaitRole(message_id, of) => Ask::WaitAll { message_id: id(message_id), role: Some(role(*of)) },
            Act::Sync(message_id) => Ask::Sync { message_id: id(message_id), own: None },
            Act::Clear => Ask::Clear,
        };
        let sized = matches!(act, Act::Assemble | Act::Clear);
        let extras = if *act == Act::Clear {
            Extras { leave: (self.holds && self.is_last()).then(String::new), ..Extras::default() }
        } else if self.holds {
            Extras {
                hold: Some(Duration::from_secs(60)),
                limit: Some(None),
                quiet: self.quiet,
                call: Some(format!("call {}", self.at)),
                ..Extras::default()
            }
        } else {
            Extras::default()
        };
        Request {
            group: group.clone(),
            member: name(self.number),
            role: Some(role(self.number % 2)),
            hostname: Some("w".to_owned()),
            size: NonZeroUsize::new(size).filter(|_| sized).map_or(Size::Absent, Size::Of),
            ask,
            extras,
        }
    }
}
