//! From what a member does to acts that a group can play, in one of two bounds of what is unknown.
//!
//! | | [`Bound::Most`] | [`Bound::Least`] |
//! |---|---|---|
//! | a send that may come | comes, as soon as it may | does not come |
//! | a send that comes in every way of a choice | comes at its beginning | comes after it |
//! | a wait that may be made | holds nobody up | must be satisfied |
//! | a wait for an unknown ID | holds nobody up | is never satisfied |
//! | an opaque step | sends everything and arrives everywhere | is never got past |
//! | what follows a possible `exit` | may come | may come |
//! | a sync that somebody may make or not | is a message that each has to have sent once | is never satisfied |
//!
//! # Why the bounds are sound
//!
//! Let a *course* be one decision of everything that is unknown. The rules are monotone: a play in which more is sent,
//! or in which fewer waits hold a member up, satisfies every call that the other satisfies.
//!
//! *Most.* In every course each member sends at most what it sends in `Most`, not earlier, and is held up there by at
//! least the waits that hold it up in `Most`. So whoever is stuck in `Most` is stuck in every course: **a play of `Most`
//! that does not end proves that the job cannot end.** Syncs count rounds, and a round that one course completes may be a
//! different one in another. An ID is therefore *loose* when the number of somebody's arrivals is unknown, and a loose
//! sync asks only what holds in every course: it is over when every member has arrived at that ID at least once. The
//! arrivals at the other IDs are the same in every course.
//!
//! *Least.* Each member sends in every course at least what it sends in `Least`, not later, and is held up there by at
//! most the waits that hold it up in `Least`. So **a play of `Least` that ends proves that the job can end, whatever the
//! unknown turns out to be.**
//!
//! *Attempts.* A call whose failure does not end its script (`lava-wait x || …`) is satisfied in a course or fails in it, and
//! then its member goes another way. So an attempt is a choice between its two ways, and its call a wait that may be made. In
//! `Least` it has to be satisfied: while it waits for its time to be over, others may give up whose scripts end then.
//! `attempts` decides attempts one by one where nothing else is unknown.
//!
//! Two syncs of one ID that may be open at once on one member are the one thing in the rules that is not monotone (see
//! `convoke_group`); such an ID is loose, too.

use std::collections::{BTreeMap, BTreeSet};

use convoke_group::{Call as GroupCall, CallKind, MessageId, RoleName};

use crate::judge::program::{Op, may_stop, must_stop};
use crate::model::{Call, Text, Unknown};

/// Which bound of what is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    /// Everything that may help does.
    Most,
    /// Only what is certain helps.
    Least,
}

/// Members that are played as one.
#[derive(Clone, Debug)]
pub(crate) struct Unit<'a> {
    pub(crate) role: RoleName,
    /// The first is the member's own, the others run beside it.
    pub(crate) threads: Vec<Thread<'a>>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Thread<'a> {
    pub(crate) acts: Vec<Act<'a>>,
    /// The one that starts it.
    pub(crate) parent: usize,
}

/// `from` is the number of the call in its class's program.
#[derive(Clone, Debug)]
pub(crate) enum Act<'a> {
    /// Sends; for a loose sync, arrives.
    Say {
        id: MessageId,
        from: usize,
    },
    /// Waits. One that is not `binding` holds nobody up.
    Ask {
        call: GroupCall,
        from: usize,
        binding: bool,
    },
    /// Sends every ID that begins with `prefix`, and arrives at the syncs of such IDs.
    Flood {
        prefix: String,
        arrives: bool,
        from: Option<usize>,
    },
    /// Is reached, and no more is known.
    Pass {
        from: usize,
    },
    /// Has been made in vain.
    Fail {
        from: usize,
    },
    /// Nothing is certain beyond.
    Halt {
        unknown: Option<&'a Unknown>,
        from: Option<usize>,
    },
    Fork(usize),
    Join(Vec<usize>),
}

