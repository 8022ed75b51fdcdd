//! The promises of the room, one module each.
#![allow(clippy::print_stderr, clippy::unwrap_used)]

mod agree;
mod build;
mod causes;
mod jobs;
mod mutants;
mod oracle;
mod pages;
mod practices;
mod scene;
mod search;
mod show;
mod table;
mod verdicts;
