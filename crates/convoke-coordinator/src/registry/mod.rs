//! The groups of a coordinator, by name: one request in, one reply out, now or later. Pure: time comes in as an argument.
//!
//! ```text
//!            ask ──▶ ┌──────────┐ ──▶ replies  (to this request, and to held ones that it satisfies)
//! delivered, left ──▶│ Registry │ ──▶ entries  (what has to be kept before those replies leave)
//!           tick ──▶ └──────────┘ ──▶ notes    (what the log should say)
//!                      │ one a name
//!                      ▼
//!                    Hosted ──drives──▶ convoke_group::Group
//! ```
//!
//! The rules of messages, waits and syncs are those of `convoke-group`; here are registration, `clear_group`,
//! `aggregate`, limits, and what a polling dispatcher makes necessary (coordinator-protocol.md §4). A request that
//! cannot be used leaves no trace. A group ends when each of its members has finished, and when nobody was heard of it
//! for long.
//!
//! **Polls.** Who did not ask for a hold is answered at once: its call has a limit of nothing. Its arrival at a sync
//! stays, and its next poll is answered when the round is complete.
//!
//! **Tokens.** A group whose first member shows a token is open only to those who show the same, or one that opens every
//! group. One that was made without is open to everybody who is let in at all.
//!
//! **Finished members.** A LAVA dispatcher sends `clear_group` at the end of its job, but also after a call that timed
//! out, and then goes on (§5). So the word alone does not make a member leave: it only counts as finished until it is
//! heard of again. A dispatcher of ours says when it has ended for certain, and then it leaves: waits that need it
//! are refused.

mod aggregate;
pub(crate) mod doing;
mod hosted;
mod notes;
mod replies;
mod restore;
mod view;

use std::collections::HashMap;
use std::num::NonZeroUsize;

use convoke_group::{GroupName, Lacking, MemberName, Time};

use crate::status::{GroupStatus, Totals};
use crate::store::{Entry, Expiry, Record};
use crate::wire::{Ask, Reply, Request, Size, Token};
use doing::About;
use hosted::Hosted;
pub use notes::Note;
pub(crate) use view::Waited;

const NO_GROUP: &str = "there is no group of this name, and no group_size to make it";

/// The server's number for one request; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// How much one group may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Members of a group.
    pub members: usize,
    /// Message IDs of a group, those of syncs included.
    pub ids: usize,
    /// Bytes of all messages of a group.
    pub bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { members: 10_000, ids: 100_000, bytes: 256 << 20 }
    }
}

/// What one input causes.
#[derive(Debug, Default, PartialEq)]
pub struct Step {
    /// Replies, each to one request; `None` closes the connection without one.
    pub replies: Vec<(Ticket, Option<Reply>)>,
    /// What has to be kept before any of the replies leaves.
    pub entries: Vec<Entry>,
    /// The group has ended: what was kept of it can be forgotten.
    pub ended: bool,
    /// What the log should say.
    pub notes: Vec<Note>,
}

impl Step {
    fn reply(ticket: Ticket, reply: Reply) -> Self {
        Self { replies: vec![(ticket, Some(reply))], ..Self::default() }
    }

    fn nack(ticket: Ticket, why: impl Into<String>) -> Self {
        Self::reply(ticket, Reply::Nack(why.into()))
    }
}

/// The groups.
#[derive(Debug, Default)]
pub struct Registry {
    limits: Limits,
    expiry: Expiry,
    groups: HashMap<GroupName, Hosted>,
}

impl Registry {
    /// No groups yet.
    pub fn new(limits: Limits, expiry: Expiry) -> Self {
        Self { limits, expiry, groups: HashMap::new() }
    }

    /// Whether there is a group of this name.
    pub fn has(&self, group: &GroupName) -> bool {
        self.groups.contains_key(group)
    }

