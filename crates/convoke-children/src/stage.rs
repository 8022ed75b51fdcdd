//! Convoke's side of a stage: start it, talk to it, wait for it; it is killed when dropped.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::process::{Child, ExitStatus, Stdio};

use rustix::fs::MemfdFlags;
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::process::{Pid, PidfdFlags, Signal};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::spawner::{self, Launch};
use crate::watch::watch;
use crate::wire::{self, Packet};

/// What goes wrong with a stage.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// It cannot be started.
    #[error("cannot start the stage `{stage}`: {source}")]
    Start {
        /// Name of the stage.
        stage: String,
        /// What the kernel says.
        source: io::Error,
    },
    /// Its channel fails.
    #[error("cannot talk to the stage `{stage}`: {source}")]
    Channel {
        /// Name of the stage.
        stage: String,
        /// What the kernel says.
        source: io::Error,
    },
    /// It ended without the answer that was waited for.
    #[error("{message}")]
    Ended {
        /// Name of the stage.
        stage: String,
        /// What it wrote to its standard error, or that it ended without a word.
        message: String,
    },
}

/// A running stage.
#[derive(Debug)]
pub struct Stage {
    name: String,
    control: AsyncFd<OwnedFd>,
    pidfd: AsyncFd<OwnedFd>,
    child: Option<Child>,
    pid: Pid,
    stderr: std::fs::File,
}

impl Stage {
    /// Starts `name` and sends it `config` with `fds` as its first message.
    ///
    /// # Errors
    /// When the process cannot be started; that the stage itself fails is seen at [`Stage::recv`] and [`Stage::wait`].
    pub async fn spawn<C: Serialize + Sync>(
        name: &str,
        config: &C,
        fds: &[BorrowedFd<'_>],
    ) -> Result<Stage, StageError> {
        let failed = |source: io::Error| StageError::Start { stage: name.to_owned(), source };
        let (ours, theirs) =
            rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
                .map_err(|error| failed(error.into()))?;
        rustix::io::ioctl_fionbio(&ours, true).map_err(|error| failed(error.into()))?;
        let stderr =
            rustix::fs::memfd_create("stage-stderr", MemfdFlags::CLOEXEC).map_err(|error| failed(error.into()))?;
        let launch = Launch {
            name: name.to_owned(),
            args: Vec::new(),
            stdin: Stdio::from(theirs),
            stdout: Stdio::null(),
            stderr: Stdio::from(stderr.try_clone().map_err(failed)?),
            own_group: true,
        };
        let child = spawner::spawn(launch).await.map_err(failed)?;
        let pid = Pid::from_child(&child);
        let watched =
            rustix::process::pidfd_open(pid, PidfdFlags::NONBLOCK).map_err(io::Error::from).and_then(|pidfd| {
                Ok((watch(pidfd, Interest::READABLE)?, watch(ours, Interest::READABLE | Interest::WRITABLE)?))
            });
        let (pidfd, control) = match watched {
            Ok(watched) => watched,
            Err(error) => {
                // The channel has been closed with the error: the stage ends by itself.
                spawner::reap(child);
                return Err(failed(error));
            }
        };
        let stage = Stage { name: name.to_owned(), control, pidfd, child: Some(child), pid, stderr: stderr.into() };
        stage.send(config, fds).await?;
        Ok(stage)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Sends a message with descriptors beside it.
    ///
    /// # Errors
    /// [`StageError::Ended`] when the stage has ended.
    pub async fn send<M: Serialize>(&self, message: &M, fds: &[BorrowedFd<'_>]) -> Result<(), StageError> {
        let bytes = wire::encode(message).map_err(|source| self.channel(source))?;
        let sent = self.control.async_io(Interest::WRITABLE, |socket| wire::send(socket.as_fd(), &bytes, fds)).await;
        match sent {
            Err(error) if matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) => {
                Err(self.ended())
            }
            Err(source) => Err(self.channel(source)),
            Ok(()) => Ok(()),
        }
    }

    /// Waits for the next message; `None` when every holder of the stage's end has closed it.
    ///
    /// # Errors
    /// When the message is none, or the channel fails.
    pub async fn try_recv<M: DeserializeOwned>(&self) -> Result<Option<Packet<M>>, StageError> {
        let received = self.control.async_io(Interest::READABLE, |socket| wire::recv(socket.as_fd())).await;
        received.map_err(|source| self.channel(source))
    }

    /// Waits for the next message, which must come.
    ///
    /// # Errors
    /// [`StageError::Ended`], with what the stage wrote to its standard error, when it ended instead.
    pub async fn recv<M: DeserializeOwned>(&self) -> Result<(M, Vec<OwnedFd>), StageError> {
        self.try_recv().await?.ok_or_else(|| self.ended())
    }

    /// Waits for the end of the process and reaps it. The channel stays open: another process may have inherited it.
    ///
    /// # Errors
    /// When it has been waited for before.
    pub async fn wait(&mut self) -> Result<ExitStatus, StageError> {
        let readable = self.pidfd.readable().await;
        let _ = readable.map_err(|source| self.channel(source))?;
        let Some(mut child) = self.child.take() else {
            return Err(self.channel(io::Error::other("the stage has been waited for before")));
        };
        child.wait().map_err(|source| self.channel(source))
    }

    /// Kills it and whatever it has started in its process group; harmless when it has been waited for.
    pub fn kill(&self) {
        if self.child.is_some() {
            // It has not been reaped, so the id is still its own.
            let _ = rustix::process::kill_process_group(self.pid, Signal::KILL);
        }
    }

    /// What it has written to its standard error so far, without the line break at the end.
    pub fn stderr(&self) -> String {
        // At most 64 KiB of it: an error is one line. Read in place, as the file position is the stage's too.
        let mut bytes = vec![0; 64 * 1024];
        match self.stderr.read_at(&mut bytes, 0) {
            Ok(length) => bytes.truncate(length),
            Err(error) => return error.to_string(),
        }
        String::from_utf8_lossy(&bytes).trim_end().to_owned()
    }

    fn ended(&self) -> StageError {
        let mut message = self.stderr();
        if message.is_empty() {
            message = format!("the stage `{}` ended without a word", self.name);
        }
        StageError::Ended { stage: self.name.clone(), message }
    }

    fn channel(&self, source: io::Error) -> StageError {
        StageError::Channel { stage: self.name.clone(), source }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.kill();
        if let Some(child) = self.child.take() {
            spawner::reap(child);
        }
    }
}
