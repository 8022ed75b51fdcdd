//! When each call comes at the latest under the limits of the job, and waits that are shorter than what they wait for.
//!
//! A deploy, boot or test block may take as long as its limit; a call within a block comes when the blocks before it are
//! over, and a wait when what it needs has come. That is the longest path over the limits. Nothing in a job says how long
//! something takes at least, so the earliest moment of a call is always the beginning. Steps within the same block, before
//! the call, have no limit of their own and are not counted.

use std::time::Duration;

use convoke_group::CallKind;
use convoke_job::Diagnostic;

use crate::model::{Block, Call, Flow, Step};
use crate::played::{Met, Played};
use crate::walk;
use crate::words::{Labels, place, verb, what, who};

/// When a call is over at the latest, counted from the moment at which the group is complete.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Latest {
    /// The moment.
    pub at: Duration,
    /// The limits it is the sum of, in order.
    pub terms: Vec<Term>,
}

/// A limit on the longest path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// Index into `Flow::members` of whose block it is.
    pub member: usize,
    /// `deploy`, `boot`, `test` or `command`.
    pub kind: &'static str,
    /// Its limit.
    pub limit: Duration,
}

/// When each of the played calls comes to its end at the latest, and when its member comes to it.
#[derive(Clone, Debug, Default)]
pub struct Times {
    /// By index into [`Played::calls`].
    pub over: Vec<Latest>,
    /// By index into [`Played::calls`].
    pub reached: Vec<Latest>,
}

/// Where a member is on its way.
#[derive(Clone, Default)]
struct Way<'a> {
    blocks: Vec<&'a Block>,
    /// How many of them are over.
    done: usize,
    /// It has begun the first.
    entered: bool,
    /// When the block it is in began.
    began: Latest,
    now: Latest,
}

/// The latest times of the calls of a play.
pub fn times(flow: &Flow, played: &Played<'_>) -> Times {
    let mut ways: Vec<Way> = flow.members.iter().map(|_| Way::default()).collect();
    for (index, member) in flow.members.iter().enumerate().filter(|(index, _)| played.played_by[*index] == *index) {
        ways[index].blocks = member.steps.iter().filter_map(block).collect();
    }
    let mut times = Times::default();
    let mut round: Vec<usize> = Vec::new();
    for (index, call) in played.calls.iter().enumerate() {
        let way = &mut ways[call.member];
        way.come_to(call.member, call.call);
        times.reached.push(way.now.clone());
        times.over.push(way.now.clone());
        let Met::Satisfied(by) = &call.met else { continue };
        if call.call.kind == CallKind::Sync {
            round.push(index);
            // The last of a round lets all go on.
            if by.iter().max() != Some(&index) {
                continue;
            }
            let last = round.iter().map(|index| &times.reached[*index]).max_by_key(|time| time.at).cloned();
            let last = last.unwrap_or_default();
            for index in round.drain(..) {
                times.over[index] = last.clone();
                ways[played.calls[index].member].now = last.clone();
            }
        } else {
            let needed = by.iter().filter(|needed| **needed < index).map(|needed| &times.over[*needed]);
            if let Some(last) = needed.max_by_key(|time| time.at).filter(|last| last.at > times.over[index].at) {
                times.over[index] = last.clone();
                ways[call.member].now = times.over[index].clone();
            }
        }
    }
    times
}

impl Way<'_> {
    fn come_to(&mut self, member: usize, call: &Call) {
        let is_it = |step: &Step| matches!(step, Step::Call(other) if std::ptr::eq(other, call));
        let ahead = &self.blocks[self.done..];
        let Some(ahead) = ahead.iter().position(|block| walk::any(&block.body, &is_it)) else { return };
        if !self.entered {
            // The first block begins when a delayed start has come.
            self.began = self.now.clone();
            self.entered = true;
        }
        for _ in 0..ahead {
            let block = self.blocks[self.done];
            let mut terms = self.began.terms.clone();
            terms.push(Term { member, kind: block.kind, limit: block.limit });
            let end = Latest { at: self.began.at + block.limit, terms };
            if end.at > self.now.at {
                self.now = end;
            }
            self.began = self.now.clone();
            self.done += 1;
        }
    }
}

fn block(step: &Step) -> Option<&Block> {
    match step {
        Step::Block(block) => Some(block),
        _ => None,
    }
}

/// Waits whose limit is clearly shorter than what has to happen before them may take (`timeout.wait`): at most one of a
/// member.
///
/// A wait counts from when its member comes to it, at the latest: blocks that both have to go through cancel out. Blocks
/// seldom all take their limits, so a wait that covers three quarters of the sum is let pass; and one that is limited by
/// its block alone has no limit of its own to raise.
pub fn too_short(flow: &Flow, played: &Played<'_>) -> Vec<Diagnostic> {
    let times = times(flow, played);
    let mut found = Vec::new();
    let mut told: Vec<usize> = Vec::new();
    for (index, call) in played.calls.iter().enumerate() {
        let (reached, over) = (&times.reached[index], &times.over[index]);
        let needs = over.at.saturating_sub(reached.at);
        if call.call.kind == CallKind::Send || needs * 3 <= call.call.limit * 4 || told.contains(&call.member) {
            continue;
        }
        let block = crate::words::block_of(flow, call.member, call.call);
        if block.is_some_and(|block| block.limit <= call.call.limit) {
            continue;
        }
        told.push(call.member);
        found.push(finding(flow, played, index, reached, over, block));
    }
    found
}

fn finding(
    flow: &Flow,
    played: &Played<'_>,
    index: usize,
    reached: &Latest,
    over: &Latest,
    block: Option<&Block>,
) -> Diagnostic {
    let call = &played.calls[index];
    let members: Vec<usize> =
        (0..flow.members.len()).filter(|member| played.played_by[*member] == call.member).collect();
    let waiter = who(flow, &members);
    let other = over.terms.last().map(|term| who(flow, &[term.member])).unwrap_or_default();
    let message = format!(
        "{waiter} {} {} in `{}`, but {other} may take {} before",
        verb(flow, &members, "waits", "wait"),
        words(call.call.limit),
        what(call.call),
        sum(over)
    );
    let own = if reached.terms.is_empty() {
        String::new()
    } else {
        format!("; {waiter} itself may take {} until there", sum(reached))
    };
    let needed = over.at.saturating_sub(reached.at);
    let mut labels = Labels::default();
    labels.add(flow, &call.call.place, format!("waits at most {}", words(call.call.limit)));
    let path = block.map_or_else(|| format!("roles.{}", flow.members[call.member].role), |block| block.path.clone());
    labels.warning("timeout.wait", path, message).help(format!(
        "allow the wait ({}) {} or more{own}",
        place(flow, &call.call.place),
        words(needed)
    ))
}

/// `deploy 12 min + boot 5 min = 17 min`.
fn sum(latest: &Latest) -> String {
    let terms: Vec<String> = latest.terms.iter().map(|term| format!("{} {}", term.kind, words(term.limit))).collect();
    match terms.len() {
        1 => terms[0].clone(),
        _ => format!("{} = {}", terms.join(" + "), words(latest.at)),
    }
}

/// `15 min`, `90 s`, `1 h 5 min`.
fn words(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let parts = [(hours, "h"), (minutes, "min"), (rest, "s")];
    let parts: Vec<String> =
        parts.iter().filter(|(number, _)| *number > 0).map(|(number, unit)| format!("{number} {unit}")).collect();
    if parts.is_empty() { "no time".to_owned() } else { parts.join(" ") }
}
