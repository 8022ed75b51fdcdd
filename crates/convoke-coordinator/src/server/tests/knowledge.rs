//! What the members of one group know, and whether a reply may be true.

use std::collections::BTreeMap;

use convoke_group::GroupName;

use super::member::{Member, name, role};
use super::script::{Act, IDS};
use crate::wire::{Json, Reply};

/// One group of the simulation.
#[derive(Debug)]
pub(super) struct Team {
    pub(super) group: GroupName,
    pub(super) members: Vec<Member>,
    /// Senders by ID, as the longest reply so far had them.
    order: Vec<Vec<String>>,
    /// Members as the first complete reply had them.
    roles: Option<Vec<(String, String)>>,
}

/// What a member knew when it made a request: by ID and sender the number of the last call of send that was acknowledged.
pub(super) type Acknowledged = BTreeMap<(usize, usize), usize>;

impl Team {
    pub(super) fn new(group: GroupName, members: Vec<Member>) -> Self {
        Self { group, members, order: vec![Vec::new(); IDS.len()], roles: None }
    }

    pub(super) fn acknowledged(&self) -> Acknowledged {
        let mut known = Acknowledged::new();
        for member in &self.members {
            for (place, act) in member.script[..member.at].iter().enumerate() {
                if let Act::Send(id, _) = act {
                    known.insert((*id, member.number), place);
                }
            }
        }
        known
    }

    /// Takes a reply to the call `member` is at; returns whether it goes on.
    pub(super) fn reply(&mut self, member: usize, known: &Acknowledged, reply: &Reply) -> Result<bool, String> {
        let act = self.members[member].act().unwrap().clone();
        let wrong = || Err(format!("{act:?} of {member} is answered {reply:?}"));
        let goes_on = match (&act, reply) {
            (_, Reply::Wait) => false,
            (Act::Send(..) | Act::Clear, Reply::Ack) => true,
            (Act::Assemble, Reply::GroupData(roles)) => {
                let roles: Vec<_> = roles.iter().map(|(name, role)| (name.to_string(), role.to_string())).collect();
                let mut sorted = roles.clone();
                sorted.sort();
                let expected = (0..self.members.len()).map(|m| (name(m).to_string(), role(m % 2).to_string()));
                if !sorted.into_iter().eq(expected) || *self.roles.get_or_insert(roles.clone()) != roles {
                    return wrong();
                }
                true
            }
            (Act::Sync(id), Reply::AckWith(text)) => {
                if **text != format!("\"{}\"", IDS[*id]) {
                    return wrong();
                }
                self.barrier(member, *id)?;
                true
            }
            (Act::Wait(id) | Act::WaitAll(id) | Act::WaitRole(id, _), Reply::AckWith(text)) => {
                let senders = self.messages(*id, text, known)?;
                let needed = |sender: &usize| match act {
                    Act::WaitAll(_) => true,
                    Act::WaitRole(_, role) => sender % 2 == role,
                    _ => false,
                };
                if let Some(early) = (0..self.members.len()).filter(needed).find(|sender| !senders.contains(sender)) {
                    return Err(format!("{act:?} of {member} was satisfied without {early}"));
                }
                !senders.is_empty()
            }
            _ => return wrong(),
        };
        Ok(goes_on)
    }

    /// Nobody goes on before all have come.
    fn barrier(&self, member: usize, id: usize) -> Result<(), String> {
        let round = self.members[member].syncs(id, self.members[member].at) + 1;
        for other in &self.members {
            let arrived = other.syncs(id, other.at + usize::from(other.begun).min(other.script.len() - other.at));
            if arrived < round {
                let number = other.number;
                return Err(format!("{member} passed round {round} of {} before {number} came", IDS[id]));
            }
        }
        Ok(())
    }

    /// What was acknowledged is there, nothing is there twice, and the first sender stays the first.
    fn messages(&mut self, id: usize, text: &str, known: &Acknowledged) -> Result<Vec<usize>, String> {
        let Ok(Json::Object(messages)) = Json::parse(text.as_bytes()) else {
            return Err(format!("no messages: {text}"));
        };
        if Json::Object(messages.clone()).to_text() != text {
            return Err(format!("a sender stands there twice: {text}"));
        }
        let names: Vec<String> = messages.iter().map(|(name, _)| name.clone()).collect();
        let order = &mut self.order[id];
        if !names.iter().zip(order.iter()).all(|(one, other)| one == other) {
            return Err(format!("the order of senders was {order:?} and is {names:?}"));
        }
        if names.len() > order.len() {
            *order = names;
        }
        let mut senders = Vec::new();
        for (sender, value) in &messages {
            let place = self.members.iter().position(|member| name(member.number).as_str() == sender);
            let Some(sender) = place else { return Err(format!("a stranger sent: {text}")) };
            let Member { at, begun, script, .. } = &self.members[sender];
            let least = known.get(&(id, sender)).copied().unwrap_or(0);
            let until = (*at + usize::from(*begun)).min(script.len());
            let may_be = script[..until].iter().skip(least).any(|act| match act {
                Act::Send(of, number) => *of == id && value.to_text() == format!("{{\"v\": {number}}}"),
                _ => false,
            });
            if !may_be {
                return Err(format!("{sender} cannot have sent this: {text}"));
            }
            senders.push(sender);
        }
        if let Some(lost) = known.keys().find(|(of, sender)| *of == id && !senders.contains(sender)) {
            return Err(format!("what {} sent was acknowledged and is lost: {text}", lost.1));
        }
        Ok(senders)
    }
}
