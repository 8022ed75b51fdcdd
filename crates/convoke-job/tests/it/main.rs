//! The promises of the room, one module each.
#![allow(clippy::unwrap_used)]

mod check;
mod fixtures;
mod pipeline;
mod split;
mod yaml;
