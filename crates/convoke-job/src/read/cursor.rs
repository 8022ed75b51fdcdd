//! A place in the document while it is read: the value, its key and its path, and typed access with findings.

use super::hints::did_you_mean;
use crate::diagnostic::Diagnostic;
use crate::node::{Key, Node, NodeKind};
use crate::pattern;
use crate::source::Span;

/// A value in the document, with the path that findings show.
#[derive(Clone, Debug)]
pub(crate) struct At<'a> {
    pub(crate) node: &'a Node,
    /// The key it stands under, or the value itself for an item or the root.
    pub(crate) name: Span,
    pub(crate) path: String,
}

impl<'a> At<'a> {
    pub(crate) fn root(node: &'a Node) -> Self {
        At { node, name: node.span, path: String::new() }
    }

    /// The value under `key`, when this is a mapping that has it.
    pub(crate) fn get(&self, key: &str) -> Option<At<'a>> {
        let (key, node) = self.node.entry(key)?;
        Some(self.under(key, node))
    }

    /// Key and value of each entry; nothing when this is no mapping.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&'a Key, At<'a>)> + use<'a> {
        let path = self.path.clone();
        self.node
            .as_map()
            .unwrap_or_default()
            .iter()
            .map(move |(key, node)| (key, At { node, name: key.span, path: join(&path, &key.text) }))
    }

    /// Each item; nothing when this is no list.
    pub(crate) fn items(&self) -> impl Iterator<Item = At<'a>> + use<'a> {
        let path = self.path.clone();
        self.node.as_list().unwrap_or_default().iter().enumerate().map(move |(at, node)| At {
            node,
            name: node.span,
            path: format!("{path}[{at}]"),
        })
    }

    fn under(&self, key: &Key, node: &'a Node) -> At<'a> {
        At { node, name: key.span, path: join(&self.path, &key.text) }
    }

    /// The path of a key that need not be there.
    pub(crate) fn path_of(&self, key: &str) -> String {
        join(&self.path, key)
    }

    /// A place to point at for something that is missing here: the key this stands under, or the first key in it.
    pub(crate) fn head(&self) -> Span {
        match self.node.as_map().and_then(<[_]>::first) {
            Some((key, _)) if self.name == self.node.span => key.span,
            _ => self.name,
        }
    }

    /// An error at the value.
    pub(crate) fn error(&self, code: &'static str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(code, self.path.clone(), self.node.span, message)
    }

    /// A warning at the value.
    pub(crate) fn warning(&self, code: &'static str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::warning(code, self.path.clone(), self.node.span, message)
    }

    /// An error at the key, for what concerns the whole value or is missing in it.
    pub(crate) fn error_at_name(&self, code: &'static str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(code, self.path.clone(), self.head(), message)
    }

    /// A warning at the key.
    pub(crate) fn warning_at_name(&self, code: &'static str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::warning(code, self.path.clone(), self.head(), message)
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// The findings so far, and reading of typed values that adds to them.
#[derive(Debug, Default)]
pub(crate) struct Findings(pub(crate) Vec<Diagnostic>);

impl Findings {
    pub(crate) fn push(&mut self, finding: Diagnostic) {
        self.0.push(finding);
    }

    fn wrong(&mut self, at: &At<'_>, code: &'static str, expected: &str, mend: Option<&str>) {
        let told = mend.map(|mend| format!(" ({mend})")).unwrap_or_default();
        let finding = at.error(code, format!("{expected} expected, got {}{told}", at.node.describe()));
        let help = mend.unwrap_or(match expected {
            "mapping" => "write `key: value` lines here",
            "list" => "write a list here: `- item` lines, or `[item, item]`",
            "integer" => "write a whole number here",
            _ => "write one value here",
        });
        self.push(finding.help(help));
    }

    /// Text; a number, boolean or date is told to be quoted.
    pub(crate) fn text(&mut self, at: &At<'_>, code: &'static str) -> Option<String> {
        match &at.node.kind {
            NodeKind::Text(text) => return Some(text.clone()),
            NodeKind::Bool(_) | NodeKind::Int(_) | NodeKind::Float(_) | NodeKind::Date(_) => {
                self.wrong(at, code, "string", Some("quote it"));
            }
            _ => self.wrong(at, code, "string", None),
        }
        None
    }

    /// Text that is not empty.
    pub(crate) fn filled_text(&mut self, at: &At<'_>, code: &'static str) -> Option<String> {
        let text = self.text(at, code)?;
        if text.trim().is_empty() {
            self.push(at.error(code, "must not be empty").help("write something here, or remove the key"));
            return None;
        }
        Some(text)
    }

    /// One of a few words.
    pub(crate) fn word(&mut self, at: &At<'_>, code: &'static str, words: &[&str]) -> Option<String> {
        let text = self.text(at, code)?;
        if words.contains(&text.as_str()) {
            return Some(text);
        }
        let message = format!("{text:?} is not one of {}{}", words.join(", "), did_you_mean(&text, words));
        self.push(at.error(code, message).help("use one of these"));
        None
    }

    pub(crate) fn boolean(&mut self, at: &At<'_>, code: &'static str) -> Option<bool> {
        if let Some(value) = at.node.as_bool() {
            return Some(value);
        }
        let quoted =
            at.node.as_text().is_some_and(|text| matches!(text, "true" | "false" | "yes" | "no" | "on" | "off"));
        self.wrong(at, code, "`true` or `false`", quoted.then_some("remove the quotes"));
        None
    }

    /// A whole number of at least `least` that fits 32 bits.
    pub(crate) fn integer(&mut self, at: &At<'_>, code: &'static str, least: u32) -> Option<u32> {
        match &at.node.kind {
            NodeKind::Int(number) => {
                let finding = match u32::try_from(*number) {
                    Ok(number) if number >= least => return Some(number),
                    Err(_) if *number > 0 => at.error(code, format!("{number} is too large")),
                    _ => at.error(code, format!("must be at least {least}, is {number}")),
                };
                self.push(finding.help(format!("write a whole number from {least} on")));
            }
            NodeKind::Text(text) if text.parse::<i64>().is_ok() => {
                self.wrong(at, code, "integer", Some("remove the quotes"));
            }
            _ => self.wrong(at, code, "integer", None),
        }
        None
    }

    /// Whether it is a mapping; when not, a finding says so.
    pub(crate) fn is_mapping(&mut self, at: &At<'_>, code: &'static str) -> bool {
        if at.node.as_map().is_none() {
            self.wrong(at, code, "mapping", None);
        }
        at.node.as_map().is_some()
    }

    /// Whether it is a list; when not, a finding says so.
    pub(crate) fn is_list(&mut self, at: &At<'_>, code: &'static str) -> bool {
        if at.node.as_list().is_none() {
            self.wrong(at, code, "list", None);
        }
        at.node.as_list().is_some()
    }

    /// A list of texts.
    pub(crate) fn texts(&mut self, at: &At<'_>, code: &'static str) -> Vec<String> {
        if !self.is_list(at, code) {
            return Vec::new();
        }
        at.items().filter_map(|item| self.filled_text(&item, code)).collect()
    }

    /// One text, or a list of texts.
    pub(crate) fn text_or_texts(&mut self, at: &At<'_>, code: &'static str) -> Vec<String> {
        match at.node.kind {
            NodeKind::List(_) => self.texts(at, code),
            _ => self.filled_text(at, code).into_iter().collect(),
        }
    }

    /// A regular expression, already read as text: whether it compiles is seen before a device boots for it.
    pub(crate) fn pattern(&mut self, at: &At<'_>, code: &'static str) -> Option<fancy_regex::Regex> {
        let text = at.node.as_text()?;
        match pattern::compile(text) {
            Ok(regex) => Some(regex),
            Err(why) => {
                let finding = at.error(code, format!("{text:?} is no regular expression: {why}"));
                self.push(
                    finding.help(r"write a backslash before a ( ) [ ] { } + * ? | . ^ $ \ that stands for itself"),
                );
                None
            }
        }
    }

    /// One regular expression, or a list of them.
    pub(crate) fn patterns(&mut self, at: &At<'_>, code: &'static str) {
        if at.node.as_list().is_none() {
            self.pattern(at, code);
        }
        for item in at.items() {
            self.pattern(&item, code);
        }
    }

    /// The value of a key that has to be there.
    pub(crate) fn required<'a>(&mut self, at: &At<'a>, key: &str) -> Option<At<'a>> {
        let found = at.get(key);
        if found.is_none() {
            let finding = at.error_at_name("action.key", format!("`{key}` is required"));
            self.push(finding.help(format!("add `{key}`")));
        }
        found
    }

    /// Warns about the keys of a mapping that are none of these.
    pub(crate) fn unknown_keys(&mut self, at: &At<'_>, known: &[&str]) {
        for (key, value) in at.entries() {
            if !known.contains(&key.text.as_str()) {
                let message = format!("unknown key `{}`{}", key.text, did_you_mean(&key.text, known));
                let finding = value.warning_at_name("action.key", message);
                self.push(finding.help(format!("known here: {}", known.join(", "))));
            }
        }
    }

    /// A mapping from names to scalars, as text the way LAVA prints them; null is `None`.
    pub(crate) fn scalars(&mut self, at: &At<'_>, code: &'static str) -> Vec<(String, Option<String>)> {
        if !self.is_mapping(at, code) {
            return Vec::new();
        }
        let mut out = Vec::new();
        for (key, value) in at.entries() {
            self.key_is_text(key, &value, code);
            match scalar_text(value.node) {
                Some(text) => out.push((key.text.clone(), text)),
                None => self.wrong(&value, code, "text or number", None),
            }
        }
        out
    }

    /// Keys are names: a number or boolean as key is a mistake.
    pub(crate) fn key_is_text(&mut self, key: &Key, value: &At<'_>, code: &'static str) -> bool {
        if !key.is_text {
            let message = format!("the key `{}` is not text (quote it)", key.text);
            self.push(Diagnostic::error(code, value.path.clone(), key.span, message).help("quote it"));
        }
        key.is_text
    }
}

/// A scalar as LAVA prints it, `Some(None)` for null, `None` for a list or mapping.
pub(crate) fn scalar_text(node: &Node) -> Option<Option<String>> {
    Some(match &node.kind {
        NodeKind::Null => None,
        NodeKind::Bool(true) => Some("True".into()),
        NodeKind::Bool(false) => Some("False".into()),
        NodeKind::Int(number) => Some(number.to_string()),
        NodeKind::Float(number) => Some(format!("{number:?}")),
        NodeKind::Text(text) | NodeKind::Date(text) => Some(text.clone()),
        NodeKind::List(_) | NodeKind::Map(_) => return None,
    })
}