/// What has to be known of all members to bring one of them into acts.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    loose: BTreeSet<String>,
    /// Every ID that begins with one of these is loose.
    loose_prefixes: BTreeSet<String>,
    /// The IDs that somebody waits for, and whether every member's message counts or anybody's does.
    asked: BTreeMap<MessageId, bool>,
    /// Something is unknown, so that the bounds differ.
    pub(crate) unknown: bool,
}

impl Facts {
    pub(crate) fn of(programs: &[&[Op]]) -> Self {
        let mut facts = Self::default();
        for ops in programs {
            let mut syncs = BTreeMap::new();
            facts.note(ops, true, false, &mut syncs);
            facts
                .loose
                .extend(syncs.into_iter().filter(|(_, syncs)| syncs.beside && syncs.count > 1).map(|(id, _)| id));
        }
        if !facts.loose_prefixes.is_empty() {
            let mut ids = BTreeSet::new();
            programs.iter().for_each(|ops| sync_ids(ops, &mut ids));
            ids.retain(|id| facts.loose_prefixes.iter().any(|prefix| id.starts_with(prefix.as_str())));
            facts.loose.append(&mut ids);
        }
        let arrivals: Vec<MessageId> = facts.loose.iter().map(|id| arrival(id)).collect();
        facts.asked.extend(arrivals.into_iter().map(|id| (id, true)));
        facts
    }

    fn is_loose(&self, id: &str) -> bool {
        self.loose.contains(id)
    }

    /// What a step that may send anything sends: every ID that somebody waits for and that begins with `prefix`.
    pub(crate) fn floods(&self, prefix: &str, arrives: bool) -> impl Iterator<Item = (&MessageId, bool)> {
        self.asked.iter().filter_map(move |(id, each)| {
            let (name, arrival) = match id.as_str().strip_prefix(ARRIVAL) {
                Some(name) => (name, true),
                None => (id.as_str(), false),
            };
            ((arrives || !arrival) && name.starts_with(prefix)).then_some((id, *each))
        })
    }

    fn note(&mut self, ops: &[Op], mut sure: bool, beside: bool, syncs: &mut BTreeMap<String, Syncs>) {
        for op in ops {
            match op {
                Op::Call(call, _) => self.note_call(call, sure, beside, syncs),
                Op::Choice { ways, .. } => {
                    self.unknown = true;
                    ways.iter().for_each(|way| self.note(way, false, beside, syncs));
                }
                Op::Attempt { call, done, failed, .. } => {
                    self.unknown = true;
                    self.note_call(call, false, beside, syncs);
                    self.note(done, false, beside, syncs);
                    self.note(failed, false, beside, syncs);
                }
                Op::Repeat { body, .. } => {
                    self.unknown = true;
                    self.note(body, false, beside, syncs);
                }
                Op::Beside(body) => self.note(body, sure, true, syncs),
                Op::Scope(body) => self.note(body, sure, beside, syncs),
                Op::Failed(_) | Op::Join => {}
                Op::Stop => return,
                Op::Opaque(_) => {
                    self.unknown = true;
                    self.loose_prefixes.insert(String::new());
                }
            }
            sure &= !may_stop(std::slice::from_ref(op));
        }
    }

    fn note_call(&mut self, call: &Call, sure: bool, beside: bool, syncs: &mut BTreeMap<String, Syncs>) {
        let Some(id) = call.id.known() else {
            self.unknown = true;
            if call.kind == CallKind::Sync {
                self.loose_prefixes.insert(prefix(&call.id));
            }
            return;
        };
        self.unknown |= call.role.as_ref().is_some_and(|role| role.known().is_none());
        match call.kind {
            CallKind::Send | CallKind::Assemble => {}
            CallKind::Wait => drop(self.asked.entry(MessageId::new(id)).or_insert(false)),
            CallKind::WaitAll => drop(self.asked.insert(MessageId::new(id), true)),
            CallKind::Sync => {
                let known = syncs.entry(id.to_owned()).or_default();
                known.count += 1;
                known.beside |= beside;
                if !sure {
                    self.loose.insert(id.to_owned());
                }
            }
        }
    }
}

