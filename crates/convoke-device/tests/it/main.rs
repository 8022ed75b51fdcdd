//! What this crate promises, from the outside.

#![allow(clippy::unwrap_used)]

mod templates;
