//! Recording: many recorders, one queue.
//!
//! The queue gives every event its place and its time under one lock, so that order and times agree. Recording never
//! waits for the disk, except that console bytes wait while their member has [`CONSOLE_LIMIT`] bytes in the queue: a
//! console that floods is read no faster than it is written, and memory stays bounded. After the journal is closed,
//! recording does nothing.

use std::collections::HashMap;
use std::fmt;
use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Instant;

use crate::encode::console_bytes;
use crate::event::{Body, Event, nanos};
use crate::pipeline::Pipeline;
use crate::view::View;
pub use crate::writer::Journal;

/// Bytes of one member's console that may wait to be written.
pub const CONSOLE_LIMIT: usize = 256 * 1024;

/// Something in the queue.
pub(crate) enum Item {
    /// An event.
    Body(Box<Body>),
    /// Console bytes, and the connection they came from.
    Console(Vec<u8>, Option<String>),
    /// Values to mask from here on.
    Mask(Vec<String>),
    /// A view that sees everything from here on.
    View(Box<dyn View>),
}

/// An item with its time and member.
pub(crate) struct Queued {
    pub(crate) at: jiff::Timestamp,
    pub(crate) elapsed_ns: u64,
    pub(crate) member: Option<u32>,
    pub(crate) item: Item,
}

#[derive(Default)]
pub(crate) struct Queue {
    pub(crate) items: Vec<Queued>,
    /// Console bytes in `items`, a member.
    pub(crate) console: HashMap<u32, usize>,
    /// Who waits for room.
    pub(crate) wakers: Vec<Waker>,
    pub(crate) closed: bool,
    /// For tests: events are processed at once and kept here.
    memory: Option<Memory>,
}

#[derive(Default)]
struct Memory {
    pipeline: Pipeline,
    events: Vec<Event>,
}

pub(crate) struct Shared {
    queue: Mutex<Queue>,
    pub(crate) filled: Condvar,
    start: Instant,
    calls: AtomicU64,
}

impl Shared {
    fn new(queue: Queue) -> Arc<Self> {
        Arc::new(Shared {
            queue: Mutex::new(queue),
            filled: Condvar::new(),
            start: Instant::now(),
            calls: AtomicU64::new(0),
        })
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn elapsed_ns(&self) -> u64 {
        nanos(self.start.elapsed())
    }

    pub(crate) fn push(&self, queue: &mut Queue, member: Option<u32>, item: Item) {
        if queue.closed {
            return;
        }
        let queued = Queued { at: jiff::Timestamp::now(), elapsed_ns: self.elapsed_ns(), member, item };
        if let Some(memory) = &mut queue.memory {
            memory.events.extend(memory.pipeline.batch(vec![queued], |_| {}));
            queue.wakers.drain(..).for_each(Waker::wake);
            return;
        }
        if let (Item::Console(bytes, _), Some(member)) = (&queued.item, member) {
            *queue.console.entry(member).or_default() += bytes.len();
        }
        queue.items.push(queued);
        self.filled.notify_one();
    }
}

/// The connection of a `Console` event.
fn connection(body: &Body) -> Option<String> {
    match body {
        Body::Console { connection, .. } => connection.clone(),
        _ => None,
    }
}

/// Where members and the run record what happens. Cheap to clone; recording never blocks on the disk.
#[derive(Clone)]
pub struct Recorder {
    shared: Arc<Shared>,
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").finish_non_exhaustive()
    }
}

impl Recorder {
    pub(crate) fn new() -> (Self, Arc<Shared>) {
        let shared = Shared::new(Queue::default());
        (Recorder { shared: Arc::clone(&shared) }, shared)
    }

    /// A recorder without a journal: events are kept in memory, see [`Recorder::events`].
    pub fn for_tests() -> Self {
        Recorder { shared: Shared::new(Queue { memory: Some(Memory::default()), ..Queue::default() }) }
    }

    /// Records an event of the group.
    pub fn group(&self, body: Body) {
        self.record(None, body);
    }

    /// Records an event of one member. For what comes from a console prefer [`Recorder::console`].
    pub fn member(&self, sub_id: u32, body: Body) {
        self.record(Some(sub_id), body);
    }

    fn record(&self, member: Option<u32>, body: Body) {
        let item = match console_bytes(&body) {
            Some(bytes) => Item::Console(bytes.into_owned(), connection(&body)),
            None => Item::Body(Box::new(body)),
        };
        self.shared.push(&mut self.shared.lock(), member, item);
    }

    /// Records bytes from a member's console as they came; waits while too many of that member's bytes are queued.
    /// Needs no particular runtime. Bytes are recorded in whole when the future completes, or not at all.
    pub async fn console(&self, sub_id: u32, bytes: &[u8]) {
        self.connection(sub_id, None, bytes).await;
    }

    /// The same for one of a member's further connections, named by its namespace. They share the limit.
    pub async fn connection(&self, sub_id: u32, name: Option<&str>, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        poll_fn(|context| {
            let mut queue = self.shared.lock();
            let waiting = queue.console.get(&sub_id).copied().unwrap_or(0);
            if waiting >= CONSOLE_LIMIT && !queue.closed {
                if !queue.wakers.iter().any(|waker| waker.will_wake(context.waker())) {
                    queue.wakers.push(context.waker().clone());
                }
                return Poll::Pending;
            }
            self.shared.push(&mut queue, Some(sub_id), Item::Console(bytes.to_vec(), name.map(str::to_owned)));
            Poll::Ready(())
        })
        .await;
    }

    /// The time of an event that is recorded now, nanoseconds since the run started.
    pub fn elapsed_ns(&self) -> u64 {
        self.shared.elapsed_ns()
    }

    /// A number for a MultiNode call, unique in the run.
    pub fn next_call_id(&self) -> u64 {
        self.shared.calls.fetch_add(1, Ordering::Relaxed)
    }

    /// From now on every occurrence of these values is recorded as `[MASKED]`.
    pub fn mask(&self, secrets: Vec<String>) {
        self.shared.push(&mut self.shared.lock(), None, Item::Mask(secrets));
    }

    /// All events so far of a recorder made by [`Recorder::for_tests`]; none of any other.
    pub fn events(&self) -> Vec<Event> {
        self.shared.lock().memory.as_ref().map(|memory| memory.events.clone()).unwrap_or_default()
    }

    /// Waits until an event that fits is recorded, and gives the first one. For tests, with [`Recorder::for_tests`].
    pub async fn until(&self, fits: impl Fn(&Event) -> bool) -> Event {
        poll_fn(|context| {
            let mut queue = self.shared.lock();
            let found = queue.memory.as_ref().and_then(|memory| memory.events.iter().find(|event| fits(event)));
            if let Some(event) = found {
                return Poll::Ready(event.clone());
            }
            queue.wakers.push(context.waker().clone());
            Poll::Pending
        })
        .await
    }
}
