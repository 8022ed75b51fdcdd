//! A call within `lava-test-case`: its failure becomes a result that nobody acts on, and the call is recorded twice.

use std::collections::HashSet;

use convoke_job::Diagnostic;

use crate::judge::Judgement;
use crate::lint::{calls, played};
use crate::model::{Flow, Origin};
use crate::words::{Labels, block_of, what};

pub(super) fn find(flow: &Flow, judgement: &Judgement<'_>) -> Vec<Diagnostic> {
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    for (member, steps) in played(flow, judgement) {
        for call in calls(steps) {
            let Origin::Helper { wrapped: Some(place), .. } = &call.origin else { continue };
            if !seen.insert(place) {
                continue;
            }
            let mut labels = Labels::default();
            labels.add(flow, place, "its failure ends nothing here");
            let path = block_of(flow, member, call).map(|block| block.path.clone()).unwrap_or_default();
            let message =
                format!("`{}` is wrapped in lava-test-case, which hides its failure and records it twice", what(call));
            let help = "call it on a line of its own: it is recorded as a test case anyway";
            found.push(labels.warning("flow.call-in-test-case", path, message).help(help));
        }
    }
    found
}
