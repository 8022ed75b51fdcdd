//! Reading what the user names: job files, lab files.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use convoke_job::{Diagnostic, Severity, Source};

use crate::failure::Failure;
use crate::report;

/// More than this is read by nobody: the reader of jobs refuses far less, with a better message.
const MOST: u64 = 64 << 20;

/// Why a document cannot be read.
#[derive(Debug)]
pub(crate) enum Unread {
    /// The file cannot be read.
    File(String),
    /// It holds no text.
    Text(String, Box<Diagnostic>),
}

impl Unread {
    /// As a finding, for programs.
    pub(crate) fn finding(self) -> Diagnostic {
        match self {
            Unread::File(message) => Diagnostic {
                code: "file.unreadable",
                severity: Severity::Error,
                message,
                help: None,
                path: String::new(),
                labels: Vec::new(),
            },
            Unread::Text(_, finding) => *finding,
        }
    }
}

impl From<Unread> for Failure {
    /// Prints the finding, if it is one.
    fn from(unread: Unread) -> Failure {
        match unread {
            Unread::File(message) => Failure::User(message),
            Unread::Text(name, mut finding) => {
                // There is no text to draw it into, so the name would stand nowhere.
                finding.message = format!("{name}: {}", finding.message);
                report::print(&Source::new(name, ""), &[*finding]);
                Failure::Findings
            }
        }
    }
}

/// Reads a document; `-` is standard input. Fails with one clear message.
pub(crate) fn read(path: &Path, what: &str) -> Result<Source, Unread> {
    let name = path.display().to_string();
    let mut bytes = Vec::new();
    let outcome = if name == "-" {
        std::io::stdin().lock().take(MOST + 1).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| file.take(MOST + 1).read_to_end(&mut bytes))
    };
    outcome.map_err(|error| {
        Unread::File(match error.kind() {
            ErrorKind::NotFound => format!("{what} `{name}` does not exist"),
            ErrorKind::IsADirectory => format!("{what} `{name}` is a folder; give a file"),
            ErrorKind::PermissionDenied => format!("{what} `{name}` may not be read by you"),
            _ => format!("{what} `{name}` cannot be read: {error}"),
        })
    })?;
    if bytes.len() as u64 > MOST {
        return Err(Unread::File(format!("{what} `{name}` is larger than {} MiB", MOST >> 20)));
    }
    Source::from_bytes(name.clone(), bytes).map_err(|finding| Unread::Text(name, Box::new(finding)))
}
