//! The promises of the room, one module each.
#![allow(clippy::unwrap_used)]

mod legacy;
mod yaml;
