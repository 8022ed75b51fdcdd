//! Everything that happens in a run, as one stream of typed events.
//!
//! Whatever runs a job only [`Recorder::record`]s events. Terminal, files and pages are [`view`]s of the stream and know
//! nothing else, so that a finished run can be rendered again from `journal.jsonl`.

pub mod event;
pub mod recorder;

pub use event::{
    Body, ErrorClass, Event, Failure, Health, LogLevel, MemberInfo, MemberState, ResultRecord, ResultValue, Stage,
};
pub use recorder::{Journal, Recorder};
