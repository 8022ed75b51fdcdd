//! The overlay of one member as a list of files, and its archive (device-side.md §1).
//!
//! Everything is made from an [`OverlayPlan`] alone: the same plan gives the same bytes. What was fetched for a
//! definition is streamed from its archive, never held in memory. Names are checked here once more, because an entry
//! that leaves the results directory would write anywhere on the device.

mod archive;
mod environment;
mod files;

use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use convoke_job::member::{Definition, GroupMember};

use crate::definition::TestDefinition;

pub use archive::write_archive;
pub use environment::{Environment, environment};
pub use files::entries;

/// Everything the overlay of one member is made from.
#[derive(Clone, Debug, Default)]
pub struct OverlayPlan {
    /// Job id as text: the name of the directory, `lava-<id>`, and the member's own name unless `self_name` differs.
    pub job_id: String,
    /// The results directory on the device, absolute, `%s` already replaced: `/lava-9001`.
    pub results_dir: String,
    /// First line of every helper, for example `/bin/sh`.
    pub shell: String,
    /// `environment` file: names and values in order (device-side.md §1.2).
    pub environment: Vec<(String, String)>,
    /// `secrets` file.
    pub secrets: Vec<(String, String)>,
    /// The MultiNode data files; `None` for a single-device job.
    pub group: Option<GroupTable>,
    /// One entry a test block of the namespace, in order.
    pub stages: Vec<Stage>,
    /// Distro of the deployment (`os:`), for `deps-<distro>` and the package helpers; `None` is generic.
    pub distro: Option<String>,
    /// Storage, addresses and other device data for `lava-target-*`: file name under `device/` and text.
    pub device_files: Vec<(String, String)>,
    /// A public key, one line, with which one may log in to the device as root (device-side.md §9.4).
    pub authorized_key: Option<String>,
    /// Pause before each signal (`character_delays.test` of the device), for slow serial lines.
    pub character_delay: Option<Duration>,
}

/// What `multinode/` holds (§1.3).
#[derive(Clone, Debug)]
pub struct GroupTable {
    /// This member's name.
    pub self_name: String,
    /// Its role.
    pub role: String,
    /// All members.
    pub members: Vec<GroupMember>,
}

/// One test action.
#[derive(Clone, Debug, Default)]
pub struct Stage {
    /// Its definitions in order.
    pub definitions: Vec<StagedDefinition>,
}

/// One definition with its files.
#[derive(Clone, Debug)]
pub struct StagedDefinition {
    /// Number over all definitions of the namespace; the suite is `<index>_<name>`.
    pub index: usize,
    /// The job's entry.
    pub entry: Definition,
    /// The definition.
    pub definition: TestDefinition,
    /// Its document, re-dumped into `testdef.yaml`.
    pub document: serde_json::Value,
    /// `<job id>_<level of the repo action>`.
    pub uuid: String,
    /// Commit that was fetched.
    pub commit: Option<String>,
    /// Trees unpacked into the definition's directory, in order: the checkout, then git-repos (their entries already
    /// under the destination's name).
    pub files: Vec<Arc<dyn Tree>>,
}

impl StagedDefinition {
    /// The suite: `<index>_<name>`.
    pub fn suite(&self) -> String {
        format!("{}_{}", self.index, self.entry.name)
    }
}

/// A fetched tree: an uncompressed tar stream that can be read from its start more than once.
pub trait Tree: fmt::Debug + Send + Sync {
    /// Opens it at its start.
    fn open(&self) -> io::Result<Box<dyn Read + '_>>;
}

impl Tree for Vec<u8> {
    fn open(&self) -> io::Result<Box<dyn Read + '_>> {
        Ok(Box::new(self.as_slice()))
    }
}

/// One generated entry of the overlay, below the device's root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Path without a leading slash, `lava-9001/environment`.
    pub path: String,
    /// Permissions, `0o755`.
    pub mode: u32,
    /// What it is.
    pub kind: EntryKind,
}

/// What an [`Entry`] is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A directory.
    Directory,
    /// A file with its bytes.
    File(Vec<u8>),
    /// The place where the trees of a definition go: its directory. Numbers of the stage and of the definition in it.
    Trees(usize, usize),
}

/// An overlay that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum OverlayError {
    /// The plan holds something that cannot be put onto a device. The job, the device or the fetched tree is wrong.
    #[error("{what}: {why}")]
    Plan {
        /// Which part.
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// A tree could not be read.
    #[error("cannot read what was fetched for {suite}: {cause}")]
    Tree {
        /// For which suite.
        suite: String,
        /// Cause.
        cause: io::Error,
    },
    /// The archive could not be written.
    #[error("cannot write the overlay: {0}")]
    Write(#[source] io::Error),
}

impl OverlayError {
    pub(crate) fn plan(what: impl Into<String>, why: impl Into<String>) -> Self {
        OverlayError::Plan { what: what.into(), why: why.into() }
    }
}
