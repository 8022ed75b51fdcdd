//! The stages `command`, which runs one command of the lab, and `connect`, which runs the program behind a console.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
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
    let (words, errors) = io::pipe()?;
    let copy = File::from(terminal.try_clone()?);
    // Ends when nothing of the program is left.
    let words = std::thread::spawn(move || last_words(words, copy));
    let stdio = [Stdio::from(terminal.try_clone()?), Stdio::from(terminal), Stdio::from(errors)];
    match tree::run(&control, &shell(config), stdio)? {
        Some(status) => {
            let said = words.join().unwrap_or_default();
            Ok(control.send(&Ended { code: status.code(), said }, &[])?)
        }
        None => Ok(()),
    }
}

/// Passes a program's complaints on to its terminal, where they have always been, and gives the last of them.
fn last_words(mut words: io::PipeReader, mut terminal: File) -> String {
    let (mut chunk, mut kept) = ([0; 1024], Vec::new());
    while let Ok(length @ 1..) = words.read(&mut chunk) {
        // Nobody may read it any more.
        let _ = terminal.write_all(&chunk[..length]);
        kept.extend_from_slice(&chunk[..length]);
        let surplus = kept.len().saturating_sub(chunk.len());
        kept.drain(..surplus);
    }
    last_of(&kept)
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
    Ok(last_of(&bytes))
}

fn last_of(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default().to_owned()
}