fn sync_ids(ops: &[Op], ids: &mut BTreeSet<String>) {
    for op in ops {
        match op {
            Op::Call(call, _) if call.kind == CallKind::Sync => ids.extend(call.id.known().map(str::to_owned)),
            Op::Attempt { call, done, failed, .. } => {
                ids.extend(call.id.known().filter(|_| call.kind == CallKind::Sync).map(str::to_owned));
                sync_ids(done, ids);
                sync_ids(failed, ids);
            }
            Op::Failed(_) => {}
            Op::Call(..) | Op::Join | Op::Stop | Op::Opaque(_) => {}
            Op::Choice { ways, .. } => ways.iter().for_each(|way| sync_ids(way, ids)),
            Op::Repeat { body, .. } | Op::Beside(body) | Op::Scope(body) => sync_ids(body, ids),
        }
    }
}

/// How a program uses one ID of syncs.
#[derive(Default)]
struct Syncs {
    count: usize,
    beside: bool,
}

/// Before the IDs under which arrivals at loose syncs are told. No call of a job can begin so.
const ARRIVAL: &str = "\0sync\0";

fn arrival(id: &str) -> MessageId {
    MessageId::new(format!("{ARRIVAL}{id}"))
}

/// The ID that stands for arrivals at a loose sync, as the job spells it.
pub(crate) fn plain(id: &MessageId) -> &str {
    id.as_str().strip_prefix(ARRIVAL).unwrap_or(id.as_str())
}

/// What an unknown text certainly begins with: as much of it as is written plainly.
pub(crate) fn prefix(text: &Text) -> String {
    text.shown().chars().take_while(|c| c.is_ascii_alphanumeric() || "_.:-".contains(*c)).collect()
}

/// Brings what a member does into acts.
pub(crate) fn lower<'a>(ops: &[Op<'a>], bound: Bound, facts: &Facts) -> Vec<Thread<'a>> {
    let mut lowering = Lowering { bound, facts, threads: vec![Thread::default()] };
    lowering.scope(0, ops, true);
    lowering.threads
}

struct Lowering<'a, 'f> {
    bound: Bound,
    facts: &'f Facts,
    threads: Vec<Thread<'a>>,
}

