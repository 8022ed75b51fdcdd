//! A log in files of one folder, the state directory.
//!
//! ```text
//! DIR/lock              held by the coordinator that uses the folder; says which process that is
//! DIR/00000001.log      segments (`segment.rs`), the last one open, the others only ever compacted
//! DIR/00000001.log.new  a segment that is being rewritten; removed at start
//! DIR/00000001.damaged-1  a damaged segment as it was found, for people
//! ```
//!
//! The handle queues, the writer's thread does the work (`writer.rs`). Dropping the handle writes what is queued and
//! gives the folder free.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel, sync_channel};
use std::thread::JoinHandle;

use convoke_group::GroupName;
use serde::Serialize;
use tokio::sync::oneshot;

use super::probe::Probe;
use super::recover::recover;
use super::segment::failure;
use super::writer::{Command, Writer};
use super::{Loaded, Record, Store, StoreError, StoreFuture, StoreStats, frame};
use crate::measure::Histogram;

/// A segment is closed when it has this many bytes.
const SEGMENT_BYTES: u64 = 16 * 1024 * 1024;

/// Room for the numbers of a line within [`frame::LIMIT`].
const NUMBERS: usize = 64;

/// Keeps the log in files.
#[derive(Debug)]
pub struct FileStore {
    commands: Sender<Command>,
    writer: Option<JoinHandle<()>>,
    counters: Arc<Counters>,
    /// Held until the writer has ended.
    _lock: File,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) records: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) commits: AtomicU64,
    pub(crate) failures: AtomicU64,
    pub(crate) compactions: AtomicU64,
    pub(crate) pending: AtomicU64,
    pub(crate) commit_times: Histogram,
    pub(crate) commit_sizes: Histogram,
}

impl FileStore {
    /// Opens the state directory `dir`, made if need be, and brings its log in order. The notes say what was wrong with
    /// it, one line each, for the operator.
    ///
    /// # Errors
    /// Another coordinator uses the directory, a newer program wrote it, or it cannot be read or written. Damage is none.
    pub fn open(dir: &Path) -> Result<(Self, Vec<String>), StoreError> {
        Self::open_with(dir, SEGMENT_BYTES, Probe::default())
    }

    pub(crate) fn open_with(dir: &Path, segment_bytes: u64, probe: Probe) -> Result<(Self, Vec<String>), StoreError> {
        fs::create_dir_all(dir).map_err(|error| failure(dir, "cannot make the state directory", &error))?;
        let lock = lock(dir)?;
        let mut recovered = recover(dir, &probe)?;
        let notes = std::mem::take(&mut recovered.notes);
        let counters = Arc::new(Counters::default());
        let (commands, queue) = channel();
        let writer = Writer::new(dir.to_owned(), segment_bytes, probe, counters.clone(), recovered, commands.clone())?;
        let writer = std::thread::Builder::new()
            .name("state-writer".to_owned())
            .spawn(move || writer.run(&queue))
            .map_err(|error| failure(dir, "cannot start the thread that writes the state", &error))?;
        Ok((Self { commands, writer: Some(writer), counters, _lock: lock }, notes))
    }

    fn queue(&self, group: &GroupName, record: Option<&Record>) -> StoreFuture {
        let (done, kept) = oneshot::channel();
        match body(group, record) {
            Ok(body) => {
                let command = Command::Append { group: group.clone(), body, ends: record.is_none(), done };
                self.counters.pending.fetch_add(1, Ordering::Relaxed);
                // Without a writer `done` is dropped with the command, which `kept` tells.
                let _ = self.commands.send(command);
            }
            Err(error) => drop(done.send(Err(error))),
        }
        Box::pin(async move { kept.await.unwrap_or(Err(StoreError::Closed)) })
    }
}

impl Store for FileStore {
    fn append(&self, group: &GroupName, record: Record) -> StoreFuture {
        self.queue(group, Some(&record))
    }

    fn forget(&self, group: &GroupName) -> StoreFuture {
        self.queue(group, None)
    }

    fn load(&self) -> Result<Loaded, StoreError> {
        let (done, loaded) = sync_channel(1);
        // As above.
        let _ = self.commands.send(Command::Load { done });
        loaded.recv().unwrap_or(Err(StoreError::Closed))
    }

    fn stats(&self) -> StoreStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        StoreStats {
            records: read(&self.counters.records),
            bytes: read(&self.counters.bytes),
            commits: read(&self.counters.commits),
            failures: read(&self.counters.failures),
            compactions: read(&self.counters.compactions),
            pending: read(&self.counters.pending),
            commit_times: self.counters.commit_times.read(),
            commit_sizes: self.counters.commit_sizes.read(),
        }
    }
}

impl Drop for FileStore {
    fn drop(&mut self) {
        // A writer that is gone needs no word, and one that panicked has said so.
        let _ = self.commands.send(Command::Close);
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

#[derive(Serialize)]
struct Body<'a> {
    group: &'a GroupName,
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<&'a Record>,
}

/// The text of a line after its numbers; made by the caller, so that the writer only writes.
fn body(group: &GroupName, record: Option<&Record>) -> Result<Vec<u8>, StoreError> {
    let mut text = serde_json::to_vec(&Body { group, record }).map_err(|error| StoreError::Io {
        path: PathBuf::from(group.as_str()),
        action: "cannot write a record of this group as text",
        why: error.to_string(),
    })?;
    if text.len() + NUMBERS > frame::LIMIT {
        return Err(StoreError::TooLarge { bytes: text.len(), limit: frame::LIMIT - NUMBERS });
    }
    // The writer puts the brace before the numbers.
    text.remove(0);
    Ok(text)
}

/// Takes the folder's lock, which the system gives back when the process ends, however it ends.
fn lock(dir: &Path) -> Result<File, StoreError> {
    let path = dir.join("lock");
    let failed = |error| failure(&path, "cannot lock the state directory", &error);
    let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
    let mut file = options.map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            // For the message only.
            let _ = file.read_to_string(&mut text);
            return Err(StoreError::InUse { path: dir.to_owned(), process: text.trim().parse().ok() });
        }
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    // The number is for people; a full disk must not keep the coordinator from starting.
    let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
    Ok(file)
}
