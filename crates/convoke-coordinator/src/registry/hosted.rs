//! One group as a coordinator hosts it: the group itself, who is held, who has finished.
//!
//! Invariants: every held request is a parked call of the group, and the other way round; what changes the group is an
//! entry of the step that changed it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::num::NonZeroUsize;

use convoke_group::{
    Answer, Call, Group, GroupName, Input, MemberName, MessageId, Output, Quiet, Refusal, RoleName, Tell, Time, WaitId,
};
use serde_json::Value;

use super::aggregate::Bundles;
use super::doing::{About, Doing};
use super::replies::{Common, Manner};
use super::{Limits, Note, Step, Ticket};
use crate::store::Entry;
use crate::wire::{Ask, Reply, Request, TokenDigest};

/// Why a member left that did not say why.
const ENDED: &str = "its job ended";

#[derive(Debug)]
pub(crate) struct Hosted {
    pub(super) group: Group,
    /// What opens it to its members, when not everybody is let in.
    pub(super) token: Option<TokenDigest>,
    pub(super) next_wait: u64,
    /// Requests without a reply yet.
    open: HashMap<WaitId, Open>,
    tickets: HashMap<Ticket, WaitId>,
    /// Released syncs whose reply is on its way.
    releases: HashMap<Ticket, (WaitId, (MemberName, MessageId))>,
    /// The last of them of a member and an ID.
    on_the_way: HashMap<(MemberName, MessageId), Ticket>,
    /// Syncs at which a member has arrived and for which it was not released yet.
    pub(super) arrived: BTreeSet<(MemberName, MessageId)>,
    /// Names of the calls of syncs, of members that name them.
    pub(super) names: HashMap<WaitId, String>,
    /// The named call for which a member was released last, and the requests of it that were answered so.
    released: HashMap<(MemberName, MessageId), (String, Vec<WaitId>)>,
    /// Members that have finished and not left.
    pub(super) finished: BTreeSet<MemberName>,
    pub(super) bundles: Bundles,
    /// Bytes of messages by ID and sender; what limits count.
    pub(super) sizes: BTreeMap<MessageId, BTreeMap<MemberName, usize>>,
    bytes: usize,
    pub(super) doing: Doing,
    common: Common,
    pub(super) heard: Time,
    /// When the last entry was made by a request.
    pub(super) kept: Time,
}

/// A request without a reply yet.
#[derive(Debug)]
pub(super) struct Open {
    ticket: Ticket,
    manner: Manner,
    pub(super) member: MemberName,
    pub(super) about: About,
    /// When it asked first, and for this request.
    pub(super) since: Time,
    pub(super) asked: Time,
    /// When its caller gives up, if it said so.
    pub(super) until: Option<Time>,
    /// It asked to be held.
    held: bool,
}

impl Open {
    /// When the caller of a held request gives up: then its call has failed, while others only ask again.
    fn limited(&self) -> Option<Time> {
        self.until.filter(|_| self.held)
    }
}

impl Hosted {
    pub(super) fn new(name: GroupName, size: NonZeroUsize) -> Self {
        Self {
            group: Group::new(name, size),
            token: None,
            next_wait: 1,
            open: HashMap::new(),
            tickets: HashMap::new(),
            releases: HashMap::new(),
            on_the_way: HashMap::new(),
            arrived: BTreeSet::new(),
            names: HashMap::new(),
            released: HashMap::new(),
            finished: BTreeSet::new(),
            bundles: Bundles::default(),
            sizes: BTreeMap::new(),
            bytes: 0,
            doing: Doing::default(),
            common: Common::default(),
            heard: Time::default(),
            kept: Time::default(),
        }
    }

    /// Whether the sender of this request is, or can become, a member, and the request fits into the group.
    pub(super) fn admit(&self, request: &Request, limits: &Limits) -> Result<(), String> {
        self.opens_to(request)?;
        self.fits(request, limits)?;
        if self.knows(&request.member) {
            return Ok(());
        }
        let size = self.group.size();
        if self.group.members().len() >= size {
            let who = &request.member;
            return Err(format!("the group is complete with {size} members, and {who} is none of them"));
        }
        if request.role.is_none() {
            return Err("the request of a new member has no role".into());
        }
        if request.hostname.is_none() {
            return Err("the request of a new member has no hostname".into());
        }
        Ok(())
    }

