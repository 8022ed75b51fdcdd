//! A store on a disk that is slow, fails, and is cut off by crashes. It promises what a [`Store`] promises and no more:
//! of what was not acknowledged a crash keeps the first part, of any length.

use std::collections::{BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use convoke_group::GroupName;
use tokio::sync::oneshot;

use super::random::Random;
use crate::store::{Loaded, Record, Store, StoreError, StoreFuture};

/// The disk, which outlives the processes that use it.
#[derive(Debug, Default)]
pub(super) struct Disk {
    kept: Loaded,
    queue: VecDeque<Change>,
    /// How many of the queue are being written.
    writing: usize,
    /// What uses it now; an earlier process has no access any more.
    process: u64,
    /// Groups of which the last change failed.
    failed: BTreeSet<GroupName>,
}

#[derive(Debug)]
struct Change {
    group: GroupName,
    /// None ends the group.
    record: Option<Record>,
    done: oneshot::Sender<Result<(), StoreError>>,
}

/// One process's access to the disk.
#[derive(Clone, Debug)]
pub(super) struct Access {
    disk: Arc<Mutex<Disk>>,
    process: u64,
}

impl Access {
    pub(super) fn new(disk: &Arc<Mutex<Disk>>) -> Self {
        let mut locked = disk.lock().unwrap();
        locked.process += 1;
        locked.failed.clear();
        Self { disk: Arc::clone(disk), process: locked.process }
    }

    fn queue(&self, group: &GroupName, record: Option<Record>) -> StoreFuture {
        let mut disk = self.disk.lock().unwrap();
        if disk.process != self.process {
            return Box::pin(std::future::pending());
        }
        let (done, kept) = oneshot::channel();
        disk.queue.push_back(Change { group: group.clone(), record, done });
        Box::pin(async move { kept.await.unwrap_or(Err(StoreError::Closed)) })
    }
}

impl Store for Access {
    fn append(&self, group: &GroupName, record: Record) -> StoreFuture {
        self.queue(group, Some(record))
    }

    fn forget(&self, group: &GroupName) -> StoreFuture {
        self.queue(group, None)
    }

    fn load(&self) -> Result<Loaded, StoreError> {
        Ok(self.disk.lock().unwrap().kept.clone())
    }
}

impl Disk {
    pub(super) fn kept(&self) -> &Loaded {
        &self.kept
    }

    pub(super) fn can_begin(&self) -> bool {
        self.writing == 0 && !self.queue.is_empty()
    }

    pub(super) fn is_writing(&self) -> bool {
        self.writing > 0
    }

    /// Whether everything that was ever given to it by this process is kept.
    pub(super) fn is_clean(&self) -> bool {
        self.failed.is_empty() && self.queue.is_empty()
    }

    /// Everything queued becomes one commit.
    pub(super) fn begin(&mut self) {
        self.writing = self.queue.len();
    }

    /// The commit succeeds or fails as a whole.
    pub(super) fn end(&mut self, succeeds: bool) {
        for _ in 0..std::mem::take(&mut self.writing) {
            let Change { group, record, done } = self.queue.pop_front().unwrap();
            if succeeds {
                self.failed.remove(&group);
                self.keep(group, record);
            } else {
                self.failed.insert(group);
            }
            let result = if succeeds { Ok(()) } else { Err(StoreError::Full { path: PathBuf::from("disk") }) };
            // Nobody has to wait for it.
            let _ = done.send(result);
        }
    }

    /// The process that uses it ends.
    pub(super) fn crash(&mut self, random: &mut Random) {
        self.process += 1;
        for _ in 0..random.below(self.writing + 1) {
            let Change { group, record, .. } = self.queue.pop_front().unwrap();
            self.keep(group, record);
        }
        self.writing = 0;
        self.queue.clear();
    }

    fn keep(&mut self, group: GroupName, record: Option<Record>) {
        let place = self.kept.iter().position(|(name, _)| *name == group);
        match (record, place) {
            (Some(record), Some(place)) => self.kept[place].1.push(record),
            (Some(record), None) => self.kept.push((group, vec![record])),
            (None, Some(place)) => drop(self.kept.remove(place)),
            (None, None) => {}
        }
    }
}
