//! The stages `command`, which runs one command of the lab, and `connect`, which runs the program behind a console.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::fd::OwnedFd;
use std::process::Stdio;

use convoke_children::foreign::{self, Foreign};
use convoke_children::{Control, StageFailure, tree};
use rustix::fs::MemfdFlags;

use super::messages::{Ended, ShellConfig};

/// Most bytes that are read of what a command has written.
const OUTPUT: u64 = 8 * 1024;

/// Runs the stage `command`. What the command leaves in the background stays: it may be the device itself.
pub(crate) fn command(control: Control) -> Result<(), StageFailure> {
    let (config, _) = control.recv::<ShellConfig>()?;
    let (mut out, mut err) = (memory("stdout")?, memory("stderr")?);
    let stdio = [Stdio::null(), Stdio::from(out.try_clone()?), Stdio::from(err.try_clone()?)];
    let running = foreign::spawn(&shell(config), stdio)?;
    let status = foreign::wait(&control, running)?;
    let mut said = last_line(&mut err)?;
    if said.is_empty() {
        said = last_line(&mut out)?;
    }
    Ok(control.send(&Ended { code: status.code(), said }, &[])?)
}

/// Runs the stage `connect`; beside its configuration comes the terminal.
pub(crate) fn connect(control: Control) -> Result<(), StageFailure> {
    let (config, mut fds) = control.recv::<ShellConfig>()?;
    let terminal = fds.pop().ok_or_else(|| StageFailure::new("the terminal is missing"))?;
    let stdio = [Stdio::from(terminal.try_clone()?), Stdio::from(terminal.try_clone()?), Stdio::from(terminal)];
    match tree::run(&control, &shell(config), stdio)? {
        Some(status) => Ok(control.send(&Ended { code: status.code(), said: String::new() }, &[])?),
        None => Ok(()),
    }
}

fn shell(config: ShellConfig) -> Foreign {
    let directory = Some(config.folder).filter(|folder| !folder.as_os_str().is_empty());
    let args = vec!["-c".into(), config.command.into()];
    Foreign { program: "/bin/sh".into(), args, directory, ..Foreign::default() }
}

fn memory(name: &str) -> io::Result<File> {
    let file: OwnedFd = rustix::fs::memfd_create(name, MemfdFlags::CLOEXEC)?;
    Ok(File::from(file))
}

fn last_line(file: &mut File) -> io::Result<String> {
    let length = file.seek(io::SeekFrom::End(0))?;
    file.seek(io::SeekFrom::Start(length.saturating_sub(OUTPUT)))?;
    let mut bytes = Vec::new();
    file.take(OUTPUT).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    Ok(text.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default().to_owned())
}
