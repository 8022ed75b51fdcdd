//! Jobs of the first generation: the JSON submissions of 2013 to 2017, made into v2 documents.
//!
//! [`convert`] reads the JSON, reports everything that is wrong with it at its place in the JSON, and writes a v2
//! document whose comments name the source of every block. What the old format left open is decided by the rules of
//! legacy-json.md §5 and listed as an assumption. A document with an error gives no YAML; nothing here panics or guesses
//! silently.
//!
//! | module | is about |
//! |---|---|
//! | [`json`] | JSON with a place for every value |
//! | [`template`] | how a device type deploys and boots (`legacy-map`) |
//! | `model` | roles and actions, checked |
//! | `commands`, `deploy`, `testing` | one action to one block |
//! | `assemble` | blocks, boots that V1 left out, limits, the document |
//! | `write` | the document as text |

mod assemble;
mod commands;
mod deploy;
pub mod json;
mod model;
pub mod template;
mod testing;
mod write;

use std::collections::BTreeMap;

pub use template::{LegacyMap, Template};

use crate::diagnostic::Diagnostic;
use crate::node::Node;
use crate::source::Source;

/// How to convert.
#[derive(Clone, Debug)]
pub struct LegacyOptions {
    /// Deploy and boot by device type, from the lab file. `sandbox`, `qemu` and `kvm` are known without it.
    pub legacy_map: LegacyMap,
    /// Device type by device name, for roles that name a device and no type.
    pub devices: BTreeMap<String, String>,
    /// Make one action with several roles of consecutive actions that differ only in their role.
    pub merge: bool,
    /// The job is going to run on sandboxes: what cannot be deployed becomes a neutral deploy and a warning.
    pub rehearse: bool,
    /// Name members by their device's name, as V1 did (`member-names: hostname`).
    pub hostname_members: bool,
}

impl Default for LegacyOptions {
    fn default() -> Self {
        LegacyOptions {
            legacy_map: LegacyMap::default(),
            devices: BTreeMap::new(),
            merge: false,
            rehearse: false,
            hostname_members: true,
        }
    }
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Converted {
    /// The v2 document; `None` exactly when a diagnostic is an error.
    pub yaml: Option<String>,
    /// Findings about the JSON, in the order of its text.
    pub diagnostics: Vec<Diagnostic>,
    /// What was decided where the JSON says nothing, a sentence each.
    pub assumptions: Vec<String>,
}

/// Converts the 2014 JSON of `source`.
pub fn convert(source: &Source, options: &LegacyOptions) -> Converted {
    let (root, mut diagnostics) = json::parse(source);
    let mut assumptions = Vec::new();
    let mut yaml = None;
    if let Some(root) = root.filter(|_| !diagnostics.iter().any(Diagnostic::is_error)) {
        let mut notes = Notes::default();
        let document = model::read(&root, options, &mut notes);
        let assembled = document.and_then(|document| assemble::assemble(&document, options, &mut notes));
        if let Some(assembled) = assembled.filter(|_| !notes.diagnostics.iter().any(Diagnostic::is_error)) {
            yaml = Some(write::document(source, &assembled, &notes.assumptions));
        }
        diagnostics.extend(notes.diagnostics);
        assumptions = notes.assumptions;
    }
    diagnostics.sort_by_key(|finding| finding.labels.first().map(|label| label.span.start));
    Converted { yaml, diagnostics, assumptions }
}

/// Whether `text` is meant as a 2014 JSON submission rather than a v2 document (which may be written as JSON too).
///
/// Decided by the top-level keys; where the text is not JSON, by the words that only one of the formats has.
pub fn is_legacy(text: &str) -> bool {
    let text = text.trim_start_matches('\u{feff}');
    if !text.trim_start().starts_with('{') {
        return false;
    }
    let (root, findings) = json::parse(&Source::new("-", text));
    let has: Box<dyn Fn(&str) -> bool> = match root.filter(|_| !findings.iter().any(Diagnostic::is_error)) {
        Some(root) => Box::new(move |key| match key {
            "command" => root.get("actions").and_then(Node::as_list).is_some_and(|actions| {
                actions.iter().any(|action| action.get("command").is_some_and(|command| command.as_text().is_some()))
            }),
            _ => root.get(key).is_some(),
        }),
        None => Box::new(|key| text.contains(&format!("\"{key}\""))),
    };
    let old = ["device_group", "vm_group", "target", "timeout", "command"];
    let new = ["timeouts", "visibility", "protocols"];
    old.into_iter().any(&has) && !new.into_iter().any(&has)
}

/// What is found on the way.
#[derive(Default)]
struct Notes {
    diagnostics: Vec<Diagnostic>,
    assumptions: Vec<String>,
}

impl Notes {
    fn add(&mut self, finding: Diagnostic) {
        self.diagnostics.push(finding);
    }

    /// Notes an assumption once.
    fn assume(&mut self, text: impl Into<String>) {
        let text = text.into();
        if !self.assumptions.contains(&text) {
            self.assumptions.push(text);
        }
    }
}
