//! When each call is over at the earliest.
//!
//! What certainly takes time is a `sleep` of a known time; everything else may be done in no time. A member comes to a
//! call when it has slept since the one before it, on the shorter of several ways; a wait is over when the first message
//! that satisfies it may have come, a sync when the last member has arrived.
//!
//! Each member's steps are read once, in the order of the play: what a call needs stands before it there. Another message
//! of the same ID may come sooner though it stands later, so that they are read again with what was found, until nothing
//! changes any more. What is found then is a lower bound: in whatever way a run comes to a call, the times of that way have
//! been taken into account, and the soonest was kept. Should it not come to rest, nothing is taken for granted at first,
//! and every reading from there is a lower bound.

use std::collections::HashMap;
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use convoke_group::CallKind;

use crate::model::{Call, Flow, Pause, Step};
use crate::played::{Met, Played, PlayedCall};
use crate::walk;

/// Readings at most.
const MOST_READINGS: usize = 6;

/// The earliest times, and on which path they come about.
pub(super) struct Earliest<'a> {
    /// By call of the play.
    pub(super) over: Vec<Duration>,
    /// By call of the play: the last stretch of the longest path to its end.
    pub(super) path: Vec<Option<usize>>,
    stretches: Vec<Stretch<'a>>,
}

/// A stretch of a path: a sync, or a pause before a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch<'a> {
    pub(super) before: Option<usize>,
    /// Index into the calls of the play: the sync, or what the pause is before.
    pub(super) call: usize,
    /// None for a sync.
    pub(super) pause: Option<&'a Pause>,
}

/// A moment, and the last stretch of the path to it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Moment {
    pub(super) at: Duration,
    pub(super) path: Option<usize>,
}

impl Moment {
    const NEVER: Self = Self { at: Duration::MAX, path: None };
}

impl<'a> Earliest<'a> {
    /// The stretches of a path from its end to its beginning.
    pub(super) fn path(&self, mut last: Option<usize>) -> impl Iterator<Item = &Stretch<'a>> {
        std::iter::from_fn(move || {
            let stretch = &self.stretches[last?];
            last = stretch.before;
            Some(stretch)
        })
    }
}

/// The earliest times of the calls of a play.
pub(super) fn earliest<'a>(flow: &'a Flow, played: &Played<'a>) -> Earliest<'a> {
    let mut reading = Reading::of(flow, played);
    let sleeps = played.calls.iter().any(|call| !call.call.after.sleeps.is_empty())
        || flow.members.iter().any(|member| walk::any(&member.steps, &rests));
    if sleeps && !reading.comes_to_rest(Moment::NEVER) {
        reading.comes_to_rest(Moment::default());
    }
    Earliest {
        over: reading.over.iter().map(|moment| moment.at).collect(),
        path: reading.over.iter().map(|moment| moment.path).collect(),
        stretches: reading.stretches,
    }
}

fn rests(step: &Step) -> bool {
    matches!(step, Step::Definition(definition) if !definition.rest.sleeps.is_empty())
}

/// What a member does, one thing after the other.
#[derive(Clone, Copy)]
enum Op<'a> {
    /// A call, by its index in the play, when it is in it.
    Call(Option<usize>, &'a Pause),
    /// Several ways begin here.
    Split,
    /// A way ends here, and the next begins.
    Way,
    /// The last of several ways has ended.
    Join,
    /// What may happen any number of times, none included, ends here: one may come past without.
    Skip,
    /// Something beside begins, and ends.
    Fork,
    Forked,
    /// A script begins, may end, ends here for certain, ends.
    Begin,
    MayStop,
    Stop,
    End(&'a Pause),
}

#[derive(Default)]
struct Way<'a> {
    ops: Vec<Op<'a>>,
    /// By call of the play.
    next: usize,
    /// None where nobody comes.
    now: Option<Moment>,
    open: Vec<Open>,
}

/// Something nested that has begun.
struct Open {
    began: Option<Moment>,
    ended: Option<Moment>,
}

struct Reading<'a, 'p> {
    flow: &'a Flow,
    played: &'p Played<'a>,
    ways: Vec<Way<'a>>,
    over: Vec<Moment>,
    /// What the last reading has found.
    before: Vec<Moment>,
    /// In this reading.
    is_read: Vec<bool>,
    stretches: Vec<Stretch<'a>>,
    /// The calls that send each ID.
    sends: HashMap<&'a str, Vec<usize>>,
    /// Something may send anything at any time.
    floods: bool,
    /// How many sends have been read, and what was found for an ID then.
    found: HashMap<(&'a str, Option<&'a str>), (usize, Moment)>,
    sent: usize,
    /// Something was taken from the last reading.
    guessed: bool,
}

