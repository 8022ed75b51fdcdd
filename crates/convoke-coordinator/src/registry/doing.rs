//! What each member asked last, for those who look: never for the rules.
//!
//! A member that polls has no call in the group between two polls, so that it waits, and since when, is known only from
//! what it asked and was told. Nothing of this is kept over a restart.

use std::collections::HashMap;

use convoke_group::{Call, MemberName, MessageId, RoleName, Time};

use crate::wire::Ask;

/// What a request is about, as far as equal requests are the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct About {
    pub(crate) request: &'static str,
    pub(crate) id: MessageId,
    pub(crate) role: Option<RoleName>,
}

impl About {
    pub(crate) fn of(ask: &Ask) -> Self {
        let (id, role) = match ask {
            Ask::Send { message_id, .. } | Ask::Wait { message_id } | Ask::Sync { message_id, .. } => {
                (message_id.clone(), None)
            }
            Ask::WaitAll { message_id, role } => (message_id.clone(), role.clone()),
            Ask::GroupData | Ask::Clear | Ask::Aggregate { .. } | Ask::Complete | Ask::Waits => {
                (MessageId::new(""), None)
            }
        };
        Self { request: ask.word(), id, role }
    }

    /// The call that waits for it; none for a request that waits for nothing.
    pub(super) fn call(&self) -> Option<Call> {
        let message_id = self.id.clone();
        Some(match self.request {
            "group_data" => Call::Assemble,
            "lava_wait" => Call::Wait { message_id },
            "lava_wait_all" => Call::WaitAll { message_id, role: self.role.clone() },
            "lava_sync" => Call::Sync { message_id },
            _ => return None,
        })
    }
}

/// A member's last request.
#[derive(Clone, Debug)]
pub(super) struct Last {
    pub(super) about: About,
    /// When the first of equal requests came of which each was told to come again.
    pub(super) since: Time,
    pub(super) at: Time,
    /// It was told to come again.
    pub(super) polls: bool,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Doing(HashMap<MemberName, Last>);

impl Doing {
    /// A request has come; returns since when its member asks the same.
    pub(super) fn asked(&mut self, member: &MemberName, about: About, now: Time) -> Time {
        match self.0.get_mut(member) {
            Some(last) if last.polls && last.about == about => {
                (last.at, last.polls) = (now, false);
                return last.since;
            }
            Some(last) => *last = Last { about, since: now, at: now, polls: false },
            None => {
                self.0.insert(member.clone(), Last { about, since: now, at: now, polls: false });
            }
        }
        now
    }

    /// The member was told to come again.
    pub(super) fn told_to_wait(&mut self, member: &MemberName, about: &About) {
        if let Some(last) = self.0.get_mut(member).filter(|last| last.about == *about) {
            last.polls = true;
        }
    }

    pub(super) fn last(&self, member: &MemberName) -> Option<&Last> {
        self.0.get(member)
    }
}
