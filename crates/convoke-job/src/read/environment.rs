//! `environment` of a role or a job: variables of the test shell (device-side.md §1.2).

use super::cursor::{At, Findings, scalar_text};
use crate::node::NodeKind;

/// Names and values in order. Nested data is flattened: a mapping under `A` gives `A_key`, a list `A_0`, `A_1` …;
/// booleans are 1 and 0, null is empty, other scalars their text.
pub(crate) fn environment(at: &At<'_>, code: &'static str, findings: &mut Findings) -> Vec<(String, String)> {
    let mut out = Vec::new();
    if findings.is_mapping(at, code) {
        flatten(at, "", code, findings, &mut out);
    }
    out
}

fn flatten(at: &At<'_>, prefix: &str, code: &'static str, findings: &mut Findings, out: &mut Vec<(String, String)>) {
    let join = |key: &str| if prefix.is_empty() { key.to_owned() } else { format!("{prefix}_{key}") };
    match &at.node.kind {
        NodeKind::Map(_) => {
            for (key, value) in at.entries() {
                findings.key_is_text(key, &value, code);
                flatten(&value, &join(&key.text), code, findings, out);
            }
        }
        NodeKind::List(_) => {
            for (number, item) in at.items().enumerate() {
                flatten(&item, &join(&number.to_string()), code, findings, out);
            }
        }
        NodeKind::Bool(flag) => out.push((prefix.to_owned(), u8::from(*flag).to_string())),
        _ => out.push((prefix.to_owned(), scalar_text(at.node).flatten().unwrap_or_default())),
    }
}