impl<'a, 'p> Reading<'a, 'p> {
    fn of(flow: &'a Flow, played: &'p Played<'a>) -> Self {
        let indices: HashMap<(usize, *const Call), usize> = played
            .calls
            .iter()
            .enumerate()
            .map(|(index, call)| ((call.member, ptr::from_ref(call.call)), index))
            .collect();
        let mut floods = false;
        let ways = flow.members.iter().enumerate().map(|(member, steps)| {
            let mut way = Way::default();
            if played.played_by[member] == member {
                let index = |call: &Call| indices.get(&(member, ptr::from_ref(call))).copied();
                floods |= way.take(&steps.steps, &index);
            }
            way
        });
        let ways = ways.collect();
        let mut sends: HashMap<&str, Vec<usize>> = HashMap::new();
        for (index, call) in played.calls.iter().enumerate().filter(|(_, call)| call.call.kind == CallKind::Send) {
            floods |= call.call.id.known().is_none();
            sends.entry(call.call.id.shown()).or_default().push(index);
        }
        let count = played.calls.len();
        Self {
            flow,
            played,
            ways,
            over: vec![Moment::default(); count],
            before: Vec::new(),
            is_read: vec![false; count],
            stretches: Vec::new(),
            sends,
            floods,
            found: HashMap::new(),
            sent: 0,
            guessed: false,
        }
    }

    /// Reads until nothing changes, from this for every call; whether it comes to that.
    fn comes_to_rest(&mut self, first: Moment) -> bool {
        self.over.fill(first);
        (0..MOST_READINGS).any(|_| {
            self.before.clone_from(&self.over);
            self.read();
            !self.guessed || self.over.iter().zip(&self.before).all(|(now, before)| now.at == before.at)
        })
    }

    fn read(&mut self) {
        self.is_read.fill(false);
        self.guessed = false;
        self.found.clear();
        self.sent = 0;
        for way in &mut self.ways {
            (way.next, way.now) = (0, Some(Moment::default()));
            way.open.clear();
        }
        let mut round: Vec<usize> = Vec::new();
        for index in 0..self.played.calls.len() {
            let call = &self.played.calls[index];
            self.come_to(call.member, index);
            let Met::Satisfied(by) = &call.met else { continue };
            match call.call.kind {
                CallKind::Sync => {
                    round.push(index);
                    let shared =
                        |next: &PlayedCall<'_>| matches!(&next.met, Met::Satisfied(other) if Arc::ptr_eq(by, other));
                    if !self.played.calls.get(index + 1).is_some_and(shared) {
                        self.synced(&round);
                        round.clear();
                    }
                }
                CallKind::Wait | CallKind::WaitAll => {
                    let needed = self.needed(call.call);
                    if needed.at > self.over[index].at {
                        self.ends(index, needed);
                    }
                }
                CallKind::Send | CallKind::Assemble => self.sent += 1,
            }
        }
    }

    /// A member goes on until it stands at a call.
    fn come_to(&mut self, member: usize, index: usize) {
        while !self.is_read[index] {
            let Some(op) = self.ways[member].ops.get(self.ways[member].next).copied() else { return };
            self.ways[member].next += 1;
            self.step(member, op, index);
        }
    }

    fn step(&mut self, member: usize, op: Op<'a>, target: usize) {
        let way = &mut self.ways[member];
        let now = way.now;
        match op {
            Op::Call(index, pause) => {
                let time = pause.time();
                let moment = now.map(|now| match index {
                    Some(index) if !time.is_zero() => {
                        self.stretches.push(Stretch { before: now.path, call: index, pause: Some(pause) });
                        Moment { at: now.at.saturating_add(time), path: Some(self.stretches.len() - 1) }
                    }
                    _ => Moment { at: now.at.saturating_add(time), ..now },
                });
                way.now = moment;
                let (Some(index), Some(moment)) = (index, moment) else { return };
                self.is_read[index] = true;
                let before = self.before[index];
                let is_known = index != target && before != Moment::NEVER;
                self.over[index] = if is_known && before.at > moment.at { before } else { moment };
                self.ways[member].now = Some(self.over[index]);
                self.guessed |= index != target;
            }
            Op::Split | Op::Fork => way.open.push(Open { began: now, ended: None }),
            Op::Way => {
                if let Some(open) = way.open.last_mut() {
                    open.ended = sooner(open.ended, now);
                    way.now = open.began;
                }
            }
            Op::Join => way.now = way.open.pop().and_then(|open| open.ended),
            Op::Skip => way.now = way.open.pop().map_or(now, |open| sooner(now, open.began)),
            Op::Forked => way.now = way.open.pop().map_or(now, |open| open.began),
            Op::Begin => way.open.push(Open { began: None, ended: None }),
            Op::MayStop | Op::Stop => {
                // The script is the innermost thing with no beginning of its own.
                if let Some(open) = way.open.iter_mut().rev().find(|open| open.began.is_none()) {
                    open.ended = sooner(open.ended, now);
                }
                if matches!(op, Op::Stop) {
                    way.now = None;
                }
            }
            Op::End(rest) => {
                let ended = way.open.pop().and_then(|open| open.ended);
                let end = sooner(ended, now);
                way.now = end.map(|end| Moment { at: end.at.saturating_add(rest.time()), ..end });
            }
        }
    }

