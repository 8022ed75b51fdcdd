//! What has to be answered, found by driving the rules of `convoke-group` directly: registration, finishing and
//! `aggregate` are done here in the plainest way, nothing is kept, nothing is restored, nobody is connected.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;

use convoke_coordinator::wire::{Json, Reply};
use convoke_group::{
    Answer, Call, Group, GroupName, Input, MemberName, MessageId, Output, Quiet, Refusal, RoleName, Time, WaitId,
};
use serde_json::Value;

use super::steps::{Asked, What};

/// The number of a request.
pub(crate) type Number = u64;

/// What becomes of a request: an answer (`None` is a close without one), with whether it is the release of a sync.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Expected {
    pub(crate) number: Number,
    pub(crate) reply: Option<Reply>,
    pub(crate) release: bool,
}

#[derive(Default)]
pub(crate) struct Oracle {
    groups: BTreeMap<&'static str, Hosted>,
}

struct Hosted {
    group: Group,
    size: usize,
    finished: BTreeSet<&'static str>,
    bundles: Vec<(&'static str, &'static str)>,
    polls_after_the_last: u8,
    open: BTreeMap<Number, (&'static str, What)>,
    /// The named call for which a member was released last.
    released: BTreeMap<(&'static str, &'static str), (String, Vec<Number>)>,
    /// The last release of which it is not known whether it arrived.
    on_the_way: BTreeMap<(&'static str, &'static str), Number>,
    names: BTreeMap<Number, String>,
    /// Releases of calls without a name of which it is not known whether they arrived.
    uncertain: BTreeSet<Number>,
}

const NOW: Time = Time(std::time::Duration::ZERO);

impl Oracle {
    pub(crate) fn ask(&mut self, number: Number, asked: &Asked, call: &str) -> Vec<Expected> {
        let one = |reply| vec![Expected { number, reply, release: false }];
        let nack = || one(Some(Reply::Nack(String::new())));
        if matches!(asked.what, What::Complete) {
            return one(None);
        }
        if !self.groups.contains_key(asked.group) {
            let size = asked.size.and_then(|size| size.trim_matches('"').parse::<NonZeroUsize>().ok());
            let Some(size) = size else { return nack() };
            if matches!(asked.what, What::Clear { .. }) {
                return one(Some(Reply::Ack));
            }
            if asked.role.is_none() || !asked.hostname {
                return nack();
            }
            self.groups.insert(asked.group, Hosted::new(asked.group, size));
        }
        let Some(hosted) = self.groups.get_mut(asked.group) else { return nack() };
        if !hosted.knows(asked.member)
            && (hosted.group.members().len() == hosted.size || asked.role.is_none() || !asked.hostname)
        {
            return nack();
        }
        let mut out = hosted.ask(number, asked, call);
        if hosted.is_over() {
            out.extend(hosted.open.keys().map(|number| Expected {
                number: *number,
                reply: Some(Reply::Wait),
                release: false,
            }));
            self.groups.remove(asked.group);
        }
        out
    }

    /// The caller of a held request is gone, or the release of a sync did or did not reach it.
    pub(crate) fn settled(&mut self, group: &str, number: Number, reached: bool) -> Vec<Expected> {
        let Some(hosted) = self.groups.get_mut(group) else { return Vec::new() };
        hosted.uncertain.remove(&number);
        hosted.on_the_way.retain(|_, last| *last != number);
        if reached {
            return Vec::new();
        }
        hosted.open.remove(&number);
        hosted.names.remove(&number);
        hosted.apply(Input::Withdraw { wait: WaitId(number) })
    }

    /// Nobody is connected any more, and what may not have arrived is owed.
    pub(crate) fn restarted(&mut self) {
        for hosted in self.groups.values_mut() {
            hosted.polls_after_the_last = 0;
            let gone: Vec<Number> = hosted.open.keys().copied().chain(std::mem::take(&mut hosted.uncertain)).collect();
            hosted.open.clear();
            hosted.names.clear();
            hosted.on_the_way.clear();
            for number in gone {
                hosted.apply(Input::Withdraw { wait: WaitId(number) });
            }
        }
    }

    /// The groups that have not ended.
    pub(crate) fn groups(&self) -> Vec<&'static str> {
        self.groups.keys().copied().collect()
    }
}

impl Hosted {
    fn new(name: &str, size: NonZeroUsize) -> Self {
        Self {
            group: Group::new(GroupName::new(name), size),
            size: size.get(),
            finished: BTreeSet::new(),
            bundles: Vec::new(),
            polls_after_the_last: 0,
            open: BTreeMap::new(),
            released: BTreeMap::new(),
            on_the_way: BTreeMap::new(),
            names: BTreeMap::new(),
            uncertain: BTreeSet::new(),
        }
    }

    fn knows(&self, member: &str) -> bool {
        self.group.members().iter().any(|known| known.name.as_str() == member)
    }

    fn is_over(&self) -> bool {
        let ended = |member: &convoke_group::Member| {
            member.left.is_some() || self.finished.iter().any(|name| *name == member.name.as_str())
        };
        self.group.members().iter().all(ended)
    }

