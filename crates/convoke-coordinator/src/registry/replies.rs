//! From answers of a group to replies of the protocol.

use std::fmt::Write;

use convoke_group::{Answer, Group, MessageId, Messages, Refusal};

use crate::wire::{Json, Reply};

/// What the reply to a satisfied call is made of.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Manner {
    /// A bare ack.
    Send,
    /// The messages.
    Wait,
    /// The member's own message, or the ID.
    Sync { id: MessageId, own: Option<String> },
    /// The roles.
    Assemble,
}

impl Manner {
    /// `limited` when the call itself has a limit, and not only its request.
    pub(super) fn reply(&self, answer: Answer, group: &Group, limited: bool) -> Reply {
        match answer {
            Answer::Done { messages } => match self {
                Manner::Send => Reply::Ack,
                Manner::Wait => Reply::AckWith(messages_text(&messages)),
                Manner::Sync { id, own } => {
                    let id = || Json::Text(id.as_str().to_owned()).to_text();
                    Reply::AckWith(own.clone().unwrap_or_else(id))
                }
                Manner::Assemble => Reply::GroupData(roles(group)),
            },
            // The time for which the request could be held is over, which may have been none.
            Answer::Refused { refusal: Refusal::TimedOut { .. } } if !limited => Reply::Wait,
            Answer::Refused { refusal } => Reply::Refused(Box::new(refusal)),
        }
    }
}

/// Roles in the order of first registration, and members within them likewise (coordinator-protocol.md §4.2).
fn roles(group: &Group) -> Vec<(convoke_group::MemberName, convoke_group::RoleName)> {
    let members = group.members();
    let mut order = std::collections::HashMap::new();
    for member in members {
        let next = order.len();
        order.entry(&member.role).or_insert(next);
    }
    let mut sorted: Vec<_> = members.iter().collect();
    sorted.sort_by_key(|member| order[&member.role]);
    sorted.into_iter().map(|member| (member.name.clone(), member.role.clone())).collect()
}

/// Messages are kept as their JSON, so they are put together as they are.
fn messages_text(messages: &Messages) -> String {
    let mut text = String::from("{");
    for (place, (member, value)) in messages.iter().enumerate() {
        if place > 0 {
            text.push_str(", ");
        }
        let name = Json::Text(member.to_string()).to_text();
        // Writing to a String does not fail.
        let _ = match value.as_str() {
            Some(json) => write!(text, "{name}: {json}"),
            None => write!(text, "{name}: {value}"),
        };
    }
    text.push('}');
    text
}
