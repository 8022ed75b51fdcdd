//! The messages of a group: under every ID one value a sender, the first sender first.
//!
//! A message belongs to the group and not to those who were registered when it was sent (coordinator-protocol.md
//! §7.1 D10). Sending again replaces the value and keeps the place (§4.3). Nothing is ever taken away, which is what
//! makes the rules monotone: a wait that is satisfied once would be satisfied at any later time.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::messages::Messages;
use crate::names::{MessageId, RoleName};
use crate::roster::{Member, Roster, Slot};
use crate::tally::Tally;

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Board {
    topics: BTreeMap<MessageId, Topic>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Topic {
    messages: Messages,
    /// The senders in the order of the messages.
    senders: Vec<Slot>,
    places: BTreeMap<Slot, usize>,
    all: Tally,
    roles: BTreeMap<RoleName, Tally>,
}

impl Board {
    pub(crate) fn post(&mut self, id: MessageId, slot: Slot, sender: &Member, value: Value) {
        // An absent message is an empty one (§4.3).
        let value = if value.is_null() { Value::Object(serde_json::Map::new()) } else { value };
        let topic = self.topics.entry(id).or_default();
        if let Some(place) = topic.places.get(&slot) {
            topic.messages.replace(*place, value);
            return;
        }
        topic.places.insert(slot, topic.senders.len());
        topic.senders.push(slot);
        topic.messages.push(sender.name.clone(), value);
        topic.all.done += 1;
        topic.roles.entry(sender.role.clone()).or_default().done += 1;
    }

    /// Shared, not copied.
    pub(crate) fn messages(&self, id: &MessageId) -> Messages {
        self.topics.get(id).map(|topic| topic.messages.clone()).unwrap_or_default()
    }

    pub(crate) fn has_any(&self, id: &MessageId) -> bool {
        self.topics.contains_key(id)
    }

    pub(crate) fn has_sent(&self, id: &MessageId, sender: Slot) -> bool {
        self.topics.get(id).is_some_and(|topic| topic.places.contains_key(&sender))
    }

    /// How many members have sent this ID, and whether one has left without.
    pub(crate) fn count(&mut self, id: &MessageId, roster: &Roster) -> (usize, bool) {
        let Some(Topic { places, all, .. }) = self.topics.get_mut(id) else { return (0, !roster.gone().is_empty()) };
        (all.done, all.lacks(roster.gone(), |slot| places.contains_key(&slot)))
    }

    /// The same of the members of one role.
    pub(crate) fn count_role(&mut self, id: &MessageId, role: &RoleName, roster: &Roster) -> (usize, bool) {
        let gone = roster.company(role).map_or(&[][..], |company| &company.gone);
        let topic = self.topics.get_mut(id);
        let Some((places, tally)) = topic.and_then(|topic| Some((&topic.places, topic.roles.get_mut(role)?))) else {
            return (0, !gone.is_empty());
        };
        (tally.done, tally.lacks(gone, |slot| places.contains_key(&slot)))
    }

    /// Every ID that was sent, with its senders in order.
    pub(crate) fn sent(&self) -> impl Iterator<Item = (&MessageId, Vec<Slot>)> {
        self.topics.iter().map(|(id, topic)| (id, topic.senders.clone()))
    }
}
