//! How many connections there are, of whom, and which of them are idle.
//!
//! Invariant: every open connection has a [`Place`], and is counted until its place is given back or taken away. A kept
//! connection that waits for its next request counts like any other, but is the first to go: when somebody new finds no
//! room, the connection that has been idle for longest is closed. Who has too many connections loses its own idle ones
//! and nobody else's.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// How many there may be at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Most {
    pub(super) all: usize,
    pub(super) of_address: usize,
    pub(super) idle: usize,
}

#[derive(Debug)]
pub(super) struct Places {
    most: Most,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    addresses: HashMap<IpAddr, Address>,
    /// Idle connections, the one that has been idle for longest first. What is taken out is told so.
    idle: BTreeMap<u64, (IpAddr, oneshot::Sender<()>)>,
    next: u64,
}

#[derive(Debug, Default)]
struct Address {
    connections: usize,
    idle: usize,
}

impl Places {
    pub(super) fn new(most: Most) -> Arc<Self> {
        Arc::new(Self { most, counts: Mutex::default() })
    }

    /// A place for a new connection; else of whom there are too many, `all` or those of one `address`.
    pub(super) fn take(self: &Arc<Self>, address: IpAddr) -> Result<Place, &'static str> {
        let mut counts = self.counts();
        let (here, idle) = counts.addresses.get(&address).map_or((0, 0), |of| (of.connections, of.idle));
        if here >= self.most.of_address && !(idle > 0 && counts.evict(Some(address))) {
            return Err("address");
        }
        if counts.all >= self.most.all && !counts.evict(None) {
            return Err("all");
        }
        counts.all += 1;
        counts.addresses.entry(address).or_default().connections += 1;
        Ok(Place { places: Arc::clone(self), address, counted: true, idle: None })
    }

    /// How many there are, and how many of them are idle.
    pub(super) fn count(&self) -> (usize, usize) {
        let counts = self.counts();
        (counts.all, counts.idle.len())
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        // Counts only: what a panicking holder left is whole.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    /// Closes an idle connection, and no longer counts it.
    fn evict(&mut self, of: Option<IpAddr>) -> bool {
        let mut candidates = self.idle.iter().filter(|(_, (address, _))| of.is_none_or(|of| of == *address));
        let Some(number) = candidates.next().map(|(number, _)| *number) else { return false };
        if let Some((address, _told)) = self.idle.remove(&number) {
            self.change(address, |of| of.idle -= 1);
            self.leave(address);
        }
        true
    }

    fn leave(&mut self, address: IpAddr) {
        self.all -= 1;
        self.change(address, |of| of.connections -= 1);
    }

    fn change(&mut self, address: IpAddr, change: impl FnOnce(&mut Address)) {
        if let Some(of) = self.addresses.get_mut(&address) {
            change(of);
            if of.connections == 0 {
                self.addresses.remove(&address);
            }
        }
    }
}

/// A connection that counts.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    address: IpAddr,
    /// Not taken away.
    counted: bool,
    /// Its number among the idle ones.
    idle: Option<u64>,
}

/// Tells an idle connection that it has to go.
#[derive(Debug)]
pub(super) struct Idle(oneshot::Receiver<()>);

impl Idle {
    /// Returns when the place is taken away.
    pub(super) async fn taken_away(&mut self) {
        // Nothing is ever sent: the other end is dropped.
        let _ = (&mut self.0).await;
    }
}

impl Place {
    /// The connection becomes idle; none when there are too many of these.
    pub(super) fn idle(&mut self) -> Option<Idle> {
        let mut counts = self.places.counts();
        if counts.idle.len() >= self.places.most.idle {
            return None;
        }
        let number = counts.next;
        counts.next += 1;
        let (tell, told) = oneshot::channel();
        counts.idle.insert(number, (self.address, tell));
        counts.change(self.address, |of| of.idle += 1);
        drop(counts);
        self.idle = Some(number);
        Some(Idle(told))
    }

    /// The connection is no longer idle. False when its place was taken away meanwhile: it has to end.
    pub(super) fn busy(&mut self) -> bool {
        if let Some(number) = self.idle.take() {
            let mut counts = self.places.counts();
            self.counted = counts.idle.remove(&number).is_some();
            if self.counted {
                counts.change(self.address, |of| of.idle -= 1);
            }
        }
        self.counted
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.busy() {
            self.places.counts().leave(self.address);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    fn is_told(idle: &mut Idle) -> bool {
        idle.0.try_recv() == Err(oneshot::error::TryRecvError::Closed)
    }

    #[test]
    fn the_longest_idle_connection_makes_room_and_counts_once() {
        let places = Places::new(Most { all: 3, of_address: 3, idle: 2 });
        let (mut a, mut b) = (places.take(address(1)).unwrap(), places.take(address(2)).unwrap());
        let mut c = places.take(address(1)).unwrap();
        let (mut idle_a, mut idle_b) = (a.idle().unwrap(), b.idle().unwrap());
        assert!(c.idle().is_none(), "there are idle ones enough");
        let d = places.take(address(3)).unwrap();
        assert!(is_told(&mut idle_a) && !is_told(&mut idle_b));
        assert!(!a.busy());
        assert!(b.busy());
        assert!(places.take(address(3)).is_err(), "nobody is idle");
        drop(a);
        assert!(places.take(address(3)).is_err(), "what was taken away is not given back again");
        drop((b, c, d));
        let counts = places.counts();
        assert_eq!((counts.all, counts.addresses.len(), counts.idle.len()), (0, 0, 0));
    }

    #[test]
    fn who_has_too_many_loses_its_own() {
        let places = Places::new(Most { all: 10, of_address: 1, idle: 10 });
        let (mut other, mut own) = (places.take(address(1)).unwrap(), places.take(address(2)).unwrap());
        let mut idle_other = other.idle().unwrap();
        assert!(places.take(address(2)).is_err(), "its only connection is at work");
        let mut idle_own = own.idle().unwrap();
        let _new = places.take(address(2)).unwrap();
        assert!(is_told(&mut idle_own) && !is_told(&mut idle_other));
    }
}
