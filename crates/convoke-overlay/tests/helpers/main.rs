//! The helper commands as a device runs them: on a terminal, under each shell, with hardly a tool in PATH. The tests
//! are the other end of the line: they read what the helpers print and type what a dispatcher would.
//!
//! Needs the Debian packages dash, bash, busybox, mksh, shellcheck, toybox and util-linux; a test that lacks one fails and says
//! which.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod console;
mod device;
mod dispatcher;
mod tally;

mod anything;
mod cases;
mod link;
mod locks;
mod lossy;
mod names;
mod network;
mod quiet;
mod rest;
mod runner;
mod send;
mod text;
mod visits;
mod waits;
