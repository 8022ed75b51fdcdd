//! The server's groups, log and replies under crashes, lost connections and a failing disk.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod connection;
mod disk;
mod knowledge;
mod member;
mod random;
mod script;
mod simulation;
