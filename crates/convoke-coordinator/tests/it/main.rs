//! The in-process group: what its clients may rely on.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod local;
mod tcp;
