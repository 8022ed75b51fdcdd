//! The checked link between a device's helpers and the dispatcher (device-side.md §8.4): nothing is lost silently, any
//! value arrives as it was sent, however long it is.
//!
//! ```text
//! helper                              dispatcher
//!   Q 1/2 ──────────────────────────────▶ part kept
//!   ◀────────────────────────────── a 1/2
//!   Q 2/2 ──────────────────────────────▶ whole: carried out once      Asked
//!   ◀────────────────────────────── a 2/2
//!   P (after long silence) ─────────────▶
//!   ◀────────────────────────────── w
//!   ◀────────────────────────────── r 1/1    answered                  answer()
//!   A 1/1 ──────────────────────────────▶                              Taken
//!   ◀────────────────────────────── f
//! ```
//!
//! | module | is about |
//! |---|---|
//! | [`crc`] | the checksum |
//! | [`frame`] | one line of either side |
//! | [`text`] | what a request and a reply say, and how any byte is carried |
//! | [`table`] | the dispatcher's side: one transaction for each id |
//!
//! Pure: frames, answers and times in, lines to type and events out.

pub mod crc;
pub mod frame;
pub mod table;
pub mod text;

pub use frame::{Frame, Kind};
pub use table::{Link, LinkEvent};
pub use text::{LinkRequest, Phase, Reply, SuiteEnd};