    fn ask(&mut self, number: Number, asked: &Asked, call: &str) -> Vec<Expected> {
        let member = asked.member;
        let name = MemberName::new(member);
        let id = |id: &str| match Json::parse(format!("\"{id}\"").as_bytes()) {
            Ok(Json::Text(id)) => MessageId::new(id),
            other => panic!("{other:?}"),
        };
        let mut out = Vec::new();
        if let (false, Some(role)) = (self.knows(member), asked.role) {
            out.extend(self.apply(Input::Register { member: name.clone(), role: RoleName::new(role) }));
        }
        if !matches!(asked.what, What::Clear { .. }) {
            self.finished.remove(member);
        }
        let call_of = match &asked.what {
            What::GroupData => Call::Assemble,
            What::Send { id: i, value } => Call::Send { message_id: id(i), message: Value::String(sent(value)) },
            What::Wait { id: i } => Call::Wait { message_id: id(i) },
            What::WaitAll { id: i, role } => Call::WaitAll { message_id: id(i), role: role.map(RoleName::new) },
            What::Sync { id: i, .. } => {
                if self.on_the_way.contains_key(&(member, *i)) {
                    // It is not known whether this is the next round.
                    out.push(Expected { number, reply: Some(Reply::Wait), release: false });
                    return out;
                }
                let same =
                    self.released.get_mut(&(member, *i)).filter(|(name, _)| asked.held.is_some() && name == call);
                for released in same.map(|(_, released)| std::mem::take(released)).unwrap_or_default() {
                    out.extend(self.apply(Input::Withdraw { wait: WaitId(released) }));
                }
                if asked.held.is_some() {
                    self.names.insert(number, call.to_owned());
                }
                Call::Sync { message_id: id(i) }
            }
            What::Clear { leave } => {
                self.finished.insert(member);
                if *leave {
                    out.extend(self.apply(Input::Leave { member: name, why: "its job ended".to_owned() }));
                }
                out.push(Expected { number, reply: Some(Reply::Ack), release: false });
                return out;
            }
            What::Aggregate { bundle, collects } => {
                out.push(Expected { number, reply: Some(self.aggregate(member, bundle, *collects)), release: false });
                return out;
            }
            What::Complete => return out,
        };
        self.open.insert(number, (member, asked.what.clone()));
        let quiet = if asked.held.as_ref().is_some_and(|held| held.quiet) { Quiet::Certain } else { Quiet::Unknown };
        let deadline = asked.held.is_none().then_some(NOW);
        out.extend(self.apply(Input::Call { wait: WaitId(number), member: name, call: call_of, deadline, quiet }));
        out
    }

    fn aggregate(&mut self, member: &'static str, bundle: &'static str, collects: bool) -> Reply {
        match self.bundles.iter_mut().find(|(name, _)| *name == member) {
            Some(known) => known.1 = bundle,
            None => self.bundles.push((member, bundle)),
        }
        if !collects {
            return Reply::Ack;
        }
        if self.bundles.len() < self.size || self.polls_after_the_last < 2 {
            self.polls_after_the_last += u8::from(self.bundles.len() == self.size);
            return Reply::Wait;
        }
        self.polls_after_the_last = 0;
        let bundles: Vec<String> = self.bundles.iter().map(|(name, bundle)| format!("\"{name}\": {bundle}")).collect();
        Reply::AckWith(format!("{{\"bundle\": {{{}}}}}", bundles.join(", ")).into())
    }

    fn apply(&mut self, input: Input) -> Vec<Expected> {
        let mut out = Vec::new();
        for output in self.group.apply(input, NOW) {
            let Output::Answer { wait: WaitId(number), answer, .. } = output else { continue };
            let Some((by, what)) = self.open.remove(&number) else { continue };
            let release = matches!((&what, &answer), (What::Sync { .. }, Answer::Done { .. }));
            if let (true, What::Sync { id, .. }) = (release, &what) {
                let sync = (by, *id);
                match self.names.remove(&number) {
                    Some(name) => {
                        let released = self.released.entry(sync).or_default();
                        if released.0 != name {
                            *released = (name, Vec::new());
                        }
                        released.1.push(number);
                    }
                    None => {
                        self.released.remove(&sync);
                        self.uncertain.insert(number);
                    }
                }
                self.on_the_way.insert(sync, number);
            }
            out.push(Expected { number, reply: Some(self.reply(&what, answer)), release });
        }
        out
    }

    fn reply(&self, what: &What, answer: Answer) -> Reply {
        match (answer, what) {
            (Answer::Refused { refusal: Refusal::TimedOut { .. } }, _) => Reply::Wait,
            (Answer::Refused { .. }, _) => Reply::Nack(String::new()),
            (Answer::Done { .. }, What::Send { .. }) => Reply::Ack,
            (Answer::Done { .. }, What::Sync { id, own }) => {
                let own = own.filter(|own| !matches!(*own, "{}" | "null"));
                Reply::AckWith(own.map_or_else(|| format!("\"{id}\""), ToOwned::to_owned).into())
            }
            (Answer::Done { .. }, What::GroupData) => {
                let mut roles = Vec::new();
                for role in self.group.members() {
                    if !roles.contains(&role.role) {
                        roles.push(role.role.clone());
                    }
                }
                let of = |role: &RoleName| {
                    let members = self.group.members().iter().filter(|member| member.role == *role);
                    members.map(|member| (member.name.clone(), member.role.clone())).collect::<Vec<_>>()
                };
                Reply::GroupData(roles.iter().flat_map(of).collect())
            }
            (Answer::Done { messages }, _) => {
                let texts: Vec<String> = messages
                    .iter()
                    .map(|(member, value)| format!("\"{member}\": {}", value.as_str().unwrap_or_default()))
                    .collect();
                Reply::AckWith(format!("{{{}}}", texts.join(", ")).into())
            }
        }
    }
}

fn sent(value: &str) -> String {
    if value == "null" { "{}".to_owned() } else { value.to_owned() }
}
