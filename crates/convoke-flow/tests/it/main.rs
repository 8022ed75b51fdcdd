//! The promises of the room, one module each.
#![allow(clippy::unwrap_used)]

mod jobs;
mod one;
mod readable;
mod repositories;
mod scripts;
mod shells;
mod show;
