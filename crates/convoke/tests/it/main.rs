//! Black-box tests of the command line: real processes, real namespaces, real shells.
#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs)]

mod bad_input;
mod boards;
mod commands;
mod coordinator;
mod deploys;
mod dispatch;
mod ending;
mod examples;
mod guarded;
mod guests;
mod harness;
mod keep;
mod lava_run;
mod machines;
mod only;
mod promises;
mod rehearsal;
mod service;
mod status;
mod stops;
mod terminal;
