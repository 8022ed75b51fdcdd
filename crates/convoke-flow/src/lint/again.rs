//! IDs that are sent again: a message is no event. It stays for the life of the group, so a second wait is over at once,
//! and other data under the same ID take the place of the first, or come too late.

use std::collections::BTreeMap;

use convoke_group::CallKind;
use convoke_job::Diagnostic;

use crate::judge::Judgement;
use crate::lint::{played, same};
use crate::model::{Call, Flow, Step, Text};
use crate::walk;
use crate::words::{Labels, block_of, id, verb, what, who};

/// What a member has done with each ID so far on its way.
#[derive(Clone, Default)]
struct Way<'a> {
    sent: BTreeMap<&'a str, &'a Call>,
    waits: BTreeMap<&'a str, usize>,
}

/// A send after another one of the same ID.
struct Again<'a> {
    member: usize,
    first: &'a Call,
    call: &'a Call,
}

pub(super) fn find(flow: &Flow, judgement: &Judgement<'_>) -> Vec<Diagnostic> {
    let mut again: Vec<Again<'_>> = Vec::new();
    let mut waited: BTreeMap<&str, usize> = BTreeMap::new();
    for (member, steps) in played(flow, judgement) {
        let mut way = Way::default();
        walk_on(member, steps, &mut way, &mut again);
        for (id, count) in way.waits {
            let most = waited.entry(id).or_default();
            *most = (*most).max(count);
        }
    }
    let mut told: Vec<(usize, &str)> = Vec::new();
    let mut found = Vec::new();
    for Again { member, first, call } in again {
        let Some(name) = call.id.known() else { continue };
        let other = differs(first, call);
        let rounds = waited.get(name).is_some_and(|count| *count > 1);
        if !other && !rounds || told.contains(&(member, name)) {
            continue;
        }
        told.push((member, name));
        let members = same(judgement, member);
        let (who, sends) = (who(flow, &members), verb(flow, &members, "sends", "send"));
        let mut labels = Labels::default();
        labels.add(flow, &call.place, if first.place == call.place { "sent in every round" } else { "sent again" });
        if first.place != call.place {
            labels.add(flow, &first.place, "sent first");
        }
        let path = block_of(flow, member, call).map(|block| block.path.clone()).unwrap_or_default();
        let message = match other {
            true => format!("{who} {sends} {} again with other data, which not everybody will see", id(&call.id)),
            false => format!("{who} {sends} {} again, and whoever waits for it again does not wait", id(&call.id)),
        };
        let help = format!(
            "a message stays for the life of the group: use an ID for each, for example `{}-2`; a lava-sync may be repeated",
            what(call)
        );
        found.push(labels.warning("flow.sent-again", path, message).help(help));
    }
    found
}

fn walk_on<'a>(member: usize, steps: &'a [Step], way: &mut Way<'a>, again: &mut Vec<Again<'a>>) {
    for step in steps {
        match step {
            Step::Call(call) => {
                let Some(id) = call.id.known() else { continue };
                match call.kind {
                    CallKind::Send => match way.sent.get(id) {
                        Some(first) => again.push(Again { member, first, call }),
                        None => drop(way.sent.insert(id, call)),
                    },
                    CallKind::Wait | CallKind::WaitAll => *way.waits.entry(id).or_default() += 1,
                    CallKind::Sync | CallKind::Assemble => {}
                }
            }
            Step::Choice(choice) => {
                // One way is taken; what comes later comes after any of them.
                let before = way.clone();
                for steps in &choice.ways {
                    let mut within = before.clone();
                    walk_on(member, steps, &mut within, again);
                    for (id, call) in within.sent {
                        way.sent.entry(id).or_insert(call);
                    }
                    for (id, count) in within.waits {
                        let most = way.waits.entry(id).or_default();
                        *most = (*most).max(count);
                    }
                }
            }
            Step::Repeat(repeat) => {
                // Two rounds are enough to see what comes again.
                walk_on(member, &repeat.body, way, again);
                walk_on(member, &repeat.body, way, again);
            }
            _ => walk::within(step).into_iter().for_each(|steps| walk_on(member, steps, way, again)),
        }
    }
}

/// Whether the data may be other ones.
fn differs(first: &Call, call: &Call) -> bool {
    let known = |text: &Text| text.known().is_some();
    first.data != call.data || call.data.iter().any(|(key, value)| !known(key) || !known(value))
}
