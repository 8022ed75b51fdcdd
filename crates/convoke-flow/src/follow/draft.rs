//! The steps of a script while `exit`, `return`, `break` and `continue` in them are open.
//!
//! Such a command is a jump to the end of a frame. Where only one of several ways jumps, what follows the ways belongs to
//! the others alone; [`resolve`] moves it there when the frame ends. Jumps to the end of the script itself become stops.

use super::state::State;
use crate::model::{Choice, Place, Repeat, Step, Unknown};

/// What follows a choice is copied into its ways only when it is no longer than this.
const MOST_COPIED: usize = 12;

/// A step, or one whose jumps are open.
#[derive(Clone, Debug)]
pub(crate) enum Draft {
    Step(Box<Step>),
    Choice {
        ways: Vec<Vec<Draft>>,
        unknown: Unknown,
        /// As in [`Choice`].
        of_call: bool,
    },
    Repeat {
        body: Vec<Draft>,
        least: u32,
        unknown: Unknown,
    },
    Beside(Vec<Draft>),
    /// On to the end of that frame.
    Jump(FrameId, Place),
}

/// Something that can be jumped to the end of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameId(pub(crate) usize);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameKind {
    /// A shell: `exit`.
    Shell,
    /// A function or a sourced file: `return`.
    Function,
    /// A loop: `break`.
    Loop,
    /// One round of a loop: `continue`.
    Round,
}

/// A frame one stands in.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) id: FrameId,
    pub(crate) kind: FrameKind,
    /// What is known where its end is jumped to.
    pub(crate) states: Vec<State>,
}

impl Frame {
    pub(crate) fn of(kind: FrameKind) -> Frame {
        Frame { id: FrameId(0), kind, states: Vec::new() }
    }

    pub(crate) fn shell() -> Frame {
        Frame::of(FrameKind::Shell)
    }
}

/// Whether anything in it is a jump to that frame.
fn jumps(list: &[Draft], to: FrameId) -> bool {
    list.iter().any(|draft| match draft {
        Draft::Jump(frame, _) => *frame == to,
        Draft::Choice { ways, .. } => ways.iter().any(|way| jumps(way, to)),
        Draft::Repeat { body, .. } => jumps(body, to),
        Draft::Step(_) | Draft::Beside(_) => false,
    })
}

/// Whether one comes to its end.
fn falls_through(list: &[Draft]) -> bool {
    list.last().is_none_or(|last| match last {
        Draft::Jump(..) => false,
        Draft::Choice { ways, .. } => ways.iter().any(|way| falls_through(way)),
        _ => true,
    })
}

/// The steps without jumps to the end of `to`, where they end.
pub(crate) fn resolve(list: Vec<Draft>, to: FrameId) -> Vec<Draft> {
    if !jumps(&list, to) {
        return list;
    }
    let mut out = Vec::with_capacity(list.len());
    let mut rest = list.into_iter();
    while let Some(draft) = rest.next() {
        match draft {
            Draft::Jump(frame, _) if frame == to => return out,
            Draft::Choice { ways, unknown, of_call } if ways.iter().any(|way| jumps(way, to)) => {
                let rest: Vec<Draft> = rest.collect();
                out.extend(if of_call { split_call(ways, unknown, rest, to) } else { split(ways, unknown, rest, to) });
                return out;
            }
            Draft::Repeat { body, least, unknown } if jumps(&body, to) => {
                out.push(Draft::Repeat { body: resolve(body, to), least, unknown: unknown.clone() });
                let rest: Vec<Draft> = rest.collect();
                out.extend(choice(vec![resolve(rest, to), Vec::new()], unknown));
                return out;
            }
            other => out.push(other),
        }
    }
    out
}

