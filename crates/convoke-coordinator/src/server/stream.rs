//! A connection's bytes, in clear or within TLS.
//!
//! A connection that was just accepted is tried before the runtime is asked to watch it: its request has mostly come
//! already, its reply fits into the socket, and then nothing has to be watched.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A connection that was accepted.
#[derive(Debug)]
pub(super) enum Stream {
    /// Not watched by the runtime yet, and never blocking; none only while it becomes [`Stream::Clear`].
    Fresh(Option<std::net::TcpStream>),
    Clear(TcpStream),
    Tls(Box<tokio_rustls::server::TlsStream<TcpStream>>),
}

impl Stream {
    /// What is wrong with the connection, once.
    pub(super) fn take_error(&self) -> io::Result<Option<io::Error>> {
        match self {
            Stream::Fresh(tcp) => tcp.as_ref().ok_or_else(gone)?.take_error(),
            Stream::Clear(tcp) => tcp.take_error(),
            Stream::Tls(tls) => tls.get_ref().0.take_error(),
        }
    }

    /// The other side, as long as the system has the connection.
    pub(super) fn peer_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Stream::Fresh(tcp) => tcp.as_ref().ok_or_else(gone)?.peer_addr(),
            Stream::Clear(tcp) => tcp.peer_addr(),
            Stream::Tls(tls) => tls.get_ref().0.peer_addr(),
        }
    }

    /// What is there to be read at once: some bytes, of which one is taken, or the end (0), in whatever way. None when
    /// nothing is there. Within TLS that cannot be looked at without waiting.
    pub(super) fn next_byte(&self) -> Option<usize> {
        let read = match self {
            Stream::Fresh(tcp) => tcp.as_ref()?.read(&mut [0]),
            Stream::Clear(tcp) => tcp.try_read(&mut [0]),
            Stream::Tls(_) => return None,
        };
        match read {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            read => Some(read.unwrap_or(0)),
        }
    }

    /// Lets the runtime watch it.
    fn watch(&mut self) -> io::Result<()> {
        if let Stream::Fresh(tcp) = self {
            *self = Stream::Clear(TcpStream::from_std(tcp.take().ok_or_else(gone)?)?);
        }
        Ok(())
    }

    /// Does something with a fresh connection; none when that cannot be done at once, and it is watched from now on.
    fn at_once<T>(&mut self, what: impl FnOnce(&mut &std::net::TcpStream) -> io::Result<T>) -> Option<io::Result<T>> {
        let Stream::Fresh(tcp) = self else { return None };
        let Some(tcp) = tcp else { return Some(Err(gone())) };
        match what(&mut &*tcp) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.watch().err().map(Err),
            done => Some(done),
        }
    }
}

fn gone() -> io::Error {
    io::ErrorKind::NotConnected.into()
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let stream = self.get_mut();
        if let Some(read) = stream.at_once(|tcp| tcp.read(buffer.initialize_unfilled())) {
            return Poll::Ready(read.map(|count| buffer.advance(count)));
        }
        match stream {
            Stream::Fresh(_) => Poll::Ready(Err(gone())),
            Stream::Clear(tcp) => Pin::new(tcp).poll_read(context, buffer),
            Stream::Tls(tls) => Pin::new(tls.as_mut()).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let stream = self.get_mut();
        if let Some(written) = stream.at_once(|tcp| tcp.write(bytes)) {
            return Poll::Ready(written);
        }
        match stream {
            Stream::Fresh(_) => Poll::Ready(Err(gone())),
            Stream::Clear(tcp) => Pin::new(tcp).poll_write(context, bytes),
            Stream::Tls(tls) => Pin::new(tls.as_mut()).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Fresh(_) => Poll::Ready(Ok(())),
            Stream::Clear(tcp) => Pin::new(tcp).poll_flush(context),
            Stream::Tls(tls) => Pin::new(tls.as_mut()).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Fresh(tcp) => {
                Poll::Ready(tcp.as_ref().ok_or_else(gone).and_then(|tcp| tcp.shutdown(Shutdown::Write)))
            }
            Stream::Clear(tcp) => Pin::new(tcp).poll_shutdown(context),
            Stream::Tls(tls) => Pin::new(tls.as_mut()).poll_shutdown(context),
        }
    }
}
