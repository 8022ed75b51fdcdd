//! The paths of findings made while the tree was not yet there.

use std::collections::HashMap;

use crate::diagnostic::Diagnostic;
use crate::node::{Node, NodeKind};
use crate::source::Span;

/// Gives each finding the path of the key or value it points at.
pub(super) fn fill(root: &Node, findings: &mut [Diagnostic]) {
    let mut wanted: HashMap<Span, Vec<&mut Diagnostic>> = HashMap::new();
    for finding in findings.iter_mut() {
        if let Some(span) = finding.labels.first().map(|label| label.span) {
            wanted.entry(span).or_default().push(finding);
        }
    }
    if !wanted.is_empty() {
        walk(root, &mut String::new(), &mut wanted);
    }
}

/// Recursion is bounded by the depth of a document.
fn walk(node: &Node, path: &mut String, wanted: &mut HashMap<Span, Vec<&mut Diagnostic>>) {
    let length = path.len();
    match &node.kind {
        NodeKind::Map(entries) => {
            for (key, value) in entries {
                if length > 0 {
                    path.push('.');
                }
                path.push_str(&key.text);
                found(key.span, path, wanted);
                found(value.span, path, wanted);
                walk(value, path, wanted);
                path.truncate(length);
            }
        }
        NodeKind::List(items) => {
            for (at, item) in items.iter().enumerate() {
                path.push_str(&format!("[{at}]"));
                found(item.span, path, wanted);
                walk(item, path, wanted);
                path.truncate(length);
            }
        }
        _ => {}
    }
}

fn found(span: Span, path: &str, wanted: &mut HashMap<Span, Vec<&mut Diagnostic>>) {
    for finding in wanted.remove(&span).into_iter().flatten() {
        finding.path = path.to_owned();
    }
}
