//! What the lab promises.

#![allow(clippy::unwrap_used)]

mod config;
