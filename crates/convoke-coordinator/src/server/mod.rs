//! The coordinator on its TCP port (coordinator-protocol.md §1).
//!
//! ```text
//! listener ──▶ one task a connection ──ask──▶ hub (groups, by shard) ──▶ convoke_group
//!                 ▲        │                    │
//!                 └────────┴───── reply ◀───────┘   now, or when another request satisfies it
//! ```
//!
//! A connection is one request and one reply. Nothing it does or leaves undone delays another: it is read, held and
//! answered by a task of its own, and a group is only ever looked at for as long as one request takes.
//!
//! | module | is about |
//! |---|---|
//! | `listen` | the addresses |
//! | `connection` | one request and its reply |
//! | `closing` | how a connection ends, and whether a reply arrived |
//! | `hub` | the groups, and who waits for a reply |
//! | `journal` | what of a group is not kept yet |
//! | `clock` | the time of the groups |

mod clock;
mod closing;
mod connection;
mod hub;
mod journal;
mod listen;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::registry::Limits;
use crate::store::{Expiry, Store, StoreError};
pub use listen::{ListenError, Listeners};

use hub::Hub;

/// How long a listener that cannot accept pauses; the system is out of something then.
const NO_ACCEPT: Duration = Duration::from_millis(100);
/// How long connections have to end when the server does.
const LAST_REPLIES: Duration = Duration::from_secs(5);
/// How often groups that nobody uses are looked for, and what could not be kept is tried again.
const TIDY: Duration = Duration::from_secs(60);

/// How the server treats its clients.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// Bytes of the longest request.
    pub request_bytes: usize,
    /// How long a connection may take to deliver its request, and again to take its reply.
    pub request_time: Duration,
    /// Connections at once, held ones included.
    pub connections: usize,
    /// Connections of one address at once.
    pub connections_per_address: usize,
    /// Limits of one group.
    pub group: Limits,
    /// How long a group is kept of which nothing is heard.
    pub expiry: Expiry,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            request_bytes: 1 << 20,
            request_time: Duration::from_secs(60),
            connections: 16_384,
            connections_per_address: 16_384,
            group: Limits::default(),
            expiry: Expiry::default(),
        }
    }
}

/// A coordinator that is ready to serve.
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared>,
    listeners: Listeners,
}

#[derive(Debug)]
struct Shared {
    settings: ServerSettings,
    hub: Arc<Hub>,
    connections: Mutex<Connections>,
    tasks: TaskTracker,
    end: CancellationToken,
}

#[derive(Debug, Default)]
struct Connections {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

impl Server {
    /// A server with the groups of the store, or without a store one that keeps its groups in memory only. Call within a
    /// tokio runtime.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn new(
        settings: ServerSettings,
        listeners: Listeners,
        store: Option<Arc<dyn Store>>,
    ) -> Result<Self, StoreError> {
        let shared = Shared {
            hub: Hub::new(settings.group, settings.expiry, store)?,
            settings,
            connections: Mutex::default(),
            tasks: TaskTracker::new(),
            end: CancellationToken::new(),
        };
        Ok(Self { shared: Arc::new(shared), listeners })
    }

    /// Where it listens.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners.addresses()
    }

    /// Serves until `end` is cancelled. Then nothing is accepted any more, held requests are told to come again, and
    /// what is being answered is answered.
    pub async fn run(self, end: CancellationToken) {
        let Self { shared, listeners } = self;
        for listener in listeners.into_inner() {
            shared.tasks.spawn(accept(Arc::clone(&shared), listener));
        }
        shared.tasks.spawn(tidy(Arc::clone(&shared)));
        end.cancelled().await;
        shared.end.cancel();
        shared.tasks.close();
        if timeout(LAST_REPLIES, shared.tasks.wait()).await.is_err() {
            tracing::warn!(connections = shared.tasks.len(), "ended without waiting for the last connections");
        }
        if timeout(LAST_REPLIES, shared.hub.flush()).await.is_err() {
            tracing::warn!("ended before everything was kept");
        }
    }
}

async fn accept(shared: Arc<Shared>, listener: TcpListener) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shared.end.cancelled() => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                let address = peer.ip().to_canonical();
                // Too many: closed without a reply, which a client takes for "ask again later".
                if let Some(place) = Place::take(&shared, address) {
                    shared.tasks.spawn(serve(Arc::clone(&shared), stream, peer, place));
                }
            }
            Err(error) => {
                tracing::warn!(%error, "a connection cannot be accepted");
                sleep(NO_ACCEPT).await;
            }
        }
    }
}

async fn serve(shared: Arc<Shared>, stream: TcpStream, peer: SocketAddr, place: Place) {
    connection::serve(&shared, stream, peer).await;
    drop(place);
}

async fn tidy(shared: Arc<Shared>) {
    loop {
        tokio::select! {
            () = sleep(TIDY) => {}
            () = shared.end.cancelled() => return,
        }
        shared.hub.tidy();
    }
}

/// A connection that counts.
struct Place {
    shared: Arc<Shared>,
    address: IpAddr,
}

impl Place {
    fn take(shared: &Arc<Shared>, address: IpAddr) -> Option<Self> {
        let settings = &shared.settings;
        let mut connections = shared.connections();
        let here = connections.by_address.get(&address).copied().unwrap_or(0);
        if connections.all >= settings.connections || here >= settings.connections_per_address {
            drop(connections);
            tracing::warn!(%address, "too many connections");
            return None;
        }
        connections.all += 1;
        connections.by_address.insert(address, here + 1);
        drop(connections);
        Some(Self { shared: Arc::clone(shared), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut connections = self.shared.connections();
        connections.all -= 1;
        if let Some(here) = connections.by_address.get_mut(&self.address) {
            *here -= 1;
            if *here == 0 {
                connections.by_address.remove(&self.address);
            }
        }
    }
}

impl Shared {
    fn connections(&self) -> std::sync::MutexGuard<'_, Connections> {
        // Counts only: what a panicking holder left is whole.
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
