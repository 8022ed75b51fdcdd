//! Members run from start to end, on scripted consoles and on a real shell behind a real pty.
#![allow(clippy::unwrap_used, unreachable_pub, missing_docs)]

mod consoles;
mod group;
mod interactive;
mod kernel;
mod limits;
mod line;
mod monitors;
mod pty;
mod rehearsal;
mod scripted;
mod shell;
mod stopped;
mod support;
