//! Keys of messages that do not survive the way.

use std::collections::HashSet;

use convoke_group::CallKind;
use convoke_job::Diagnostic;

use crate::judge::Judgement;
use crate::lint::{calls, played};
use crate::model::{Flow, Origin};
use crate::words::{Labels, block_of, what};

pub(super) fn find(flow: &Flow, judgement: &Judgement<'_>) -> Vec<Diagnostic> {
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    for (member, steps) in played(flow, judgement) {
        for call in calls(steps).into_iter().filter(|call| call.kind == CallKind::Send) {
            // A request carries its keys as they are.
            if matches!(call.origin, Origin::Request { .. }) {
                continue;
            }
            let path = block_of(flow, member, call).map(|block| block.path.clone()).unwrap_or_default();
            for key in call.data.iter().filter_map(|(key, _)| key.known()) {
                if is_word(key) || !seen.insert((&call.place, key)) {
                    continue;
                }
                let mut labels = Labels::default();
                labels.add(flow, &call.place, format!("sends the key \"{key}\""));
                let message = format!("the key \"{key}\" of `{}` does not survive in LAVA", what(call));
                let fixed: String = key.chars().map(|c| if is_word_char(c) { c } else { '_' }).collect();
                let help = format!(
                    "keys are made of letters, digits and underscores: LAVA drops a message with another, and whoever waits for it waits in vain; use \"{fixed}\""
                );
                found.push(labels.warning("flow.key-name", path.clone(), message).help(help));
            }
        }
    }
    found
}

fn is_word(key: &str) -> bool {
    !key.is_empty() && key.chars().all(is_word_char)
}

fn is_word_char(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}
