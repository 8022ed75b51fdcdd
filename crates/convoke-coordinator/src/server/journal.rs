//! What of a group is not kept yet.
//!
//! ```text
//! step ──▶ queue ──round──▶ store ──▶ kept ──▶ replies leave
//!            ▲                 │ failed
//!            └── stays ◀───────┘   the replies do not leave; the next request tries again first
//! ```
//!
//! Rounds of one group never overlap, and a round is one record, so what is kept of a group has no holes. Many groups
//! share a commit of the store.

use std::collections::VecDeque;

use convoke_group::Time;
use tokio::sync::watch;

use crate::store::{Entry, Record};

/// Bytes of one round, before their quotes are escaped; a record has a limit in the store.
const ROUND: usize = 4 << 20;

#[derive(Debug)]
pub(super) struct Journal {
    queue: VecDeque<Change>,
    queued: u64,
    running: bool,
    /// The last round failed.
    failing: bool,
    progress: watch::Sender<Progress>,
}

#[derive(Debug)]
enum Change {
    Keep(Record),
    Forget,
}

#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    kept: u64,
    failures: u64,
}

/// What is given to the store at once.
#[derive(Debug)]
pub(super) enum Round {
    Keep(Record, usize),
    Forget,
}

/// Tells when everything up to some change is kept.
#[derive(Debug)]
pub(super) struct Kept {
    number: u64,
    failures: u64,
    progress: watch::Receiver<Progress>,
}

impl Journal {
    pub(super) fn new() -> Self {
        let (progress, _) = watch::channel(Progress::default());
        Self { queue: VecDeque::new(), queued: 0, running: false, failing: false, progress }
    }

    pub(super) fn keep(&mut self, at: Time, entries: Vec<Entry>) {
        self.queued += entries.len() as u64;
        self.queue.extend(entries.into_iter().map(|entry| Change::Keep(Record { at, entry })));
    }

    pub(super) fn forget(&mut self) {
        self.queued += 1;
        self.queue.push_back(Change::Forget);
    }

    /// The last round failed, and no other has been begun.
    pub(super) fn is_stuck(&self) -> bool {
        !self.running && !self.queue.is_empty()
    }

    /// Whether somebody has to begin rounds now.
    pub(super) fn begin(&mut self) -> bool {
        let begin = self.is_stuck();
        self.running |= begin;
        begin
    }

    /// What follows when everything so far is kept; none when it is.
    pub(super) fn kept(&self) -> Option<Kept> {
        let progress = self.progress.subscribe();
        let Progress { kept, failures } = *progress.borrow();
        (kept < self.queued).then_some(Kept { number: self.queued, failures, progress })
    }

    /// The next round; none ends the rounds.
    pub(super) fn round(&mut self) -> Option<Round> {
        let mut records = Vec::new();
        let mut bytes = 0;
        for change in &self.queue {
            match change {
                Change::Forget if records.is_empty() => return Some(Round::Forget),
                Change::Keep(record) if records.is_empty() || bytes + size(record) <= ROUND => {
                    bytes += size(record);
                    records.push(record.clone());
                }
                _ => break,
            }
        }
        let count = records.len();
        let last = match records.pop() {
            Some(last) if records.is_empty() => last,
            Some(last) => {
                let at = last.at;
                records.push(last);
                Record { at, entry: Entry::Several(records) }
            }
            None => {
                self.running = false;
                return None;
            }
        };
        Some(Round::Keep(last, count))
    }

    /// True when the rounds before had failed.
    pub(super) fn succeeded(&mut self, round: &Round) -> bool {
        let count = if let Round::Keep(_, count) = round { *count } else { 1 };
        self.queue.drain(..count);
        self.progress.send_modify(|progress| progress.kept += count as u64);
        std::mem::take(&mut self.failing)
    }

    pub(super) fn failed(&mut self) {
        self.running = false;
        self.failing = true;
        self.progress.send_modify(|progress| progress.failures += 1);
    }
}

impl Kept {
    /// Waits until it is kept. False when that failed.
    pub(super) async fn wait(mut self) -> bool {
        let Self { number, failures, .. } = self;
        let settled = self.progress.wait_for(|now| now.kept >= number || now.failures > failures).await;
        settled.is_ok_and(|now| now.kept >= number)
    }
}

/// About how large a record is.
fn size(record: &Record) -> usize {
    use convoke_group::{Call, Input};
    let text = match &record.entry {
        Entry::Input(Input::Call { call: Call::Send { message, .. }, .. }) => message.as_str().map_or(0, str::len),
        Entry::Bundle { bundle, .. } => bundle.as_str().map_or(0, str::len),
        _ => 0,
    };
    // Names, numbers and the words around them: many small records are large too.
    text + 512
}