    /// The entries that make the group.
    pub(super) fn opening(&self) -> impl Iterator<Item = Entry> {
        let created = NonZeroUsize::new(self.group.size()).map(|size| Entry::Created { size });
        created.into_iter().chain(self.token.map(|token| Entry::Closed { token }))
    }

    pub(super) fn opens_to(&self, request: &Request) -> Result<(), String> {
        let Some(known) = self.token else { return Ok(()) };
        match &request.extras.token {
            Some(token) if token.is_listed() || token.digest() == known => Ok(()),
            Some(_) => Err("the group was made with another token".into()),
            None => Err("the group is open only to those who have its token".into()),
        }
    }

    /// Takes the request of somebody who was admitted.
    pub(super) fn ask(&mut self, ticket: Ticket, request: Request, now: Time, step: &mut Step) {
        self.heard = self.heard.max(now);
        let Request { member, role, ask, extras, .. } = request;
        if let (false, Some(role)) = (self.knows(&member), role) {
            self.register(member.clone(), role, now, step);
        }
        if ask != Ask::Clear && self.finished.remove(&member) {
            step.entries.push(Entry::Returned { member: member.clone() });
        }
        let about = About::of(&ask);
        let since = self.doing.asked(&member, about.clone(), now);
        let (call, manner) = match ask {
            Ask::GroupData => (Call::Assemble, Manner::Assemble),
            Ask::Send { message_id, message } => {
                self.count(&message_id, &member, message.len());
                self.common.changes();
                (Call::Send { message_id, message: Value::String(message) }, Manner::Send)
            }
            Ask::Wait { message_id } => (Call::Wait { message_id }, Manner::Wait),
            Ask::WaitAll { message_id, role } => (Call::WaitAll { message_id, role }, Manner::Wait),
            Ask::Sync { message_id, own } => {
                self.sizes.entry(message_id.clone()).or_default();
                (Call::Sync { message_id: message_id.clone() }, Manner::Sync { id: message_id, own })
            }
            Ask::Clear => return self.clear(ticket, member, extras.leave, now, step),
            Ask::Aggregate { bundle, collects } => {
                self.bundles.store(member.clone(), bundle.clone());
                step.entries.push(Entry::Bundle { member, bundle: Value::String(bundle) });
                let reply = if collects { self.bundles.collect(self.group.size()) } else { Reply::Ack };
                step.replies.push((ticket, Some(reply)));
                return;
            }
            // The registry answers these.
            Ask::Complete | Ask::Waits => return step.replies.push((ticket, None)),
        };
        if let Manner::Sync { id, .. } = &manner
            && self.on_the_way.contains_key(&(member.clone(), id.clone()))
        {
            // It may have taken that and come to the next round, or have lost it and ask for it again (§4.6). Whoever asks
            // again when that is known is answered rightly.
            self.doing.told_to_wait(&member, &about);
            step.replies.push((ticket, Some(Reply::Wait)));
            return;
        }
        let from_now = |time| now.0.checked_add(time).map(Time);
        // The end of the hold is the server's to see to; the group is told when the caller gives up.
        let deadline = match (extras.hold, extras.limit) {
            (None, _) => Some(now),
            (Some(_), Some(limit)) => limit.and_then(from_now),
            (Some(hold), None) => from_now(hold),
        };
        let known = extras.hold.is_some() && extras.limit.is_some();
        let quiet = if extras.quiet && known { Quiet::Certain } else { Quiet::Unknown };
        if let (Manner::Sync { id, .. }, Some(name)) = (&manner, &extras.call) {
            self.give_again(&member, id, name, now, step);
            self.names.insert(WaitId(self.next_wait), name.clone());
        }
        let (held, until) = (extras.hold.is_some(), extras.limit.flatten().and_then(from_now));
        self.call(
            Open { ticket, manner, member, about, since, asked: now, until, held },
            call,
            deadline,
            quiet,
            now,
            step,
        );
    }

    /// The same call that was answered already asks again: its reply was lost.
    fn give_again(&mut self, member: &MemberName, id: &MessageId, name: &str, now: Time, step: &mut Step) {
        let released = self.released.get_mut(&(member.clone(), id.clone()));
        if let Some((_, waits)) = released.filter(|(known, _)| known == name) {
            for wait in std::mem::take(waits) {
                self.keep(Input::Withdraw { wait }, now, step);
            }
        }
    }

