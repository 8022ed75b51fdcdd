//! Where a definition comes from, in the words of the stage: paths absolute, defaults put in.

use std::path::{Path, PathBuf};

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

/// Where something is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Place {
    /// On this machine, absolute.
    Here(PathBuf),
    /// Somewhere else.
    There(String),
}

impl Default for Place {
    fn default() -> Self {
        Place::There(String::new())
    }
}

impl Place {
    /// A URL, an scp-like address (`host:path`) or a path.
    pub(super) fn of(text: &str) -> Place {
        let path = match text.strip_prefix("file://") {
            Some(path) => path.strip_prefix("localhost").filter(|path| path.starts_with('/')).unwrap_or(path),
            None if text.contains("://") => return Place::There(text.into()),
            None if remote_like(text) => return Place::There(text.into()),
            None => text,
        };
        // Without a working directory nothing relative can be found either; the path then fails as it is.
        Place::Here(std::path::absolute(path).unwrap_or_else(|_| PathBuf::from(path)))
    }

    /// For messages: without a user's name and password.
    pub(super) fn shown(&self) -> String {
        match self {
            Place::Here(path) => path.display().to_string(),
            Place::There(url) => shown(url),
        }
    }
}

/// Whether git would take it for `host:path`: a colon before the first slash, and no such file here.
fn remote_like(text: &str) -> bool {
    let colon = text.find(':');
    colon.is_some_and(|colon| text.find('/').is_none_or(|slash| colon < slash)) && !Path::new(text).exists()
}

/// A URL without user name and password.
pub(crate) fn shown(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.into() };
    let host_end = rest.find('/').unwrap_or(rest.len());
    match rest[..host_end].rfind('@') {
        Some(at) => format!("{scheme}://{}", &rest[at + 1..]),
        None => url.into(),
    }
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
