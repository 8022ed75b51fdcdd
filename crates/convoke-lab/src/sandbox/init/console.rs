//! Terminals inside a sandbox: the console, and one for each guest.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::time::{Duration, Instant};

use convoke_children::{StageFailure, launch};
use rustix::process::Pid;
use rustix::pty::OpenptFlags;
use rustix::termios::Winsize;

/// A shell that ends sooner than this has not been used.
const TOO_SHORT: Duration = Duration::from_secs(1);
/// So many unused shells in a row mean that there is no use in starting another.
const TRIES: u32 = 5;

/// Opens a terminal: master, and the path of the other side.
fn open_terminal() -> Result<(OwnedFd, OsString), StageFailure> {
    let failed = |error: rustix::io::Errno| StageFailure::new(format!("cannot open a terminal: {error}"));
    let master = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).map_err(failed)?;
    rustix::pty::grantpt(&master).map_err(failed)?;
    rustix::pty::unlockpt(&master).map_err(failed)?;
    let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
    rustix::termios::tcsetwinsize(&master, size).map_err(failed)?;
    let path = rustix::pty::ptsname(&master, Vec::new()).map_err(failed)?;
    Ok((master, OsString::from_vec(path.into_bytes())))
}

/// The other side of a terminal. For the leader of a session without a terminal it becomes that session's.
fn open_other_side(path: &OsString) -> io::Result<OwnedFd> {
    Ok(File::options().read(true).write(true).open(path)?.into())
}

/// The console and the shell on it.
pub(super) struct MainConsole {
    name: String,
    /// Kept open, so that the terminal does not hang up between two shells.
    terminal: OwnedFd,
    shell: Option<Pid>,
    started: Instant,
    unused: u32,
}

impl MainConsole {
    /// Opens the console as the controlling terminal of this process and binds it to `/dev/console`; with its master side.
    pub(super) fn open(name: &str) -> Result<(Self, OwnedFd), StageFailure> {
        let (master, path) = open_terminal()?;
        let terminal = open_other_side(&path)?;
        super::devices::bind_console(&path)?;
        Ok((MainConsole { name: name.to_owned(), terminal, shell: None, started: Instant::now(), unused: 0 }, master))
    }

    /// Starts the shell.
    pub(super) fn start_shell(&mut self) -> Result<(), StageFailure> {
        let child = launch::on_terminal("shell", vec!["join".into(), (&self.name).into()], &self.terminal, true)?;
        self.shell = Some(Pid::from_child(&child));
        self.started = Instant::now();
        Ok(())
    }

    /// Told of every child that has been reaped.
    pub(super) fn ended(&mut self, pid: Pid) -> Result<(), StageFailure> {
        if self.shell != Some(pid) {
            return Ok(());
        }
        self.unused = if self.started.elapsed() < TOO_SHORT { self.unused + 1 } else { 0 };
        if self.unused >= TRIES {
            return Err(StageFailure::new(format!("the shell of `{}` ends as soon as it starts", self.name)));
        }
        self.start_shell()
    }
}

/// Opens a terminal with a shell of its own, as a network login gets it; with its master side.
pub(super) fn open_login(name: &str) -> Result<OwnedFd, StageFailure> {
    let (master, path) = open_terminal()?;
    // This process has a controlling terminal already, so this one does not become it.
    let terminal = open_other_side(&path)?;
    launch::on_terminal("shell", vec!["lead".into(), name.into()], &terminal, false)?;
    Ok(master)
}