    /// Notes which call of a member was released last.
    pub(super) fn note_release(&mut self, sync: (MemberName, MessageId), wait: WaitId) {
        self.arrived.remove(&sync);
        let Some(name) = self.names.get(&wait) else {
            self.released.remove(&sync);
            return;
        };
        let (released, waits) = self.released.entry(sync).or_default();
        if released != name {
            released.clone_from(name);
            waits.clear();
        }
        waits.push(wait);
    }

    fn call(&mut self, open: Open, call: Call, deadline: Option<Time>, quiet: Quiet, now: Time, step: &mut Step) {
        let wait = WaitId(self.next_wait);
        self.next_wait += 1;
        let (ticket, member, held) = (open.ticket, open.member.clone(), open.held);
        self.tickets.insert(ticket, wait);
        self.open.insert(wait, open);
        // A poll that finds its member where the last one left it changes nothing, and is not kept.
        let place = step.entries.len();
        let (sync, kept) = match &call {
            Call::Sync { message_id } => (Some((member.clone(), message_id.clone())), true),
            Call::Send { .. } => (None, true),
            Call::Wait { .. } | Call::WaitAll { .. } | Call::Assemble => (None, false),
        };
        let again = sync.as_ref().is_some_and(|sync| self.arrived.contains(sync));
        if let Some(sync) = sync {
            self.arrived.insert(sync);
        }
        let input = Input::Call { wait, member, call, deadline, quiet };
        let entry = kept.then(|| Entry::Input(input.clone()));
        let name = self.names.get(&wait).cloned();
        // Who polls is only told to come again.
        let tell = if held { Tell::Answers } else { Tell::Poll };
        self.apply(input, now, tell, step);
        let polled = again && !self.tickets.contains_key(&ticket) && !self.releases.contains_key(&ticket);
        if let (Some(entry), false) = (entry, polled) {
            step.entries.insert(place, entry);
            if let Some(call) = name {
                step.entries.insert(place, Entry::Named { wait, call });
            }
        }
    }

    pub(super) fn delivered(&mut self, ticket: Ticket, reached: bool, now: Time, step: &mut Step) {
        let Some((wait, sync)) = self.releases.remove(&ticket) else { return };
        if self.on_the_way.get(&sync) == Some(&ticket) {
            self.on_the_way.remove(&sync);
        }
        if reached {
            step.entries.push(Entry::Collected { wait });
        } else {
            self.keep(Input::Withdraw { wait }, now, step);
        }
    }

    pub(super) fn withdraw(&mut self, ticket: Ticket, now: Time, step: &mut Step) {
        let Some(wait) = self.tickets.remove(&ticket) else { return };
        self.names.remove(&wait);
        let sync = self.open.remove(&wait).is_some_and(|open| matches!(open.manner, Manner::Sync { .. }));
        // Only a parked sync is known to what is kept.
        if sync {
            self.keep(Input::Withdraw { wait }, now, step)
        } else {
            self.apply(Input::Withdraw { wait }, now, Tell::Answers, step)
        }
    }

    /// The caller of a held request is told to come again.
    pub(super) fn come_again(&mut self, ticket: Ticket) {
        if let Some(open) = self.tickets.get(&ticket).and_then(|wait| self.open.get(wait)) {
            self.doing.told_to_wait(&open.member, &open.about);
        }
    }

    pub(super) fn tick(&mut self, now: Time, step: &mut Step) {
        self.apply(Input::Tick, now, Tell::Answers, step);
    }

    /// The group ends: who is held comes again, and learns that it is gone.
    pub(super) fn dismiss(&mut self, step: &mut Step) {
        for (_, open) in self.open.drain() {
            step.replies.push((open.ticket, Some(Reply::Wait)));
        }
    }

    /// Every registered member has finished or left.
    pub(super) fn is_over(&self) -> bool {
        !self.group.members().is_empty() && self.finished.len() == self.group.living()
    }

    pub(super) fn holds(&self) -> bool {
        !self.open.is_empty()
    }

