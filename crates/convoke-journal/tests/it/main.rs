//! The journal's promises, one module each.
#![allow(clippy::unwrap_used, missing_docs)]

mod consumers;
mod files;
mod journal;
mod model;
mod support;
mod waits;
