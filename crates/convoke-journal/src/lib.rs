//! Everything that happens in a run, as one stream of typed events.
//!
//! Whatever runs a job only records events with a [`Recorder`]. Terminal, files and pages are [`view`]s of the stream and know
//! nothing else, so that a finished run can be rendered again from `journal.jsonl`.

mod encode;
pub mod event;
pub mod export;
mod mask;
pub mod model;
mod pipeline;
pub mod reader;
pub mod recorder;
pub mod view;
mod writer;

pub use event::{
    Body, ErrorClass, Event, Failure, Health, LogLevel, MemberInfo, MemberState, ResultRecord, ResultValue, Stage,
};
pub use export::{Files, RenderError, Rendered, render, replace};
pub use mask::MASKED;
pub use model::{LogLine, RunModel};
pub use reader::{ReadError, Reader};
pub use recorder::{Journal, Recorder};
pub use view::View;
pub use writer::FILE_NAME;
