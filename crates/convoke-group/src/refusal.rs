//! Why a call failed, in words that name who waits for what from whom, and why it cannot come.

use serde::{Deserialize, Serialize};

use crate::names::MemberName;

/// Names shown in one list before the rest is only counted.
const SHOWN: usize = 20;

/// Why a call failed.
///
/// In all variants `what` is the call as one would type it (`lava-wait-all ready server`), `waiter` its caller as
/// `name (role)`, and `hint` an ID that was probably meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "refusal", rename_all = "snake_case")]
pub enum Refusal {
    /// The limit passed.
    #[error("{what} of {waiter} timed out; {}{}{}", missing_words(missing), hint_words(hint), fact_words(facts))]
    TimedOut {
        /// The call.
        what: String,
        /// Who waited.
        waiter: String,
        /// Who had not sent or arrived, each `name (role)`; members that never registered as one counted entry.
        missing: Vec<String>,
        /// The same members by name, without the unregistered.
        members: Vec<MemberName>,
        /// What was probably meant.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hint: Option<String>,
        /// What whoever serves the group knows besides: where the missing members are. The rules know nothing of it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        facts: Vec<String>,
    },
    /// The members it needs have left.
    #[error("{what} of {waiter} can no longer be satisfied: {}{}", list(gone, "; "), hint_words(hint))]
    MembersLeft {
        /// The call.
        what: String,
        /// Who waited.
        waiter: String,
        /// Who left and why, each `name (role) left without sending: why`.
        gone: Vec<String>,
        /// The same members by name.
        members: Vec<MemberName>,
        /// What was probably meant.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hint: Option<String>,
    },
    /// Every member that could still act is itself waiting.
    #[error(
        "{what} of {waiter} can no longer be satisfied: every member that could still act is waiting: {}{}{}",
        list(waits, "; "),
        hint_words(hint),
        fact_words(facts)
    )]
    AllWaiting {
        /// The call.
        what: String,
        /// Who waited.
        waiter: String,
        /// Who waits for what, each `name (role) waits in lava-sync x for name (role)`.
        waits: Vec<String>,
        /// The members this call was waiting for, by name.
        members: Vec<MemberName>,
        /// What was probably meant.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hint: Option<String>,
        /// What whoever serves the group knows besides: where the missing members are. The rules know nothing of it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        facts: Vec<String>,
    },
    /// The group is complete and this member is not in it, or the role does not exist, or the call makes no sense.
    #[error("{what}: {why}{}", hint_words(hint))]
    Invalid {
        /// The call.
        what: String,
        /// Why.
        why: String,
        /// What was probably meant.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hint: Option<String>,
    },
}

impl Refusal {
    /// The members whose message or arrival was missing, by name; empty for [`Refusal::Invalid`].
    pub fn missing_members(&self) -> &[MemberName] {
        match self {
            Self::TimedOut { members, .. } | Self::MembersLeft { members, .. } | Self::AllWaiting { members, .. } => {
                members
            }
            Self::Invalid { .. } => &[],
        }
    }

    /// What whoever serves the group knows besides.
    pub fn facts(&self) -> &[String] {
        match self {
            Self::TimedOut { facts, .. } | Self::AllWaiting { facts, .. } => facts,
            Self::MembersLeft { .. } | Self::Invalid { .. } => &[],
        }
    }

    /// The same with these facts; other refusals say why in full and take none.
    pub fn with_facts(mut self, more: Vec<String>) -> Self {
        if let Self::TimedOut { facts, .. } | Self::AllWaiting { facts, .. } = &mut self {
            *facts = more;
        }
        self
    }
}

/// `items` in one line; a long list is cut, and the rest counted.
pub(crate) fn list(items: &[String], separator: &str) -> String {
    if items.len() <= SHOWN {
        return items.join(separator);
    }
    format!("{}{separator}and {} more", items[..SHOWN].join(separator), items.len() - SHOWN)
}

fn missing_words(missing: &[String]) -> String {
    if missing.is_empty() {
        "nobody was left to send it".to_owned()
    } else {
        format!("missing: {}", list(missing, ", "))
    }
}

fn fact_words(facts: &[String]) -> String {
    if facts.is_empty() { String::new() } else { format!("; {}", list(facts, "; ")) }
}

fn hint_words(hint: &Option<String>) -> String {
    hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default()
}
