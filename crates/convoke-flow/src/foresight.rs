//! What a flow says to somebody who runs the job: what each member sends, and whether anybody waits for an ID.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use convoke_group::{CallKind, nearest};

use crate::judge::lower::prefix;
use crate::model::{Call, Flow, Step, Text, Unknown};
use crate::played::Played;
use crate::walk;

/// A send of one member.
#[derive(Clone, Copy, Debug)]
pub struct Sending<'a> {
    /// Index into [`Flow::members`].
    pub member: usize,
    /// The call.
    pub call: &'a Call,
}

/// Every send that is reached, in an order in which they can happen.
pub fn sendings<'a>(flow: &'a Flow, played: &Played<'a>) -> Vec<Sending<'a>> {
    let sends = played.calls.iter().filter(|made| made.call.kind == CallKind::Send);
    let each = sends.flat_map(|made| {
        let same = (0..flow.members.len()).filter(|member| played.played_by.get(*member) == Some(&made.member));
        same.map(|member| Sending { member, call: made.call })
    });
    each.collect()
}

/// Whether anybody waits for an ID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waits {
    /// Somebody does.
    Known,
    /// Nobody who is known, but these may.
    Possible {
        /// What is not known.
        unknown: Vec<String>,
        /// An ID that was probably meant.
        near: Option<String>,
    },
    /// Nobody does.
    Never {
        /// Somebody sends it.
        sent: bool,
        /// An ID that was probably meant.
        near: Option<String>,
        /// All IDs that are waited for.
        ids: Vec<String>,
    },
}

/// The IDs that are known to be waited for, in alphabetical order.
pub fn awaited(flow: &Flow) -> Vec<String> {
    Awaited::of(flow, "").ids.into_iter().map(str::to_owned).collect()
}

/// Whether some member waits for `id`, or syncs on it.
pub fn waits_for(flow: &Flow, id: &str) -> Waits {
    let all = Awaited::of(flow, id);
    if all.ids.contains(id) {
        return Waits::Known;
    }
    let near = nearest(id, all.ids.iter().copied()).map(str::to_owned);
    if all.unknown.is_empty() {
        let ids = all.ids.into_iter().map(str::to_owned).collect();
        return Waits::Never { sent: all.sent, near, ids };
    }
    let mut unknown: Vec<String> =
        all.unknown.into_iter().map(|unknown| crate::words::unknown(flow, unknown)).collect();
    unknown.dedup();
    Waits::Possible { unknown, near }
}

#[derive(Default)]
struct Awaited<'a> {
    ids: BTreeSet<&'a str>,
    sent: bool,
    unknown: Vec<&'a Unknown>,
}

impl<'a> Awaited<'a> {
    fn of(flow: &'a Flow, wanted: &str) -> Self {
        let mut all = Self::default();
        let mut seen = HashSet::new();
        // Members share what they do.
        for member in flow.members.iter().filter(|member| seen.insert(Arc::as_ptr(&member.steps))) {
            all.note(&member.steps, wanted);
        }
        all
    }

    fn note(&mut self, steps: &'a [Step], wanted: &str) {
        for step in steps {
            match step {
                Step::Call(call) if call.kind == CallKind::Send => {
                    self.sent |= call.id.known() == Some(wanted);
                }
                Step::Call(call) => match &call.id {
                    Text::Known(id) => drop(self.ids.insert(id)),
                    Text::Unknown { unknown, .. } if wanted.starts_with(&prefix(&call.id)) => {
                        self.unknown.push(unknown)
                    }
                    Text::Unknown { .. } => {}
                },
                Step::Opaque(unknown) => self.unknown.push(unknown),
                _ => {}
            }
            walk::within(step).into_iter().for_each(|steps| self.note(steps, wanted));
        }
    }
}
