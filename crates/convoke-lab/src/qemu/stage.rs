//! The stages `machine`, which runs QEMU, `attach`, which puts its interface onto the bridge, and `listen`, which listens
//! in its network.

use std::io::{self, Read, Seek};
use std::net::TcpListener;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::process::Stdio;

use convoke_children::foreign::{self, Foreign};
use convoke_children::{Control, StageFailure};
use nix::sched::{CloneFlags, setns};
use rustix::fs::MemfdFlags;
use rustix::io::FdFlags;

use super::messages::{AttachConfig, Attached, FromMachine, ListenConfig, Listening, MachineConfig, Namespaces};
use crate::sandbox::ground_stage::errno;
use crate::sandbox::network::{Network, runtime};
use crate::sandbox::refusal;

/// Most of what a program's standard error is read of.
const STDERR: u64 = 8 * 1024;

/// Runs the stage `machine`.
pub(crate) fn run(control: Control) -> Result<(), StageFailure> {
    let (config, mut fds) = control.recv::<MachineConfig>()?;
    if fds.is_empty() {
        return Err(StageFailure::new("the console is missing"));
    }
    let console = fds.remove(0);
    let inherited = enter(config.namespaces, fds)?;
    for fd in &inherited {
        rustix::io::fcntl_setfd(fd, FdFlags::empty()).map_err(io::Error::from)?;
    }
    let mut stderr =
        std::fs::File::from(rustix::fs::memfd_create("stderr", MemfdFlags::CLOEXEC).map_err(io::Error::from)?);
    let program = Foreign {
        program: config.program.into(),
        args: config.args.iter().map(|arg| numbered(arg, &inherited).into()).collect(),
        ..Foreign::default()
    };
    let stdio = [Stdio::from(console.try_clone()?), Stdio::from(console), Stdio::from(stderr.try_clone()?)];
    let running = foreign::spawn(&program, stdio)?;
    // Its ends are the program's alone: they close with it.
    drop(inherited);
    let status = foreign::wait(&control, running)?;
    let length = stderr.seek(io::SeekFrom::End(0))?;
    stderr.seek(io::SeekFrom::Start(length.saturating_sub(STDERR)))?;
    let mut text = Vec::new();
    stderr.take(STDERR).read_to_end(&mut text)?;
    let ended = FromMachine::Ended { code: status.code(), stderr: String::from_utf8_lossy(&text).into_owned() };
    Ok(control.send(&ended, &[])?)
}

/// Runs the stage `attach`.
pub(crate) fn attach(control: Control) -> Result<(), StageFailure> {
    let (config, fds) = control.recv::<AttachConfig>()?;
    enter(config.namespaces, fds)?;
    runtime()?.block_on(async {
        let network = Network::here()?;
        network.join_bridge(&config.interface).await.map_err(|error| refusal::interface("tap", &error))
    })?;
    Ok(control.send(&Attached, &[])?)
}

/// Runs the stage `listen`.
pub(crate) fn listen(control: Control) -> Result<(), StageFailure> {
    let (config, fds) = control.recv::<ListenConfig>()?;
    enter(config.namespaces, fds)?;
    let listener = TcpListener::bind((config.address, 0))
        .map_err(|error| StageFailure::new(format!("cannot listen at {}: {error}", config.address)))?;
    Ok(control.send(&Listening, &[listener.as_fd()])?)
}

/// Enters the namespaces that come first, and gives the rest.
pub(crate) fn enter(namespaces: Namespaces, fds: Vec<OwnedFd>) -> Result<Vec<OwnedFd>, StageFailure> {
    let mut fds = fds.into_iter();
    let mut next = || fds.next().ok_or_else(|| StageFailure::new("a namespace is missing"));
    // The user namespace first: it is what gives the right to the other.
    if namespaces.user {
        setns(next()?, CloneFlags::CLONE_NEWUSER).map_err(|error| refusal::user_namespace(errno(error)))?;
    }
    if namespaces.network {
        setns(next()?, CloneFlags::CLONE_NEWNET).map_err(|error| refusal::namespaces(errno(error)))?;
    }
    Ok(fds.collect())
}

/// An argument with the numbers of descriptors filled in.
fn numbered(arg: &str, inherited: &[OwnedFd]) -> String {
    let mut text = String::new();
    for (place, part) in arg.split('\0').enumerate() {
        // Every second part stands between two marks.
        match part.parse::<usize>().ok().and_then(|index| inherited.get(index)).filter(|_| place % 2 == 1) {
            Some(fd) => text.push_str(&fd.as_raw_fd().to_string()),
            None => text.push_str(part),
        }
    }
    text
}
