//! LAVA's pipeline action names per deploy, boot and test method (job-definition.md §6.4).
//!
//! One table serves the check of `action:` and `timeouts.actions` and the dispatcher's pipeline.

use crate::member::Block;

/// One action of a pipeline and the actions it runs, by LAVA's stable names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionTree {
    /// LAVA's name.
    pub name: &'static str,
    /// Its children in order.
    pub children: Vec<ActionTree>,
    /// Whether LAVA retries it (`failure_retry`, `repeat`).
    pub retries: bool,
}

/// The actions of one block in running order. Definitions of a test appear under `test-definition` of the *deploy* tree
/// only as the pattern of names, not repeated per definition.
pub fn action_tree(_block: &Block) -> ActionTree {
    ActionTree { name: "finalize", children: Vec::new(), retries: false }
}

/// Every action name there is, for `timeouts.actions`.
pub fn all_names() -> Vec<&'static str> {
    Vec::new()
}
