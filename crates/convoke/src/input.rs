//! Reading what the user names: job files, lab files.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use convoke_job::Source;

use crate::failure::Failure;
use crate::report;

/// More than this is read by nobody: the reader of jobs refuses far less, with a better message.
const MOST: u64 = 64 << 20;

/// Reads a document; `-` is standard input. Fails with one clear message.
pub(crate) fn read(path: &Path, what: &str) -> Result<Source, Failure> {
    let name = path.display().to_string();
    let mut bytes = Vec::new();
    let outcome = if name == "-" {
        std::io::stdin().lock().take(MOST + 1).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| file.take(MOST + 1).read_to_end(&mut bytes))
    };
    outcome.map_err(|error| {
        Failure::User(match error.kind() {
            ErrorKind::NotFound => format!("{what} `{name}` does not exist"),
            ErrorKind::IsADirectory => format!("{what} `{name}` is a folder; give a file"),
            ErrorKind::PermissionDenied => format!("{what} `{name}` may not be read by you"),
            _ => format!("{what} `{name}` cannot be read: {error}"),
        })
    })?;
    if bytes.len() as u64 > MOST {
        return Err(Failure::User(format!("{what} `{name}` is larger than {} MiB", MOST >> 20)));
    }
    Source::from_bytes(name.clone(), bytes).map_err(|finding| {
        report::print(&Source::new(name, ""), &[finding]);
        Failure::Findings
    })
}
