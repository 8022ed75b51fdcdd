//! Deciding attempts: calls whose failure does not end their script.
//!
//! An attempt fails when what it waits for has not come in its time, and that is taken to be long enough: everything that
//! can happen without its failure has happened by then. So all attempts are taken to succeed, and played. When nobody can
//! go on, somebody who stands at an attempt has to fail first; whoever it is, the play is played again with that attempt
//! failed from the start. That is the same: rules are monotone, so what its member does then may as well be done at once,
//! and what was satisfied before still is. Who stands at several attempts at once may fail in any order, and each is
//! followed: there may be several outcomes. Where somebody else is held up at that moment whose script ends when its call
//! fails, it may be that one who fails first, for whom nothing comes then: an outcome, too.

use std::collections::{BTreeSet, HashSet};

use convoke_group::CallKind;

use crate::judge::play::CallAt;
use crate::judge::possible::Possible;
use crate::judge::program::{Class, Made, Op, Program};
use crate::model::Why;

/// The attempts that have failed: unit, and number of the call in its program.
pub(crate) type Failed = BTreeSet<CallAt>;

/// Whether there is an attempt in it.
pub(crate) fn any(ops: &[Op]) -> bool {
    ops.iter().any(|op| match op {
        Op::Attempt { .. } => true,
        Op::Choice { ways, .. } => ways.iter().any(|way| any(way)),
        Op::Repeat { body, .. } | Op::Beside(body) | Op::Scope(body) => any(body),
        Op::Call(..) | Op::Failed(_) | Op::Join | Op::Stop | Op::Opaque(_) => false,
    })
}

/// Whether there is one that may fail though what it waits for comes.
pub(crate) fn any_timed(ops: &[Op]) -> bool {
    ops.iter().any(|op| match op {
        Op::Attempt { timed, done, failed, .. } => *timed || any_timed(done) || any_timed(failed),
        Op::Choice { ways, .. } => ways.iter().any(|way| any_timed(way)),
        Op::Repeat { body, .. } | Op::Beside(body) | Op::Scope(body) => any_timed(body),
        Op::Call(..) | Op::Failed(_) | Op::Join | Op::Stop | Op::Opaque(_) => false,
    })
}

/// The numbers of all attempts in it.
fn numbers(ops: &[Op], found: &mut HashSet<usize>) {
    for op in ops {
        match op {
            Op::Attempt { number, done, failed, .. } => {
                found.insert(*number);
                numbers(done, found);
                numbers(failed, found);
            }
            Op::Choice { ways, .. } => ways.iter().for_each(|way| numbers(way, found)),
            Op::Repeat { body, .. } | Op::Beside(body) | Op::Scope(body) => numbers(body, found),
            Op::Call(..) | Op::Failed(_) | Op::Join | Op::Stop | Op::Opaque(_) => {}
        }
    }
}

/// What is done when these attempts fail and all others succeed.
pub(crate) fn decided<'a>(doing: &[Class<'a>], failed: &Failed) -> Vec<Class<'a>> {
    let class = |(unit, class): (usize, &Class<'a>)| Class {
        members: class.members.clone(),
        role: class.role.clone(),
        program: Program {
            ops: decide(&class.program.ops, &|number| failed.contains(&(unit, number))),
            calls: class.program.calls.iter().map(without_outcome).collect(),
        },
    };
    doing.iter().enumerate().map(class).collect()
}

/// A call that hangs on attempts does no longer, once they are decided.
fn without_outcome<'a>(made: &Made<'a>) -> Made<'a> {
    let mut made = made.clone();
    made.only_if.retain(|unknown| !matches!(unknown.why, Why::Outcome { .. }));
    made
}

fn decide<'a>(ops: &[Op<'a>], fails: &impl Fn(usize) -> bool) -> Vec<Op<'a>> {
    let mut decided = Vec::with_capacity(ops.len());
    for op in ops {
        match op {
            Op::Attempt { number, failed, .. } if fails(*number) => {
                decided.push(Op::Failed(*number));
                decided.extend(decide(failed, fails));
            }
            Op::Attempt { call, number, done, .. } => {
                decided.push(Op::Call(call, *number));
                decided.extend(decide(done, fails));
            }
            Op::Beside(body) => decided.push(Op::Beside(decide(body, fails))),
            Op::Scope(body) => decided.push(Op::Scope(decide(body, fails))),
            other => decided.push(other.clone()),
        }
    }
    decided
}

/// What may fail next when these have, and members are held up at those calls; and whether all of those are attempts.
pub(crate) fn next(doing: &[Class<'_>], failed: &Failed, held: &[CallAt]) -> (Vec<Failed>, bool) {
    let mut known: Vec<Option<HashSet<usize>>> = vec![None; doing.len()];
    let mut is_open = |(unit, number): &&CallAt| {
        let numbers = known[*unit].get_or_insert_with(|| {
            let mut found = HashSet::new();
            numbers(&doing[*unit].program.ops, &mut found);
            found
        });
        numbers.contains(number)
    };
    let open: Vec<CallAt> = held.iter().filter(|call| is_open(call)).copied().collect();
    let with = |more: &[CallAt]| failed.iter().chain(more).copied().collect::<Failed>();
    let all = open.len() == held.len();
    if open.is_empty() {
        return (Vec::new(), all);
    }
    // What nobody sends in any way fails in whatever order.
    let possible = Possible::of(doing);
    let is_lost = |(unit, number): &CallAt| {
        let call = doing[*unit].program.calls[*number].call;
        call.kind != CallKind::Sync && possible.calls(CallKind::Send, call.id.shown(), None).is_empty()
    };
    let next = match open.iter().all(is_lost) {
        true => vec![with(&open)],
        false => open.iter().map(|call| with(&[*call])).collect(),
    };
    (next, all)
}
