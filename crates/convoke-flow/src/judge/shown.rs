//! From plays to what is shown: every call with what it met.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::judge::play::{CallAt, Play};
use crate::judge::program::Class;
use crate::model::Flow;
use crate::played::{Met, Played, PlayedCall};

/// A list of calls of a play, and the same as indices.
type Translated<'p> = (&'p Arc<[CallAt]>, Arc<[usize]>);

/// What `most`, the play of what may happen, came to; what `least` satisfies, too, is certain. Must
/// be called before anything is granted.
pub(crate) fn played<'a>(
    flow: &Flow,
    classes: &[Class<'a>],
    most: &Play<'a, '_>,
    least: Option<&Play<'a, '_>>,
) -> Played<'a> {
    let mut order: Vec<CallAt> = Vec::new();
    let mut places: HashMap<CallAt, usize> = HashMap::new();
    let mut met: HashMap<CallAt, Option<&Arc<[CallAt]>>> = HashMap::new();
    for event in &most.events {
        places.entry(event.call).or_insert_with(|| {
            order.push(event.call);
            order.len() - 1
        });
        if least.is_none() {
            met.entry(event.call).or_insert(event.by.as_ref());
        }
    }
    for event in least.iter().flat_map(|least| &least.events) {
        met.entry(event.call).or_insert(event.by.as_ref());
    }
    // What holds nobody up in the play of what may happen, and is not satisfied there, never is.
    let in_vain = most.in_vain();
    let vain: HashSet<&CallAt> = in_vain.iter().chain(&most.failed).collect();
    for call in &in_vain {
        places.entry(*call).or_insert_with(|| {
            order.push(*call);
            order.len() - 1
        });
    }
    // Who shares a list shares its translation.
    let mut last: Option<Translated> = None;
    let calls = order.iter().map(|at| {
        let class = &classes[at.0];
        let made = &class.program.calls[at.1];
        let met = match met.get(at) {
            _ if vain.contains(at) => Met::Lost,
            Some(Some(by)) => match &last {
                Some((known, shown)) if Arc::ptr_eq(known, by) => Met::Satisfied(shown.clone()),
                _ => {
                    let shown: Arc<[usize]> = by.iter().filter_map(|call| places.get(call).copied()).collect();
                    last = Some((by, shown.clone()));
                    Met::Satisfied(shown)
                }
            },
            Some(None) | None => Met::Unknown,
        };
        PlayedCall { member: class.members[0], call: made.call, only_if: made.only_if.clone(), met }
    });
    let mut played_by: Vec<usize> = (0..flow.members.len()).collect();
    for class in classes {
        class.members.iter().for_each(|member| played_by[*member] = class.members[0]);
    }
    Played { calls: calls.collect(), played_by }
}
