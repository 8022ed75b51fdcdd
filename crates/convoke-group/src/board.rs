//! The messages of a group: under every ID one value a sender, the first sender first.
//!
//! A message belongs to the group and not to those who were registered when it was sent (coordinator-protocol.md
//! §7.1 D10). Sending again replaces the value and keeps the place (§4.3). Nothing is ever taken away, which is what
//! makes the rules monotone: a wait that is satisfied once would be satisfied at any later time.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::names::MessageId;
use crate::roster::Slot;

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Board {
    topics: BTreeMap<MessageId, Topic>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Topic {
    messages: Vec<(Slot, Value)>,
    senders: BTreeSet<Slot>,
}

impl Board {
    pub(crate) fn post(&mut self, id: MessageId, sender: Slot, value: Value) {
        // An absent message is an empty one (§4.3).
        let value = if value.is_null() { Value::Object(serde_json::Map::new()) } else { value };
        let topic = self.topics.entry(id).or_default();
        if topic.senders.insert(sender) {
            topic.messages.push((sender, value));
        } else if let Some((_, old)) = topic.messages.iter_mut().find(|(slot, _)| *slot == sender) {
            *old = value;
        }
    }

    pub(crate) fn messages(&self, id: &MessageId) -> &[(Slot, Value)] {
        self.topics.get(id).map_or(&[], |topic| &topic.messages)
    }

    pub(crate) fn has_sent(&self, id: &MessageId, sender: Slot) -> bool {
        self.topics.get(id).is_some_and(|topic| topic.senders.contains(&sender))
    }

    /// Every ID that was sent, with its senders in order.
    pub(crate) fn sent(&self) -> impl Iterator<Item = (&MessageId, Vec<Slot>)> {
        self.topics.iter().map(|(id, topic)| (id, topic.messages.iter().map(|(slot, _)| *slot).collect()))
    }
}
