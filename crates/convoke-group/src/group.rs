//! The state of a group and what each input does to it.
//!
//! ```text
//!             ┌───────── expire: refuse what is past its deadline
//! apply ──────┼───────── the input: register, call, withdraw, leave
//!             │             └─ settle the keys it concerns: answer, refuse, or say who is missing
//!             └───────── the rule of the stuck group (stuck.rs)
//! ```
//!
//! Invariants, after every input: a parked call is neither satisfied nor lost; every call has had at most one answer;
//! a parked call's deadline lies ahead. Time never runs backwards: an earlier `now` counts as the latest one seen.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use crate::barriers::{Arrival, Barriers};
use crate::board::Board;
use crate::explain::{Scene, for_asker, key_of, kind, what};
use crate::messages::Messages;
use crate::names::{GroupName, MemberName, MessageId, Time, WaitId};
use crate::parking::{Key, Missing, Parked, Parking, Want};
use crate::protocol::{Answer, Call, Input, Lacking, Output, Quiet, Tell, WaitView};
use crate::refusal::Refusal;
use crate::roster::{Member, Roster, Slot};
use crate::verdict::{Standing, Verdict, judge, standing};

/// The state of one group.
///
/// ```
/// use std::num::NonZeroUsize;
/// use convoke_group::{Call, Group, GroupName, Input, MemberName, MessageId, Output, Quiet, RoleName, Time, WaitId};
///
/// let mut group = Group::new(GroupName::new("g"), NonZeroUsize::new(2).expect("two"));
/// let now = Time::default();
/// for name in ["a", "b"] {
///     group.apply(Input::Register { member: MemberName::new(name), role: RoleName::new("peer") }, now);
/// }
/// let sync = |wait, name: &str| Input::Call {
///     wait: WaitId(wait),
///     member: MemberName::new(name),
///     call: Call::Sync { message_id: MessageId::new("go") },
///     deadline: None,
///     quiet: Quiet::Unknown,
/// };
/// let parked = group.apply(sync(1, "a"), now);
/// assert!(matches!(&parked[..], [Output::Waiting { missing, .. }] if missing == &[MemberName::new("b")]));
/// let released = group.apply(sync(2, "b"), now);
/// assert_eq!(released.iter().filter(|output| matches!(output, Output::Answer { .. })).count(), 2);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    name: GroupName,
    now: Time,
    pub(crate) roster: Roster,
    board: Board,
    barriers: Barriers,
    pub(crate) parking: Parking,
    /// The waits of the probably stuck state that was last said.
    pub(crate) said_stuck: Option<Vec<(Slot, Key)>>,
}

impl Group {
    /// An empty group of `size` members.
    pub fn new(name: GroupName, size: NonZeroUsize) -> Self {
        Self {
            name,
            now: Time::default(),
            roster: Roster::new(size),
            board: Board::default(),
            barriers: Barriers::default(),
            parking: Parking::default(),
            said_stuck: None,
        }
    }

    /// Its name.
    pub fn name(&self) -> &GroupName {
        &self.name
    }

    /// How many members it has when it is complete.
    pub fn size(&self) -> usize {
        self.roster.size()
    }

    /// The members, in order of registration; those that left stay in the list.
    pub fn members(&self) -> &[Member] {
        self.roster.all()
    }

    /// Whether every member that ever registered has left (coordinator-protocol.md §4.7). It is for the driver to end the
    /// group then; a group that is driven on takes further members up to its size.
    pub fn is_over(&self) -> bool {
        !self.members().is_empty() && self.roster.live().next().is_none()
    }

    /// When [`Input::Tick`] is due; earlier ones are harmless.
    pub fn next_deadline(&self) -> Option<Time> {
        self.parking.next_deadline()
    }

    /// The parked calls in the order of parking.
    pub fn waits(&self) -> Vec<WaitView> {
        self.views(&self.parking.all())
    }

