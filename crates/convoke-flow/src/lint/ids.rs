//! IDs that differ by case or dash only: two, where one was probably meant.

use std::collections::BTreeMap;

use convoke_group::CallKind;
use convoke_job::Diagnostic;

use crate::judge::Judgement;
use crate::judge::reason::Cause;
use crate::lint::{calls, played};
use crate::model::{Call, Flow};
use crate::words::{Labels, block_of, what};

/// Every spelling with its calls and who makes them.
type Spellings<'f> = BTreeMap<&'f str, Vec<(usize, &'f Call)>>;

pub(super) fn find(flow: &Flow, judgement: &Judgement<'_>) -> Vec<Diagnostic> {
    // By how they read.
    let mut families: BTreeMap<String, Spellings> = BTreeMap::new();
    for (member, steps) in played(flow, judgement) {
        for call in calls(steps) {
            let Some(id) = call.id.known() else { continue };
            let family = families.entry(id.to_lowercase().replace('_', "-")).or_default();
            family.entry(id).or_default().push((member, call));
        }
    }
    let mut found = Vec::new();
    for spellings in families.values().filter(|spellings| spellings.len() > 1) {
        let collision = collide(spellings);
        let spelt: Vec<&str> = spellings.keys().copied().collect();
        // A wait that nobody satisfies has been told with the nearest spelling.
        if collision.is_none() && spelt.iter().any(|id| is_told(judgement, id)) {
            continue;
        }
        let mut firsts: Vec<(usize, &Call)> = spellings.values().map(|calls| calls[0]).collect();
        firsts.sort_by_key(|(_, call)| (call.place.text, call.place.span));
        let mut labels = Labels::default();
        for (_, call) in &firsts {
            labels.add(flow, &call.place, what(call));
        }
        let names: Vec<String> = spelt.iter().map(|id| format!("\"{id}\"")).collect();
        let names = crate::words::and(&names);
        let path = block_of(flow, firsts[0].0, firsts[0].1).map(|block| block.path.clone()).unwrap_or_default();
        found.push(match collision {
            Some(case) => labels
                .warning("result.collision", path, format!("{names} are recorded as one test case, {case}"))
                .help("names of results are lower case: use IDs that differ in more than case"),
            None => labels
                .warning("flow.similar-ids", path, format!("{names} are different messages"))
                .help("if one was meant, spell it one way; else use names that cannot be confused"),
        });
    }
    found
}

/// The result that calls of one member with these IDs share.
fn collide(spellings: &Spellings<'_>) -> Option<String> {
    let mut results: BTreeMap<(usize, String), &str> = BTreeMap::new();
    for (id, calls) in spellings {
        for (member, call) in calls {
            let kind = match call.kind {
                CallKind::Send => "send",
                CallKind::Wait => "wait",
                CallKind::WaitAll => "wait_all",
                CallKind::Sync | CallKind::Assemble => "sync",
            };
            let result = format!("multinode-{kind}-{}", id.to_lowercase());
            let known = results.entry((*member, result.clone())).or_insert(id);
            if known != id {
                return Some(result);
            }
        }
    }
    None
}

fn is_told(judgement: &Judgement<'_>, id: &str) -> bool {
    judgement.reasons.iter().any(|reason| {
        let near = match &reason.cause {
            Cause::NeverSent { near } | Cause::NeverStarted { near } | Cause::SyncMissed { near, .. } => near.as_ref(),
            _ => None,
        };
        near.is_some_and(|near| near.name == id)
    })
}
