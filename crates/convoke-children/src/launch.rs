//! Starting a stage from inside a stage, blocking.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Stdio};

use rustix::process::{Pid, PidfdFlags};

use crate::control::Control;
use crate::spawner::{Launch, start};

/// Starts an [`Orphan`](crate::StageEntry::Orphan) stage that takes over this stage's control channel and standard error;
/// gives a pidfd of it. It is in this stage's process group. This stage must not read from its channel again.
///
/// # Errors
/// When the process cannot be started.
pub fn hand_over(control: &Control, name: &str) -> io::Result<OwnedFd> {
    let child = start(Launch {
        name: name.to_owned(),
        args: Vec::new(),
        stdin: Stdio::from(control.as_fd().try_clone_to_owned()?),
        stdout: Stdio::null(),
        stderr: Stdio::from(io::stderr().as_fd().try_clone_to_owned()?),
        own_group: false,
    })?;
    Ok(rustix::process::pidfd_open(Pid::from_child(&child), PidfdFlags::empty())?)
}

/// Starts a [`Plain`](crate::StageEntry::Plain) stage with `terminal` as its standard input, output and error,
/// in a process group of its own if `own_group` (a process that is to begin a session must not lead a group).
///
/// # Errors
/// When the process cannot be started.
pub fn on_terminal(name: &str, args: Vec<OsString>, terminal: &OwnedFd, own_group: bool) -> io::Result<Child> {
    start(Launch {
        name: name.to_owned(),
        args,
        stdin: Stdio::from(terminal.try_clone()?),
        stdout: Stdio::from(terminal.try_clone()?),
        stderr: Stdio::from(terminal.try_clone()?),
        own_group,
    })
}

/// Becomes another program, with these variables and no others. Only returns when that fails.
pub fn exec(program: &OsString, args: &[OsString], environment: &[(OsString, OsString)]) -> io::Error {
    use std::os::unix::process::CommandExt;
    std::process::Command::new(program).args(args).env_clear().envs(environment.iter().cloned()).exec()
}
