//! The document of a job, for the places of what a job says.

use convoke_job::yaml::{self, Limits};
use convoke_job::{Node, Source, Span};

use crate::model::Place;

/// The index of the job's document in the texts of a flow.
const JOB: usize = 0;

/// A job's document as text and tree.
pub(crate) struct Document {
    pub(crate) source: Source,
    root: Option<Node>,
}

impl Document {
    /// Reads it once more: whoever checked the job has bounded it.
    pub(crate) fn new(source: &Source) -> Self {
        let limits = Limits { bytes: usize::MAX, nodes: usize::MAX, ..Limits::default() };
        Document { source: source.clone(), root: yaml::parse(source, limits).0 }
    }

    /// The value at a path of keys, for example of a role.
    pub(crate) fn at(&self, keys: &[&str]) -> Option<&Node> {
        keys.iter().try_fold(self.root.as_ref()?, |node, key| node.get(key))
    }

    /// The keys of a block by its path, `actions[2].test`.
    pub(crate) fn block(&self, path: &str) -> Option<&Node> {
        let (index, kind) = path.strip_prefix("actions[")?.split_once("].")?;
        self.at(&["actions"])?.as_list()?.get(index.parse::<usize>().ok()?)?.get(kind)
    }

    /// A place in it.
    pub(crate) fn place(&self, span: Span) -> Place {
        Place { text: JOB, span, from: None }
    }

    /// Where a value stands, or else `span`.
    pub(crate) fn place_of(&self, node: Option<&Node>, span: Span) -> Place {
        self.place(node.map_or(span, |node| node.span))
    }
}
