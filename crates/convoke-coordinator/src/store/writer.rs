//! The thread that owns the log: it takes what is queued, writes it at once and syncs it once.
//!
//! ```text
//!            queue                    one write, one fdatasync
//! append ──────────▶ ┌────────────┐ ──────────────────────────▶ open segment
//! append ──────────▶ │   writer   │ ◀── done ── compactor ────▶ closed segments
//! forget ──────────▶ └────────────┘
//!    ◀──── completed after the sync
//! ```
//!
//! While one commit is under way the next one gathers in the queue: the slower the disk, the more share a sync.
//!
//! **How it fails.** When writing or syncing fails the whole commit fails, and the segment is cut back to the last
//! acknowledged line. As long as that does not succeed nothing is accepted, so that nothing unacknowledged ever stands
//! before something acknowledged. A segment that cannot be begun leaves the old one open beyond its size. A compaction
//! that fails leaves the segment as it was, and it is left alone until another segment is closed.

use std::collections::{HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender, SyncSender};
use std::thread::JoinHandle;
use std::time::Instant;

use convoke_group::GroupName;
use tokio::sync::oneshot;

use super::compact::{Compacted, compact};
use super::file::Counters;
use super::frame;
use super::index::Index;
use super::probe::{Probe, Step};
use super::recover::Recovered;
use super::replay::replay;
use super::segment::{self, SegmentNumber, failure};
use super::{Loaded, StoreError};
use crate::measure::{COUNTS, TIMES};

/// A commit takes no more from the queue when it has this many bytes.
const COMMIT_BYTES: usize = 4 * 1024 * 1024;

/// What the writer is asked.
pub(crate) enum Command {
    /// Keep a line: `body` is its text after the numbers, from `"group":` to the closing brace.
    Append { group: GroupName, body: Vec<u8>, ends: bool, done: Done },
    /// Read the whole log.
    Load { done: SyncSender<Result<Loaded, StoreError>> },
    /// The compactor has ended.
    Compacted(Compacted),
    /// Nothing more comes.
    Close,
}

pub(crate) type Done = oneshot::Sender<Result<(), StoreError>>;

/// A line of the commit that is being put together.
struct Placed {
    group: GroupName,
    n: u64,
    s: u64,
    bytes: u64,
    ends: bool,
}

pub(crate) struct Writer {
    dir: PathBuf,
    segment_bytes: u64,
    probe: Probe,
    counters: Arc<Counters>,
    index: Index,
    /// What was read at the start, until something is added.
    loaded: Option<Loaded>,
    number: SegmentNumber,
    file: File,
    /// Bytes of the open segment that are acknowledged.
    good: u64,
    /// Whether something may stand behind them.
    dirty: bool,
    compactor: Option<JoinHandle<()>>,
    /// Segments whose compaction failed.
    resting: HashSet<SegmentNumber>,
    /// Bytes that became garbage since segments were last looked at.
    garbage: u64,
    own: Sender<Command>,
}

impl Writer {
    /// Opens the segment to go on with, or makes one.
    pub(crate) fn new(
        dir: PathBuf,
        segment_bytes: u64,
        probe: Probe,
        counters: Arc<Counters>,
        recovered: Recovered,
        own: Sender<Command>,
    ) -> Result<Self, StoreError> {
        let mut index = recovered.index;
        let (number, file, good) = match recovered.last {
            Some((number, length)) => {
                let path = number.path(&dir);
                let file = OpenOptions::new().write(true).open(&path);
                let file = file.map_err(|error| failure(&path, "cannot open the state", &error))?;
                segment::make_room(&file, length, segment_bytes);
                (number, file, length)
            }
            None => {
                let number = recovered.next;
                let (file, length) = segment::create(&dir, number, segment_bytes, &probe)
                    .map_err(|error| failure(&number.path(&dir), "cannot begin the state", &error))?;
                index.add_segment(number, length);
                (number, file, length)
            }
        };
        // What is in closed segments has not been looked at yet.
        let garbage = segment_bytes;
        Ok(Self {
            dir,
            segment_bytes,
            probe,
            counters,
            index,
            loaded: Some(recovered.loaded),
            number,
            file,
            good,
            dirty: false,
            compactor: None,
            resting: HashSet::new(),
            garbage,
            own,
        })
    }

    /// Serves the queue until it is closed.
    pub(crate) fn run(mut self, queue: &Receiver<Command>) {
        self.start_compactor();
        let mut next = None;
        while let Some(command) = next.take().or_else(|| queue.recv().ok()) {
            match command {
                Command::Append { .. } => next = self.commit(command, queue),
                Command::Load { done } => {
                    // The compactor must not take away what is being read.
                    self.join_compactor();
                    // Whoever asked and did not wait needs no answer.
                    let _ = done.send(self.load());
                }
                Command::Compacted(compacted) => self.compacted(compacted),
                Command::Close => break,
            }
        }
        // If that fails a record that was refused may come back: as after a kill.
        let _ = self.cut_back();
        self.join_compactor();
    }

    fn load(&mut self) -> Result<Loaded, StoreError> {
        match self.loaded.take() {
            Some(loaded) => Ok(loaded),
            None => self.cut_back().and_then(|()| replay(&self.dir)).map(|replay| replay.into_parts().1),
        }
    }

