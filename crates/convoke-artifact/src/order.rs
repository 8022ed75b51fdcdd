//! What is asked for, what is made of it, and how far it has come.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::checksum::Sums;
use crate::resource::Resource;

/// What is asked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Order {
    /// What to get, and what to put into it.
    pub resource: Resource,
    /// An existing folder on a disk with room: files without a name are made in it.
    pub scratch: PathBuf,
    /// What relative paths of the job are relative to.
    pub base: PathBuf,
    /// Where copies are kept between runs; `None` keeps nothing.
    pub cache: Option<Cache>,
    /// What `downloads://NAME` leads to: files that an earlier deploy to `downloads` left, by name.
    pub downloads: BTreeMap<String, PathBuf>,
    /// How long a server may be silent; [`PATIENCE`](crate::http::PATIENCE) as a rule.
    pub patience: Duration,
}

/// Where copies are kept between runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cache {
    /// The folder; it is made when it does not exist.
    pub folder: PathBuf,
    /// How many bytes may lie in it; what has not been used for longest goes first.
    pub limit: u64,
}

impl Cache {
    /// Twenty gigabytes.
    pub const LIMIT: u64 = 20_000_000_000;

    /// The user's own: `$XDG_CACHE_HOME/convoke/artifacts`, else `~/.cache/convoke/artifacts`; none without a home.
    pub fn of_user() -> Option<Cache> {
        let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let folder = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
        Some(Cache { folder: folder.join("convoke/artifacts"), limit: Cache::LIMIT })
    }
}

/// How far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// With what.
    pub phase: Phase,
    /// Bytes that are done.
    pub done: u64,
    /// Bytes there are, where that is known.
    pub total: Option<u64>,
}

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// It comes over the network.
    Download,
    /// Its checksum is made.
    Verify,
    /// It is unpacked; `total` is of the packed file, `done` too.
    Unpack,
    /// A copy is made, which the overlay goes into.
    Copy,
}

/// Where the bytes of an artifact came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// A file of this machine, which is used in place.
    Here,
    /// It was downloaded.
    Downloaded,
    /// It was kept from an earlier run.
    Kept,
}

/// An artifact that is ready.
#[derive(Debug)]
pub struct Artifact {
    /// Its bytes; its position may be anywhere. Without a name of its own, or a file that others use too: then not to
    /// be written.
    pub file: File,
    /// Length in bytes.
    pub size: u64,
    /// Whether nobody else has this file: it may be written.
    pub own: bool,
    /// Where the downloaded bytes came from.
    pub origin: Origin,
    /// The sums that were made of the downloaded bytes: those that the job gives, and sha256 of all that came over http.
    pub sums: Sums,
    /// What should be said in the log, one line each.
    pub notes: Vec<String>,
}

impl Artifact {
    /// A path that leads to the file as long as this exists, for programs started as this user on this machine:
    /// `/proc/<pid>/fd/<number>`.
    pub fn path(&self) -> PathBuf {
        path_of(&self.file)
    }
}

pub(crate) fn path_of(file: &File) -> PathBuf {
    PathBuf::from(format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd()))
}
