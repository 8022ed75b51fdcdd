//! A test definition: what its document says (device-side.md §5.2).

use serde_json::Value;

/// A test definition. Shell lines are kept verbatim; null steps are dropped.
#[derive(Clone, Debug, Default)]
pub struct TestDefinition {
    /// `metadata`, for `testdef_metadata`.
    pub metadata: Value,
    /// `params` then `parameters`, in order, as text; null is `None`.
    pub parameters: Vec<(String, Option<String>)>,
    /// `install.keys`
    pub keys: Vec<String>,
    /// `install.sources`
    pub sources: Vec<String>,
    /// `install.deps`
    pub deps: Vec<String>,
    /// `install.deps-<distro>`: distro and packages.
    pub distro_deps: Vec<(String, Vec<String>)>,
    /// `install.git-repos`
    pub git_repos: Vec<GitRepo>,
    /// `install.steps`
    pub install_steps: Vec<String>,
    /// Whether there is an `install` at all.
    pub has_install: bool,
    /// `run.steps`
    pub run_steps: Vec<String>,
    /// `parse.pattern` and `parse.fixupdict`
    pub parse: Option<ParsePattern>,
    /// `expected`
    pub expected: Option<Vec<String>>,
}

/// A repository to be cloned into the definition's directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitRepo {
    /// URL, parameters already put in.
    pub url: String,
    /// Branch.
    pub branch: Option<String>,
    /// Directory, a direct child of the definition's.
    pub destination: String,
}

/// `parse` of a definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsePattern {
    /// Regular expression with the groups `test_case_id`, `result` and perhaps `measurement`, `units`.
    pub pattern: String,
    /// From the text of `result` to pass, fail, skip, unknown.
    pub fixup: Vec<(String, String)>,
}

/// A definition that cannot be used: where in it, and why. A user's mistake.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct DefinitionError {
    /// Path in the definition, for example `run.steps[2]`.
    pub path: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl TestDefinition {
    /// Reads a definition from its document's value.
    pub fn from_value(_value: &Value) -> Result<Self, DefinitionError> {
        Ok(Self::default())
    }
}
