//! coordinator-protocol.md §4 told a second time, as plainly as possible, and asked beside the registry.
//!
//! The model remembers what was asked, in order, and finds every reply by looking through all of it. It knows nothing of
//! `convoke-group`. Everybody polls, and every reply arrives.

use std::num::NonZeroUsize;
use std::time::Duration;

use convoke_coordinator::Limits;
use convoke_coordinator::registry::{Registry, Ticket};
use convoke_coordinator::store::Expiry;
use convoke_coordinator::wire::{Ask, Extras, Reply, Request, Size};
use convoke_group::{GroupName, MemberName, MessageId, RoleName, Time};
use proptest::collection::vec;
use proptest::prelude::*;

const MEMBERS: [&str; 4] = ["a", "b", "data", "c"];
const ROLES: [&str; 3] = ["r", "s", "t"];
const IDS: [&str; 2] = ["m", "nack"];

#[derive(Clone, Debug)]
struct Asked {
    member: &'static str,
    role: &'static str,
    size: Option<usize>,
    what: What,
}

#[derive(Clone, Copy, Debug)]
enum What {
    GroupData,
    Send(&'static str, u8),
    Wait(&'static str),
    WaitAll(&'static str),
    WaitRole(&'static str, &'static str),
    Sync(&'static str),
    Clear,
}

fn asked() -> impl Strategy<Value = Asked> {
    let id = || prop::sample::select(IDS.to_vec());
    let role = || prop::sample::select(ROLES.to_vec());
    let what = prop_oneof![
        2 => Just(What::GroupData),
        4 => (id(), any::<u8>()).prop_map(|(id, value)| What::Send(id, value)),
        3 => id().prop_map(What::Wait),
        3 => id().prop_map(What::WaitAll),
        3 => (id(), role()).prop_map(|(id, role)| What::WaitRole(id, role)),
        6 => id().prop_map(What::Sync),
        1 => Just(What::Clear),
    ];
    let size = prop_oneof![2 => Just(None), 1 => (1..4_usize).prop_map(Some)];
    let member = prop::sample::select(MEMBERS.to_vec());
    (member, role(), size, what).prop_map(|(member, role, size, what)| Asked { member, role, size, what })
}

/// One group, or none.
#[derive(Default)]
struct Model {
    size: usize,
    /// Requests of members, oldest first.
    asked: Vec<Asked>,
    /// Releases of syncs: who, and of which ID.
    released: Vec<(&'static str, &'static str)>,
}

impl Model {
    /// Every member with its role, in the order in which they were first heard of.
    fn members(&self) -> Vec<(&'static str, &'static str)> {
        let mut members: Vec<(&str, &str)> = Vec::new();
        for asked in &self.asked {
            if members.iter().all(|(name, _)| *name != asked.member) {
                members.push((asked.member, asked.role));
            }
        }
        members
    }

    fn ask(&mut self, asked: &Asked) -> String {
        if self.size == 0 {
            let Some(size) = asked.size else { return "nack".to_owned() };
            if matches!(asked.what, What::Clear) {
                return "ack".to_owned();
            }
            self.size = size;
        }
        let members = self.members();
        let is_known = members.iter().any(|(name, _)| *name == asked.member);
        if !is_known && members.len() == self.size {
            return "nack".to_owned();
        }
        self.asked.push(asked.clone());
        let reply = self.reply(asked);
        if self.has_ended() {
            *self = Self::default();
        }
        reply
    }

    fn reply(&mut self, asked: &Asked) -> String {
        let members = self.members();
        let is_full = members.len() == self.size;
        let [done, wait, nack] = ["ack", "wait", "nack"].map(str::to_owned);
        match asked.what {
            What::Send(..) | What::Clear => done,
            What::GroupData if is_full => {
                let mut roles: Vec<&str> = Vec::new();
                members.iter().for_each(|(_, role)| {
                    if !roles.contains(role) {
                        roles.push(role)
                    }
                });
                let of = |role: &&str| {
                    members.iter().filter(|(_, of)| of == role).map(|(name, _)| *name).collect::<Vec<_>>()
                };
                format!("group_data {:?}", roles.iter().map(of).collect::<Vec<_>>().concat())
            }
            What::GroupData => wait,
            What::Wait(id) => {
                if self.senders(id).is_empty() {
                    wait
                } else {
                    self.messages(id)
                }
            }
            What::WaitAll(id) => {
                if self.senders(id).len() == self.size {
                    self.messages(id)
                } else {
                    wait
                }
            }
            What::WaitRole(id, role) => {
                let of: Vec<&str> = members.iter().filter(|(_, of)| *of == role).map(|(name, _)| *name).collect();
                let senders = self.senders(id);
                if is_full && of.is_empty() {
                    nack
                } else if is_full && of.iter().all(|name| senders.contains(name)) {
                    self.messages(id)
                } else {
                    wait
                }
            }
            What::Sync(id) => {
                let round =
                    |model: &Self, member| model.released.iter().filter(|released| **released == (member, id)).count();
                let mine = round(self, asked.member);
                // Whoever was released less often has to have come for this round; whoever was released more often has.
                let has_come = |member: &'static str| {
                    let theirs = round(self, member);
                    theirs > mine || theirs == mine && self.has_come(member, id)
                };
                if !is_full || !members.iter().all(|(name, _)| has_come(name)) {
                    return wait;
                }
                self.released.push((asked.member, id));
                // What it asked for this is used up.
                let mine = asked.member;
                let used = |old: &&mut Asked| old.member == mine && matches!(old.what, What::Sync(of) if of == id);
                self.asked.iter_mut().filter(used).for_each(|old| old.what = What::GroupData);
                format!("ack \"{id}\"")
            }
        }
    }

    /// Whether a member has asked for a sync since it was released last.
    fn has_come(&self, member: &str, id: &str) -> bool {
        self.asked.iter().any(|asked| asked.member == member && matches!(asked.what, What::Sync(of) if of == id))
    }

    /// In the order of their first sends.
    fn senders(&self, id: &str) -> Vec<&'static str> {
        let mut senders = Vec::new();
        for asked in &self.asked {
            if matches!(asked.what, What::Send(of, _) if of == id) && !senders.contains(&asked.member) {
                senders.push(asked.member);
            }
        }
        senders
    }

    fn messages(&self, id: &str) -> String {
        let last = |sender: &&str| {
            let value = self.asked.iter().rev().find_map(|asked| match asked.what {
                What::Send(of, value) if of == id && asked.member == *sender => Some(value),
                _ => None,
            });
            format!("\"{sender}\": {}", value.unwrap())
        };
        format!("ack {{{}}}", self.senders(id).iter().map(last).collect::<Vec<_>>().join(", "))
    }

    /// Every member's last word was that it has finished.
    fn has_ended(&self) -> bool {
        self.members().iter().all(|(name, _)| {
            self.asked.iter().rfind(|asked| asked.member == *name).is_some_and(|last| matches!(last.what, What::Clear))
        })
    }
}

fn request(asked: &Asked) -> Request {
    let id = MessageId::new;
    let ask = match asked.what {
        What::GroupData => Ask::GroupData,
        What::Send(of, value) => Ask::Send { message_id: id(of), message: value.to_string() },
        What::Wait(of) => Ask::Wait { message_id: id(of) },
        What::WaitAll(of) => Ask::WaitAll { message_id: id(of), role: None },
        What::WaitRole(of, role) => Ask::WaitAll { message_id: id(of), role: Some(RoleName::new(role)) },
        What::Sync(of) => Ask::Sync { message_id: id(of), own: None },
        What::Clear => Ask::Clear,
    };
    Request {
        group: GroupName::new("g"),
        member: MemberName::new(asked.member),
        role: Some(RoleName::new(asked.role)),
        hostname: Some("w".to_owned()),
        size: asked.size.and_then(NonZeroUsize::new).map_or(Size::Absent, Size::Of),
        ask,
        extras: Extras::default(),
    }
}

fn words(reply: &Reply) -> String {
    match reply {
        Reply::AckWith(text) => format!("ack {text}"),
        Reply::GroupData(roles) => {
            format!("group_data {:?}", roles.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>())
        }
        other => other.word().to_owned(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_registry_answers_as_the_rules_say(requests in vec(asked(), 1..60)) {
        let mut registry = Registry::new(Limits::default(), Expiry::default());
        let mut model = Model::default();
        for (number, asked) in requests.iter().enumerate() {
            let (ticket, now) = (Ticket(number as u64), Time(Duration::from_secs(number as u64)));
            let step = registry.ask(ticket, request(asked), now);
            let expected = model.ask(asked);
            let [(to, Some(reply))] = step.replies.as_slice() else { panic!("{:?}", step.replies) };
            prop_assert_eq!((*to, words(reply)), (ticket, expected), "{}: {:?}", number, asked);
            registry.delivered(&GroupName::new("g"), ticket, true, now);
        }
    }
}
