//! The promises of the room, one module each.
#![allow(clippy::unwrap_used)]

mod jobs;
mod scene;
mod show;
mod table;
