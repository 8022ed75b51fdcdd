//! The repositories at hand: texts of files that test definitions run, given by whoever can read them.

use std::collections::BTreeMap;

use convoke_job::member::{Definition, DefinitionFrom};

/// The files of one repository by path within it.
#[derive(Clone, Debug, Default)]
pub struct Repository {
    /// How its files are called in a message, for example the path of the working tree.
    pub name: String,
    /// Text by path relative to the root, with `/`. A file that is no text is [`None`]: it is there, and no script.
    pub files: BTreeMap<String, Option<String>>,
}

/// Repositories by where definitions say they are.
#[derive(Clone, Debug, Default)]
pub struct Repositories(BTreeMap<Key, Repository>);

/// What tells one checkout from another.
type Key = (String, Option<String>, Option<String>);

impl Repositories {
    /// None is at hand.
    pub fn new() -> Self {
        Self::default()
    }

    /// The repository of a definition; one that stands in the job has none.
    pub fn insert(&mut self, definition: &Definition, repository: Repository) {
        if let Some(key) = key(definition) {
            self.0.insert(key, repository);
        }
    }

    /// The repository of a definition, when it is at hand.
    pub fn get(&self, definition: &Definition) -> Option<&Repository> {
        self.0.get(&key(definition)?)
    }
}

fn key(definition: &Definition) -> Option<Key> {
    match &definition.from {
        DefinitionFrom::Inline(_) => None,
        DefinitionFrom::Git { repository, branch, revision, .. } => {
            Some((repository.clone(), branch.clone(), revision.clone()))
        }
        DefinitionFrom::Url { repository, .. } => Some((repository.clone(), None, None)),
    }
}
