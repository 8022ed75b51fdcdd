//! Values of one kind each, read from the document; anything else becomes a finding that says what belongs there.

use std::time::Duration;

use convoke_job::node::{Key, NodeKind};
use convoke_job::{Diagnostic, Node, Span};
use convoke_schedule::nearest;
use serde_json::{Map, Value};

/// The findings so far.
#[derive(Default)]
pub(super) struct Findings(pub(super) Vec<Diagnostic>);

impl Findings {
    pub(super) fn add(&mut self, finding: Diagnostic) {
        self.0.push(finding);
    }

    /// A value that is not what belongs at `path`.
    pub(super) fn wrong(&mut self, path: &str, node: &Node, expected: &str) {
        let name = path.rsplit('.').next().unwrap_or(path);
        let message = format!("`{name}` is {expected}, not {}", node.describe());
        self.add(Diagnostic::error("lab.value", path, node.span, message));
    }

    /// The entries of a mapping whose keys are all known; unknown ones are errors.
    pub(super) fn map<'a>(&mut self, node: &'a Node, path: &str, known: &[&str]) -> &'a [(Key, Node)] {
        let entries = self.open_map(node, path);
        for (key, _) in entries.iter().filter(|(key, _)| !known.contains(&key.text.as_str())) {
            let place = if path.is_empty() { String::new() } else { format!(" in `{path}`") };
            let finding = Diagnostic::error(
                "lab.unknown-key",
                join(path, &key.text),
                key.span,
                format!("unknown key `{}`{place}", key.text),
            );
            let help = match nearest(&key.text, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known keys: {}", known.join(", ")),
            };
            self.add(finding.help(help));
        }
        entries
    }

    /// The entries of a mapping with keys of any name; nothing is an empty mapping.
    pub(super) fn open_map<'a>(&mut self, node: &'a Node, path: &str) -> &'a [(Key, Node)] {
        match &node.kind {
            NodeKind::Map(entries) => entries,
            NodeKind::Null => &[],
            _ => {
                self.wrong(path, node, "a mapping");
                &[]
            }
        }
    }

    /// The items of a list; nothing is an empty list.
    pub(super) fn list<'a>(&mut self, node: Option<&'a Node>, path: &str) -> &'a [Node] {
        match node.map(|node| (&node.kind, node)) {
            None | Some((NodeKind::Null, _)) => &[],
            Some((NodeKind::List(items), _)) => items,
            Some((_, node)) => {
                self.wrong(path, node, "a list");
                &[]
            }
        }
    }

    /// A non-empty string without line breaks.
    pub(super) fn text(&mut self, node: &Node, path: &str) -> Option<String> {
        let text = node.as_text().filter(|text| !text.is_empty() && !text.chars().any(char::is_control));
        if text.is_none() {
            let quote =
                matches!(node.kind, NodeKind::Int(_) | NodeKind::Float(_) | NodeKind::Bool(_) | NodeKind::Date(_));
            self.wrong(path, node, if quote { "a string (quote it)" } else { "a non-empty string" });
        }
        text.map(str::to_owned)
    }

    /// A key that must be there.
    pub(super) fn required<'a>(&mut self, node: &'a Node, key: &str, path: &str) -> Option<&'a Node> {
        let found = node.get(key);
        if found.is_none() && node.as_map().is_some() {
            let start = Span::new(node.span.start, node.span.start + 1);
            let finding =
                Diagnostic::error("lab.missing", join(path, key), start, format!("`{key}` is missing in `{path}`"));
            self.add(finding);
        }
        found
    }

    /// A list of strings, each once.
    pub(super) fn texts(&mut self, node: Option<&Node>, path: &str) -> Vec<String> {
        let mut found = Vec::new();
        for (place, item) in self.list(node, path).iter().enumerate() {
            let Some(text) = self.text(item, &format!("{path}[{place}]")) else { continue };
            if !found.contains(&text) {
                found.push(text);
            }
        }
        found
    }

    /// Names of variables and their values; numbers stand for their text.
    pub(super) fn environment(&mut self, node: Option<&Node>, path: &str) -> Vec<(String, String)> {
        let Some(node) = node else { return Vec::new() };
        let mut found = Vec::new();
        for (key, value) in self.open_map(node, path) {
            let path = join(path, &key.text);
            let first = |c: char| c.is_ascii_alphabetic() || c == '_';
            if !key.text.starts_with(first) || !key.text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                let message = format!("`{}` cannot be the name of a variable", key.text);
                let finding = Diagnostic::error("lab.value", path, key.span, message);
                self.add(finding.help("use letters, digits and `_`, not beginning with a digit"));
                continue;
            }
            match &value.kind {
                NodeKind::Text(text) if !text.contains('\0') => found.push((key.text.clone(), text.clone())),
                NodeKind::Int(number) => found.push((key.text.clone(), number.to_string())),
                _ => self.wrong(&path, value, "a string (quote it)"),
            }
        }
        found
    }

    /// Limits by action name.
    pub(super) fn limits(&mut self, node: Option<&Node>, path: &str) -> Vec<(String, Duration)> {
        let Some(node) = node else { return Vec::new() };
        let mut found = Vec::new();
        for (key, value) in self.open_map(node, path) {
            let path = join(path, &key.text);
            if let Some(limit) = self.limit(value, &path) {
                found.push((key.text.clone(), limit));
            }
        }
        found
    }

    /// `{minutes: 5}`: one unit, a whole number from 1 (job-definition.md §3.1).
    fn limit(&mut self, node: &Node, path: &str) -> Option<Duration> {
        let units = [("days", 86_400), ("hours", 3600), ("minutes", 60), ("seconds", 1)];
        let limit = match node.as_map() {
            Some([(unit, number)]) => units.iter().find(|(name, _)| *name == unit.text).and_then(|(_, seconds)| {
                let number = u64::try_from(number.as_int()?).ok().filter(|number| (1..=1_000_000).contains(number))?;
                Some(Duration::from_secs(number * seconds))
            }),
            _ => None,
        };
        if limit.is_none() {
            self.wrong(path, node, "a mapping of one unit to a whole number, such as `{minutes: 5}`");
        }
        limit
    }

    /// A number of bytes: `268435456`, `256MiB`, `1 GiB`.
    pub(super) fn bytes(&mut self, node: &Node, path: &str) -> Option<u64> {
        let bytes = match &node.kind {
            NodeKind::Int(bytes) => u64::try_from(*bytes).ok(),
            NodeKind::Text(text) => size(text),
            _ => None,
        };
        let bytes = bytes.filter(|bytes| *bytes >= 1 << 20);
        if bytes.is_none() {
            self.wrong(path, node, "a size of at least 1 MiB, such as `256MiB`");
        }
        bytes
    }

    /// A mapping kept as it is.
    pub(super) fn plain_map(&mut self, node: Option<&Node>, path: &str) -> Map<String, Value> {
        let Some(node) = node else { return Map::new() };
        let entries = self.open_map(node, path);
        entries.iter().map(|(key, value)| (key.text.clone(), value.to_value())).collect()
    }
}

fn size(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let shift = match text[digits..].trim() {
        "" | "B" => 0,
        "K" | "KiB" => 10,
        "M" | "MiB" => 20,
        "G" | "GiB" => 30,
        _ => return None,
    };
    text[..digits].parse::<u64>().ok()?.checked_mul(1 << shift)
}

pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
