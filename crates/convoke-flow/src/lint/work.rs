//! Work in a call: what a call sends is worked out in the call itself, so that the log does not show it and nobody sees
//! it fail.

use std::collections::HashSet;

use convoke_group::CallKind;
use convoke_job::Diagnostic;

use crate::judge::Judgement;
use crate::lint::{calls, played};
use crate::model::Flow;
use crate::words::{Labels, block_of, what};

pub(super) fn find(flow: &Flow, judgement: &Judgement<'_>) -> Vec<Diagnostic> {
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    for (member, steps) in played(flow, judgement) {
        for call in calls(steps).into_iter().filter(|call| call.kind == CallKind::Send) {
            let Some((key, _)) = call.data.iter().find(|(_, value)| is_work(value.shown())) else { continue };
            if !seen.insert(&call.place) {
                continue;
            }
            let mut labels = Labels::default();
            labels.add(flow, &call.place, format!("\"{}\" is worked out here", key.shown()));
            let path = block_of(flow, member, call).map(|block| block.path.clone()).unwrap_or_default();
            let message = format!("`{}` works out what it sends, where nobody sees that it fails", what(call));
            let name = key.shown().to_uppercase().replace(['-', '.'], "_");
            let help = format!(
                "work it out in a step before and print it: `{name}=$(…)`, `echo \"${name}\"`, `lava-send … {}=\"${name}\"`",
                key.shown()
            );
            found.push(labels.warning("flow.work-in-call", path, message).help(help));
        }
    }
    found
}

/// Whether a value is the output of more than plain commands: of a pipeline, a list, or a script.
fn is_work(value: &str) -> bool {
    let Some(inner) = value.split_once("$(").or_else(|| value.split_once('`')).map(|(_, inner)| inner) else {
        return false;
    };
    let words: Vec<&str> = inner.split_whitespace().collect();
    let script = words.first().is_some_and(|word| {
        word.starts_with("./") || word.ends_with(".sh") || ["sh", "bash", "python", "python3", "perl"].contains(word)
    });
    script || inner.contains(';') || inner.replace("||", "").contains('|')
}
