//! The groups, and who waits for a reply.
//!
//! Groups are spread over shards by their name, each behind a lock of its own that is held for one request. A reply goes
//! to its connection through a channel; one that nobody takes any more is treated as not delivered.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use convoke_group::GroupName;
use tokio::sync::oneshot;

use super::clock::Clock;
use crate::registry::{Limits, Registry, Step, Ticket};
use crate::wire::{Reply, Request};

const SHARDS: usize = 16;

/// A reply; none closes the connection without one.
pub(super) type Answered = Option<Reply>;

#[derive(Debug)]
pub(super) struct Hub {
    shards: Vec<Mutex<Shard>>,
    next_ticket: AtomicU64,
    clock: Clock,
}

#[derive(Debug, Default)]
struct Shard {
    registry: Registry,
    waiting: HashMap<Ticket, oneshot::Sender<Answered>>,
}

impl Hub {
    pub(super) fn new(limits: Limits) -> Self {
        let shard = |_| Mutex::new(Shard { registry: Registry::new(limits), waiting: HashMap::new() });
        Self { shards: (0..SHARDS).map(shard).collect(), next_ticket: AtomicU64::new(1), clock: Clock::start() }
    }

    /// Makes a request. The reply comes through the channel.
    pub(super) fn ask(&self, request: Request) -> (Ticket, oneshot::Receiver<Answered>) {
        let ticket = Ticket(self.next_ticket.fetch_add(1, Ordering::Relaxed));
        let (reply, answered) = oneshot::channel();
        let group = request.group.clone();
        let mut shard = self.shard(&group);
        shard.waiting.insert(ticket, reply);
        let step = shard.registry.ask(ticket, request, self.clock.now());
        shard.take(&group, step);
        (ticket, answered)
    }

    /// Whether the reply reached its caller.
    pub(super) fn delivered(&self, group: &GroupName, ticket: Ticket, reached: bool) {
        let mut shard = self.shard(group);
        let step = shard.registry.delivered(group, ticket, reached, self.clock.now());
        shard.take(group, step);
    }

    /// The caller of a held request is gone, or told to come again. A reply that came first is not delivered.
    pub(super) fn withdraw(&self, group: &GroupName, ticket: Ticket) {
        let mut shard = self.shard(group);
        let now = self.clock.now();
        let step = if shard.waiting.remove(&ticket).is_some() {
            shard.registry.withdraw(group, ticket, now)
        } else {
            shard.registry.delivered(group, ticket, false, now)
        };
        shard.take(group, step);
    }

    /// The time of a held request is over.
    pub(super) fn tick(&self, group: &GroupName) {
        let mut shard = self.shard(group);
        let step = shard.registry.tick(group, self.clock.now());
        shard.take(group, step);
    }

    /// Forgets groups of which nothing was heard for so long.
    pub(super) fn expire(&self, idle: Duration) {
        for shard in &self.shards {
            for group in lock(shard).registry.expire(idle, self.clock.now()) {
                tracing::info!(%group, "the group is forgotten: nothing was heard of it for long");
            }
        }
    }

    fn shard(&self, group: &GroupName) -> MutexGuard<'_, Shard> {
        let mut hasher = DefaultHasher::new();
        group.hash(&mut hasher);
        lock(&self.shards[hasher.finish() as usize % SHARDS])
    }
}

impl Shard {
    fn take(&mut self, group: &GroupName, step: Step) {
        for note in step.notes {
            tracing::info!(%group, "{note}");
        }
        for (ticket, reply) in step.replies {
            if let Some(waiting) = self.waiting.remove(&ticket) {
                // A connection that is gone says so itself.
                let _ = waiting.send(reply);
            }
        }
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    // A panic in the rules would be our bug; the other groups of the shard are whole and are served on.
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}
