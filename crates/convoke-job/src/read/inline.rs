//! A test definition that stands in the job (device-side.md §5.2).

use std::collections::HashMap;

use super::cursor::{At, Findings};
use super::definition::parameters;
use super::hints::did_you_mean;
use super::monitor;
use crate::node::NodeKind;

const KEYS: &[&str] = &["metadata", "install", "parameters", "params", "parse", "run", "expected"];

/// The shape of a definition that stands in the job (device-side.md §5.2).
pub(crate) fn inline(at: &At<'_>, findings: &mut Findings) {
    if at.node.as_map().is_none() {
        let message = format!("the definition itself expected for `from: inline`, got {}", at.node.describe());
        findings.push(
            at.error("testdef.inline", message).help("write the definition here, or use `from: git` or `from: url`"),
        );
        return;
    }
    for (key, value) in at.entries() {
        if !KEYS.contains(&key.text.as_str()) {
            let message = format!("unknown key `{}`{}", key.text, did_you_mean(&key.text, KEYS));
            findings.push(value.warning_at_name("testdef.key", message).help("remove it, it has no effect"));
        }
    }
    match at.get("metadata") {
        None => {
            let finding = at.error_at_name("testdef.inline", "`metadata` is required");
            findings.push(finding.help("add `metadata: {format: Lava-Test Test Definition 1.0, name: NAME}`"));
        }
        Some(metadata) if findings.is_mapping(&metadata, "testdef.inline") => {
            for key in ["format", "name"] {
                match metadata.get(key) {
                    Some(at) => {
                        findings.filled_text(&at, "testdef.inline");
                    }
                    None => {
                        let finding = metadata.error_at_name("testdef.inline", format!("`{key}` is required"));
                        findings.push(finding.help(format!("add `{key}`")));
                    }
                }
            }
        }
        Some(_) => {}
    }
    for key in ["params", "parameters"] {
        if let Some(at) = at.get(key) {
            parameters(&at, findings);
        }
    }
    match at.get("run") {
        None => {
            findings.push(at.error_at_name("testdef.inline", "`run` is required").help("add `run: {steps: [...]}`"));
        }
        Some(run) if findings.is_mapping(&run, "testdef.inline") => match run.get("steps") {
            Some(steps) => self::steps(&steps, findings),
            None => {
                let finding = run.error_at_name("testdef.inline", "`steps` is required");
                findings.push(finding.help("add the list of shell lines to run"));
            }
        },
        Some(_) => {}
    }
    if let Some(install) = at.get("install").filter(|at| at.node.kind != NodeKind::Null)
        && findings.is_mapping(&install, "testdef.inline")
        && let Some(steps) = install.get("steps")
    {
        self::steps(&steps, findings);
    }
    if let Some(expected) = at.get("expected") {
        findings.texts(&expected, "testdef.expected");
    }
    if let Some(parse) = at.get("parse").filter(|at| at.node.kind != NodeKind::Null)
        && findings.is_mapping(&parse, "testdef.parse")
    {
        self::parse(&parse, findings);
    }
}

/// How results are found in what the steps print.
fn parse(at: &At<'_>, findings: &mut Findings) {
    if let Some(pattern) = at.get("pattern").filter(|at| at.node.kind != NodeKind::Null)
        && findings.text(&pattern, "testdef.parse").is_some_and(|text| !text.is_empty())
    {
        monitor::result_pattern(&pattern, "testdef.parse", findings);
    }
    if let Some(fixup) = at.get("fixupdict") {
        monitor::fixup(&fixup, "testdef.parse", findings);
    }
}

/// Shell lines. `- echo a: b` is a mapping in YAML, which is seen only when the test fails.
fn steps(at: &At<'_>, findings: &mut Findings) {
    if at.node.kind == NodeKind::Null || !findings.is_list(at, "testdef.steps") {
        return;
    }
    for step in at.items() {
        match &step.node.kind {
            NodeKind::Text(_) | NodeKind::Null => {}
            kind => {
                let message = format!("a shell line expected, got {}", step.node.describe());
                let help = match kind {
                    NodeKind::Map(_) => "`: ` makes a mapping in YAML: put the whole line in quotes",
                    _ => "put the line in quotes",
                };
                findings.push(step.error("testdef.steps", message).help(help));
            }
        }
    }
}

/// The names of calls in inline steps, for checks that look at them.
pub(crate) fn calls(value: &serde_json::Value) -> HashMap<&'static str, usize> {
    let mut found = HashMap::new();
    let steps = value.get("run").and_then(|run| run.get("steps")).and_then(serde_json::Value::as_array);
    for line in steps.into_iter().flatten().filter_map(serde_json::Value::as_str) {
        for word in line.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))) {
            for call in ["lava-sync", "lava-wait-all", "lava-wait", "lava-send"] {
                if word == call {
                    *found.entry(call).or_default() += 1;
                }
            }
        }
    }
    found
}
