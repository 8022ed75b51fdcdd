//! Stores without a disk: one that keeps nothing, for a coordinator without a state directory, and one that keeps the
//! log in memory, for tests that restart a coordinator and for simulations.

use std::future::ready;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use convoke_group::GroupName;

use super::{Loaded, Record, Store, StoreError, StoreFuture};

/// Keeps nothing and always succeeds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Discard;

impl Store for Discard {
    fn append(&self, _group: &GroupName, _record: Record) -> StoreFuture {
        Box::pin(ready(Ok(())))
    }

    fn forget(&self, _group: &GroupName) -> StoreFuture {
        Box::pin(ready(Ok(())))
    }

    fn load(&self) -> Result<Loaded, StoreError> {
        Ok(Loaded::new())
    }
}

/// Keeps the log in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    groups: Mutex<Loaded>,
    full: AtomicBool,
}

impl MemoryStore {
    /// Makes everything fail as on a full disk, until it is called with `false`.
    pub fn set_full(&self, full: bool) {
        self.full.store(full, Ordering::SeqCst);
    }

    fn groups(&self) -> MutexGuard<'_, Loaded> {
        // Every change is one addition or one removal: what a panicking holder left is whole.
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Loaded)) -> StoreFuture {
        if self.full.load(Ordering::SeqCst) {
            return Box::pin(ready(Err(StoreError::Full { path: PathBuf::from("memory") })));
        }
        change(&mut self.groups());
        Box::pin(ready(Ok(())))
    }
}

impl Store for MemoryStore {
    fn append(&self, group: &GroupName, record: Record) -> StoreFuture {
        self.change(|groups| match groups.iter_mut().find(|(name, _)| name == group) {
            Some((_, records)) => records.push(record),
            None => groups.push((group.clone(), vec![record])),
        })
    }

    fn forget(&self, group: &GroupName) -> StoreFuture {
        self.change(|groups| groups.retain(|(name, _)| name != group))
    }

    fn load(&self) -> Result<Loaded, StoreError> {
        Ok(self.groups().clone())
    }
}
