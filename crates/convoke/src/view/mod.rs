//! What the user sees of a run. Every module here is a view of the journal's events and knows nothing else.
//!
//! | module | is |
//! |---|---|
//! | `live` | on a terminal: the log scrolls, below it stands a line a member |
//! | `plain` | elsewhere: a line for each thing that matters, with time and member |
//! | `json` | the journal's events, a JSON object a line |
//! | `lava` | LAVA's log lines, each with its member |
//! | `summary` | at the end: results, verdict, first failure and its consequences, where the files are |
//!
//! A view never stops a run: when nobody reads standard output any more, it falls silent.

mod frame;
mod json;
mod lava;
mod live;
mod plain;
mod style;
mod summary;
#[cfg(test)]
mod tests;

use std::io;

use convoke_journal::{LogLevel, View};

use json::Json;
use lava::Lava;
use live::Live;
use plain::Plain;
use style::Paint;

/// What the log shows, from least to most; each level shows the ones before it too. Results of tests are always shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// What failed.
    Error,
    /// What is odd.
    Warning,
    /// Progress.
    Info,
    /// What the devices print.
    Target,
    /// Every action, call and detail, and what is typed to the devices.
    Debug,
}

impl From<crate::arguments::Level> for Level {
    fn from(level: crate::arguments::Level) -> Self {
        use crate::arguments::Level as Given;
        match level {
            Given::Debug => Level::Debug,
            Given::Target => Level::Target,
            Given::Info => Level::Info,
            Given::Warning => Level::Warning,
            Given::Error => Level::Error,
        }
    }
}

impl From<LogLevel> for Level {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Debug => Level::Debug,
            LogLevel::Info | LogLevel::Event => Level::Info,
            LogLevel::Feedback => Level::Target,
            LogLevel::Warning => Level::Warning,
            LogLevel::Error | LogLevel::Exception => Level::Error,
        }
    }
}

/// What a view needs to know.
#[derive(Clone, Debug)]
pub(crate) struct ViewOptions {
    /// What the log shows.
    pub(crate) level: Level,
    /// Where the files are, as the summary tells it.
    pub(crate) dir: String,
}

/// The log above a line a member, then a summary, on standard output; `plain` when the terminal cannot draw.
pub(crate) fn live(options: ViewOptions) -> Box<dyn View> {
    if !style::can_draw() {
        return plain(options);
    }
    Box::new(Live::new(console::Term::stdout(), options.level, Paint::for_stdout(), Some(options.dir)))
}

/// The log as lines, then a summary, on standard output.
pub(crate) fn plain(options: ViewOptions) -> Box<dyn View> {
    Box::new(Plain::new(io::stdout(), options.level, Paint::for_stdout(), Some(options.dir)))
}

/// The events as JSON lines on standard output.
pub(crate) fn json() -> Box<dyn View> {
    Box::new(Json::new(io::stdout()))
}

/// LAVA's log lines on standard output.
pub(crate) fn lava(_options: ViewOptions) -> Box<dyn View> {
    Box::new(Lava::new(io::stdout()))
}

/// Somewhere to write that may go away.
#[derive(Debug)]
pub(crate) struct Out<W> {
    to: W,
    error: Option<io::Error>,
}

impl<W: io::Write> Out<W> {
    pub(crate) fn new(to: W) -> Self {
        Out { to, error: None }
    }

    /// Writes, unless writing has failed before.
    pub(crate) fn write(&mut self, text: &[u8]) {
        if self.error.is_none() {
            self.error = self.to.write_all(text).and_then(|()| self.to.flush()).err();
        }
    }

    /// The first error, unless it is only that nobody reads any more.
    pub(crate) fn outcome(&mut self) -> io::Result<()> {
        match self.error.take() {
            Some(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(io::Error::new(error.kind(), format!("standard output: {error}")))
            }
            _ => Ok(()),
        }
    }
}
