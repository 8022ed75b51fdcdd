//! What goes over the control channels of the stages of a board.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// First message to the stages `command` and `connect`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ShellConfig {
    /// A command line for a shell.
    pub(crate) command: String,
    /// Where it runs; empty is where convoke does.
    pub(crate) folder: PathBuf,
}

/// To the stage `connect`: the connection is not wanted any more.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Disconnect;

/// The program has ended.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Ended {
    /// Its exit status; none when a signal ended it.
    pub(crate) code: Option<i32>,
    /// The last line that it wrote, on standard error if there is any there; of a connection only that.
    pub(crate) said: String,
}

impl Ended {
    /// `exit status 3`
    pub(crate) fn how(&self) -> String {
        match self.code {
            Some(127) => "exit status 127, which a shell gives for a program that it cannot find".into(),
            Some(code) => format!("exit status {code}"),
            None => "killed by a signal".into(),
        }
    }
}
