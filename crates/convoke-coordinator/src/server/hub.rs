//! The groups, who waits for a reply, and what is not kept yet.
//!
//! Groups are spread over shards by their name, each behind a lock of its own that is held for one request. A reply goes
//! to its connection through a channel, together with what has to be kept before it leaves; one that nobody takes any
//! more is treated as not delivered.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use convoke_group::{GroupName, Lacking, MemberName, Time};
use tokio::sync::oneshot;

use super::ServerSettings;
use super::clock::Clock;
use super::journal::{Journal, Kept, Round};
use super::observer::Observer;
use super::origins::Origins;
use crate::registry::doing::About;
use crate::registry::{Registry, Step, Ticket, Waited};
use crate::status::{GroupStatus, Totals};
use crate::store::{Loaded, Store, StoreError, StoreStats};
use crate::wire::{Reply, Request, Size};

const SHARDS: usize = 16;

/// A reply.
#[derive(Debug)]
pub(super) struct Answered {
    /// None closes the connection without one.
    pub(super) reply: Option<Reply>,
    /// What has to be kept before it leaves.
    pub(super) kept: Option<Kept>,
}

pub(super) struct Hub {
    shards: Vec<Mutex<Shard>>,
    next_ticket: AtomicU64,
    clock: Clock,
    started: Time,
    store: Option<Arc<dyn Store>>,
    origins: Origins,
    observer: Arc<Observer>,
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub").field("shards", &self.shards).finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct Shard {
    registry: Registry,
    waiting: HashMap<Ticket, oneshot::Sender<Answered>>,
    /// Who made its groups.
    makers: HashMap<GroupName, IpAddr>,
    journals: HashMap<GroupName, Journal>,
}

impl Hub {
    /// A hub with the groups that the store has kept. Call within a tokio runtime.
    pub(super) fn new(
        settings: &ServerSettings,
        store: Option<Arc<dyn Store>>,
        observer: Arc<Observer>,
    ) -> Result<Arc<Self>, StoreError> {
        let registry = || Registry::new(settings.group, settings.expiry);
        let shard = |_| Mutex::new(Shard { registry: registry(), ..Shard::default() });
        let kept = store.as_ref().map(|store| store.load()).transpose()?.unwrap_or_default();
        let times = kept.iter().flat_map(|(_, records)| records.iter().map(|record| record.at));
        let clock = Clock::start(times.max().unwrap_or_default());
        let hub = Arc::new(Self {
            shards: (0..SHARDS).map(shard).collect(),
            next_ticket: AtomicU64::new(1),
            started: clock.now(),
            clock,
            store,
            origins: Origins::new(settings.groups_per_address),
            observer,
        });
        hub.restore(kept);
        Ok(hub)
    }

    fn restore(self: &Arc<Self>, kept: Loaded) {
        let count = kept.len();
        for (group, records) in kept {
            let mut shard = self.shard(&group);
            let step = match shard.registry.restore(group.clone(), records) {
                Some(entries) => Step { entries, ..Step::default() },
                None => Step { ended: true, ..Step::default() },
            };
            self.take(&mut shard, &group, step);
        }
        if self.store.is_some() {
            tracing::info!("{count} {} kept", if count == 1 { "group was" } else { "groups were" });
        }
    }

    /// Makes a request that came from an address. The reply comes through the channel. What could not be kept before is tried first, and the
    /// request is not made as long as that fails.
    pub(super) async fn ask(
        self: &Arc<Self>,
        request: Request,
        from: IpAddr,
    ) -> Option<(Ticket, oneshot::Receiver<Answered>)> {
        let stuck = {
            let mut shard = self.shard(&request.group);
            let stuck = shard.journals.get(&request.group).filter(|journal| journal.is_stuck()).and_then(Journal::kept);
            self.begin(&mut shard, &request.group);
            stuck
        };
        if let Some(kept) = stuck
            && !kept.wait().await
        {
            return None;
        }
        let ticket = Ticket(self.next_ticket.fetch_add(1, Ordering::Relaxed));
        let (reply, answered) = oneshot::channel();
        let group = request.group.clone();
        let mut shard = self.shard(&group);
        shard.waiting.insert(ticket, reply);
        let step = self.step(&mut shard, ticket, request, from);
        self.take(&mut shard, &group, step);
        Some((ticket, answered))
    }

    fn step(&self, shard: &mut Shard, ticket: Ticket, request: Request, from: IpAddr) -> Step {
        let group = request.group.clone();
        let may_make = matches!(request.size, Size::Of(_)) && !shard.registry.has(&group);
        if may_make && let Err(why) = self.origins.add(from) {
            return Step { replies: vec![(ticket, Some(Reply::Nack(why)))], ..Step::default() };
        }
        let step = shard.registry.ask(ticket, request, self.clock.now());
        if may_make {
            if shard.registry.has(&group) {
                shard.makers.insert(group, from);
            } else {
                self.origins.remove(from);
            }
        }
        step
    }

    /// Whether the reply reached its caller.
    pub(super) fn delivered(self: &Arc<Self>, group: &GroupName, ticket: Ticket, reached: bool) {
        let mut shard = self.shard(group);
        let step = shard.registry.delivered(group, ticket, reached, self.clock.now());
        self.take(&mut shard, group, step);
    }

    /// The caller of a held request is gone, or told to come again. A reply that came first is not delivered.
    pub(super) fn withdraw(self: &Arc<Self>, group: &GroupName, ticket: Ticket) {
        let mut shard = self.shard(group);
        let now = self.clock.now();
        let step = if shard.waiting.remove(&ticket).is_some() {
            shard.registry.withdraw(group, ticket, now)
        } else {
            shard.registry.delivered(group, ticket, false, now)
        };
        self.take(&mut shard, group, step);
    }

