//! A test definition: what its document says (device-side.md §5.2).
//!
//! Reading is strict about what would run wrongly (a step that is a mapping, a parameter that is no shell name, a
//! pattern that does not compile) and tolerant about the rest: unknown keys and odd scalars become
//! [`TestDefinition::warnings`], because definitions in the field carry keys of many tools.

mod read;

pub(crate) use read::RESERVED;

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
    /// `install.git-repos`, as written; see [`TestDefinition::git_repos`] for the ones to fetch.
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
    /// What is odd but tolerated, each `path: what`. To be logged.
    pub warnings: Vec<String>,
}

/// A repository to be cloned into the definition's directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitRepo {
    /// URL.
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

impl DefinitionError {
    pub(crate) fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        DefinitionError { path: path.into(), message: message.into() }
    }
}

impl TestDefinition {
    /// Reads a definition from its document's value.
    pub fn from_value(value: &Value) -> Result<Self, DefinitionError> {
        read::definition(value)
    }

    /// The parameters a script of this definition sees: its own first, then the job's, which win because they are
    /// assigned later (§5.5).
    pub fn merged_parameters<'a>(
        &'a self,
        job: &'a [(String, Option<String>)],
    ) -> impl Iterator<Item = (&'a str, Option<&'a str>)> {
        self.parameters.iter().chain(job).map(|(name, value)| (name.as_str(), value.as_deref()))
    }

    /// The repositories to fetch: `url` and `branch` that name a parameter are replaced by its value, destinations
    /// that are not given are made from the URL.
    pub fn resolved_git_repos(&self, job: &[(String, Option<String>)]) -> Result<Vec<GitRepo>, DefinitionError> {
        let lookup = |text: &str| -> String {
            self.merged_parameters(job)
                .filter(|(name, _)| *name == text)
                .last()
                .map_or_else(|| text.to_string(), |(_, value)| value.unwrap_or_default().to_string())
        };
        let mut repos: Vec<GitRepo> = Vec::new();
        for (at, repo) in self.git_repos.iter().enumerate() {
            let path = format!("install.git-repos[{at}]");
            let url = lookup(&repo.url);
            if url.is_empty() {
                return Err(DefinitionError::new(path, format!("parameter {:?} gives no url", repo.url)));
            }
            let branch = repo.branch.as_deref().map(lookup).filter(|branch| !branch.is_empty());
            let destination =
                if repo.destination.is_empty() { read::destination_of(&url) } else { repo.destination.clone() };
            read::check_destination(&path, &destination)?;
            if repos.iter().any(|other| other.destination == destination) {
                return Err(DefinitionError::new(
                    path,
                    format!("two repositories go to {destination:?}; give one a destination of its own"),
                ));
            }
            repos.push(GitRepo { url, branch, destination });
        }
        Ok(repos)
    }
}

impl ParsePattern {
    /// Compiles the pattern as a multi-line regular expression, and checks that it has the groups results are made of.
    pub fn compile(&self) -> Result<fancy_regex::Regex, DefinitionError> {
        let error = |message: String| DefinitionError::new("parse.pattern", message);
        let regex = convoke_job::pattern::compile(&self.pattern)
            .map_err(|why| error(format!("not a regular expression: {why}")))?;
        for group in ["test_case_id", "result"] {
            if !regex.capture_names().flatten().any(|name| name == group) {
                return Err(error(format!("has no group (?P<{group}>…)")));
            }
        }
        Ok(regex)
    }
}

/// A message of another library on one line.
pub(crate) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
