//! The rules of a group: what members may rely on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod beside;
mod calls;
mod certainty;
mod interleaving;

mod left;
mod log;
mod rounds;
mod seeds;
mod size;
mod stage;
mod stuck;
mod words;
mod world;
