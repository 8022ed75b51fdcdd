//! The devices that exist: the lab file, sandboxes and their network.

pub mod config;
