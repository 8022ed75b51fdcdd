//! The 2014 document, checked: roles, and actions with the roles that run them (legacy-json.md §1, §9).

mod actions;
mod roles;

use crate::diagnostic::Diagnostic;

use crate::legacy::commands::Command;

use crate::legacy::{LegacyOptions, Notes};

use crate::node::Node;

use crate::source::Span;

/// A document that can be converted, errors aside that were noted.
pub(crate) struct Document<'a> {
    pub(crate) timeout: u64,
    pub(crate) job_name: Option<String>,
    pub(crate) logging_level: Option<String>,
    pub(crate) priority: Option<String>,
    pub(crate) roles: Vec<Role>,
    /// A single-device job: its only role has no name.
    pub(crate) single: bool,
    pub(crate) actions: Vec<Action<'a>>,
}

/// An entry of `device_group`.
pub(crate) struct Role {
    pub(crate) name: String,
    pub(crate) count: u64,
    pub(crate) device_type: String,
    pub(crate) device: Option<String>,
    pub(crate) tags: Vec<String>,
    pub(crate) slave: bool,
    pub(crate) span: Span,
}

/// An entry of `actions`.
pub(crate) struct Action<'a> {
    pub(crate) path: String,
    pub(crate) span: Span,
    pub(crate) command: Command,
    pub(crate) name: String,
    /// Places in `Document::roles`, in their order.
    pub(crate) roles: Vec<usize>,
    pub(crate) parameters: Option<&'a Node>,
    pub(crate) timeout: Option<u64>,
    pub(crate) repeat: u64,
    pub(crate) metadata: Option<&'a Node>,
}

impl<'a> Action<'a> {
    pub(crate) fn parameter(&self, name: &str) -> Option<&'a Node> {
        self.parameters?.get(name)
    }

    /// The text of a parameter, where it is text.
    pub(crate) fn text(&self, name: &str) -> Option<&'a str> {
        self.parameter(name)?.as_text()
    }
}

/// How many roles, and how many actions with their repetitions, a document may have.
pub(crate) const MOST: usize = 1000;

const TOP: [&str; 13] = [
    "timeout",
    "job_name",
    "logging_level",
    "priority",
    "device_group",
    "device_type",
    "device",
    "target",
    "tags",
    "actions",
    "vm_group",
    "health_check",
    "lmp_module",
];

pub(crate) fn read<'a>(root: &'a Node, options: &LegacyOptions, notes: &mut Notes) -> Option<Document<'a>> {
    let Some(entries) = root.as_map() else {
        let message = format!("a job is a JSON object; this is {}", root.describe());
        notes.add(Diagnostic::error("legacy.value", "", root.span, message));
        return None;
    };
    let start = Span::new(root.span.start, root.span.start + 1);
    for (key, _) in entries {
        let dropped = matches!(key.text.as_str(), "health_check" | "lmp_module");
        if dropped || !TOP.contains(&key.text.as_str()) {
            let message = format!("\"{}\" has no counterpart and is dropped", key.text);
            notes.add(Diagnostic::warning("legacy.dropped-key", key.text.clone(), key.span, message));
        }
    }
    if let Some((key, _)) = root.entry("vm_group") {
        let message = "virtual machines that are started on a host device cannot be converted";
        let help = "write secondary connections: a role with `connection: ssh`, `host_role` and `expect_role`";
        notes.add(Diagnostic::error("legacy.vm-group", "vm_group", key.span, message).help(help));
        return None;
    }
    let timeout = timeout(root, start, notes);
    let word = |name: &str, allowed: &[&str], notes: &mut Notes| word(root, name, allowed, notes);
    let job_name = text(root, "job_name", "", notes);
    let logging_level = word("logging_level", &["CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG"], notes);
    let priority = word("priority", &["high", "medium", "low"], notes);
    let single = root.get("device_group").is_none();
    if !bounded(root, notes) {
        return None;
    }
    let roles =
        if single { vec![roles::alone(root, start, options, notes)] } else { roles::roles(root, options, notes) };
    let actions = actions::actions(root, start, &roles, single, notes);
    Some(Document { timeout: timeout?, job_name, logging_level, priority, roles, single, actions })
}

/// A job of the size that this format was for; what follows may then be quadratic.
fn bounded(root: &Node, notes: &mut Notes) -> bool {
    for name in ["device_group", "actions"] {
        let Some(node) = root.get(name) else { continue };
        let length = node.as_list().map_or(0, <[Node]>::len);
        if length > MOST {
            let message = format!("\"{name}\" has {length} entries; at most {MOST} are converted");
            notes.add(Diagnostic::error("legacy.size", name, node.span, message));
            return false;
        }
    }
    true
}

fn timeout(root: &Node, start: Span, notes: &mut Notes) -> Option<u64> {
    let help = "give the limit of each action in seconds: \"timeout\": 900";
    let Some(node) = root.get("timeout") else {
        notes.add(Diagnostic::error("legacy.no-timeout", "timeout", start, "\"timeout\" is missing").help(help));
        return None;
    };
    let seconds = node.as_int().and_then(|seconds| u64::try_from(seconds).ok()).filter(|seconds| in_range(*seconds));
    if seconds.is_none() {
        let message = format!("\"timeout\" is a whole number of seconds from 1, not {}", node.describe());
        notes.add(Diagnostic::error("legacy.no-timeout", "timeout", node.span, message).help(help));
    }
    seconds
}

/// From a second to ten years: sums of limits stay far from overflow.
fn in_range(seconds: u64) -> bool {
    (1..=315_360_000).contains(&seconds)
}

/// The non-empty string under `name`; anything else there is an error.
fn text(item: &Node, name: &str, path: &str, notes: &mut Notes) -> Option<String> {
    let node = item.get(name)?;
    let text = node.as_text().filter(|text| !text.is_empty());
    if text.is_none() {
        let message = format!("\"{name}\" is a non-empty string, not {}", node.describe());
        notes.add(Diagnostic::error("legacy.value", join(path, name), node.span, message));
    }
    text.map(str::to_owned)
}

fn word(root: &Node, name: &str, allowed: &[&str], notes: &mut Notes) -> Option<String> {
    let word = text(root, name, "", notes)?;
    if !allowed.contains(&word.as_str()) {
        let span = root.get(name).map_or_else(Span::default, |node| node.span);
        let finding = Diagnostic::error("legacy.value", name, span, format!("{word:?} is no {name}"));
        notes.add(finding.help(format!("use one of {}", allowed.join(", "))));
    }
    Some(word)
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}
