//! The promises of the room, one module each.
#![allow(clippy::unwrap_used)]

mod check;
mod fixtures;
mod legacy;
mod pipeline;
mod split;
mod yaml;
