//! What a script does when a call in it fails, where it is not ended by that.
//!
//! A call succeeds, for all that is known after it. But where its status decides between two ways right after it
//! (`lava-wait x || …`, `if lava-wait x`), both are kept in the steps. Where nobody looks at its status it is meant to
//! succeed, also in a script that would go on (without `set -e`, or in a test case): a misspelt ID is no less a mistake there.
//! Only a call with a limit of the script's own (`timeout`) is provided for by that. Where the status is used in another way (`$?`, the end of a longer condition, a loop), or where one would know
//! something else after the way of failure, the way of success alone is followed, and the call says that what else may
//! happen is not known.

use std::rc::Rc;

use super::draft::Draft;
use super::lists::Decision;
use super::state::{State, Status};
use crate::model::{Failing, Origin, Step, Unknown, Why};

/// One of two ways: its steps, and what is known at its end.
pub(super) type Ended = (Vec<Draft>, Option<State>);

/// Whether a call decides, and then whether by failing.
fn of_call(unknown: &Unknown) -> Option<bool> {
    match unknown.why {
        Why::Outcome { failed, .. } => Some(failed),
        _ => None,
    }
}

/// What the script does when the call fails that was made last, if it is that whose outcome this is; and whether the
/// script limits it.
fn last<'d>(unknown: &Unknown, out: &'d mut [Draft]) -> Option<(&'d mut Failing, bool)> {
    of_call(unknown)?;
    match out.last_mut() {
        Some(Draft::Step(step)) => match step.as_mut() {
            Step::Call(call) if call.place == unknown.place => match &mut call.origin {
                Origin::Helper { failing, timed, .. } => Some((failing, *timed)),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}

/// The status of a call that succeeds.
pub(super) fn succeeded(status: Status) -> Status {
    match &status {
        Status::Unknown(unknown) => of_call(unknown).map_or(status, |failed| Status::of(!failed)),
        Status::Known(_) => status,
    }
}

/// A status that only the call which was made last may decide; an earlier one has succeeded.
pub(super) fn of_last_call_only(status: Status, out: &mut [Draft]) -> Status {
    match &status {
        Status::Unknown(unknown) if last(unknown, out).is_some() => status,
        _ => succeeded(status),
    }
}

/// A decision that is not up to a call.
pub(super) fn assumed(decision: Decision) -> Decision {
    match decision.unknown.as_deref().and_then(of_call) {
        None => decision,
        Some(failed) => {
            let (yes, no) = if failed { (None, decision.no) } else { (decision.yes, None) };
            Decision { yes, no, unknown: None }
        }
    }
}

/// Nobody looks at this status.
pub(super) fn not_looked_at(status: &Status, out: &mut [Draft]) {
    if let Status::Unknown(unknown) = status
        && let Some((failing, timed)) = last(unknown, out)
    {
        *failing = if timed { Failing::GoesOn } else { Failing::Ends };
    }
}

/// `$?`, when it is the status of a call: that of one that has succeeded. What would be otherwise is not followed.
pub(super) fn looked_at(unknown: &Rc<Unknown>, out: &mut [Draft]) -> Option<&'static str> {
    let failed = of_call(unknown)?;
    if let Some((failing, _)) = last(unknown, out) {
        *failing = Failing::Unknown(Box::new(unknown.as_ref().clone()));
    }
    Some(if failed { "1" } else { "0" })
}

/// What `!` makes of it.
pub(super) fn opposite(unknown: &Rc<Unknown>) -> Rc<Unknown> {
    match &unknown.why {
        Why::Outcome { call, failed } => {
            let why = Why::Outcome { call: call.clone(), failed: !failed };
            Rc::new(Unknown { why, place: unknown.place.clone() })
        }
        _ => Rc::clone(unknown),
    }
}

/// Two ways, when a call decides between them: that of a status of 0, and the other. What is known after them is what is
/// known after success.
pub(super) fn choose(
    unknown: &Unknown,
    mut ways: Vec<Ended>,
    out: &mut Vec<Draft>,
    is_outermost: bool,
) -> Result<Option<State>, Vec<Ended>> {
    let Some(by_failing) = of_call(unknown) else { return Err(ways) };
    if ways.len() != 2 {
        return Err(ways);
    }
    let (Some((no, without)), Some((yes, with))) = (ways.pop(), ways.pop()) else { return Ok(None) };
    let ((done, after), (failed, other)) =
        if by_failing { ((no, without), (yes, with)) } else { ((yes, with), (no, without)) };
    let same = match (&after, &other) {
        (Some(one), Some(other)) => is_same(one, other),
        // What follows is of the way of failure alone, then: in a loop that would be a round more.
        (None, Some(_)) => is_outermost,
        _ => true,
    };
    match last(unknown, out) {
        Some((failing, _)) if same => {
            *failing = Failing::GoesOn;
            if !(done.is_empty() && failed.is_empty()) {
                out.push(Draft::Choice { ways: vec![done, failed], unknown: unknown.clone(), of_call: true });
            }
            Ok(after.or(other))
        }
        _ => {
            out.extend(done);
            Ok(after)
        }
    }
}

/// Whether the same is known, whichever of two ways one came.
fn is_same(one: &State, other: &State) -> bool {
    one.variables == other.variables
        && one.functions.keys().all(|name| other.functions.contains_key(name))
        && one.functions.len() == other.functions.len()
        && one.arguments == other.arguments
        && succeeded(one.status.clone()) == succeeded(other.status.clone())
        && (one.errexit, one.pipefail) == (other.errexit, other.pipefail)
        && one.directory == other.directory
        && one.output == other.output
        && one.input == other.input
        && one.files == other.files
}