    /// Takes a request. Without a reply to `ticket` in the step, the request is held.
    pub fn ask(&mut self, ticket: Ticket, request: Request, now: Time) -> Step {
        if request.ask == Ask::Complete {
            return Step { replies: vec![(ticket, None)], ..Step::default() };
        }
        let group = request.group.clone();
        if request.ask == Ask::Waits {
            return match self.groups.get(&group) {
                Some(hosted) => match hosted.opens_to(&request) {
                    Ok(()) => Step::reply(ticket, hosted.waits_of(&request.member)),
                    Err(why) => Step::nack(ticket, why),
                },
                None => Step::nack(ticket, NO_GROUP),
            };
        }
        let mut step = Step::default();
        if !self.groups.contains_key(&group) {
            let hosted = match self.make(&request) {
                Ok(hosted) => hosted,
                Err(why) => return Step::nack(ticket, why),
            };
            if request.ask == Ask::Clear {
                // A group that would end with the request that makes it is not made.
                return Step::reply(ticket, Reply::Ack);
            }
            if let Err(why) = hosted.admit(&request, &self.limits) {
                return Step::nack(ticket, why);
            }
            step.entries.extend(hosted.opening());
            self.groups.insert(group.clone(), hosted);
        }
        let Some(hosted) = self.groups.get_mut(&group) else { return step };
        if let Err(why) = hosted.admit(&request, &self.limits) {
            return Step::nack(ticket, why);
        }
        hosted.ask(ticket, request, now, &mut step);
        if step.entries.is_empty() && self.expiry.is_mark_due(hosted.kept(), now) {
            step.entries.push(Entry::Seen);
        }
        hosted.keeps(&step, now);
        if hosted.is_over() {
            hosted.dismiss(&mut step);
            self.groups.remove(&group);
            step.ended = true;
            step.notes.push(Note::Ended);
        }
        step
    }

    /// Whether the reply to a request reached its caller. What was owed to a caller that is gone is owed to its next
    /// request (§4.6).
    pub fn delivered(&mut self, group: &GroupName, ticket: Ticket, reached: bool, now: Time) -> Step {
        let mut step = Step::default();
        if let Some(hosted) = self.groups.get_mut(group) {
            hosted.delivered(ticket, reached, now, &mut step);
        }
        step
    }

    /// The caller of a held request is gone, or is told to come again.
    pub fn withdraw(&mut self, group: &GroupName, ticket: Ticket, now: Time) -> Step {
        let mut step = Step::default();
        if let Some(hosted) = self.groups.get_mut(group) {
            hosted.withdraw(ticket, now, &mut step);
        }
        step
    }

    /// The caller of a held request is about to be told to come again; then it is withdrawn. Only those who look see that.
    pub(crate) fn come_again(&mut self, group: &GroupName, ticket: Ticket) {
        if let Some(hosted) = self.groups.get_mut(group) {
            hosted.come_again(ticket);
        }
    }

    /// Time has passed for a held request of this group.
    pub fn tick(&mut self, group: &GroupName, now: Time) -> Step {
        let mut step = Step::default();
        if let Some(hosted) = self.groups.get_mut(group) {
            hosted.tick(now, &mut step);
        }
        step
    }

    /// Forgets groups of which nothing was heard for long; one with a held request is not among them. `started` is when
    /// the server began to serve.
    pub fn expire(&mut self, started: Time, now: Time) -> Vec<GroupName> {
        let old = |hosted: &Hosted| !hosted.holds() && self.expiry.is_due(hosted.heard(), started, now);
        let names: Vec<GroupName> =
            self.groups.iter().filter(|(_, hosted)| old(hosted)).map(|(name, _)| name.clone()).collect();
        for name in &names {
            self.groups.remove(name);
        }
        names
    }

    /// Builds a group again from what was kept of it. Returns what has to be kept further: nobody is connected any
    /// more, and answers of which it is not known that they arrived are owed. None when the group has ended.
    pub fn restore(&mut self, name: GroupName, records: Vec<Record>) -> Option<Vec<Entry>> {
        let (hosted, further) = Hosted::restore(name.clone(), records)?;
        if hosted.is_over() {
            return None;
        }
        self.groups.insert(name, hosted);
        Some(further)
    }

    /// The names of all groups.
    pub(crate) fn names(&self) -> Vec<GroupName> {
        self.groups.keys().cloned().collect()
    }

    /// A group as it is, without whom its waits lack.
    pub(crate) fn look(&self, group: &GroupName) -> Option<(GroupStatus, Vec<Waited>)> {
        self.groups.get(group).map(Hosted::look)
    }

    /// Whom a wait of a member lacks.
    pub(crate) fn lacking(&self, group: &GroupName, about: &About, member: &MemberName) -> Option<Lacking> {
        self.groups.get(group)?.lacking(about, member)
    }

    /// Adds the groups to the counts.
    pub(crate) fn count_into(&self, totals: &mut Totals) {
        self.groups.values().for_each(|hosted| hosted.count_into(totals));
    }

    fn make(&self, request: &Request) -> Result<Hosted, String> {
        let size = match request.size {
            Size::Of(size) => size,
            Size::Absent => return Err(NO_GROUP.into()),
            Size::Invalid => return Err("group_size is not a positive whole number".into()),
        };
        if size > NonZeroUsize::new(self.limits.members).unwrap_or(NonZeroUsize::MIN) {
            return Err(format!("a group has at most {} members", self.limits.members));
        }
        let mut hosted = Hosted::new(request.group.clone(), size);
        hosted.token = request.extras.token.as_ref().map(Token::digest);
        Ok(hosted)
    }
}
