//! The in-process group, the client of a coordinator elsewhere, and the coordinator on its TCP port.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod certificates;
mod configuration;
mod differential;
mod fuzz;
mod guard;
mod harness;
mod hostile;
mod kept;
mod local;
mod metrics;
mod model;
mod promise;
mod push;
mod random;
mod reasons;
mod restart;
mod rows;
mod stopped;
mod tcp;
mod tls;
mod wire;