    /// Held requests.
    pub(super) fn open(&self) -> impl Iterator<Item = &Open> {
        self.open.values()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn heard(&self) -> Time {
        self.heard
    }

    pub(super) fn kept(&self) -> Time {
        self.kept
    }

    /// Notes that this step is kept.
    pub(super) fn keeps(&mut self, step: &Step, now: Time) {
        if !step.entries.is_empty() {
            self.kept = now;
        }
    }

    fn knows(&self, member: &MemberName) -> bool {
        self.group.has_member(member)
    }

    fn register(&mut self, member: MemberName, role: RoleName, now: Time, step: &mut Step) {
        step.notes.push(Note::Registered { member: member.clone(), role: role.clone() });
        self.keep(Input::Register { member, role }, now, step);
    }

    fn clear(&mut self, ticket: Ticket, member: MemberName, leave: Option<String>, now: Time, step: &mut Step) {
        step.notes.push(Note::Finished { member: member.clone(), why: leave.clone() });
        if self.finish(&member) {
            step.entries.push(Entry::Finished { member: member.clone() });
        }
        if let Some(why) = leave {
            let why = if why.is_empty() { ENDED.to_owned() } else { why };
            self.finished.remove(&member);
            self.keep(Input::Leave { member, why }, now, step);
        }
        step.replies.push((ticket, Some(Reply::Ack)));
    }

    /// Notes that a member has finished; returns whether that is news. Who has left has left.
    pub(super) fn finish(&mut self, member: &MemberName) -> bool {
        let lives = self.group.member(member).is_some_and(|member| member.left.is_none());
        lives && self.finished.insert(member.clone())
    }

    pub(super) fn keep(&mut self, input: Input, now: Time, step: &mut Step) {
        step.entries.push(Entry::Input(input.clone()));
        self.apply(input, now, Tell::Answers, step);
    }

    fn apply(&mut self, input: Input, now: Time, tell: Tell, step: &mut Step) {
        for output in self.group.apply_telling(input, now, tell) {
            match output {
                Output::Answer { wait, member, answer } => self.answer(wait, &member, answer, step),
                Output::Waiting { .. } => {}
                Output::ProbablyStuck { waits } => {
                    let members = waits.into_iter().map(|wait| wait.member).collect();
                    step.notes.push(Note::ProbablyStuck { members });
                }
            }
        }
    }

    fn answer(&mut self, wait: WaitId, member: &MemberName, answer: Answer, step: &mut Step) {
        let Some(open) = self.open.remove(&wait) else { return };
        self.tickets.remove(&open.ticket);
        if let (Answer::Refused { refusal: Refusal::TimedOut { .. } }, None) = (&answer, open.limited()) {
            self.doing.told_to_wait(member, &open.about);
        }
        if let (Manner::Sync { id, .. }, Answer::Done { .. }) = (&open.manner, &answer) {
            let sync = (open.member.clone(), id.clone());
            self.note_release(sync.clone(), wait);
            self.on_the_way.insert(sync.clone(), open.ticket);
            self.releases.insert(open.ticket, (wait, sync));
        }
        self.names.remove(&wait);
        let reply = open.manner.reply(answer, &self.group, &mut self.common, open.limited().is_some());
        step.replies.push((open.ticket, Some(reply)));
    }

    fn fits(&self, request: &Request, limits: &Limits) -> Result<(), String> {
        let (id, length) = match &request.ask {
            Ask::Send { message_id, message } => {
                let old = self.sizes.get(message_id).and_then(|senders| senders.get(&request.member));
                (Some(message_id), self.bytes - old.unwrap_or(&0) + message.len())
            }
            Ask::Sync { message_id, .. } => (Some(message_id), self.bytes),
            Ask::Aggregate { bundle, .. } => (None, self.bundles.bytes_without(&request.member) + bundle.len()),
            _ => return Ok(()),
        };
        if id.is_some_and(|id| !self.sizes.contains_key(id)) && self.sizes.len() >= limits.ids {
            return Err(format!("a group has at most {} message IDs", limits.ids));
        }
        if length > limits.bytes {
            return Err(format!("the messages of a group have at most {} bytes", limits.bytes));
        }
        Ok(())
    }

    pub(super) fn count(&mut self, id: &MessageId, member: &MemberName, length: usize) {
        let old = self.sizes.entry(id.clone()).or_default().insert(member.clone(), length);
        self.bytes = self.bytes - old.unwrap_or(0) + length;
    }
}