    /// A held request is told to come again.
    pub(super) fn come_again(self: &Arc<Self>, group: &GroupName, ticket: Ticket) {
        self.shard(group).registry.come_again(group, ticket);
        self.withdraw(group, ticket);
    }

    /// The time of a held request is over.
    pub(super) fn tick(self: &Arc<Self>, group: &GroupName) {
        let mut shard = self.shard(group);
        let step = shard.registry.tick(group, self.clock.now());
        self.take(&mut shard, group, step);
    }

    /// Forgets groups of which nothing was heard for long, and tries again to keep what could not be kept.
    pub(super) fn tidy(self: &Arc<Self>) {
        for shard in &self.shards {
            let mut shard = lock(shard);
            for group in shard.registry.expire(self.started, self.clock.now()) {
                self.observer.expired(&group);
                self.take(&mut shard, &group, Step { ended: true, ..Step::default() });
            }
            let stuck = shard.journals.iter().filter(|(_, journal)| journal.is_stuck());
            for group in stuck.map(|(group, _)| group.clone()).collect::<Vec<_>>() {
                self.begin(&mut shard, &group);
            }
        }
    }

    /// How many requests have no reply yet.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).waiting.len()).sum()
    }

    /// Waits until everything is kept, or cannot be.
    pub(super) async fn flush(&self) {
        for shard in &self.shards {
            let open: Vec<Kept> = lock(shard).journals.values().filter_map(Journal::kept).collect();
            for kept in open {
                kept.wait().await;
            }
        }
    }

    /// The names of the groups of a shard, below [`Hub::shards`].
    pub(super) fn names(&self, shard: usize) -> Vec<GroupName> {
        self.shards.get(shard).map(|shard| lock(shard).registry.names()).unwrap_or_default()
    }

    pub(super) fn shards(&self) -> usize {
        self.shards.len()
    }

    /// A group as it is, without whom its waits lack; none when it has ended.
    pub(super) fn look(&self, group: &GroupName) -> Option<(GroupStatus, Vec<Waited>)> {
        self.shard(group).registry.look(group)
    }

    /// Whom each of some waits lacks: what is waited for, and one who waits.
    pub(super) fn lacking(&self, group: &GroupName, waits: &[(&About, &MemberName)]) -> Vec<Option<Lacking>> {
        let shard = self.shard(group);
        waits.iter().map(|(about, member)| shard.registry.lacking(group, about, member)).collect()
    }

    /// Counts over all groups, one shard after the other.
    pub(super) fn count(&self) -> Totals {
        let mut totals = Totals::default();
        for shard in &self.shards {
            let shard = lock(shard);
            shard.registry.count_into(&mut totals);
            totals.unkept += shard.journals.len();
        }
        totals
    }

    pub(super) fn now(&self) -> Time {
        self.clock.now()
    }

    pub(super) fn started(&self) -> Time {
        self.started
    }

    /// What the store has done, when there is one.
    pub(super) fn store_stats(&self) -> Option<StoreStats> {
        self.store.as_ref().map(|store| store.stats())
    }

    pub(super) fn is_durable(&self) -> bool {
        self.store.is_some()
    }

    fn take(self: &Arc<Self>, shard: &mut Shard, group: &GroupName, step: Step) {
        for note in &step.notes {
            self.observer.note(group, note);
        }
        if step.ended
            && let Some(from) = shard.makers.remove(group)
        {
            self.origins.remove(from);
        }
        if self.store.is_some() && (step.ended || !step.entries.is_empty()) {
            let journal = shard.journals.entry(group.clone()).or_insert_with(Journal::new);
            journal.keep(self.clock.now(), step.entries);
            if step.ended {
                journal.forget();
            }
        }
        for (ticket, reply) in step.replies {
            // A reply may tell of what another request has done, so it waits for everything so far.
            let kept = shard.journals.get(group).and_then(Journal::kept);
            if let Some(waiting) = shard.waiting.remove(&ticket) {
                // A connection that is gone says so itself.
                let _ = waiting.send(Answered { reply, kept });
            }
        }
        self.begin(shard, group);
    }

    /// Begins rounds when there is something to keep.
    fn begin(self: &Arc<Self>, shard: &mut Shard, group: &GroupName) {
        let Some(store) = &self.store else { return };
        if shard.journals.get_mut(group).is_some_and(Journal::begin) {
            // Ends by itself, when everything is kept or it fails.
            tokio::spawn(rounds(Arc::clone(self), Arc::clone(store), group.clone()));
        }
    }

    fn shard(&self, group: &GroupName) -> MutexGuard<'_, Shard> {
        let mut hasher = DefaultHasher::new();
        group.hash(&mut hasher);
        lock(&self.shards[hasher.finish() as usize % SHARDS])
    }
}

/// Keeps what there is to keep of a group.
async fn rounds(hub: Arc<Hub>, store: Arc<dyn Store>, group: GroupName) {
    loop {
        let (round, done) = {
            let mut shard = hub.shard(&group);
            let Some(journal) = shard.journals.get_mut(&group) else { return };
            let Some(round) = journal.round() else {
                shard.journals.remove(&group);
                return;
            };
            let done = match &round {
                Round::Keep(record, _) => store.append(&group, record.clone()),
                Round::Forget => store.forget(&group),
            };
            (round, done)
        };
        let result = done.await;
        let mut shard = hub.shard(&group);
        let Some(journal) = shard.journals.get_mut(&group) else { return };
        match result {
            Ok(()) if journal.succeeded(&round) => hub.observer.kept_again(&group),
            Ok(()) => {}
            Err(error) => {
                hub.observer.not_kept(&group, &error);
                journal.failed();
                return;
            }
        }
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    // A panic in the rules would be our bug; the other groups of the shard are whole and are served on.
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}