    /// Commits `first` and what is queued behind it; returns the first command that is not part of it.
    fn commit(&mut self, first: Command, queue: &Receiver<Command>) -> Option<Command> {
        self.loaded = None;
        let mut lines = Vec::new();
        let mut waiting = Vec::new();
        let mut bytes = Vec::new();
        // Groups as they are once this commit is done: their number and that of the next record, or ended.
        let mut open: HashMap<GroupName, Option<(u64, u64)>> = HashMap::new();
        let mut next_group = self.index.next_group();
        let mut next = Some(first);
        while let Some(Command::Append { group, body, ends, done }) = next {
            let at = open.get(&group).copied().unwrap_or_else(|| self.index.open(&group));
            // Of a group of which nothing is kept nothing has to be ended.
            if at.is_some() || !ends {
                let (n, s) = at.unwrap_or_else(|| {
                    next_group += 1;
                    (next_group - 1, 0)
                });
                let before = bytes.len();
                frame::push(&mut bytes, &[format!("{{\"n\":{n},\"s\":{s},").as_bytes(), &body]);
                open.insert(group.clone(), (!ends).then_some((n, s + 1)));
                lines.push(Placed { group, n, s, bytes: (bytes.len() - before) as u64, ends });
            }
            waiting.push(done);
            next = if bytes.len() < COMMIT_BYTES { queue.try_recv().ok() } else { None };
        }
        let began = Instant::now();
        let result = if lines.is_empty() { Ok(()) } else { self.write(&bytes) };
        self.counters.commit_times.observe_time(&TIMES, began.elapsed());
        self.counters.commit_sizes.observe(&COUNTS, waiting.len() as u64);
        self.counters.pending.fetch_sub(waiting.len() as u64, Ordering::Relaxed);
        if result.is_ok() {
            self.enter(lines, bytes.len() as u64);
        } else {
            self.counters.failures.fetch_add(1, Ordering::Relaxed);
        }
        for done in waiting {
            // Whoever dropped the future does not want to know.
            let _ = done.send(result.clone());
        }
        // A closed segment is never cut again, so it has to be clean.
        if self.good >= self.segment_bytes && !self.dirty {
            self.begin_segment();
        }
        if self.garbage >= self.segment_bytes / 4 {
            self.start_compactor();
        }
        next
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let path = self.number.path(&self.dir);
        self.cut_back()?;
        self.dirty = true;
        let written = self
            .probe
            .at(Step::Write)
            .and_then(|()| self.file.write_all_at(bytes, self.good))
            .and_then(|()| self.probe.at(Step::Sync))
            .and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            // Tried again before the next commit.
            let _ = self.cut_back();
            return Err(failure(&path, "cannot write the state", &error));
        }
        self.good += bytes.len() as u64;
        self.dirty = false;
        Ok(())
    }

    /// Removes what stands behind the acknowledged lines.
    fn cut_back(&mut self) -> Result<(), StoreError> {
        if self.dirty {
            let cut = self
                .probe
                .at(Step::Cut)
                .and_then(|()| self.file.set_len(self.good))
                .and_then(|()| self.file.sync_data());
            let path = self.number.path(&self.dir);
            cut.map_err(|error| failure(&path, "cannot take an unfinished record back", &error))?;
            self.dirty = false;
        }
        Ok(())
    }

    fn enter(&mut self, lines: Vec<Placed>, bytes: u64) {
        let records = lines.len() as u64;
        for line in lines {
            if line.ends {
                self.garbage += self.index.bytes_of(line.n);
                self.index.end(self.number, &line.group, line.n, line.bytes);
            } else {
                self.index.record(self.number, &line.group, line.n, line.s, line.bytes);
            }
        }
        self.counters.records.fetch_add(records, Ordering::Relaxed);
        self.counters.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.counters.commits.fetch_add(1, Ordering::Relaxed);
    }

    fn begin_segment(&mut self) {
        let number = self.number.next();
        match segment::create(&self.dir, number, self.segment_bytes, &self.probe) {
            Ok((file, length)) => {
                self.index.add_segment(number, length);
                (self.number, self.file, self.good) = (number, file, length);
                self.resting.clear();
                self.garbage = self.garbage.max(self.segment_bytes / 4);
            }
            Err(error) => tracing::debug!(segment = number.0, %error, "no new segment, the old one grows"),
        }
    }

    fn start_compactor(&mut self) {
        if self.compactor.is_some() {
            return;
        }
        self.garbage = 0;
        let header = segment::header().len() as u64;
        let Some(number) = self.index.most_is_garbage(self.number, &self.resting, header) else { return };
        let (dir, probe, own, needed) =
            (self.dir.clone(), self.probe.clone(), self.own.clone(), self.index.needed(number));
        if probe.looks() {
            return self.compacted(compact(&dir, number, needed, &probe));
        }
        let compactor = std::thread::Builder::new().name("state-compactor".to_owned()).spawn(move || {
            // The writer is there: it joins this thread before it ends.
            let _ = own.send(Command::Compacted(compact(&dir, number, needed, &probe)));
        });
        match compactor {
            Ok(compactor) => self.compactor = Some(compactor),
            Err(error) => tracing::warn!(%error, "cannot start a thread to compact the state"),
        }
    }

    fn compacted(&mut self, compacted: Compacted) {
        self.join_compactor();
        let Compacted { number, needed, result } = compacted;
        match result {
            Ok(length) => {
                self.index.rewritten(number, &needed, length);
                self.counters.compactions.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => {
                tracing::warn!(segment = number.0, %error, "cannot compact the state, it stays as it is");
                self.resting.insert(number);
            }
        }
        self.start_compactor();
    }

    fn join_compactor(&mut self) {
        if let Some(compactor) = self.compactor.take() {
            // It reports its errors itself.
            let _ = compactor.join();
        }
    }
}
