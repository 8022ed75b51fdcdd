//! Running a program that is not ours (git, QEMU) from inside a stage: to its end with [`run`], or beside other work with
//! [`spawn`] and [`wait`].
//!
//! It runs in the stage's process group and is killed with the group when the control
//! channel ends. It is started through a stage of its own, which asks to be killed with its parent and then becomes the
//! program. A program that leaves the group on purpose (a daemon) escapes: switch that off in the program's own settings.

use std::ffi::OsString;
use std::io::{self, Read, Seek};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::event::{PollFd, PollFlags};
use rustix::fs::MemfdFlags;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal};

use crate::control::Control;
use crate::entry::{STAGE_ARGUMENT, StageFailure};

/// The stage that becomes the program.
pub(crate) const EXEC_STAGE: &str = "exec";

/// A program to run.
#[derive(Clone, Debug, Default)]
pub struct Foreign {
    /// Name, looked up in `PATH`, or path.
    pub program: OsString,
    /// Arguments.
    pub args: Vec<OsString>,
    /// Variables added to the stage's own.
    pub environment: Vec<(OsString, OsString)>,
    /// Working directory.
    pub directory: Option<PathBuf>,
}

/// What it did.
#[derive(Clone, Debug)]
pub struct ForeignOutput {
    /// How it ended; 127 as a shell would say when there is no such program.
    pub status: ExitStatus,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
}

/// Runs a program to its end.
///
/// # Errors
/// When it cannot be started. When the control channel ends first, the whole process group is killed, this process included
/// (unless it is PID 1 of a namespace, which gets [`io::ErrorKind::UnexpectedEof`] and ends by itself).
pub fn run(control: &Control, foreign: &Foreign) -> io::Result<ForeignOutput> {
    let stdout = rustix::fs::memfd_create("stdout", MemfdFlags::CLOEXEC)?;
    let stderr = rustix::fs::memfd_create("stderr", MemfdFlags::CLOEXEC)?;
    let stdio = [Stdio::null(), Stdio::from(stdout.try_clone()?), Stdio::from(stderr.try_clone()?)];
    let status = wait(control, spawn(foreign, stdio)?)?;
    Ok(ForeignOutput { status, stdout: content(stdout)?, stderr: content(stderr)? })
}

/// A program that is running. It is killed with this process.
#[derive(Debug)]
pub struct Running(Child);

impl Running {
    pub(crate) fn into_child(self) -> Child {
        self.0
    }
}

/// Starts a program with these as its standard input, output and error. Descriptors that are not marked to be closed at
/// exec are the program's too, under the same numbers.
///
/// # Errors
/// When it cannot be started.
pub fn spawn(foreign: &Foreign, stdio: [Stdio; 3]) -> io::Result<Running> {
    let [stdin, stdout, stderr] = stdio;
    let mut command = Command::new("/proc/self/exe");
    command
        .arg0("convoke")
        .args([STAGE_ARGUMENT, EXEC_STAGE])
        .arg(rustix::process::getpid().to_string())
        .arg(&foreign.program)
        .args(&foreign.args)
        .envs(foreign.environment.iter().cloned())
        .stdin(stdin)
        .stdout(stdout)
        .stderr(stderr);
    if let Some(directory) = &foreign.directory {
        command.current_dir(directory);
    }
    Ok(Running(command.spawn()?))
}

/// Waits for the end of a program, and for that of the control channel, which ends the program too.
///
/// # Errors
/// As [`run`].
pub fn wait(control: &Control, running: Running) -> io::Result<ExitStatus> {
    let Running(mut child) = running;
    let pidfd = rustix::process::pidfd_open(Pid::from_child(&child), PidfdFlags::empty())?;
    loop {
        let mut fds = [PollFd::new(&pidfd, PollFlags::IN), PollFd::new(control, PollFlags::RDHUP)];
        match rustix::event::poll(&mut fds, None) {
            Ok(_) if !fds[1].revents().is_empty() => {
                // Convoke is gone: nobody waits for an answer, and nothing may stay.
                rustix::process::kill_current_process_group(Signal::KILL)?;
                // Only PID 1 of a namespace comes here: it cannot be killed from inside, and all else ends with it.
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the control channel has ended"));
            }
            Ok(_) if !fds[0].revents().is_empty() => break,
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    child.wait()
}

fn content(memfd: OwnedFd) -> io::Result<Vec<u8>> {
    let mut file = std::fs::File::from(memfd);
    file.rewind()?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The stage `exec STARTER PROGRAM ARGS…`.
pub(crate) fn exec_stage(mut args: Vec<OsString>) -> Result<(), StageFailure> {
    if args.len() < 2 {
        return Err(StageFailure::new("the stage `exec` needs its starter's number and a program"));
    }
    let starter = args.remove(0);
    let program = args.remove(0);
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).map_err(io::Error::from)?;
    // A starter that died before the line above will never be heard of.
    if rustix::process::getppid().map(|parent| parent.to_string()).as_deref() != starter.to_str() {
        return Err(StageFailure::new("the starter of a program ended before the program began"));
    }
    let error = Command::new(&program).args(&args).exec();
    // What a shell answers; the caller tells a missing program by it.
    use io::Write;
    let line = format!("cannot run {}: {error}\n", program.to_string_lossy());
    let _ = io::stderr().write_all(line.as_bytes());
    std::process::exit(127);
}
