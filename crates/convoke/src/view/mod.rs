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
mod waits;

use std::io::{self, IsTerminal};
use std::path::Path;

use convoke_journal::{LogLevel, RunModel, View};

use crate::attend::Stage;

pub(crate) use json::Json;
pub(crate) use lava::Lava;
pub(crate) use live::Live;
pub(crate) use plain::Plain;
pub(crate) use style::{Paint, safe};

/// What the log shows, from least to most; each level shows the ones before it too. Results of tests are always shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
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

impl Level {
    /// The level for so many `-v`.
    pub(crate) fn verbose(count: u8) -> Self {
        match count {
            0 => Level::Info,
            1 => Level::Target,
            _ => Level::Debug,
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

/// `--format` of `convoke run`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// `live` on a terminal, else `plain`.
    #[default]
    Auto,
    /// A line for each thing that matters.
    Plain,
    /// The events, a JSON object a line.
    Json,
    /// LAVA's log lines.
    Lava,
}

/// The view of a run that writes to standard output; a summary ends what people read. `dir` is where the files are, as
/// people are told.
pub(crate) fn chosen(format: Format, level: Level, dir: &Path, stage: &Stage) -> Box<dyn View> {
    let (paint, dir) = (Paint::for_stdout(), dir.display().to_string());
    match format {
        Format::Json => Box::new(Json::new(io::stdout())),
        Format::Lava => Box::new(Lava::new(io::stdout())),
        Format::Auto if is_live() => Box::new(
            Live::new(console::Term::stdout(), level, paint, Some(dir)).on(stage.clone()).in_ascii(style::is_ascii()),
        ),
        Format::Auto | Format::Plain => Box::new(Plain::new(io::stdout(), level, paint, Some(dir))),
    }
}

/// Whether the automatic format is the live view.
pub(crate) fn is_live() -> bool {
    io::stdout().is_terminal() && style::can_draw()
}

/// What a run came to, whose files are in `dir`.
pub(crate) fn summary(model: &RunModel, dir: &Path) -> String {
    summary::text(model, &dir.display().to_string(), Paint::for_stdout())
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
