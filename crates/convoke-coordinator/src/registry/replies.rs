//! From answers of a group to replies of the protocol.

use std::fmt::Write;
use std::sync::Arc;

use convoke_group::{Answer, Group, MessageId, Messages, Refusal};

use crate::wire::{Json, Reply, Roles};

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

/// What equal replies have in common, made once.
#[derive(Debug, Default)]
pub(super) struct Common {
    /// Those of the full group.
    roles: Option<Roles>,
    /// The messages that were told last, and their text.
    messages: Option<(Messages, Arc<str>)>,
}

impl Common {
    /// A message is about to be sent. What is kept here must not be why all others are copied then.
    pub(super) fn changes(&mut self) {
        self.messages = None;
    }

    fn roles(&mut self, group: &Group) -> Roles {
        self.roles.get_or_insert_with(|| roles(group)).clone()
    }

    fn text(&mut self, messages: Messages) -> Arc<str> {
        match &self.messages {
            Some((known, text)) if known.shares(&messages) => Arc::clone(text),
            _ => {
                let text: Arc<str> = messages_text(&messages).into();
                self.messages = Some((messages, Arc::clone(&text)));
                text
            }
        }
    }
}

impl Manner {
    /// `limited` when the call itself has a limit, and not only its request.
    pub(super) fn reply(&self, answer: Answer, group: &Group, common: &mut Common, limited: bool) -> Reply {
        match answer {
            Answer::Done { messages } => match self {
                Manner::Send => Reply::Ack,
                Manner::Wait => Reply::AckWith(common.text(messages)),
                Manner::Sync { id, own } => {
                    let id = || Json::Text(id.as_str().to_owned()).to_text();
                    Reply::AckWith(own.clone().unwrap_or_else(id).into())
                }
                Manner::Assemble => Reply::GroupData(common.roles(group)),
            },
            // The time for which the request could be held is over, which may have been none.
            Answer::Refused { refusal: Refusal::TimedOut { .. } } if !limited => Reply::Wait,
            Answer::Refused { refusal } => Reply::Refused(Box::new(refusal)),
        }
    }
}

/// Roles in the order of first registration, and members within them likewise (coordinator-protocol.md §4.2).
fn roles(group: &Group) -> Roles {
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
