//! What a member does, brought into a form to reason about: calls, and only what is truly unknown about them.
//!
//! Blocks and definitions that change nothing are taken away. A choice whose ways make the same calls is none, and what
//! all its ways begin or end with is taken out of it. A loop whose calls may be repeated at will (sends and waits:
//! messages stay) is its body once, or a choice of once and never. A call whose failure does not end its script is an
//! attempt, unless all calls are taken to succeed.

use std::sync::Arc;

use convoke_group::{CallKind, RoleName};

use crate::model::{Call, Choice, Failing, Flow, Origin, Step, Text, Unknown};

/// Members that do the same.
#[derive(Debug)]
pub(crate) struct Class<'a> {
    /// Indices into `Flow::members`, ascending.
    pub(crate) members: Vec<usize>,
    pub(crate) role: RoleName,
    pub(crate) program: Program<'a>,
}

/// What one member does.
#[derive(Clone, Debug, Default)]
pub(crate) struct Program<'a> {
    pub(crate) ops: Vec<Op<'a>>,
    /// The calls by the number that [`Op::Call`] gives.
    pub(crate) calls: Vec<Made<'a>>,
}

/// A call, and what it hangs on.
#[derive(Clone, Debug)]
pub(crate) struct Made<'a> {
    pub(crate) call: &'a Call,
    pub(crate) only_if: Vec<&'a Unknown>,
    /// The loops it is in: it may be made more than once.
    pub(crate) again: Vec<&'a Unknown>,
}

#[derive(Clone, Debug)]
pub(crate) enum Op<'a> {
    Call(&'a Call, usize),
    Choice {
        ways: Vec<Vec<Op<'a>>>,
        unknown: &'a Unknown,
    },
    /// A call that may fail without ending its script: what is done when it succeeds, and when not.
    Attempt {
        call: &'a Call,
        number: usize,
        done: Vec<Op<'a>>,
        failed: Vec<Op<'a>>,
        /// On whether it succeeds; none when nothing hangs on that.
        unknown: Option<&'a Unknown>,
        /// The script itself says how long it waits: it may fail though what it waits for comes.
        timed: bool,
    },
    Repeat {
        body: Vec<Op<'a>>,
        /// The body runs once at least.
        surely: bool,
        unknown: &'a Unknown,
    },
    Beside(Vec<Op<'a>>),
    /// An attempt that has been decided: the call with this number has failed.
    Failed(usize),
    /// Waits for every `Beside` of its scope so far.
    Join,
    /// What `Stop` ends and `Beside` is joined at.
    Scope(Vec<Op<'a>>),
    Stop,
    Opaque(&'a Unknown),
}

/// What becomes of calls that may fail without ending their script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attempts {
    /// They succeed, as all others.
    Succeed,
    /// They may fail; for one that the script itself gives a time to end in, to be late is no more than a failure where it
    /// only ends the script, as any does, and is not looked into.
    MayFail,
    /// They may fail, and those be late whatever the script does then.
    MayBeLate,
}

/// The members of a flow by what they do, in the order of their first members.
pub(crate) fn classes(flow: &Flow, attempts: Attempts) -> Vec<Class<'_>> {
    let mut classes: Vec<Class> = Vec::new();
    for (index, member) in flow.members.iter().enumerate() {
        let same = |class: &&mut Class| {
            let first = &flow.members[class.members[0]];
            class.role == member.role
                && first.host == member.host
                && (Arc::ptr_eq(&first.steps, &member.steps) || first.steps == member.steps)
        };
        // Members of a role stand together.
        match classes.last_mut().filter(same) {
            Some(class) => class.members.push(index),
            None => classes.push(Class {
                members: vec![index],
                role: member.role.clone(),
                program: program(ops(&member.steps, attempts)),
            }),
        }
    }
    classes
}

/// Numbers the calls of `ops` and notes what each of them hangs on.
pub(crate) fn program(mut ops: Vec<Op<'_>>) -> Program<'_> {
    let mut calls = Vec::new();
    number(&mut ops, &mut Hangs::default(), &mut calls);
    Program { ops, calls }
}

#[derive(Clone, Default)]
struct Hangs<'a> {
    only_if: Vec<&'a Unknown>,
    again: Vec<&'a Unknown>,
}

fn number<'a>(ops: &mut [Op<'a>], hangs: &mut Hangs<'a>, calls: &mut Vec<Made<'a>>) {
    let outer = hangs.only_if.len();
    for op in ops {
        // What follows is only reached when this does not stop.
        let stopping = stoppers(op);
        match op {
            Op::Call(call, at) => {
                *at = calls.len();
                calls.push(Made { call, only_if: hangs.only_if.clone(), again: hangs.again.clone() });
            }
            Op::Choice { ways, unknown } => {
                let within = hangs.only_if.len();
                note(unknown, &mut hangs.only_if);
                ways.iter_mut().for_each(|way| number(way, hangs, calls));
                hangs.only_if.truncate(within);
            }
            Op::Attempt { call, number: at, done, failed, unknown, .. } => {
                *at = calls.len();
                calls.push(Made { call, only_if: hangs.only_if.clone(), again: hangs.again.clone() });
                hangs.only_if.extend(*unknown);
                number(done, hangs, calls);
                number(failed, hangs, calls);
                hangs.only_if.truncate(hangs.only_if.len() - usize::from(unknown.is_some()));
            }
            Op::Repeat { body, surely, unknown } => {
                let mut within = hangs.clone();
                note(unknown, &mut within.again);
                if !*surely {
                    note(unknown, &mut within.only_if);
                }
                number(body, &mut within, calls);
            }
            Op::Beside(body) | Op::Scope(body) => number(body, hangs, calls),
            Op::Failed(_) | Op::Join | Op::Stop | Op::Opaque(_) => {}
        }
        stopping.into_iter().for_each(|unknown| note(unknown, &mut hangs.only_if));
    }
    hangs.only_if.truncate(outer);
}

