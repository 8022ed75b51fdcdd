//! What the lab file and the inventory check promise. (The binary `it` has a `main` of its own for the stages.)

#![allow(clippy::unwrap_used)]

mod config;
mod inventory;
mod templates;