/// Ways of which some jump, with what follows those that do not.
fn split(ways: Vec<Vec<Draft>>, unknown: Unknown, rest: Vec<Draft>, to: FrameId) -> Vec<Draft> {
    let (jumping, staying): (Vec<_>, Vec<_>) = ways.into_iter().partition(|way| jumps(way, to));
    let copies = jumping.iter().filter(|way| falls_through(way)).count() + 1;
    if copies > 1 && is_longer(&rest, MOST_COPIED) {
        // What follows would be there once for every way that may still come to it, and again in each of them. Whether
        // one comes to it is unknown, then.
        let ways = jumping.into_iter().chain(staying).map(|way| resolve(way, to)).collect();
        let mut out = Vec::from_iter(choice(ways, unknown.clone()));
        out.extend(choice(vec![resolve(rest, to), Vec::new()], unknown));
        return out;
    }
    let mut ways = Vec::with_capacity(jumping.len() + 1);
    for mut way in jumping {
        if falls_through(&way) {
            way.extend(rest.iter().cloned());
        }
        ways.push(resolve(way, to));
    }
    let (through, ended): (Vec<_>, Vec<_>) = staying.into_iter().partition(|way| falls_through(way));
    ways.extend(ended);
    if !through.is_empty() {
        let mut way = if through.len() == 1 {
            through.into_iter().flatten().collect()
        } else {
            Vec::from_iter(choice(through, unknown.clone()))
        };
        way.extend(resolve(rest, to));
        ways.push(way);
    }
    Vec::from_iter(choice(ways, unknown))
}

/// The same of two ways between which a call decides, in their order.
fn split_call(ways: Vec<Vec<Draft>>, unknown: Unknown, rest: Vec<Draft>, to: FrameId) -> Vec<Draft> {
    let both = ways.iter().all(|way| falls_through(way)) && is_longer(&rest, MOST_COPIED);
    let way = |mut way: Vec<Draft>| {
        if falls_through(&way) && !both {
            way.extend(rest.iter().cloned());
        }
        resolve(way, to)
    };
    let ways = ways.into_iter().map(way).collect();
    let mut out = vec![Draft::Choice { ways, unknown: unknown.clone(), of_call: true }];
    if both {
        out.extend(choice(vec![resolve(rest, to), Vec::new()], unknown));
    }
    out
}

/// Whether there are more steps in it than `most`, at all levels.
fn is_longer(list: &[Draft], most: usize) -> bool {
    fn count(list: &[Draft], left: &mut usize) -> bool {
        list.iter().all(|draft| {
            let Some(less) = left.checked_sub(1) else { return false };
            *left = less;
            match draft {
                Draft::Choice { ways, .. } => ways.iter().all(|way| count(way, left)),
                Draft::Repeat { body, .. } | Draft::Beside(body) => count(body, left),
                Draft::Step(_) | Draft::Jump(..) => true,
            }
        })
    }
    !count(list, &mut { most })
}

/// One of several ways; nothing when none of them does anything.
pub(crate) fn choice(ways: Vec<Vec<Draft>>, unknown: Unknown) -> Option<Draft> {
    if ways.iter().all(Vec::is_empty) {
        return None;
    }
    Some(Draft::Choice { ways, unknown, of_call: false })
}

/// The steps of a whole script; jumps to its end are stops.
pub(crate) fn finish(list: Vec<Draft>, exit: FrameId) -> Vec<Step> {
    let mut out = Vec::with_capacity(list.len());
    for draft in list {
        match draft {
            Draft::Step(step) => out.push(*step),
            Draft::Choice { ways, unknown, of_call } => {
                let ways: Vec<_> = ways.into_iter().map(|way| finish(way, exit)).collect();
                if ways.len() > 1 && !ways.iter().all(Vec::is_empty) {
                    out.push(Step::Choice(Choice { ways, unknown, of_call }));
                } else {
                    out.extend(ways.into_iter().flatten());
                }
            }
            Draft::Repeat { body, least, unknown } => {
                let body = finish(body, exit);
                if !body.is_empty() {
                    out.push(Step::Repeat(Repeat { body, least, unknown }));
                }
            }
            Draft::Beside(body) => {
                let body = finish(body, exit);
                if !body.is_empty() {
                    out.push(Step::Beside(body));
                }
            }
            Draft::Jump(frame, place) => {
                debug_assert_eq!(frame, exit, "an open jump leads to the end of the script");
                out.push(Step::Stop(place));
                break;
            }
        }
    }
    // A script that ends at its end does not need to say so.
    out
}
