//! Serves groups: the client trait the dispatcher speaks to, and a group within this process.

mod client;

pub use client::{CallOptions, GroupClient, LocalFuture};
