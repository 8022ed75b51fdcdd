//! Where a definition comes from, in the words of the stage: paths absolute, defaults put in.

use convoke_artifact::place::Place;
use convoke_job::member::{Definition, DefinitionFrom};
use serde::{Deserialize, Serialize};

use crate::error::ActionError;

/// A source to fetch.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Source {
    /// A git repository.
    Git(GitSource),
    /// An archive.
    Archive(ArchiveSource),
}

/// A git repository.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct GitSource {
    pub(super) place: Place,
    pub(super) branch: Option<String>,
    pub(super) revision: Option<String>,
    pub(super) shallow: bool,
    pub(super) history: bool,
    pub(super) recursive: bool,
}

/// An archive.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ArchiveSource {
    pub(super) place: Place,
    pub(super) compression: Option<String>,
    pub(super) strip_components: u32,
    pub(super) headers: Vec<(String, String)>,
    pub(super) checksums: Vec<(String, String)>,
}

impl Source {
    /// The source of a definition; none when it is inline.
    pub(super) fn of(entry: &Definition) -> Result<Option<Source>, ActionError> {
        let source = match &entry.from {
            DefinitionFrom::Inline(_) => return Ok(None),
            DefinitionFrom::Git { repository, branch, revision, shallow, history, recursive } => {
                Source::Git(GitSource {
                    place: Place::of(given(entry, repository)?),
                    branch: branch.clone().filter(|branch| !branch.is_empty()),
                    revision: revision.clone().filter(|revision| !revision.is_empty()),
                    shallow: *shallow,
                    history: *history,
                    recursive: *recursive,
                })
            }
            DefinitionFrom::Url { repository, compression, strip_components, headers, checksums } => {
                Source::Archive(ArchiveSource {
                    place: Place::of(given(entry, repository)?),
                    compression: compression.clone(),
                    strip_components: *strip_components,
                    headers: headers.clone(),
                    checksums: checksums.clone(),
                })
            }
        };
        Ok(Some(source))
    }
}

fn given<'a>(entry: &Definition, repository: &'a str) -> Result<&'a str, ActionError> {
    if repository.is_empty() || repository.starts_with('-') || repository.chars().any(char::is_control) {
        return Err(ActionError::job(format!(
            "test definition {}: the repository {repository:?} is neither a URL nor a path",
            entry.name
        )));
    }
    Ok(repository)
}