/// Notes what something hangs on, once: a function that calls itself asks the same in every round.
fn note<'a>(unknown: &'a Unknown, noted: &mut Vec<&'a Unknown>) {
    if !noted.contains(&unknown) {
        noted.push(unknown);
    }
}

/// What decides whether the enclosing script ends here; nothing when it cannot.
fn stoppers<'a>(op: &Op<'a>) -> Vec<&'a Unknown> {
    match op {
        Op::Opaque(unknown) => vec![unknown],
        Op::Choice { ways, unknown } if ways.iter().any(|way| may_stop(way)) => vec![unknown],
        Op::Attempt { done, failed, unknown: Some(unknown), .. } if may_stop(done) || may_stop(failed) => vec![unknown],
        Op::Repeat { body, unknown, .. } if may_stop(body) => vec![unknown],
        _ => Vec::new(),
    }
}

/// Whether the enclosing script may end in these steps.
pub(crate) fn may_stop(ops: &[Op]) -> bool {
    ops.iter().any(|op| match op {
        Op::Stop | Op::Opaque(_) => true,
        Op::Choice { ways, .. } => ways.iter().any(|way| may_stop(way)),
        Op::Attempt { done, failed, .. } => may_stop(done) || may_stop(failed),
        Op::Repeat { body, .. } => may_stop(body),
        Op::Call(..) | Op::Failed(_) | Op::Join | Op::Beside(_) | Op::Scope(_) => false,
    })
}

/// Whether the enclosing script certainly ends in these steps.
pub(crate) fn must_stop(ops: &[Op]) -> bool {
    ops.iter().any(|op| match op {
        Op::Stop => true,
        Op::Choice { ways, .. } => ways.iter().all(|way| must_stop(way)),
        Op::Attempt { done, failed, .. } => must_stop(done) && must_stop(failed),
        Op::Repeat { body, surely, .. } => *surely && must_stop(body),
        Op::Call(..) | Op::Failed(_) | Op::Join | Op::Beside(_) | Op::Scope(_) | Op::Opaque(_) => false,
    })
}

fn ops(steps: &[Step], attempts: Attempts) -> Vec<Op<'_>> {
    let mut ops = Vec::new();
    let mut rest = steps.iter().peekable();
    while let Some(step) = rest.next() {
        match step {
            Step::Block(block) => scope(self::ops(&block.body, attempts), &mut ops),
            Step::Definition(definition) => scope(self::ops(&definition.body, attempts), &mut ops),
            Step::Call(call) => {
                let decided = rest.next_if(|step| matches!(step, Step::Choice(choice) if choice.of_call));
                let (mut ways, unknown) = match decided {
                    Some(Step::Choice(choice)) => (ways_of(choice, attempts), Some(&choice.unknown)),
                    _ => (Vec::new(), None),
                };
                let failed = if ways.len() > 1 { ways.swap_remove(1) } else { Vec::new() };
                let done = ways.pop().unwrap_or_default();
                match &call.origin {
                    Origin::Helper { failing, timed, .. }
                        if attempts != Attempts::Succeed && *failing != Failing::Ends =>
                    {
                        let failed = match failing {
                            Failing::Unknown(unknown) => vec![Op::Opaque(unknown)],
                            Failing::Ends | Failing::GoesOn => failed,
                        };
                        let only_ends = match failed.as_slice() {
                            [] => done.is_empty(),
                            [Op::Stop] => attempts == Attempts::MayFail,
                            _ => false,
                        };
                        let timed = *timed && !only_ends;
                        ops.push(Op::Attempt { call, number: 0, done, failed, unknown, timed });
                    }
                    _ => {
                        ops.push(Op::Call(call, 0));
                        ops.extend(done);
                    }
                }
            }
            Step::Choice(choice) => choose(ways_of(choice, attempts), &choice.unknown, &mut ops),
            Step::Repeat(repeat) => {
                again(self::ops(&repeat.body, attempts), repeat.least > 0, &repeat.unknown, &mut ops);
            }
            Step::Beside(body) => {
                let mut inner = Vec::new();
                scope(self::ops(body, attempts), &mut inner);
                if !inner.is_empty() {
                    ops.push(Op::Beside(inner));
                }
            }
            Step::Join => ops.push(Op::Join),
            Step::Read(_) => {}
            Step::Stop(_) => ops.push(Op::Stop),
            Step::Opaque(unknown) => ops.push(Op::Opaque(unknown)),
        }
        if ops.last().is_some_and(|op| must_stop(std::slice::from_ref(op))) {
            break;
        }
    }
    ops
}

