//! Serves groups: the client trait the dispatcher speaks to, a group within this process, and the coordinator on its
//! TCP port.
//!
//! | module | is about |
//! |---|---|
//! | `client` | what a dispatcher needs from a coordinator |
//! | `clock` | the time that counts for limits, which can be stopped |
//! | `guard` | who is let in |
//! | `event` | what happens in a group, for those who record it |
//! | `local` | a group within this process: its handle and its clients |
//! | `pem` | certificates and keys from files |
//! | `task` | the task that owns such a group |
//! | `wire` | frames, requests and replies |
//! | `registry` | the groups of a coordinator by name |
//! | `server` | the coordinator on its TCP port |
//! | [`status`] | what a running coordinator tells of itself |
//! | [`measure`] | counting how long things take |
//! | `configuration` | its configuration file |
//! | [`store`] | the log behind groups that are served to others |
//! | `tcp` | a group at a coordinator elsewhere, LAVA's or ours |
//!
//! The rules are those of `convoke-group`; this crate moves requests and answers, and keeps the time.

mod client;
mod clock;
mod configuration;
mod event;
mod guard;
mod local;
pub mod measure;
mod pem;
pub mod registry;
mod server;
pub mod status;
pub mod store;
mod task;
mod tcp;
pub mod wire;

pub use client::{CallOptions, GroupClient, LocalFuture};
pub use clock::{Clock, Moment};
pub use configuration::{Configuration, ConfigurationError, KEYS};
pub use event::{GroupEvent, WaitingCall};
pub use guard::{Guard, TokensError, read_tokens};
pub use local::{Brake, LocalGroup};
pub use pem::TlsError;
pub use registry::Limits;
pub use server::{ListenError, Listeners, Server, ServerSettings, Tls, TlsFiles, Watch};
pub use tcp::{
    Access, ClientTls, ClientTlsFiles, DEFAULT_PORT, DEFAULT_TLS_PORT, TcpClient, TcpSettings, coordinator_address,
};
