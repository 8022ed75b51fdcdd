//! A machine's console on a terminal of this machine, for people: what `--keep` leads them to.
//!
//! Nobody has to be there: what the machine prints then is kept as far as the terminal holds it, and the rest is dropped,
//! so that it never waits for a reader. The terminal goes with the [`Terminal`].

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use convoke_dispatcher::device::Console;
use rustix::fs::OFlags;
use rustix::pty::OpenptFlags;
use rustix::termios::OptionalActions;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::task::JoinHandle;

use crate::sandbox::pty;

/// How long the machine waits for a reader that is slow.
const PATIENCE: Duration = Duration::from_secs(1);

/// A console on a terminal.
pub(super) struct Terminal {
    path: PathBuf,
    task: JoinHandle<()>,
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Terminal {
    /// Opens one.
    ///
    /// # Errors
    /// When the machine gives no terminal.
    pub(super) fn open(console: std::os::unix::net::UnixStream) -> io::Result<Terminal> {
        let master = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        rustix::pty::grantpt(&master)?;
        rustix::pty::unlockpt(&master)?;
        let name = rustix::pty::ptsname(&master, Vec::new())?;
        let path = PathBuf::from(name.into_string().map_err(io::Error::other)?);
        // Held open: without anybody on it the terminal would be at its end.
        let flags = i32::try_from(OFlags::NOCTTY.bits()).map_err(io::Error::other)?;
        let slave: OwnedFd = File::options().read(true).write(true).custom_flags(flags).open(&path)?.into();
        let mut modes = rustix::termios::tcgetattr(&slave)?;
        // The machine's own terminal echoes.
        modes.make_raw();
        rustix::termios::tcsetattr(&slave, OptionalActions::Now, &modes)?;
        let terminal = pty::console(master)?;
        console.set_nonblocking(true)?;
        let task = tokio::spawn(carry(terminal, UnixStream::from_std(console)?, slave));
        Ok(Terminal { path, task })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// Carries bytes both ways until the machine's end.
async fn carry(terminal: Console, machine: UnixStream, _slave: OwnedFd) {
    let Console { reader: mut typed, writer: mut shown, .. } = terminal;
    let (mut printed, mut taken) = tokio::io::split(machine);
    let show = async {
        let mut buffer = vec![0; 4096];
        let mut patience = PATIENCE;
        while let Ok(length @ 1..) = printed.read(&mut buffer).await {
            // Who has not read for so long is not there: what does not fit is dropped until somebody reads again.
            let written = tokio::time::timeout(patience, shown.write_all(&buffer[..length])).await;
            patience = if written.is_ok() { PATIENCE } else { Duration::ZERO };
        }
    };
    let take = async {
        let mut buffer = vec![0; 4096];
        while let Ok(length @ 1..) = typed.read(&mut buffer).await {
            if taken.write_all(&buffer[..length]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = show => {}
        () = take => {}
    }
}
