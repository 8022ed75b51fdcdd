//! Keys of a mapping: duplicates and `<<`.

use std::collections::HashMap;

use crate::diagnostic::Diagnostic;
use crate::node::{Key, Node, NodeKind};
use crate::source::Span;

/// Keys of merged mappings come first, as LAVA's loader orders them; the mapping's own keys win.
pub(super) fn settle(
    entries: Vec<(Key, Node)>,
    merged: Vec<(Key, Node)>,
    findings: &mut Vec<Diagnostic>,
) -> Vec<(Key, Node)> {
    let mut out: Vec<(Key, Node)> = Vec::with_capacity(entries.len() + merged.len());
    let mut places: HashMap<String, (usize, bool)> = HashMap::new();
    let own = entries.into_iter().map(|(key, value)| (key, value, true));
    for (key, value, own) in merged.into_iter().map(|(key, value)| (key, value, false)).chain(own) {
        match places.get(&key.text).copied() {
            Some((place, was_own)) => {
                if own && was_own {
                    let finding = Diagnostic::warning(
                        "yaml.duplicate-key",
                        "",
                        key.span,
                        format!("the key `{}` is given twice, the last one wins", key.text),
                    )
                    .at("this one is used")
                    .also(out[place].0.span, "this one is ignored")
                    .help("remove one of them");
                    findings.push(finding);
                }
                places.insert(key.text.clone(), (place, own));
                out[place] = (key, value);
            }
            None => {
                places.insert(key.text.clone(), (out.len(), own));
                out.push((key, value));
            }
        }
    }
    out
}

/// Adds the keys of one `<<` value; of several mappings the first wins. Gives the place of what is no mapping.
pub(super) fn merge(merged: &mut Vec<(Key, Node)>, value: Node) -> Option<Span> {
    match value.kind {
        NodeKind::Map(entries) => merged.extend(entries),
        NodeKind::List(items) => {
            for item in items.into_iter().rev() {
                match item.kind {
                    NodeKind::Map(entries) => merged.extend(entries),
                    _ => return Some(item.span),
                }
            }
        }
        _ => return Some(value.span),
    }
    None
}
