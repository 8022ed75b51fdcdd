//! The console's bytes: the master side of a terminal, asynchronous.
//!
//! When the last process on the other side is gone the kernel answers EIO: that is the end of the file.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use convoke_dispatcher::device::Console;
use rustix::io::Errno;
use rustix::termios::{Winsize, tcsetwinsize};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};

/// Makes a console of a master descriptor.
pub(crate) fn console(master: OwnedFd) -> io::Result<Console> {
    rustix::io::ioctl_fionbio(&master, true)?;
    let master = Arc::new(convoke_children::watch(master, Interest::READABLE | Interest::WRITABLE)?);
    let sized = Arc::clone(&master);
    let resize = move |rows, columns| {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        // A terminal that is gone has no size.
        let _ = tcsetwinsize(sized.get_ref(), size);
    };
    Ok(Console { resize: Some(Box::new(resize)), ..Console::new(Reader(master.clone()), Writer(master)) })
}

struct Reader(Arc<AsyncFd<OwnedFd>>);
struct Writer(Arc<AsyncFd<OwnedFd>>);

impl AsyncRead for Reader {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut ready = ready!(self.0.poll_read_ready(context))?;
            let space = buffer.initialize_unfilled();
            match ready.try_io(|master| Ok(rustix::io::read(master.as_fd(), &mut *space)?)) {
                Ok(Ok(length)) => {
                    buffer.advance(length);
                    return Poll::Ready(Ok(()));
                }
                Ok(Err(error)) if is(&error, Errno::IO) => return Poll::Ready(Ok(())),
                Ok(Err(error)) if is(&error, Errno::INTR) => {}
                Ok(Err(error)) => return Poll::Ready(Err(error)),
                Err(_would_block) => {}
            }
        }
    }
}

impl AsyncWrite for Writer {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            let mut ready = ready!(self.0.poll_write_ready(context))?;
            match ready.try_io(|master| Ok(rustix::io::write(master.as_fd(), bytes)?)) {
                Ok(Err(error)) if is(&error, Errno::IO) => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
                Ok(Err(error)) if is(&error, Errno::INTR) => {}
                Ok(result) => return Poll::Ready(result),
                Err(_would_block) => {}
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn is(error: &io::Error, errno: Errno) -> bool {
    error.raw_os_error() == Some(errno.raw_os_error())
}
