//! Which address made how many groups that have not ended yet, so that nobody fills the memory with groups of its own.
//! Groups that were kept from before count for nobody.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

#[derive(Debug)]
pub(super) struct Origins {
    most: usize,
    groups: Mutex<HashMap<IpAddr, usize>>,
}

impl Origins {
    pub(super) fn new(most: usize) -> Self {
        Self { most, groups: Mutex::default() }
    }

    /// Counts a group that this address is about to make; says why not when it has made enough.
    pub(super) fn add(&self, address: IpAddr) -> Result<(), String> {
        let mut groups = self.groups();
        let count = groups.entry(address).or_default();
        if *count >= self.most {
            if *count == 0 {
                groups.remove(&address);
            }
            return Err(format!("this address has made {} groups that have not ended, the most it may", self.most));
        }
        *count += 1;
        Ok(())
    }

    /// A group that was counted has ended, or was not made.
    pub(super) fn remove(&self, address: IpAddr) {
        let mut groups = self.groups();
        if let Some(count) = groups.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                groups.remove(&address);
            }
        }
    }

    fn groups(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        // Counts only: what a panicking holder left is whole.
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
