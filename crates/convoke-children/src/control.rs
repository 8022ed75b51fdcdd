//! The stage's side of its control channel, blocking.
//!
//! End of file on it means that convoke is gone or has no more use for the stage: the stage ends.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::wire;

/// The control channel of the stage that this process is.
#[derive(Debug)]
pub struct Control {
    socket: OwnedFd,
}

impl Control {
    /// Takes standard input as the channel and leaves `/dev/null` in its place, so that no child inherits it by accident.
    pub(crate) fn from_stdin() -> io::Result<Self> {
        let socket = io::stdin().as_fd().try_clone_to_owned()?;
        rustix::net::sockopt::socket_type(&socket)
            .map_err(|_| io::Error::other("a stage is started by convoke itself, not by hand"))?;
        let null = std::fs::File::open("/dev/null")?;
        rustix::stdio::dup2_stdin(&null)?;
        Ok(Control { socket })
    }

    /// Waits for the next message and the descriptors beside it.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] when the channel has ended: convoke is gone, the stage should end too.
    pub fn recv<M: DeserializeOwned>(&self) -> io::Result<(M, Vec<OwnedFd>)> {
        wire::recv(self.socket.as_fd())?
            .ok_or_else(|| io::Error::new(io::ErrorKind::UnexpectedEof, "the control channel has ended"))
    }

    /// Sends a message with descriptors beside it.
    ///
    /// # Errors
    /// When the channel has ended or the message does not fit.
    pub fn send<M: Serialize>(&self, message: &M, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        wire::send(self.socket.as_fd(), &wire::encode(message)?, fds)
    }

    /// Waits until the channel has ended; messages that still come are left unread.
    ///
    /// # Errors
    /// None but those of the kernel.
    pub fn wait_eof(&self) -> io::Result<()> {
        loop {
            let mut fds = [PollFd::new(&self.socket, PollFlags::RDHUP)];
            match rustix::event::poll(&mut fds, None) {
                Ok(_) if fds[0].revents().intersects(PollFlags::HUP | PollFlags::RDHUP) => return Ok(()),
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Whether the channel has ended already.
    pub fn is_eof(&self) -> bool {
        let mut fds = [PollFd::new(&self.socket, PollFlags::RDHUP)];
        let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
        matches!(rustix::event::poll(&mut fds, Some(&now)), Ok(count) if count > 0)
            && fds[0].revents().intersects(PollFlags::HUP | PollFlags::RDHUP)
    }
}

impl AsFd for Control {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
