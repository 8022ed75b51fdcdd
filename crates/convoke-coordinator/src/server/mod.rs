//! The coordinator on its TCP port (coordinator-protocol.md §1).
//!
//! ```text
//! listener ──▶ one task a connection ──ask──▶ hub (groups, by shard) ──▶ convoke_group
//!                 ▲        │                    │
//!                 └────────┴───── reply ◀───────┘   now, or when another request satisfies it
//! ```
//!
//! A connection is one request and one reply, or several one after another for a client that asks to keep it. Nothing it does or leaves undone delays another: it is read, held and
//! answered by a task of its own, and a group is only ever looked at for as long as one request takes.
//!
//! | module | is about |
//! |---|---|
//! | `listen` | the addresses |
//! | `accept` | taking connections |
//! | `connection` | one request and its reply |
//! | `closing` | how a connection ends, and whether a reply arrived |
//! | `origins` | who made how many groups |
//! | `places` | how many connections there are, of whom |
//! | `stream` | its bytes, in clear or within TLS |
//! | `tls` | how it becomes one of TLS |
//! | `hub` | the groups, and who waits for a reply |
//! | `journal` | what of a group is not kept yet |
//! | `observer` | what happens, told to those who look |
//! | `metrics`, `exposition`, `scrape` | what is counted, as text, over HTTP |
//! | `reports` | how much the log is told |
//! | `status` | the status socket |
//! | `clock` | the time of the groups |

mod accept;
mod clock;
mod closing;
mod connection;
mod exposition;
mod hub;
mod journal;
mod listen;
mod metrics;
mod observer;
mod origins;
mod places;
mod reports;
mod scrape;
mod status;
mod stream;
#[cfg(test)]
mod tests;
mod tls;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::guard::Guard;
use crate::registry::Limits;
use crate::status::Totals;
use crate::store::{Expiry, Store, StoreError};
pub use listen::{ListenError, Listeners};
pub use tls::{Tls, TlsFiles};

use accept::Accepting;
use hub::Hub;
use observer::Observer;
use places::{Most, Places};

/// How long connections have to end when the server does.
const LAST_REPLIES: Duration = Duration::from_secs(5);
/// Open files beside connections: listeners, the state, callers for status and metrics.
const OWN_FILES: usize = 128;
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
    /// Kept connections at once that wait for their next request.
    pub idle_connections: usize,
    /// How long a kept connection may wait for its next request.
    pub idle_time: Duration,
    /// Groups at once that one address has made.
    pub groups_per_address: usize,
    /// Who is let in.
    pub guard: Guard,
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
            // A quarter is always left to others.
            connections_per_address: 12_288,
            idle_connections: 8_192,
            idle_time: Duration::from_secs(60),
            groups_per_address: 32_768,
            guard: Guard::default(),
            group: Limits::default(),
            expiry: Expiry::default(),
        }
    }
}

impl ServerSettings {
    /// Takes no more connections than this many open files have room for, beside those that the server itself needs.
    /// Returns how many it would have taken, when that was more.
    pub fn fit(&mut self, open_files: u64) -> Option<usize> {
        let files = usize::try_from(open_files).unwrap_or(usize::MAX);
        let most = files.saturating_sub(OWN_FILES).max(files / 2).max(1);
        let asked = self.connections;
        if asked <= most {
            return None;
        }
        self.connections = most;
        // The same shares as without the limit: one address leaves a quarter to others, half may be idle.
        self.connections_per_address = self.connections_per_address.min((most * 3 / 4).max(1));
        self.idle_connections = self.idle_connections.min(most / 2);
        Some(asked)
    }
}

/// A coordinator that is ready to serve.
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared>,
    listeners: Listeners,
    tls: Option<(Listeners, Tls)>,
}

#[derive(Debug)]
struct Shared {
    settings: ServerSettings,
    hub: Arc<Hub>,
    observer: Arc<Observer>,
    places: Arc<Places>,
    tasks: TaskTracker,
    end: CancellationToken,
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
        let observer = Arc::<Observer>::default();
        let places = Places::new(Most {
            all: settings.connections,
            of_address: settings.connections_per_address,
            idle: settings.idle_connections,
        });
        let shared = Shared {
            hub: Hub::new(&settings, store, Arc::clone(&observer))?,
            observer,
            settings,
            places,
            tasks: TaskTracker::new(),
            end: CancellationToken::new(),
        };
        Ok(Self { shared: Arc::new(shared), listeners, tls: None })
    }

    /// Serves with TLS on these ports too.
    #[must_use]
    pub fn with_tls(self, listeners: Listeners, tls: Tls) -> Self {
        Self { tls: Some((listeners, tls)), ..self }
    }

    /// Where it listens for TLS.
    pub fn tls_addresses(&self) -> Vec<SocketAddr> {
        self.tls.as_ref().map(|(listeners, _)| listeners.addresses()).unwrap_or_default()
    }

    /// Where it listens.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners.addresses()
    }

    /// Something to look at the server with while it runs.
    pub fn watch(&self) -> Watch {
        Watch(Arc::clone(&self.shared))
    }

    /// Tells its status to those who ask for it on the status socket, from now on. Call within a tokio runtime.
    ///
    /// # Errors
    /// The name of the socket, which is that of the first port, is taken.
    pub fn tell_status(&self) -> io::Result<()> {
        let addresses = self.addresses();
        let listener = status::bind(addresses.first().map_or(0, SocketAddr::port))?;
        self.shared.tasks.spawn(status::serve(Arc::clone(&self.shared), listener, addresses));
        Ok(())
    }

    /// Tells its metrics over HTTP at `address`, from now on. Returns where. Call within a tokio runtime.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub fn tell_metrics(&self, address: SocketAddr) -> Result<SocketAddr, ListenError> {
        let listener = listen::bind(address)?;
        let address = listener.local_addr().unwrap_or(address);
        self.shared.tasks.spawn(scrape::serve(Arc::clone(&self.shared), listener));
        Ok(address)
    }

    /// Serves until `end` is cancelled. Then nothing is accepted any more, held requests are told to come again, and
    /// what is being answered is answered.
    pub async fn run(self, end: CancellationToken) {
        let Self { shared, listeners, tls } = self;
        let mut accepting = Accepting::default();
        for listener in listeners.into_inner() {
            accepting.begin(&shared, listener, None);
        }
        if let Some((listeners, tls)) = tls {
            for listener in listeners.into_inner() {
                accepting.begin(&shared, listener, Some(&tls));
            }
        }
        shared.tasks.spawn(tidy(Arc::clone(&shared)));
        end.cancelled().await;
        shared.end.cancel();
        drop(accepting);
        shared.tasks.close();
        if timeout(LAST_REPLIES, shared.tasks.wait()).await.is_err() {
            tracing::warn!(connections = shared.tasks.len(), "ended without waiting for the last connections");
        }
        if timeout(LAST_REPLIES, shared.hub.flush()).await.is_err() {
            tracing::warn!("ended before everything was kept");
        }
    }
}

/// Looks at a server.
#[derive(Clone, Debug)]
pub struct Watch(Arc<Shared>);

impl Watch {
    /// Counts over all groups and connections.
    pub fn totals(&self) -> Totals {
        status::totals(&self.0)
    }
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
