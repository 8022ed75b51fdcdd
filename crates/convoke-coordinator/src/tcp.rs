//! A group at a coordinator elsewhere, LAVA's or ours, over TCP.
//!
//! ```text
//! call ──▶ request ──▶ ack, group_data ──▶ Done
//!             ▲    ──▶ nack            ──▶ Refused
//!             │    ──▶ wait: held      ──┐
//!             │        wait: not held  ──┤ poll_delay
//!             │        no reply        ──┤ growing pause
//!             └──────────────────────────┘ until the call's own limit, by the clock
//! ```
//!
//! Every request asks to be held. A coordinator that understands it answers when there is an answer; one that does not
//! (LAVA's) answers `wait` at once and is polled, as its own dispatchers do. Asking the same again is harmless with both:
//! a send replaces itself, a sync arrives once.
//!
//! A coordinator that holds may also keep the connection for the next request, and close it at any time; then the
//! request is made again on a new one.
//!
//! A request to a coordinator that does not hold is always read to its end, also when nobody waits for the answer any
//! more: LAVA's dies of a client that is gone (coordinator-protocol.md §7.2). With one that holds, closing the
//! connection is what withdraws the call.

mod access;
mod exchange;
mod kept;
mod message;
mod pauses;
mod settings;
mod stream;
mod tls;
mod words;

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use convoke_group::{Answer, Call, WaitView};
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::task::TaskTracker;

use crate::client::{CallOptions, GroupClient, LocalFuture};
use crate::wire::{Json, Reply};
use exchange::{Line, NoReply};
use message::Manners;
use pauses::Pauses;

pub use access::Access;
pub use settings::{DEFAULT_PORT, DEFAULT_TLS_PORT, TcpSettings, coordinator_address};
pub use tls::{ClientTls, ClientTlsFiles};

/// How long a request asks to be held; then the call asks again. A machine that has vanished is noticed in this time.
const HOLD: Duration = Duration::from_secs(60);
/// How long after its limit a call still takes the answer to a request that is on its way.
const LAST_WORD: Duration = Duration::from_secs(1);
/// A held request that is answered with `wait` sooner than this was not held.
const NOT_HELD: Duration = Duration::from_millis(500);
/// How long a member that ends tries to say so.
const LEAVING: Duration = Duration::from_secs(20);
/// Requests beyond this are refused by coordinators without a word (coordinator-protocol.md §1 rule 3).
const LONGEST_REQUEST: usize = 1 << 20;

/// One member's connection to its group at a coordinator elsewhere. Clones are the same member.
///
/// The member registers with its first call, [`Call::Assemble`]: a coordinator knows no group before that. The answer to
/// it holds the members of the group with their roles (as text), in the coordinator's order.
#[derive(Clone, Debug)]
pub struct TcpClient {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    settings: TcpSettings,
    access: Access,
    line: Arc<Line>,
    /// What the coordinator has shown to be.
    manner: AtomicU8,
    left: AtomicBool,
    /// Why it could not be asked the last time.
    trouble: Mutex<Option<String>>,
    /// A request may have reached the coordinator.
    met: AtomicBool,
    /// When this client was made, and how many calls it has made: the names of calls.
    born: u128,
    calls: AtomicU64,
    /// Everything on its way.
    tasks: TaskTracker,
}

/// How a coordinator treats a request that asks to be held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    Unknown,
    /// It holds it.
    Holds,
    /// It does not know of it and has to be polled.
    Polled,
}

impl TcpClient {
    /// A client; nothing is sent yet.
    pub fn new(settings: TcpSettings) -> TcpClient {
        TcpClient::with_access(settings, Access::default())
    }

