//! The in-process group, the client of a coordinator elsewhere, and the coordinator on its TCP port.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod configuration;
mod fuzz;
mod harness;
mod hostile;
mod local;
mod promise;
mod push;
mod restart;
mod tcp;
mod wire;
