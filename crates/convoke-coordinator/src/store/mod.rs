//! The log behind the groups: what happened to each, kept so that a coordinator that is killed goes on where it was.
//!
//! ```text
//! request ─▶ apply to the group ─▶ append(group, record) ─▶ … durable … ─▶ reply
//! start   ─▶ load() ─▶ apply every record of every group, in order
//! ```
//!
//! The inputs of a group are its log: applying them again gives the same state. A store keeps them and knows nothing of
//! what they mean. The trait is narrow, so that a replicated log can stand behind it too.
//!
//! **Promise.** Once the future of [`Store::append`] has completed without an error the record is kept, whatever happens
//! to the process. The records of one group come back in the order of the calls of `append`, without a hole; of records
//! that were not acknowledged at most the first ones come back. A failed append has left nothing behind.
//!
//! **How it fails.** An append that cannot be kept fails, and later ones may succeed: so whoever appends waits for the one
//! before it, and tries the same again when it failed ([`Entry::Several`] keeps what has gathered meanwhile).
//!
//! | module | is about |
//! |---|---|
//! | `memory` | stores without a disk |
//! | `file` | the store in a state directory: its handle and its lock |
//! | `writer` | the thread that commits |
//! | `frame`, `segment` | a line and a file of the log |
//! | `index` | what is needed of which segment |
//! | `compact` | taking finished groups out |
//! | `replay`, `recover` | reading a log, and mending it at start |
//! | `expiry` | when a group is forgotten |
//! | `probe` | where tests make the disk fail |

mod compact;
mod expiry;
mod file;
mod frame;
mod index;
mod memory;
mod probe;
mod recover;
mod replay;
mod segment;
#[cfg(test)]
mod tests;
mod writer;

use std::future::Future;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::pin::Pin;

use convoke_group::{GroupName, Input, MemberName, Time, WaitId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::measure::Distribution;
use crate::wire::TokenDigest;

pub use expiry::Expiry;
pub use file::FileStore;
pub use memory::{Discard, MemoryStore};

/// What [`Store::append`] and [`Store::forget`] return. The operation is queued when the method is called, not when the
/// future is first polled; dropping the future does not take it back.
pub type StoreFuture = Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send>>;

/// The records of every group, in the order in which the groups were begun.
pub type Loaded = Vec<(GroupName, Vec<Record>)>;

/// A log of the inputs of groups.
pub trait Store: Send + Sync {
    /// Adds a record to a group's log, which begins with its first record. Completes when it is kept.
    fn append(&self, group: &GroupName, record: Record) -> StoreFuture;

    /// Ends a group's log: it is not loaded any more, and a later record under its name begins a new one. Harmless for
    /// a group without records. Completes when it is kept.
    fn forget(&self, group: &GroupName) -> StoreFuture;

    /// Everything that is kept of the groups that were not forgotten. Blocks: call it at start.
    ///
    /// # Errors
    /// The log cannot be read.
    fn load(&self) -> Result<Loaded, StoreError>;

    /// What was done since the store was opened.
    fn stats(&self) -> StoreStats {
        StoreStats::default()
    }
}

/// One thing to keep of a group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// When. It has to mean the same after a restart, so count it from the Unix epoch, and let it never run backwards.
    pub at: Time,
    /// What.
    pub entry: Entry,
}

/// What happened to a group. Written as `{"created": {"size": 2}}`, `{"input": {…}}` and so on; a reader refuses what it
/// does not know, so a further variant needs a new version of the file's format.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// It was made, for so many members. The first record of every group.
    Created {
        /// Members.
        size: NonZeroUsize,
    },
    /// An input of the group's rules.
    Input(Input),
    /// A member handed in a bundle (`aggregate`, coordinator-protocol.md §4.9).
    Bundle {
        /// Who.
        member: MemberName,
        /// The bundle as sent.
        bundle: Value,
    },
    /// The release of a sync reached its member. A release without it counts as owed when the group is built again.
    Collected {
        /// The call that was answered.
        wait: WaitId,
    },
    /// The name that its caller gave to a call of sync. Stands before the call.
    Named {
        /// The call.
        wait: WaitId,
        /// Its name.
        call: String,
    },
    /// A member has finished, unless it is heard of again.
    Finished {
        /// Who.
        member: MemberName,
    },
    /// A member that had finished was heard of again.
    Returned {
        /// Who.
        member: MemberName,
    },
    /// It is closed to who does not show the token of its first member.
    Closed {
        /// What is kept of the token.
        token: TokenDigest,
    },
    /// Several records that are kept together or not at all.
    Several(Vec<Record>),
    /// Somebody asked for something that changed nothing. Kept now and then, so that [`Expiry`] knows the group is alive.
    Seen,
}

/// Why something was not kept, or cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no room. Nothing kept is lost; it works again when there is room.
    #[error("{}: no room to keep the state: make room, clients come again until then", path.display())]
    Full {
        /// Where.
        path: PathBuf,
    },
    /// The disk failed. Nothing kept is lost.
    #[error("{}: {action}: {why}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// What was tried, as in `cannot write`.
        action: &'static str,
        /// What the system said.
        why: String,
    },
    /// Another coordinator uses the state directory.
    #[error(
        "{}: another coordinator uses this state directory{}: stop it, or give this one a directory of its own",
        path.display(),
        process.map(|process| format!(" (process {process})")).unwrap_or_default()
    )]
    InUse {
        /// The directory.
        path: PathBuf,
        /// Its process, when known.
        process: Option<u32>,
    },
    /// A newer program wrote the state.
    #[error(
        "{}: the state has format version {found}, this program knows {known}: use the program that wrote it, or another state directory",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u64,
        /// The highest version this program knows.
        known: u64,
    },
    /// One record is larger than a log can hold.
    #[error("a record of {bytes} bytes is too large to be kept, the limit is {limit}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The store has been closed.
    #[error("the state is closed, the coordinator is ending")]
    Closed,
}

/// Counters, from the opening of the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Records kept, forgotten groups included.
    pub records: u64,
    /// Bytes written for them.
    pub bytes: u64,
    /// Commits: many records share one.
    pub commits: u64,
    /// Commits that failed.
    pub failures: u64,
    /// Segments rewritten or removed because most of them was garbage.
    pub compactions: u64,
    /// Appends that are queued and not kept yet.
    pub pending: u64,
    /// How long commits took, in microseconds on the scale [`TIMES`](crate::measure::TIMES).
    pub commit_times: Distribution,
    /// Appends a commit, on the scale [`COUNTS`](crate::measure::COUNTS).
    pub commit_sizes: Distribution,
}
