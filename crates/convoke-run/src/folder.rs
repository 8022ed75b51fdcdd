//! The folder of a run.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use convoke_journal::MemberInfo;

/// Where the files of a run go. Made before anything else happens, so that a run that cannot keep its record never
/// starts.
#[derive(Clone, Debug)]
pub struct RunFolder {
    path: PathBuf,
}

/// The folder cannot be used. A user's mistake.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// It holds a run.
    #[error("output folder `{0}` already holds a run; give another one with --output, or remove it")]
    Taken(PathBuf),
    /// It cannot be made or written.
    #[error("output folder `{path}` cannot be written: {error}; give another one with --output")]
    Unusable {
        /// The folder.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

impl RunFolder {
    /// Makes `path`, with its parents; an existing folder is fine as long as it holds no run.
    pub fn create(path: &Path) -> Result<RunFolder, FolderError> {
        let unusable = |error| FolderError::Unusable { path: path.to_owned(), error };
        if path.join("journal.jsonl").exists() {
            return Err(FolderError::Taken(path.to_owned()));
        }
        fs::create_dir_all(path.join("members")).map_err(unusable)?;
        // Later paths are given to other processes, which have other working folders.
        let path = path.canonicalize().map_err(unusable)?;
        Ok(RunFolder { path })
    }

    /// Makes `parent/<time>-<job name>`, with a number when two runs start within one second.
    pub fn create_default(parent: &Path, job_name: &str, now: jiff::Timestamp) -> Result<RunFolder, FolderError> {
        let time = now.strftime("%Y%m%dT%H%M%SZ");
        let base = format!("{time}-{}", plain(job_name));
        fs::create_dir_all(parent).map_err(|error| FolderError::Unusable { path: parent.to_owned(), error })?;
        let mut path = parent.join(&base);
        let mut number = 1;
        loop {
            match fs::create_dir(&path) {
                Ok(()) => return RunFolder::create(&path),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    number += 1;
                    path = parent.join(format!("{base}-{number}"));
                }
                Err(error) => return Err(FolderError::Unusable { path, error }),
            }
        }
    }

    /// Its path, absolute.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder of a member, made when it is not there.
    pub fn member(&self, info: &MemberInfo) -> io::Result<PathBuf> {
        let path = self.path.join("members").join(convoke_journal::model::folder(info));
        fs::create_dir_all(&path)?;
        Ok(path)
    }
}

/// A name that is at home in every file system: `seed example 1: x` becomes `seed-example-1-x`.
fn plain(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars().take(60) {
        if letter.is_ascii_alphanumeric() || letter == '_' || letter == '.' {
            text.push(letter.to_ascii_lowercase());
        } else if !text.ends_with('-') {
            text.push('-');
        }
    }
    let text = text.trim_matches(['-', '.']).to_owned();
    if text.is_empty() { "job".into() } else { text }
}
