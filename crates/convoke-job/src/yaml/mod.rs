//! YAML 1.1 as LAVA reads it, into a spanned [`Node`] tree (job-definition.md §1).
//!
//! One document whose root is a mapping. Duplicate keys are legal, the last one wins, and a warning shows both places.
//! Anchors, aliases and `<<` work; their expansion, the nesting and the size of a document are bounded by [`Limits`],
//! so no input makes the reader hang or overflow its stack. Fails with one error and no tree when the text is no such
//! document; a tree with errors besides is returned when reading could go on.
//!
//! | code | means |
//! |---|---|
//! | `yaml.encoding` | not UTF-8 (from [`Source::from_bytes`]) |
//! | `yaml.size` | larger than the limit |
//! | `yaml.syntax` | not YAML, or an alias without anchor |
//! | `yaml.nesting` | nested too deep |
//! | `yaml.nodes` | too many values, aliases expanded |
//! | `yaml.documents` | more than one document |
//! | `yaml.empty` | nothing in it |
//! | `yaml.root` | the root is no mapping |
//! | `yaml.tag` | an unknown tag, or a value that is not what its tag says |
//! | `yaml.key` | a mapping or a list as key |
//! | `yaml.merge` | `<<` with something else than mappings |
//! | `yaml.duplicate-key` | warning: a key given twice |

mod build;
mod keys;
mod places;
mod scalar;
mod tags;

use crate::diagnostic::Diagnostic;
use crate::node::Node;
use crate::source::{Source, Span};

/// Bounds on a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of text.
    pub bytes: usize,
    /// Values in the tree, aliases expanded.
    pub nodes: usize,
    /// Levels of nesting, aliases expanded.
    pub depth: usize,
}

impl Default for Limits {
    /// 1 MiB, 100 000 values, 100 levels.
    fn default() -> Self {
        Limits { bytes: 1 << 20, nodes: 100_000, depth: 100 }
    }
}

/// Reads a document. The tree is there unless an error made reading impossible.
pub fn parse(source: &Source, limits: Limits) -> (Option<Node>, Vec<Diagnostic>) {
    let text = source.text();
    if text.len() > limits.bytes {
        let mut finding = Diagnostic::error(
            "yaml.size",
            "",
            Span::new(0, 0),
            format!("the document has {} bytes, the limit is {}", text.len(), limits.bytes),
        )
        .help("is this the right file? a job file holds text, not images or logs");
        // No place in it says anything.
        finding.labels.clear();
        return (None, vec![finding]);
    }
    build::Builder::new(text, limits).run()
}
