//! From plays to what is shown: every call with what it met.

use std::collections::HashMap;

use crate::judge::play::{CallAt, Play};
use crate::judge::program::Class;
use crate::model::Flow;
use crate::played::{Met, Played, PlayedCall};

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
    let mut met: HashMap<CallAt, Option<&Vec<CallAt>>> = HashMap::new();
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
    let in_vain: Vec<CallAt> = most.in_vain();
    for call in &in_vain {
        places.entry(*call).or_insert_with(|| {
            order.push(*call);
            order.len() - 1
        });
    }
    let calls = order.iter().map(|at| {
        let class = &classes[at.0];
        let made = &class.program.calls[at.1];
        let known = |by: &Vec<CallAt>| by.iter().filter_map(|call| places.get(call).copied()).collect();
        let met = match met.get(at) {
            _ if in_vain.contains(at) => Met::Lost,
            Some(Some(by)) => Met::Satisfied(known(by)),
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