    /// A client that shows what the coordinator asks for; nothing is sent yet.
    pub fn with_access(settings: TcpSettings, access: Access) -> TcpClient {
        let manner = AtomicU8::new(Manner::Unknown as u8);
        let trouble = Mutex::default();
        let (left, met) = (AtomicBool::new(false), AtomicBool::new(false));
        let born = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let (calls, tasks) = (AtomicU64::new(1), TaskTracker::new());
        let line = Arc::new(Line::new(settings.coordinator.clone(), access.tls.clone()));
        TcpClient {
            shared: Arc::new(Shared { settings, access, line, manner, left, trouble, met, born, calls, tasks }),
        }
    }

    /// Leaves the group if that has not happened, and waits until the coordinator knows or has been tried for long
    /// enough. To be awaited before the runtime ends.
    pub async fn finish(&self) {
        self.leave("its dispatcher ended");
        self.shared.tasks.close();
        if timeout(LEAVING, self.shared.tasks.wait()).await.is_err() {
            let coordinator = &self.shared.settings.coordinator;
            tracing::warn!(coordinator, "the coordinator was not told that the member has ended");
        }
    }
}

impl GroupClient for TcpClient {
    fn call(&self, call: Call, options: CallOptions) -> LocalFuture<'_, Answer> {
        Box::pin(self.shared.call(call, options))
    }

    fn leave(&self, why: &str) {
        if !self.shared.left.swap(true, Ordering::Relaxed) {
            let (shared, why) = (Arc::clone(&self.shared), why.to_owned());
            self.shared.tasks.spawn(async move { shared.clear(&why).await });
        }
    }

    fn waits(&self) -> LocalFuture<'_, Vec<WaitView>> {
        Box::pin(self.shared.waits())
    }

    fn trouble(&self) -> Option<String> {
        self.shared.trouble().clone()
    }
}

impl Shared {
    async fn call(&self, call: Call, options: CallOptions) -> Answer {
        if self.left.load(Ordering::Relaxed) {
            return words::invalid(&call, format!("{} has left the group", self.settings.member));
        }
        let deadline = options.limit.and_then(|limit| Instant::now().checked_add(limit));
        let left = || deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let name = self.next_call();
        let mut pauses = Pauses::new();
        loop {
            let limit = left();
            let hold = (self.manner() != Manner::Polled).then(|| limit.unwrap_or(HOLD).min(HOLD));
            let manners = Manners { hold, limit, quiet: options.quiet, call: name.clone() };
            let frame = message::call_frame(&self.settings, &self.access, call.clone(), &manners);
            if frame.len() > LONGEST_REQUEST {
                let most = LONGEST_REQUEST >> 10;
                return words::invalid(
                    &call,
                    format!("the message is longer than {most} KiB: send less, or where it is"),
                );
            }
            let asked = Instant::now();
            let patience = limit.map_or(Duration::MAX, |left| left.saturating_add(LAST_WORD));
            let answered = timeout(patience, self.ask(frame, hold)).await;
            let answered = answered.unwrap_or(Err(NoReply::Lost("does not answer")));
            if answered.is_ok() {
                *self.trouble() = None;
            }
            let (pause, last) = match answered {
                Ok((Reply::Nack(_), _)) if self.may_change(&call) => (self.settings.poll_delay, None),
                Ok((reply, holds)) => match message::answer(&self.settings, &call, reply) {
                    Some(answer) => return answer,
                    None => {
                        pauses.reset();
                        let held = holds && asked.elapsed() >= NOT_HELD;
                        (if held { Duration::ZERO } else { self.settings.poll_delay }, None)
                    }
                },
                Err(trouble) => {
                    let last = format!("coordinator {} {trouble}", self.settings.coordinator);
                    tracing::debug!("{last}");
                    *self.trouble() = Some(last.clone());
                    (pauses.next(), Some(last))
                }
            };
            match left() {
                Some(Duration::ZERO) => return words::timed_out(&self.settings, &call, last),
                Some(left) => sleep(pause.min(left)).await,
                None => sleep(pause).await,
            }
        }
    }

