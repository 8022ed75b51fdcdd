//! The promises of the overlay room: what goes onto a device, and what is read from its console.
#![allow(clippy::unwrap_used)]

mod scanner;
