//! Black-box tests of the command line: real processes, real namespaces, real shells.
#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs)]

mod acceleration;
mod at_once;
mod bad_input;
mod boards;
mod commands;
mod coordinator;
mod deploys;
mod dispatch;
mod ending;
mod examples;
mod flow;
mod frames;
mod guarded;
mod guests;
mod harness;
mod keep;
mod lab;
mod lava_run;
mod lines;
mod logins;
mod machines;
mod mutants;
mod only;
mod pages;
mod promises;
mod published;
mod rehearsal;
mod reports;
mod said;
mod service;
mod status;
mod stops;
mod systemd;
mod terminal;
mod visits;
