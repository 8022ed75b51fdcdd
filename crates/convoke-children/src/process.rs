//! A process known by its pidfd alone: the PID 1 of a sandbox, which its stage has left to us.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::io::Errno;
use rustix::process::{Signal, WaitId, WaitIdOptions};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::watch::watch;

/// A process that ends when this is dropped.
#[derive(Debug)]
pub struct Process {
    pidfd: Option<AsyncFd<OwnedFd>>,
}

impl Process {
    /// Takes charge of a process.
    ///
    /// # Errors
    /// Outside a tokio runtime.
    pub fn new(pidfd: OwnedFd) -> io::Result<Self> {
        Ok(Process { pidfd: Some(watch(pidfd, Interest::READABLE)?) })
    }

    /// Its number as seen from here, for people; `None` when it has ended.
    pub fn pid(&self) -> Option<u32> {
        let fd = self.pidfd.as_ref()?.get_ref().as_raw_fd();
        let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).ok()?;
        info.lines().find_map(|line| line.strip_prefix("Pid:"))?.trim().parse().ok()
    }

    /// Kills it; harmless when it has ended.
    pub fn kill(&self) {
        if let Some(pidfd) = &self.pidfd {
            // Refused only when it has ended.
            let _ = rustix::process::pidfd_send_signal(pidfd.get_ref(), Signal::KILL);
        }
    }

    /// Waits until it has ended. For the PID 1 of a PID namespace, everything in the namespace has ended then too.
    ///
    /// # Errors
    /// None but those of the kernel.
    pub async fn wait(&mut self) -> io::Result<()> {
        let Some(pidfd) = &self.pidfd else { return Ok(()) };
        let _ = pidfd.readable().await?;
        match rustix::process::waitid(WaitId::PidFd(pidfd.get_ref().as_fd()), WaitIdOptions::EXITED) {
            // Not our child: someone else reaps it.
            Ok(_) | Err(Errno::CHILD) => {}
            Err(error) => return Err(error.into()),
        }
        self.pidfd = None;
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if let Some(pidfd) = self.pidfd.take() {
            crate::spawner::reap_adopted(pidfd.into_inner());
        }
    }
}
