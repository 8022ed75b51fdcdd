//! How an artifact cannot be had: one line, and whose fault it is (job-definition.md §16).

use std::io;

use serde::{Deserialize, Serialize};

/// Whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fault {
    /// What the author of the job named is wrong: no such file, another checksum, not an image of that kind. Trying
    /// again changes nothing.
    Job,
    /// The network, a server, a disk or a tool of this machine. Another try, or another machine, may do.
    Lab,
    /// Convoke's own.
    Bug,
}

/// Why an artifact cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// Whose fault it is.
    pub fault: Fault,
    /// One line: what, where, what to do.
    pub message: String,
}

impl Error {
    /// The job is wrong.
    pub fn job(message: impl Into<String>) -> Self {
        Error { fault: Fault::Job, message: message.into() }
    }

    /// The lab failed.
    pub fn lab(message: impl Into<String>) -> Self {
        Error { fault: Fault::Lab, message: message.into() }
    }

    pub(crate) fn bug(message: impl Into<String>) -> Self {
        Error { fault: Fault::Bug, message: message.into() }
    }

    /// A file of ours that cannot be written or read; `what` says which.
    pub(crate) fn disk(what: &str, error: &io::Error) -> Self {
        let advice = match error.kind() {
            io::ErrorKind::StorageFull => "; the disk is full: make room, or set another folder",
            io::ErrorKind::QuotaExceeded => "; the quota is used up: make room, or set another folder",
            _ => "",
        };
        Error::lab(format!("cannot {what}: {error}{advice}"))
    }
}
