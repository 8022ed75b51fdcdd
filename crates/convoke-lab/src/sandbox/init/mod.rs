//! The stage `init`: PID 1 of a sandbox.
//!
//! ```text
//!  config ─▶ root file system ─▶ hostname, hosts ─▶ overlays ─▶ console ─▶ shell
//!                                                                 │
//!             ┌───────────────────────────────────────────────────┘
//!             ▼
//!     wait for: a child ended ─▶ reap it; the console's shell: start it again
//!               a message     ─▶ another console, for a guest
//!               end of file   ─▶ end, and everything inside with it
//! ```
//!
//! It leads the session of the console, so the console outlives its shell: `exit` gives a new shell, as on a serial line.

mod console;
mod devices;
mod overlay;
mod powers;
mod root;

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use convoke_children::{Control, StageFailure};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::event::{PollFd, PollFlags};
use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::process::WaitOptions;

use super::messages::{FromSandbox, InitConfig, OverlayNote, ToInit};
use console::MainConsole;
pub(crate) use root::mount_points;

/// Runs it.
pub(crate) fn run(control: Control) -> Result<(), StageFailure> {
    let (config, overlays) = control.recv::<InitConfig>()?;
    // A session of its own, to lead the console's.
    rustix::process::setsid().map_err(io::Error::from)?;
    let mut children = SigSet::empty();
    children.add(Signal::SIGCHLD);
    children.thread_block().map_err(io::Error::from)?;
    let signals =
        SignalFd::with_flags(&children, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK).map_err(io::Error::from)?;

    rustix::process::umask(Mode::from_raw_mode(0o022));
    root::build(&config)?;
    if !config.user_namespace {
        powers::drop_over_machine()?;
    }
    nix::unistd::sethostname(&config.name)
        .map_err(|error| StageFailure::new(format!("cannot name the device `{}`: {error}", config.name)))?;
    overlay::unpack(&config.overlays, overlays)?;

    let (mut console, master) = MainConsole::open(&config.name)?;
    control.send(&FromSandbox::Console, &[master.as_fd()])?;
    // From here on the console's end is convoke's alone.
    drop(master);
    console.start_shell()?;
    serve(&control, &signals, &mut console, &config.name)
}

fn serve(control: &Control, signals: &SignalFd, console: &mut MainConsole, name: &str) -> Result<(), StageFailure> {
    loop {
        let mut fds = [PollFd::new(signals, PollFlags::IN), PollFd::new(control, PollFlags::IN | PollFlags::RDHUP)];
        match rustix::event::poll(&mut fds, None) {
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(error) => return Err(io::Error::from(error).into()),
        }
        let (child, message) = (fds[0].revents(), fds[1].revents());
        if message.intersects(PollFlags::HUP | PollFlags::RDHUP) {
            return Ok(());
        }
        if !child.is_empty() {
            while let Ok(Some(_)) = signals.read_signal() {}
            reap(console)?;
        }
        if message.contains(PollFlags::IN) {
            match control.recv::<ToInit>() {
                Ok((ToInit::OpenConsole { request, overlays }, fds)) => {
                    open_login(control, name, request, &overlays, fds)?
                }
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Reaps every child that has ended: the shells, and orphans of theirs, which are PID 1's to reap.
fn reap(console: &mut MainConsole) -> Result<(), StageFailure> {
    loop {
        match rustix::process::wait(WaitOptions::NOHANG) {
            Ok(Some((pid, _))) => console.ended(pid)?,
            Ok(None) | Err(Errno::CHILD) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(error) => return Err(io::Error::from(error).into()),
        }
    }
}

/// A console for a guest. What goes wrong is the guest's failure alone.
fn open_login(
    control: &Control,
    name: &str,
    request: u64,
    notes: &[OverlayNote],
    fds: Vec<OwnedFd>,
) -> Result<(), StageFailure> {
    match overlay::unpack(notes, fds).and_then(|()| console::open_login(name)) {
        Ok(master) => control.send(&FromSandbox::Login { request }, &[master.as_fd()])?,
        Err(failure) => control.send(&FromSandbox::NoLogin { request, message: failure.to_string() }, &[])?,
    }
    Ok(())
}
