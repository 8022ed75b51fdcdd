//! Serves groups: the client trait the dispatcher speaks to, and a group within this process.
//!
//! | module | is about |
//! |---|---|
//! | `client` | what a dispatcher needs from a coordinator |
//! | `event` | what happens in a group, for those who record it |
//! | `local` | a group within this process: its handle and its clients |
//! | `task` | the task that owns such a group |
//! | `tcp` | a group at a coordinator elsewhere, LAVA's or ours |
//!
//! The rules are those of `convoke-group`; this crate moves requests and answers, and keeps the time.

mod client;
mod event;
mod local;
mod task;
mod tcp;
pub mod wire;

pub use client::{CallOptions, GroupClient, LocalFuture};
pub use event::{GroupEvent, WaitingCall};
pub use local::LocalGroup;
pub use tcp::{DEFAULT_PORT, TcpClient, TcpSettings, coordinator_address};