    /// The parked calls of one member, in the order of their numbers.
    pub fn waits_of(&self, member: &MemberName) -> Vec<WaitView> {
        let Some(slot) = self.roster.find(member) else { return Vec::new() };
        let calls: Vec<&Parked> =
            self.parking.of_member(slot).into_iter().filter_map(|wait| self.parking.get(wait)).collect();
        self.views(&calls)
    }

    /// Whom a call of this member lacks at the moment, parked or not; none for a send and for somebody who is no member.
    pub fn lacking(&self, member: &MemberName, call: &Call) -> Option<Lacking> {
        let (slot, key) = (self.roster.find(member)?, key_of(call).ok()?);
        let owed = key.want == Want::Sync && self.barriers.is_owed(&key.id, slot);
        let satisfied = owed || judge(&key, &self.roster, &self.board, &self.barriers) == Verdict::Satisfied;
        let missing = if satisfied { Missing::default() } else { self.scene().missing(slot, &key) };
        Some(Lacking {
            what: what(&key),
            members: self.scene().names(&missing.members),
            unregistered: missing.unregistered,
            satisfied,
        })
    }

    /// Whether a member's next sync of this ID is answered at once, for a round that is complete.
    pub fn is_owed(&self, member: &MemberName, message_id: &MessageId) -> bool {
        self.roster.find(member).is_some_and(|slot| self.barriers.is_owed(message_id, slot))
    }

    /// Whether somebody has registered, whether it has left or not.
    pub fn has_member(&self, name: &MemberName) -> bool {
        self.roster.find(name).is_some()
    }

    /// A member by its name.
    pub fn member(&self, name: &MemberName) -> Option<&Member> {
        self.roster.find(name).map(|slot| self.roster.get(slot))
    }

    /// How many members have not left.
    pub fn living(&self) -> usize {
        self.roster.living()
    }

    /// Takes one input and returns what it causes, in the order in which it happens: first what had already timed out,
    /// then the answer to the input, then those it wakes in the order in which they parked.
    pub fn apply(&mut self, input: Input, now: Time) -> Vec<Output> {
        self.apply_telling(input, now, Tell::Everything)
    }

    /// [`Group::apply`] for a driver that does not want to be told everything. The rules and the answers are the same.
    /// Who is missing is then not looked for: an arrival at a barrier costs the same however many wait at it.
    pub fn apply_telling(&mut self, input: Input, now: Time, tell: Tell) -> Vec<Output> {
        let mut out = Told { tell, outputs: Vec::new() };
        self.now = self.now.max(now);
        self.expire(&mut out);
        match input {
            Input::Register { member, role } => {
                // As long as somebody is to come, who came only changes who is missing.
                let told = |group: &Self| tell == Tell::Everything || group.roster.is_full();
                if self.roster.register(member, role) && told(self) {
                    self.settle_all(&mut out);
                }
            }
            Input::Call { wait, member, call, deadline, quiet } => {
                self.call(wait, member, call, deadline, quiet, &mut out);
            }
            Input::Withdraw { wait } => match self.parking.remove(wait) {
                Some(call) => self.parking.disturb(call.member),
                None => self.barriers.undelivered(wait),
            },
            Input::Leave { member, why } => self.leave(&member, why, &mut out),
            Input::Tick => {}
        }
        self.settle_stuck(&mut out);
        out.outputs
    }

    fn expire(&mut self, out: &mut Told) {
        while self.parking.next_deadline().is_some_and(|deadline| deadline <= self.now) {
            let Some(wait) = self.parking.first_to_end() else { return };
            let Some(call) = self.parking.get(wait) else { return };
            let refusal = self.scene().timed_out(call.member, &call.key);
            self.refuse(wait, refusal, out);
        }
    }

