//! What the scheduler promises.

#![allow(clippy::unwrap_used)]

mod allocation;
mod properties;
mod shortages;
mod support;
