//! What convoke and the fetching stages say to each other.

use std::path::PathBuf;

use convoke_overlay::definition::GitRepo;
use serde::{Deserialize, Serialize};

use super::source::Source;
use crate::error::ErrorClass;

/// To `fetch`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Setup {
    /// The folder over which the stage's own memory is mounted, absolute.
    pub(super) work: PathBuf,
}

/// To `fetch-work`, with the archive and the document as descriptors.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Work {
    /// What to fetch; nothing when only repositories are.
    pub(super) source: Option<Source>,
    /// The definition's path in it.
    pub(super) path: String,
}

/// To `fetch-work`, after its first answer: repositories that the definition asks for.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Repos(pub(super) Vec<Repo>);

/// One of them.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Repo {
    pub(super) url: String,
    pub(super) branch: Option<String>,
    pub(super) destination: String,
}

impl From<GitRepo> for Repo {
    fn from(repo: GitRepo) -> Self {
        Repo { url: repo.url, branch: repo.branch, destination: repo.destination }
    }
}

/// From the stages.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    /// `fetch` has made its namespaces; beside it a pidfd of `fetch-work`.
    Entered,
    /// What was asked for last is in the files.
    Done {
        /// The commit of a git source.
        commit: Option<String>,
    },
    /// It cannot be had.
    Failed {
        /// Whose fault it is.
        class: ErrorClass,
        /// One line.
        message: String,
    },
}

/// Why something cannot be fetched.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) class: ErrorClass,
    pub(super) message: String,
}

impl Trouble {
    /// The source is wrong.
    pub(super) fn job(message: impl Into<String>) -> Self {
        Trouble { class: ErrorClass::Job, message: message.into() }
    }

    /// The network, the disk or a tool is missing.
    pub(super) fn lab(message: impl Into<String>) -> Self {
        Trouble { class: ErrorClass::Infrastructure, message: message.into() }
    }
}

impl From<convoke_artifact::Error> for Trouble {
    fn from(error: convoke_artifact::Error) -> Self {
        Trouble { class: crate::error::class_of(error.fault), message: error.message }
    }
}
