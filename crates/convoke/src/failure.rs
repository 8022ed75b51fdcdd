//! Why a command ends without doing its work, and the exit status that says so.

use std::process::ExitCode;

use crate::output;

/// What ended a command. A user's mistake, a lab's fault and our bug are different things.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The job, the lab file or the command line is wrong.
    #[error("{0}")]
    User(String),
    /// The findings are printed already.
    #[error("the job has errors")]
    Findings,
    /// The machine or the lab failed.
    #[error("{0}")]
    Lab(String),
    /// Our bug.
    #[error("{0}")]
    Bug(String),
}

impl Failure {
    pub(crate) fn print(&self) {
        match self {
            Failure::Findings => {}
            Failure::Bug(message) => output::error(&format!("bug in convoke: {message}")),
            other => output::error(&other.to_string()),
        }
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Failure::User(_) | Failure::Findings => 2,
            Failure::Lab(_) => 3,
            Failure::Bug(_) => 4,
        })
    }
}
