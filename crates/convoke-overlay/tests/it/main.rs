//! The promises of the overlay room: what goes onto a device, and what is read from its console.
#![allow(clippy::unwrap_used)]

mod definition;
mod layout;
mod monitor;
mod prompt;
mod reply;
mod scanner;
mod transcript;
