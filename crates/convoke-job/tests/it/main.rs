//! The promises of the room, one module each.
#![allow(clippy::unwrap_used)]

mod check;
mod fixtures;
mod fuzz;
mod legacy;
mod member;
mod pipeline;
mod rules;
mod split;
mod yaml;
