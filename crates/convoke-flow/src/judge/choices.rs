//! Deciding what is unknown, one course after the other: for choices that are few.

use crate::judge::program::Op;

/// The number of ways of every choice that is made once, in the order in which [`decide`] takes decisions.
pub(crate) fn choices(ops: &[Op]) -> Vec<usize> {
    let mut counts = Vec::new();
    count(ops, &mut counts);
    counts
}

fn count(ops: &[Op], counts: &mut Vec<usize>) {
    for op in ops {
        match op {
            Op::Choice { ways, .. } => {
                counts.push(ways.len());
                ways.iter().for_each(|way| count(way, counts));
            }
            Op::Attempt { done, failed, timed, .. } => {
                if *timed {
                    counts.push(2);
                }
                count(done, counts);
                count(failed, counts);
            }
            Op::Beside(body) | Op::Scope(body) => count(body, counts),
            // What is chosen in a loop is chosen anew each time.
            Op::Repeat { .. } | Op::Call(..) | Op::Join | Op::Failed(_) | Op::Stop | Op::Opaque(_) => {}
        }
    }
}

/// `ops` with every choice decided as `decisions` say.
pub(crate) fn decide<'a>(ops: &[Op<'a>], decisions: &mut impl Iterator<Item = usize>) -> Vec<Op<'a>> {
    let mut decided = Vec::new();
    for op in ops {
        match op {
            Op::Choice { ways, .. } => {
                let taken = decisions.next().unwrap_or_default();
                for (number, way) in ways.iter().enumerate() {
                    let way = decide(way, decisions);
                    if number == taken {
                        decided.extend(way);
                    }
                }
            }
            Op::Attempt { call, number, done, failed, unknown, timed } => {
                // One that may be too late is so, or it fails like the others: when what it waits for does not come.
                let late = *timed && decisions.next() == Some(1);
                let (done, failed) = (decide(done, decisions), decide(failed, decisions));
                if late {
                    decided.push(Op::Failed(*number));
                    decided.extend(failed);
                } else {
                    let (call, number, unknown) = (*call, *number, *unknown);
                    decided.push(Op::Attempt { call, number, done, failed, unknown, timed: false });
                }
            }
            Op::Beside(body) => decided.push(Op::Beside(decide(body, decisions))),
            Op::Scope(body) => decided.push(Op::Scope(decide(body, decisions))),
            other => decided.push(other.clone()),
        }
    }
    decided
}
