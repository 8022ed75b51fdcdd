//! Values of one kind each, read from a dictionary; anything else becomes a finding that says what belongs there.

use std::time::Duration;

use convoke_job::node::{Key, NodeKind};
use convoke_job::{Diagnostic, Node};

/// Reads fields and keeps the findings.
#[derive(Default)]
pub(crate) struct Fields {
    pub(crate) findings: Vec<Diagnostic>,
}

impl Fields {
    fn wrong(&mut self, path: &str, node: &Node, expected: &str) {
        let place = if path.is_empty() { "a device's configuration".to_owned() } else { format!("`{path}`") };
        let message = format!("{place} is {expected}, not {}", node.describe());
        self.findings.push(Diagnostic::error("device.value", path, node.span, message));
    }

    /// Whether it is a mapping.
    pub(crate) fn is_map(&mut self, node: &Node, path: &str) -> bool {
        if node.as_map().is_none() {
            self.wrong(path, node, "a mapping");
        }
        node.as_map().is_some()
    }

    /// A mapping below `at`; nothing is none.
    pub(crate) fn sub<'a>(&mut self, at: &'a Node, key: &str, path: &str) -> Option<&'a Node> {
        let node = at.get(key).filter(|node| node.kind != NodeKind::Null)?;
        self.is_map(node, &join(path, key)).then_some(node)
    }

    /// The entries of a mapping below `at`.
    pub(crate) fn entries<'a>(&mut self, at: &'a Node, key: &str, path: &str) -> &'a [(Key, Node)] {
        self.sub(at, key, path).and_then(Node::as_map).unwrap_or_default()
    }

    /// Text that is not empty; a number stands for its text.
    pub(crate) fn text(&mut self, at: &Node, key: &str, path: &str) -> Option<String> {
        self.any_text(at, key, path).filter(|text| !text.is_empty())
    }

    /// Text, which may be empty.
    pub(crate) fn any_text(&mut self, at: &Node, key: &str, path: &str) -> Option<String> {
        let node = at.get(key)?;
        match &node.kind {
            NodeKind::Null => None,
            _ => {
                let text = scalar(node);
                if text.is_none() {
                    self.wrong(&join(path, key), node, "a string");
                }
                text
            }
        }
    }

    /// One text or a list of them.
    pub(crate) fn texts(&mut self, at: &Node, key: &str, path: &str) -> Vec<String> {
        let Some(node) = at.get(key) else { return Vec::new() };
        let path = join(path, key);
        match &node.kind {
            NodeKind::List(items) => items
                .iter()
                .filter_map(|item| {
                    let text = scalar(item);
                    if text.is_none() {
                        self.wrong(&path, item, "a list of strings");
                    }
                    text
                })
                .collect(),
            NodeKind::Null => Vec::new(),
            _ => self.text(at, key, path.rsplit_once('.').map_or("", |(path, _)| path)).into_iter().collect(),
        }
    }

    /// A whole number, or text that is one: LAVA's templates quote some.
    pub(crate) fn number(&mut self, at: &Node, key: &str, path: &str) -> Option<u32> {
        let node = at.get(key).filter(|node| node.kind != NodeKind::Null)?;
        let number = scalar(node).and_then(|text| text.parse().ok());
        if number.is_none() {
            self.wrong(&join(path, key), node, "a whole number from 0");
        }
        number
    }

    /// Variables: flat, values as text, booleans 1 and 0 as LAVA writes them (device-side.md §1.2).
    pub(crate) fn environment(&mut self, at: &Node, key: &str, path: &str) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for (name, value) in self.entries(at, key, path) {
            flatten(&name.text, value, &mut found);
        }
        found
    }

    /// Limits by action name: `{minutes: 5}`, units added up.
    pub(crate) fn limits(&mut self, at: Option<&Node>, key: &str, path: &str) -> Vec<(String, Duration)> {
        let Some(at) = at else { return Vec::new() };
        let units = [("days", 86_400), ("hours", 3600), ("minutes", 60), ("seconds", 1)];
        let mut found = Vec::new();
        for (name, value) in self.entries(at, key, path) {
            let path = format!("{}.{}", join(path, key), name.text);
            let seconds = value.as_map().and_then(|entries| {
                entries.iter().try_fold(0_u64, |sum, (unit, number)| {
                    let (_, seconds) = units.iter().find(|(name, _)| *name == unit.text)?;
                    sum.checked_add(u64::try_from(number.as_int()?).ok()?.checked_mul(*seconds)?)
                })
            });
            match seconds.filter(|seconds| *seconds > 0) {
                Some(seconds) => found.push((name.text.clone(), Duration::from_secs(seconds))),
                None => self.wrong(&path, value, "a mapping of units to whole numbers, such as `{minutes: 5}`"),
            }
        }
        found
    }
}

/// Nested data as variables: `NAME_key`, `NAME_0`.
pub(crate) fn flatten(name: &str, value: &Node, found: &mut Vec<(String, String)>) {
    match &value.kind {
        NodeKind::Map(entries) => {
            for (key, value) in entries {
                flatten(&format!("{name}_{}", key.text), value, found);
            }
        }
        NodeKind::List(items) => {
            for (index, item) in items.iter().enumerate() {
                flatten(&format!("{name}_{index}"), item, found);
            }
        }
        NodeKind::Bool(value) => found.push((name.to_owned(), u8::from(*value).to_string())),
        _ => found.push((name.to_owned(), scalar(value).unwrap_or_default())),
    }
}

fn scalar(node: &Node) -> Option<String> {
    match &node.kind {
        NodeKind::Text(text) | NodeKind::Date(text) => Some(text.clone()),
        NodeKind::Int(number) => Some(number.to_string()),
        NodeKind::Float(number) => Some(number.to_string()),
        _ => None,
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
