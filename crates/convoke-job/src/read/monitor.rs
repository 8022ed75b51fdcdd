//! One of `monitors` (job-definition.md §9.2).

use super::cursor::{At, Findings};
use super::definition;
use crate::console_test::Monitor;
use crate::node::NodeKind;

const KEYS: &[&str] = &["name", "start", "end", "pattern", "fixupdict", "expected"];
const RESULTS: [&str; 4] = ["pass", "fail", "skip", "unknown"];

pub(super) fn monitor(at: &At<'_>, findings: &mut Findings) -> Option<Monitor> {
    if !findings.is_mapping(at, "action.key") {
        return None;
    }
    findings.unknown_keys(at, KEYS);
    let name = findings.required(at, "name").and_then(|at| definition::name(&at, findings));
    let [start, end] = ["start", "end"].map(|key| {
        let at = findings.required(at, key)?;
        let text = findings.filled_text(&at, "action.key")?;
        findings.pattern(&at, "action.key")?;
        Some(text)
    });
    let pattern = findings.required(at, "pattern").and_then(|at| {
        let text = findings.filled_text(&at, "action.key")?;
        result_pattern(&at, "test.monitor", findings)?;
        Some(text)
    });
    let fixup = at.get("fixupdict").map(|at| fixup(&at, "test.monitor", findings)).unwrap_or_default();
    let expected = at.get("expected").map(|at| findings.texts(&at, "test.expected"));
    Some(Monitor { name: name?, start: start?, end: end?, pattern: pattern?, fixup, expected })
}

/// A pattern that finds results: it compiles and has the groups that a result needs.
pub(super) fn result_pattern(at: &At<'_>, code: &'static str, findings: &mut Findings) -> Option<()> {
    let regex = findings.pattern(at, code)?;
    for group in ["test_case_id", "result"] {
        if !regex.capture_names().flatten().any(|name| name == group) {
            let finding = at.error(code, format!("the pattern has no group `{group}`"));
            findings.push(finding.help(format!("mark it with (?P<{group}>…)")));
        }
    }
    Some(())
}

/// `fixupdict`: which result a text stands for.
pub(super) fn fixup(at: &At<'_>, code: &'static str, findings: &mut Findings) -> Vec<(String, String)> {
    if at.node.kind == NodeKind::Null || !findings.is_mapping(at, code) {
        return Vec::new();
    }
    let results = at.entries().filter_map(|(key, result)| {
        let result = findings.word(&result, code, &RESULTS)?;
        Some((key.text.clone(), result))
    });
    results.collect()
}
