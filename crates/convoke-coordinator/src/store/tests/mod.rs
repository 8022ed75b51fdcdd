//! The promise of the store in files, whatever happens to its files.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod compaction;
mod crashes;
mod damage;
mod errors;
mod handle;
mod support;
