//! The MultiNode steps of interactive scripts (job-definition.md §9.3, device-side.md §9.6).

use std::sync::Arc;
use std::time::Duration;

use convoke_group::CallKind;
use convoke_job::Node;

use super::places::Document;
use crate::model::{Call, Definition, Origin, Pause, Step, Text};

const CALLS: [(&str, CallKind); 4] = [
    ("lava-send", CallKind::Send),
    ("lava-wait", CallKind::Wait),
    ("lava-wait-all", CallKind::WaitAll),
    ("lava-sync", CallKind::Sync),
];

/// The scripts of a block, a definition each. Their calls wait as long as the action may.
pub(super) fn scripts(scripts: &Node, limit: Duration, document: &Document) -> Vec<Step> {
    let script = |node: &Node| {
        let steps = node.get("script").and_then(Node::as_list).unwrap_or_default();
        Step::Definition(Definition {
            name: node.get("name").and_then(Node::as_text).unwrap_or("interactive").to_owned(),
            place: document.place_of(node.get("name"), node.span),
            body: steps.iter().filter_map(|step| call(step, limit, document)).map(Step::Call).collect(),
            rest: Pause::default(),
        })
    };
    scripts.as_list().unwrap_or_default().iter().map(script).collect()
}

fn call(step: &Node, limit: Duration, document: &Document) -> Option<Call> {
    let (kind, node) = CALLS.iter().find_map(|(name, kind)| Some((*kind, step.get(name)?)))?;
    let mut words = node.as_text()?.split_whitespace();
    let known = |text: &str| Text::Known(Arc::from(text));
    let id = known(words.next().unwrap_or_default());
    let mut role = None;
    let mut data = Vec::new();
    match kind {
        CallKind::Send => {
            data =
                words.filter_map(|pair| pair.split_once('=')).map(|(key, value)| (known(key), known(value))).collect();
        }
        CallKind::WaitAll => role = words.next().map(|word| known(word.strip_prefix("role=").unwrap_or(word))),
        _ => {}
    }
    let place = document.place(node.span);
    Some(Call { kind, id, role, data, origin: Origin::Interactive, limit, after: Arc::default(), place })
}
