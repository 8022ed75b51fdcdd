//! The user's terminal while they are asked something: keys as they are pressed, and the settings as they were afterwards.
//!
//! Settings are changed only while a [`Keys`] lives. Whatever ends the process puts them back: dropping it, a panic, or the
//! second interrupt, which calls [`restore`]. (After SIGKILL nobody can; `reset` does.)

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{Mode, OFlags, open};
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// How the terminal was before.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// Puts the terminal's settings back, if they are changed.
pub(crate) fn restore() {
    if let Some(before) = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).take() {
        // A terminal that is gone needs nothing.
        let _ = tcsetattr(io::stdin().as_fd(), OptionalActions::Flush, &before);
    }
}

/// What is pressed.
#[derive(Debug)]
pub(crate) struct Keys {
    terminal: AsyncFd<OwnedFd>,
    asked: Termios,
    raw: Termios,
}

impl Keys {
    /// Takes the terminal over: a key is told when it is pressed and is not shown. Ctrl-C still interrupts.
    ///
    /// # Errors
    /// Standard input is no terminal, or the terminal cannot be opened.
    pub(crate) fn take() -> io::Result<Keys> {
        let before = tcgetattr(io::stdin().as_fd())?;
        // Opened anew: reading without blocking is a matter of the open file, and the user's other programs share theirs.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let terminal = open("/dev/tty", flags, Mode::empty())
            .or_else(|_| open("/proc/self/fd/0", flags, Mode::empty()))
            .map_err(io::Error::from)?;
        let terminal = convoke_children::watch(terminal, Interest::READABLE)?;
        let mut asked = before.clone();
        asked.local_modes -= LocalModes::ICANON | LocalModes::ECHO;
        // A stopped program in the foreground would leave the shell with these settings.
        asked.special_codes[SpecialCodeIndex::VSUSP] = 0;
        let mut raw = before.clone();
        raw.make_raw();
        BEFORE.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(before);
        let keys = Keys { terminal, asked, raw };
        keys.set(&keys.asked)?;
        Ok(keys)
    }

    fn set(&self, settings: &Termios) -> io::Result<()> {
        Ok(tcsetattr(io::stdin().as_fd(), OptionalActions::Now, settings)?)
    }

    /// Every key is told, Ctrl-C too, and what is printed is not changed, or no more.
    pub(crate) fn raw(&self, raw: bool) -> io::Result<()> {
        self.set(if raw { &self.raw } else { &self.asked })
    }

    /// The next keys; none when the terminal is gone. Dropping the future loses nothing.
    pub(crate) async fn read(&self) -> Option<Vec<u8>> {
        loop {
            let mut ready = self.terminal.readable().await.ok()?;
            let mut buffer = [0; 1024];
            match ready.try_io(|terminal| Ok(rustix::io::read(terminal.as_fd(), &mut buffer)?)) {
                Ok(Ok(0)) => return None,
                Ok(Ok(count)) => return Some(buffer[..count].to_vec()),
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(Err(_)) => return None,
                Err(_would_block) => {}
            }
        }
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        restore();
    }
}

/// Rows and columns; of a terminal that does not say, the usual ones.
pub(crate) fn size() -> (u16, u16) {
    match tcgetwinsize(io::stdout().as_fd()) {
        Ok(size) if size.ws_row > 0 && size.ws_col > 0 => (size.ws_row, size.ws_col),
        _ => (24, 80),
    }
}
