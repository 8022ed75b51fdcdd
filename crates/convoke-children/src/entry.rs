//! What `main` calls first: is this process a stage, and which.
//!
//! A stage that fails writes one line to its standard error, which convoke reads as the reason, and ends with status 1.

use std::ffi::OsString;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::process::ExitCode;

use rustix::process::Signal;

use crate::control::Control;

/// First argument of a process that is a stage.
pub(crate) const STAGE_ARGUMENT: &str = "__stage";

/// Why a stage failed, in one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct StageFailure(pub String);

impl StageFailure {
    /// A failure with this message.
    pub fn new(message: impl Into<String>) -> Self {
        StageFailure(message.into())
    }
}

impl From<std::io::Error> for StageFailure {
    fn from(error: std::io::Error) -> Self {
        StageFailure(error.to_string())
    }
}

/// What a stage does.
#[derive(Clone, Copy, Debug)]
pub enum StageEntry {
    /// Talks to convoke on its control channel and is killed with the thread that started it.
    Controlled(fn(Control) -> Result<(), StageFailure>),
    /// Talks to convoke on its control channel and outlives the stage that started it; the channel alone ends it.
    Orphan(fn(Control) -> Result<(), StageFailure>),
    /// Has no channel, only arguments; ends by becoming another program.
    Plain(fn(Vec<OsString>) -> Result<(), StageFailure>),
}

/// Runs the stage that this process was started as; `None` when it was not started as one.
///
/// To be called first in `main`, before any thread exists: stages enter namespaces that only a single thread may enter.
pub fn dispatch_stage(stages: &[(&str, StageEntry)]) -> Option<ExitCode> {
    let mut args = std::env::args_os().skip(1);
    if args.next()? != STAGE_ARGUMENT {
        return None;
    }
    let name = args.next().unwrap_or_default().to_string_lossy().into_owned();
    // Kept until the reason has been written: convoke reads it when the channel has ended.
    let mut channel = None;
    let result = run(&name, args.collect(), stages, &mut channel);
    Some(match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let line = format!("{failure}\n");
            // Nobody is left to tell if this fails.
            let _ = std::io::stderr().write_all(line.as_bytes());
            ExitCode::FAILURE
        }
    })
}

fn run(
    name: &str,
    args: Vec<OsString>,
    stages: &[(&str, StageEntry)],
    channel: &mut Option<OwnedFd>,
) -> Result<(), StageFailure> {
    let entry = match name {
        crate::foreign::EXEC_STAGE => StageEntry::Plain(crate::foreign::exec_stage),
        _ => {
            let found = stages.iter().find(|(known, _)| *known == name);
            found.ok_or_else(|| StageFailure(format!("there is no stage `{name}`")))?.1
        }
    };
    if let Ok(title) = std::ffi::CString::new(format!("convoke:{name}")) {
        // Only the name that tools show; of no consequence.
        let _ = rustix::thread::set_name(&title);
    }
    match entry {
        StageEntry::Controlled(stage) => {
            let control = Control::from_stdin()?;
            *channel = Some(control.as_fd().try_clone_to_owned()?);
            die_with_parent(&control)?;
            stage(control)
        }
        StageEntry::Orphan(stage) => {
            let control = Control::from_stdin()?;
            *channel = Some(control.as_fd().try_clone_to_owned()?);
            stage(control)
        }
        StageEntry::Plain(stage) => stage(args),
    }
}

/// Asks the kernel for SIGKILL when the starting thread ends, then makes sure that it had not ended before.
fn die_with_parent(control: &Control) -> Result<(), StageFailure> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).map_err(std::io::Error::from)?;
    if control.is_eof() {
        return Err(StageFailure::new("the control channel ended before the stage began"));
    }
    Ok(())
}