    fn call(
        &mut self,
        wait: WaitId,
        member: MemberName,
        call: Call,
        deadline: Option<Time>,
        quiet: Quiet,
        out: &mut Told,
    ) {
        if self.parking.get(wait).is_some() {
            // The number belongs to a call that will be answered; a second answer could not be told from it.
            return;
        }
        let slot = match self.caller(&member) {
            Ok(slot) => slot,
            Err(why) => {
                let what = key_of(&call).map_or_else(|send| send, |key| what(&key));
                let answer = Answer::Refused { refusal: Refusal::Invalid { what, why, hint: None } };
                out.push(Output::Answer { wait, member, answer });
                return;
            }
        };
        self.parking.disturb(slot);
        let key = match (key_of(&call), call) {
            (Ok(key), _) => key,
            (Err(_), Call::Send { message_id, message }) => {
                self.board.post(message_id.clone(), slot, self.roster.get(slot), message);
                self.said_stuck = None;
                out.push(Output::Answer { wait, member, answer: Answer::Done { messages: Messages::new() } });
                for key in self.parking.keys_of(&message_id) {
                    self.settle(&key, None, out);
                }
                return;
            }
            (Err(_), _) => return,
        };
        if key.want == Want::Sync && self.barriers.arrive(&key.id, slot, wait) == Arrival::Owed {
            self.said_stuck = None;
            out.push(Output::Answer { wait, member, answer: Answer::Done { messages: Messages::new() } });
            return;
        }
        self.parking.park(wait, slot, key.clone(), self.now, deadline, quiet);
        self.settle(&key, Some(wait), out);
    }

    /// The slot of a member that may call, or why it may not.
    fn caller(&self, member: &MemberName) -> Result<Slot, String> {
        let Some(slot) = self.roster.find(member) else {
            return Err(if self.roster.is_full() {
                format!("the group is complete with {} members, and {member} is none of them", self.roster.size())
            } else {
                format!("{member} has not registered with the group")
            });
        };
        match &self.roster.get(slot).left {
            Some(why) => Err(left_words(self.roster.get(slot), why)),
            None => Ok(slot),
        }
    }

    fn leave(&mut self, member: &MemberName, why: String, out: &mut Told) {
        let Some(slot) = self.roster.find(member) else { return };
        if self.roster.get(slot).left.is_some() {
            return;
        }
        let words = left_words(self.roster.get(slot), &why);
        self.roster.leave(slot, why);
        for wait in self.parking.of_member(slot) {
            let Some(call) = self.parking.get(wait) else { continue };
            let refusal = Refusal::Invalid { what: what(&call.key), why: words.clone(), hint: None };
            self.refuse(wait, refusal, out);
        }
        self.settle_all(out);
    }

    fn settle_all(&mut self, out: &mut Told) {
        for key in self.parking.keys() {
            self.settle(&key, None, out);
        }
    }

    /// Answers or refuses everybody who waits for `key`, or says who is missing: to all when that has changed, else to
    /// `newcomer`.
    fn settle(&mut self, key: &Key, newcomer: Option<WaitId>, out: &mut Told) {
        let standing = standing(key, &self.roster, &mut self.board, &mut self.barriers);
        debug_assert_eq!(standing, Standing::from(&judge(key, &self.roster, &self.board, &self.barriers)));
        match standing {
            Standing::Satisfied => self.release(key, out),
            Standing::Lost => {
                let judged = judge(key, &self.roster, &self.board, &self.barriers);
                let Verdict::Lost(gone) = judged else { return };
                for wait in self.parking.queue(key) {
                    let Some(call) = self.parking.get(wait) else { continue };
                    let refusal = self.scene().members_left(call.member, key, &gone);
                    self.refuse(wait, refusal, out);
                }
            }
            Standing::NoSuchRole => {
                let Want::Role(role) = &key.want else { return };
                let refusal = self.scene().no_such_role(key, role);
                for wait in self.parking.queue(key) {
                    self.refuse(wait, refusal.clone(), out);
                }
            }
            Standing::Open => self.open(key, newcomer, out),
        }
    }

