//! What happened in a run, told from its journal: as data, as one page for people, as a trace for a trace viewer.
//!
//! ```text
//! events ──Teller──▶ Story ──page──▶ report.html
//!                          └─trace──▶ a Perfetto trace
//! ```
//!
//! Pure: events in, text and bytes out. The same events give the same bytes.

pub mod page;
pub mod story;
pub mod trace;

pub use story::{Story, Teller};