impl<'a> Lowering<'a, '_> {
    fn act(&mut self, thread: usize, act: Act<'a>) {
        self.threads[thread].acts.push(act);
    }

    fn scope(&mut self, thread: usize, ops: &[Op<'a>], sure: bool) {
        let mut beside = Vec::new();
        self.walk(thread, ops, sure, &mut beside);
        if !beside.is_empty() {
            self.act(thread, Act::Join(beside));
        }
    }

    fn walk(&mut self, thread: usize, ops: &[Op<'a>], mut sure: bool, beside: &mut Vec<usize>) {
        for op in ops {
            match op {
                Op::Call(call, from) => self.call(thread, call, *from, sure),
                Op::Choice { ways, .. } => {
                    for way in ways {
                        self.walk(thread, way, false, beside);
                    }
                    if sure && self.bound == Bound::Least {
                        for (id, from) in sent_in_all(ways) {
                            self.act(thread, Act::Say { id: MessageId::new(id), from });
                        }
                    }
                }
                Op::Attempt { call, number, done, failed, .. } => {
                    self.call(thread, call, *number, false);
                    self.walk(thread, done, false, beside);
                    self.walk(thread, failed, false, beside);
                }
                Op::Failed(number) => self.act(thread, Act::Fail { from: *number }),
                Op::Repeat { body, surely, .. } => self.walk(thread, body, sure && *surely, beside),
                Op::Beside(body) => {
                    let started = self.threads.len();
                    self.threads.push(Thread { acts: Vec::new(), parent: thread });
                    self.scope(started, body, sure);
                    self.act(thread, Act::Fork(started));
                    beside.push(started);
                }
                Op::Join if beside.is_empty() => {}
                Op::Join => self.act(thread, Act::Join(std::mem::take(beside))),
                Op::Scope(body) => self.scope(thread, body, sure),
                Op::Stop => {}
                Op::Opaque(unknown) => {
                    let act = match self.bound {
                        Bound::Most => Act::Flood { prefix: String::new(), arrives: true, from: None },
                        Bound::Least => Act::Halt { unknown: Some(unknown), from: None },
                    };
                    self.act(thread, act);
                }
            }
            let op = std::slice::from_ref(op);
            if must_stop(op) {
                return;
            }
            sure &= !may_stop(op);
        }
    }

    fn call(&mut self, thread: usize, call: &'a Call, from: usize, sure: bool) {
        let most = self.bound == Bound::Most;
        let unknown = match (&call.id, &call.role) {
            (Text::Unknown { unknown, .. }, _) | (_, Some(Text::Unknown { unknown, .. })) => Some(unknown),
            _ => None,
        };
        let Some(id) = call.id.known() else {
            let Some(unknown) = unknown else { return };
            let act = match call.kind {
                CallKind::Send | CallKind::Sync if most => {
                    let arrives = call.kind == CallKind::Sync;
                    Act::Flood { prefix: prefix(&call.id), arrives, from: Some(from) }
                }
                CallKind::Send => Act::Pass { from },
                _ if most => Act::Pass { from },
                _ => Act::Halt { unknown: Some(unknown), from: Some(from) },
            };
            self.act(thread, act);
            return;
        };
        let message_id = MessageId::new(id);
        let ask = match (call.kind, &call.role) {
            (CallKind::Send, _) => {
                if sure || most {
                    self.act(thread, Act::Say { id: message_id, from });
                }
                return;
            }
            (CallKind::Assemble, _) => return,
            // Of whatever role it is, somebody has to send.
            (CallKind::WaitAll, Some(Text::Unknown { .. })) if most => GroupCall::Wait { message_id },
            (CallKind::WaitAll, Some(Text::Unknown { .. })) => {
                self.act(thread, Act::Halt { unknown, from: Some(from) });
                return;
            }
            (CallKind::WaitAll, Some(Text::Known(role))) => {
                GroupCall::WaitAll { message_id, role: Some(RoleName::new(role.as_ref())) }
            }
            (CallKind::WaitAll, None) => GroupCall::WaitAll { message_id, role: None },
            (CallKind::Wait, _) => GroupCall::Wait { message_id },
            (CallKind::Sync, _) if !self.facts.is_loose(id) => GroupCall::Sync { message_id },
            (CallKind::Sync, _) if most => {
                self.act(thread, Act::Say { id: arrival(id), from });
                GroupCall::WaitAll { message_id: arrival(id), role: None }
            }
            (CallKind::Sync, _) => {
                self.act(thread, Act::Halt { unknown: None, from: Some(from) });
                return;
            }
        };
        self.act(thread, Act::Ask { call: ask, from, binding: sure || !most });
    }
}

/// What is sent whichever way is taken.
fn sent_in_all<'a>(ways: &[Vec<Op<'a>>]) -> Vec<(&'a str, usize)> {
    let sent = |way: &Vec<Op<'a>>| -> Vec<(&'a str, usize)> {
        let mut sent = Vec::new();
        for op in way {
            if let Op::Call(call, from) = op
                && call.kind == CallKind::Send
            {
                sent.extend(call.id.known().map(|id| (id, *from)));
            }
            if may_stop(std::slice::from_ref(op)) {
                break;
            }
        }
        sent
    };
    let Some((first, others)) = ways.split_first() else { return Vec::new() };
    let others: Vec<_> = others.iter().map(sent).collect();
    let mut all = sent(first);
    all.retain(|(id, _)| others.iter().all(|sent| sent.iter().any(|(other, _)| other == id)));
    all
}