    fn trouble(&self) -> MutexGuard<'_, Option<String>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a nack is not the last word: LAVA's coordinator says it to a wait-all as long as nobody has sent, while
    /// the promise is to wait (coordinator-protocol.md §7.1 D8).
    fn may_change(&self, call: &Call) -> bool {
        matches!(call, Call::WaitAll { role: None, .. }) && self.manner() != Manner::Holds
    }

    /// Makes one request. It goes on without the caller unless the coordinator holds requests.
    async fn ask(&self, frame: Vec<u8>, hold: Option<Duration>) -> Result<(Reply, bool), NoReply> {
        let line = Arc::clone(&self.line);
        let task = self.tasks.spawn(async move { line.exchange(&frame, hold).await });
        let mut open = OpenRequest::new(self, task.abort_handle());
        let message = joined(task).await;
        open.answered = true;
        if !matches!(&message, Err(trouble) if trouble.not_made()) {
            self.met.store(true, Ordering::Relaxed);
        }
        let (reply, holds) = Reply::read(&message?).map_err(|error| {
            tracing::debug!("{error}");
            NoReply::Lost("answered with what is no reply")
        })?;
        match reply {
            _ if holds => self.manner.store(Manner::Holds as u8, Ordering::Relaxed),
            Reply::Wait if hold.is_some() => self.manner.store(Manner::Polled as u8, Ordering::Relaxed),
            _ => {}
        }
        Ok((reply, holds))
    }

    /// The held requests of this member. LAVA's protocol has no such question, and nothing is held there.
    async fn waits(&self) -> Vec<WaitView> {
        if self.manner() != Manner::Holds || self.left.load(Ordering::Relaxed) {
            return Vec::new();
        }
        let answered = self.ask(message::waits_frame(&self.settings, &self.access), None).await;
        answered.ok().and_then(|(reply, _)| message::waits(&reply)).unwrap_or_default()
    }

    /// A name that no other call of this member has, also not one of an earlier process.
    fn next_call(&self) -> String {
        format!("{:x}-{}", self.born, self.calls.fetch_add(1, Ordering::Relaxed))
    }

    fn manner(&self) -> Manner {
        match self.manner.load(Ordering::Relaxed) {
            value if value == Manner::Holds as u8 => Manner::Holds,
            value if value == Manner::Polled as u8 => Manner::Polled,
            _ => Manner::Unknown,
        }
    }

    /// Tells that this member has finished. A coordinator that was never reached is tried once. Not repeated once it may have arrived at a coordinator that counts requests
    /// (coordinator-protocol.md §7.1 D7).
    async fn clear(&self, why: &str) {
        let frame = message::clear_frame(&self.settings, &self.access, why);
        let mut pauses = Pauses::new();
        let tell = async {
            loop {
                match self.line.exchange(&frame, None).await {
                    Ok(_) => return,
                    Err(trouble) if !trouble.not_made() && self.manner() != Manner::Holds => return,
                    Err(_) if !self.met.load(Ordering::Relaxed) => return,
                    Err(_) => sleep(pauses.next()).await,
                }
            }
        };
        let _ = timeout(LEAVING, tell).await;
    }
}

async fn joined(task: JoinHandle<Result<Json, NoReply>>) -> Result<Json, NoReply> {
    task.await.unwrap_or(Err(NoReply::Lost("was not asked to the end")))
}

/// A request on its way. Closes the connection of a held one when the caller is gone.
struct OpenRequest<'a> {
    shared: &'a Shared,
    task: AbortHandle,
    answered: bool,
}

impl<'a> OpenRequest<'a> {
    fn new(shared: &'a Shared, task: AbortHandle) -> Self {
        OpenRequest { shared, task, answered: false }
    }
}

impl Drop for OpenRequest<'_> {
    fn drop(&mut self) {
        if !self.answered && self.shared.manner() == Manner::Holds {
            self.task.abort();
        }
    }
}