fn ways_of(choice: &Choice, attempts: Attempts) -> Vec<Vec<Op<'_>>> {
    choice.ways.iter().map(|way| ops(way, attempts)).collect()
}

fn scope<'a>(mut body: Vec<Op<'a>>, ops: &mut Vec<Op<'a>>) {
    if matches!(body.last(), Some(Op::Stop)) {
        body.pop();
    }
    if may_stop(&body) || body.iter().any(forks) { ops.push(Op::Scope(body)) } else { ops.extend(body) }
}

fn forks(op: &Op) -> bool {
    match op {
        Op::Beside(_) => true,
        Op::Choice { ways, .. } => ways.iter().flatten().any(forks),
        Op::Attempt { done, failed, .. } => done.iter().chain(failed).any(forks),
        Op::Repeat { body, .. } => body.iter().any(forks),
        Op::Call(..) | Op::Failed(_) | Op::Join | Op::Scope(_) | Op::Stop | Op::Opaque(_) => false,
    }
}

fn choose<'a>(mut ways: Vec<Vec<Op<'a>>>, unknown: &'a Unknown, ops: &mut Vec<Op<'a>>) {
    while let Some(first) = common(&ways, <[Op]>::first) {
        ops.push(first);
        ways.iter_mut().for_each(|way| drop(way.remove(0)));
    }
    let mut after = Vec::new();
    while let Some(last) = common(&ways, <[Op]>::last) {
        after.push(last);
        ways.iter_mut().for_each(|way| drop(way.pop()));
    }
    let mut different: Vec<Vec<Op>> = Vec::new();
    for way in ways {
        if !different.iter().any(|known| alike(known, &way)) {
            different.push(way);
        }
    }
    if different.len() > 1 {
        ops.push(Op::Choice { ways: different, unknown });
    } else {
        ops.extend(different.into_iter().flatten());
    }
    ops.extend(after.into_iter().rev());
}

fn common<'a>(ways: &[Vec<Op<'a>>], end: impl for<'w> Fn(&'w [Op<'a>]) -> Option<&'w Op<'a>>) -> Option<Op<'a>> {
    let first = end(ways.first()?)?;
    let same =
        |way: &Vec<Op<'a>>| end(way).is_some_and(|op| alike(std::slice::from_ref(op), std::slice::from_ref(first)));
    ways.iter().all(same).then(|| first.clone())
}

fn again<'a>(body: Vec<Op<'a>>, surely: bool, unknown: &'a Unknown, ops: &mut Vec<Op<'a>>) {
    if body.is_empty() {
        return;
    }
    let idempotent = |op: &Op| is_plain(op) && !matches!(op, Op::Call(call, _) if call.kind == CallKind::Sync);
    match (body.iter().all(idempotent), surely) {
        (true, true) => ops.extend(body),
        (true, false) => ops.push(Op::Choice { ways: vec![body, Vec::new()], unknown }),
        (false, _) => ops.push(Op::Repeat { body, surely, unknown }),
    }
}

/// A call about which everything is known.
pub(crate) fn is_plain(op: &Op) -> bool {
    matches!(op, Op::Call(call, _) if call.id.known().is_some() && call.role.as_ref().is_none_or(|role| role.known().is_some()))
}

/// Whether both come to the same calls; unknown texts never do.
fn alike(one: &[Op], other: &[Op]) -> bool {
    let same_text = |one: &Text, other: &Text| one.known().is_some() && one == other;
    one.len() == other.len()
        && one.iter().zip(other).all(|pair| match pair {
            (Op::Call(one, _), Op::Call(other, _)) => {
                let role = match (&one.role, &other.role) {
                    (None, None) => true,
                    (Some(one), Some(other)) => same_text(one, other),
                    _ => false,
                };
                one.kind == other.kind && same_text(&one.id, &other.id) && role
            }
            (Op::Beside(one), Op::Beside(other)) | (Op::Scope(one), Op::Scope(other)) => alike(one, other),
            (Op::Join, Op::Join) | (Op::Stop, Op::Stop) => true,
            _ => false,
        })
}
