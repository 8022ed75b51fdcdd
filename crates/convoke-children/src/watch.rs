//! Watching a descriptor from the asynchronous side.

use std::io;
use std::os::fd::OwnedFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Registers a descriptor with the runtime. It must not block where `interest` says that it is waited for.
///
/// # Errors
/// When the kernel cannot poll it.
///
/// # Panics
/// Outside a tokio runtime.
pub fn watch(fd: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    // Deprecated because a wrapper type may close or change its descriptor behind the runtime's back. An `OwnedFd` cannot,
    // and the replacement needs `unsafe`.
    #[expect(deprecated)]
    AsyncFd::with_interest(fd, interest)
}