    fn release(&mut self, key: &Key, out: &mut Told) {
        let calls: Vec<Parked> =
            self.parking.queue(key).into_iter().filter_map(|wait| self.parking.remove(wait)).collect();
        let messages = match key.want {
            Want::Sync | Want::Assembled => Messages::new(),
            Want::Anybody | Want::Everybody | Want::Role(_) => self.board.messages(&key.id),
        };
        if key.want == Want::Sync {
            let answers: Vec<(Slot, WaitId)> = calls.iter().map(|call| (call.member, call.wait)).collect();
            self.barriers.complete(&key.id, &answers);
        }
        self.said_stuck = None;
        for call in calls {
            self.parking.disturb(call.member);
            let member = self.roster.get(call.member).name.clone();
            let answer = Answer::Done { messages: messages.clone() };
            out.push(Output::Answer { wait: call.wait, member, answer });
        }
    }

    fn open(&mut self, key: &Key, newcomer: Option<WaitId>, out: &mut Told) {
        if let Some(wait) = newcomer
            && let Some(call) = self.parking.get(wait)
            && call.deadline.is_some_and(|deadline| deadline <= self.now)
        {
            // A limit of nothing asks and does not wait.
            let refusal = match out.tell {
                Tell::Everything | Tell::Answers => self.scene().timed_out(call.member, key),
                Tell::Poll => self.scene().not_yet(call.member, key),
            };
            self.refuse(wait, refusal, out);
        }
        if out.tell != Tell::Everything {
            return;
        }
        let Verdict::Open(missing) = judge(key, &self.roster, &self.board, &self.barriers) else { return };
        let waits = if self.parking.tell(key, &missing) {
            self.parking.queue(key)
        } else {
            newcomer.into_iter().filter(|wait| self.parking.get(*wait).is_some()).collect()
        };
        if waits.is_empty() {
            return;
        }
        let unregistered = missing.unregistered;
        if key.want == Want::Anybody {
            for wait in waits {
                let Some(call) = self.parking.get(wait) else { continue };
                let missing = for_asker(missing.clone(), call.member, key);
                let missing = self.scene().names(&missing.members);
                out.push(Output::Waiting { waits: vec![wait], missing, unregistered });
            }
        } else {
            let missing = self.scene().names(&missing.members);
            out.push(Output::Waiting { waits, missing, unregistered });
        }
    }

    /// Answers a parked call with a refusal. Its member may act again, so that what its other calls said of being alone
    /// no longer holds.
    pub(crate) fn refuse(&mut self, wait: WaitId, refusal: Refusal, out: &mut Told) {
        let Some(call) = self.parking.remove(wait) else { return };
        self.parking.disturb(call.member);
        let member = self.roster.get(call.member).name.clone();
        out.push(Output::Answer { wait, member, answer: Answer::Refused { refusal } });
    }

    pub(crate) fn scene(&self) -> Scene<'_> {
        Scene { roster: &self.roster, board: &self.board, barriers: &self.barriers }
    }

    /// Calls for people. Whom those lack that wait for the same is looked for once.
    pub(crate) fn views(&self, calls: &[&Parked]) -> Vec<WaitView> {
        let mut lacking: BTreeMap<(&Key, Option<Slot>), Missing> = BTreeMap::new();
        let mut views = Vec::with_capacity(calls.len());
        for call in calls {
            let member = self.roster.get(call.member);
            let asker = (call.key.want == Want::Anybody).then_some(call.member);
            let missing = lacking.entry((&call.key, asker));
            let missing = missing.or_insert_with(|| self.scene().missing(call.member, &call.key));
            views.push(WaitView {
                wait: call.wait,
                member: member.name.clone(),
                role: member.role.clone(),
                kind: kind(&call.key),
                message_id: call.key.id.clone(),
                wait_role: if let Want::Role(role) = &call.key.want { Some(role.clone()) } else { None },
                since: call.since,
                deadline: call.deadline,
                quiet: call.quiet,
                missing: self.scene().names(&missing.members),
                unregistered: missing.unregistered,
            });
        }
        views
    }
}

/// What an input causes, and how much of it is told.
pub(crate) struct Told {
    tell: Tell,
    outputs: Vec<Output>,
}

impl Told {
    pub(crate) fn push(&mut self, output: Output) {
        self.outputs.push(output);
    }
}

fn left_words(member: &Member, why: &str) -> String {
    if why.is_empty() { format!("{member} has left the group") } else { format!("{member} has left the group: {why}") }
}
