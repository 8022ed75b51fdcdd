//! What a document is, where another one was expected: people give the file that lies beside the one they meant, and one
//! finding says so, instead of one for every key.

use std::fmt;

use crate::diagnostic::Diagnostic;
use crate::node::Node;
use crate::source::{Source, Span};

/// A kind of document that people of this field have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A job.
    Job,
    /// A test definition.
    TestDefinition,
    /// A lab file.
    Lab,
    /// The configuration of one device.
    Device,
    /// A Jinja2 template, of a device or of jobs.
    Template,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Job => "a job",
            Kind::TestDefinition => "a test definition",
            Kind::Lab => "a lab file",
            Kind::Device => "the configuration of a device",
            Kind::Template => "a Jinja2 template",
        })
    }
}

impl Kind {
    /// What a document is by its outermost keys, as far as they tell; `root` is what was read of it.
    pub fn of(source: &Source, root: Option<&Node>) -> Option<Kind> {
        let Some(root) = root else {
            let is_template = source.text().lines().any(|line| line.trim_start().starts_with("{%"));
            return is_template.then_some(Kind::Template);
        };
        let has = |key: &str| root.get(key).is_some();
        let is_map = |key: &str| root.get(key).is_some_and(|node| node.as_map().is_some());
        let is_list = |key: &str| root.get(key).is_some_and(|node| node.as_list().is_some());
        let steps = root.get("run").is_some_and(|run| run.get("steps").is_some());
        let format = root.get("metadata").and_then(|metadata| metadata.get("format")?.as_text());
        if is_list("actions") || has("job_name") || has("protocols") || has("timeouts") && has("visibility") {
            Some(Kind::Job)
        } else if steps || format.is_some_and(|format| format.starts_with("Lava-Test")) {
            Some(Kind::TestDefinition)
        } else if is_list("devices") || ["sandboxes", "machines", "workers", "legacy-map"].into_iter().any(is_map) {
            Some(Kind::Lab)
        } else if ["actions", "commands", "constants", "character_delays"].into_iter().any(is_map) {
            Some(Kind::Device)
        } else {
            None
        }
    }

    /// The finding that a document is of this kind, and not of the one that is `wanted`.
    pub fn instead_of(self, wanted: Kind, source: &Source, root: Option<&Node>) -> Diagnostic {
        let name = source.name();
        let help = match self {
            Kind::Job => format!("check it with `convoke check {name}`"),
            Kind::TestDefinition => {
                "it is checked with a job that runs it: `convoke check` reads repositories that are on \
                                     this machine (`from: git`, `repository: /path/to/it`), as they are committed"
                    .to_owned()
            }
            Kind::Lab => format!("check it with `convoke lab check --lab {name}`"),
            Kind::Device | Kind::Template => format!(
                "a device is checked with the lab file that names it (`dictionary: {name}`): `convoke lab check DEVICE`"
            ),
        };
        let help = match self {
            Kind::Template if wanted == Kind::Job => format!("{help}; a template of jobs has to be rendered first"),
            _ => help,
        };
        let first = root.and_then(Node::as_map).and_then(<[_]>::first).map(|(key, _)| key.span);
        let span = first.unwrap_or_else(|| Span::new(0, source.text().lines().next().map_or(0, str::len)));
        Diagnostic::error("file.other-kind", "", span, format!("this is {self}, not {wanted}")).help(help)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::{Limits, parse};

    fn of(text: &str) -> Option<Kind> {
        let source = Source::new("file.yaml", text);
        Kind::of(&source, parse(&source, Limits::default()).0.as_ref())
    }

    #[test]
    fn documents_are_told_by_their_outermost_keys() {
        assert_eq!(of("actions: [{deploy: {to: sandbox}}]"), Some(Kind::Job));
        assert_eq!(of("protocols: {}\ndevices: []"), Some(Kind::Job));
        assert_eq!(of("metadata: {format: Lava-Test Test Definition 1.0}"), Some(Kind::TestDefinition));
        assert_eq!(of("run: {steps: [ls]}"), Some(Kind::TestDefinition));
        assert_eq!(of("devices: []"), Some(Kind::Lab));
        assert_eq!(of("sandboxes: {on_demand: 3}"), Some(Kind::Lab));
        assert_eq!(of("device_type: panda\nactions: {boot: {methods: {minimal: }}}"), Some(Kind::Device));
        assert_eq!(of("{% extends 'panda.jinja2' %}\n{% set a = 'b' %}"), Some(Kind::Template));
    }

    #[test]
    fn what_does_not_tell_is_taken_for_what_was_wanted() {
        for text in
            ["device_type: sandbox", "metadata: {format: other}", "nonsense: 1", "job_name: [", "visibility: public"]
        {
            assert!(!matches!(of(text), Some(kind) if kind != Kind::Job), "{text}");
        }
    }
}