    /// A call is over at a moment; its member goes on from there.
    fn ends(&mut self, index: usize, moment: Moment) {
        self.over[index] = moment;
        let way = &mut self.ways[self.played.calls[index].member];
        let at = way.next.checked_sub(1).and_then(|last| way.ops.get(last));
        if let (Some(Op::Call(Some(last), _)), Some(_)) = (at, way.now)
            && *last == index
        {
            way.now = Some(moment);
        }
    }

    fn synced(&mut self, round: &[usize]) {
        let last = round.iter().map(|index| self.over[*index]).max_by_key(|moment| moment.at).unwrap_or_default();
        self.stretches.push(Stretch { before: last.path, call: round[0], pause: None });
        let moment = Moment { at: last.at, path: Some(self.stretches.len() - 1) };
        round.iter().for_each(|index| self.ends(*index, moment));
    }

    /// When what satisfies a wait may have come.
    fn needed(&mut self, call: &'a Call) -> Moment {
        let (Some(id), false) = (call.id.known(), self.floods) else { return Moment::default() };
        let role = call.role.as_ref().map(|role| role.shown());
        let key = (id, role.filter(|_| call.kind == CallKind::WaitAll));
        if let Some((_, found)) = self.found.get(&key).filter(|(sent, _)| *sent == self.sent) {
            return *found;
        }
        let mut first: HashMap<usize, Moment> = HashMap::new();
        for send in self.sends.get(id).into_iter().flatten() {
            self.guessed |= !self.is_read[*send];
            let sent = if self.is_read[*send] { self.over[*send] } else { self.before[*send] };
            let member = self.played.calls[*send].member;
            // Of a wait any message is enough, of a wait-all one of each member.
            let of = if call.kind == CallKind::WaitAll { member } else { 0 };
            if role.is_some_and(|role| self.flow.members[member].role.as_str() != role) {
                continue;
            }
            let moment = first.entry(of).or_insert(sent);
            if sent.at < moment.at {
                *moment = sent;
            }
        }
        let known = first.into_values().filter(|moment| *moment != Moment::NEVER);
        let found = known.max_by_key(|moment| (moment.at, moment.path)).unwrap_or_default();
        self.found.insert(key, (self.sent, found));
        found
    }
}

/// The sooner of two; where one way leads nowhere, the other.
fn sooner(one: Option<Moment>, other: Option<Moment>) -> Option<Moment> {
    match (one, other) {
        (Some(one), Some(other)) => Some(if other.at < one.at { other } else { one }),
        (one, other) => one.or(other),
    }
}

impl<'a> Way<'a> {
    /// Takes steps; whether something in them may send anything.
    fn take(&mut self, steps: &'a [Step], index: &impl Fn(&Call) -> Option<usize>) -> bool {
        let mut floods = false;
        for step in steps {
            match step {
                Step::Call(call) => self.ops.push(Op::Call(index(call), &call.after)),
                Step::Block(block) => floods |= self.take(&block.body, index),
                Step::Definition(definition) => {
                    self.ops.push(Op::Begin);
                    floods |= self.take(&definition.body, index);
                    self.ops.push(Op::End(&definition.rest));
                }
                Step::Choice(choice) => {
                    self.ops.push(Op::Split);
                    for way in &choice.ways {
                        floods |= self.take(way, index);
                        self.ops.push(Op::Way);
                    }
                    self.ops.push(Op::Join);
                }
                Step::Repeat(repeat) => {
                    self.ops.push(Op::Split);
                    floods |= self.take(&repeat.body, index);
                    if repeat.least == 0 {
                        self.ops.push(Op::Skip);
                    } else {
                        self.ops.extend([Op::Way, Op::Join]);
                    }
                }
                Step::Beside(body) => {
                    self.ops.push(Op::Fork);
                    floods |= self.take(body, index);
                    self.ops.push(Op::Forked);
                }
                // Without it calls come no later, and it is the earliest time that is asked for.
                Step::Join | Step::Read(_) => {}
                Step::Stop(_) => self.ops.push(Op::Stop),
                Step::Opaque(_) => {
                    floods = true;
                    self.ops.push(Op::MayStop);
                }
            }
        }
        floods
    }
}
