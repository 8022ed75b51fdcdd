//! The stage `login`: runs ssh or scp in the network of the group, and tells how it ended.

use std::io::{self, Read, Seek};
use std::process::Stdio;

use convoke_children::foreign::{self, Foreign};
use convoke_children::{Control, StageFailure};
use rustix::fs::MemfdFlags;
use serde::{Deserialize, Serialize};

use crate::qemu::messages::Namespaces;
use crate::qemu::stage::enter;

/// Most of what a program's standard error is read of.
const STDERR: u64 = 8 * 1024;

/// First message to the stage. Its descriptors: standard input and output, the namespaces to enter, and the files that the
/// program opens.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct LoginConfig {
    /// Program and arguments; [`FILES`] followed by a digit stands for the path of that file.
    pub(crate) command: Vec<String>,
    /// Which namespaces come.
    pub(crate) namespaces: Namespaces,
}

/// What a path of a file begins with in a command; no argument of anybody holds a zero byte.
pub(crate) const FILES: &str = "\0file ";

/// From the stage: the program has ended.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct LoginEnded {
    /// Its exit status; none when a signal ended it.
    pub(crate) code: Option<i32>,
    /// What it wrote to its standard error, the end of it.
    pub(crate) stderr: String,
}

/// Runs the stage.
pub(crate) fn run(control: Control) -> Result<(), StageFailure> {
    let (config, mut fds) = control.recv::<LoginConfig>()?;
    if fds.is_empty() || config.command.is_empty() {
        return Err(StageFailure::new("the console or the program is missing"));
    }
    let console = fds.remove(0);
    let files = enter(config.namespaces, fds)?;
    // ssh closes what it inherits, so the files stay here, where it finds them.
    let path = |arg: &String| match arg.strip_prefix(FILES).and_then(|at| files.get(at.parse::<usize>().ok()?)) {
        Some(file) => {
            use std::os::fd::AsRawFd;
            format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd()).into()
        }
        None => arg.into(),
    };
    let mut words = config.command.iter().map(path);
    let program = Foreign {
        program: words.next().unwrap_or_default(),
        args: words.collect(),
        // The shell there shall write plain text.
        environment: vec![("TERM".into(), "dumb".into())],
        ..Foreign::default()
    };
    let mut stderr =
        std::fs::File::from(rustix::fs::memfd_create("stderr", MemfdFlags::CLOEXEC).map_err(io::Error::from)?);
    let stdio = [Stdio::from(console.try_clone()?), Stdio::from(console), Stdio::from(stderr.try_clone()?)];
    let status = foreign::wait(&control, foreign::spawn(&program, stdio)?)?;
    let length = stderr.seek(io::SeekFrom::End(0))?;
    stderr.seek(io::SeekFrom::Start(length.saturating_sub(STDERR)))?;
    let mut text = Vec::new();
    stderr.take(STDERR).read_to_end(&mut text)?;
    let ended = LoginEnded { code: status.code(), stderr: String::from_utf8_lossy(&text).into_owned() };
    Ok(control.send(&ended, &[])?)
}
