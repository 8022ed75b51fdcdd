//! Taking connections.
//!
//! A few threads a listener accept and do nothing else. What a connection in clear does first is done where it is
//! accepted: mostly its request is there, is answered at once, and then it is over. Only one that has to wait for
//! something becomes a task of the runtime.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use rustix::net::{Shutdown, SocketFlags};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::places::Place;
use super::stream::Stream;
use super::tls::Tls;
use super::{Shared, connection};

/// How long a listener that cannot accept pauses; the system is out of something then.
const NO_ACCEPT: Duration = Duration::from_millis(100);
/// Threads for one listener at most.
const THREADS: usize = 4;

/// Listeners from which is accepted, until this is dropped.
#[derive(Debug, Default)]
pub(super) struct Accepting(Vec<Arc<TcpListener>>);

impl Accepting {
    /// Accepts from a listener too. Call within a tokio runtime.
    pub(super) fn begin(&mut self, shared: &Arc<Shared>, listener: tokio::net::TcpListener, tls: Option<&Tls>) {
        let blocking = listener.into_std().and_then(|listener| {
            listener.set_nonblocking(false)?;
            Ok(Arc::new(listener))
        });
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(THREADS);
        let begun = blocking.and_then(|listener| {
            for _ in 0..threads {
                let (own, shared, tls, runtime) =
                    (Arc::clone(&listener), Arc::clone(shared), tls.cloned(), Handle::current());
                std::thread::Builder::new().name("accept".to_owned()).spawn(move || {
                    let tracked = shared.tasks.token();
                    accept(&shared, &own, tls.as_ref(), &runtime);
                    // The server has ended when nothing holds what it holds.
                    drop(shared);
                    drop(tracked);
                })?;
            }
            self.0.push(listener);
            Ok(())
        });
        if let Err(error) = begun {
            tracing::error!(%error, "the machine gives no threads to accept connections");
        }
    }
}

impl Drop for Accepting {
    fn drop(&mut self) {
        for listener in &self.0 {
            // Ends the threads that wait for a connection.
            let _ = rustix::net::shutdown(listener, Shutdown::Both);
        }
    }
}

fn accept(shared: &Arc<Shared>, listener: &TcpListener, tls: Option<&Tls>, runtime: &Handle) {
    let _within = runtime.enter();
    while !shared.end.is_cancelled() {
        match next(listener) {
            Ok((stream, peer)) => take(shared, stream, tls, peer),
            // It was reset while it waited.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            // The listener is not one any more.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => return,
            Err(error) => {
                shared.observer.cannot_accept(&error);
                let _ = runtime.block_on(timeout(NO_ACCEPT, shared.end.cancelled()));
            }
        }
    }
}

fn next(listener: &TcpListener) -> io::Result<(std::net::TcpStream, SocketAddr)> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let (socket, peer) = rustix::net::acceptfrom_with(listener, flags)?;
    let peer = peer.and_then(|peer| peer.try_into().ok()).ok_or(io::ErrorKind::ConnectionAborted)?;
    Ok((socket.into(), peer))
}

fn take(shared: &Arc<Shared>, stream: std::net::TcpStream, tls: Option<&Tls>, peer: SocketAddr) {
    shared.observer.metrics.accepted.add(1);
    // Too many: closed without a reply, which a client takes for "ask again later".
    let place = match shared.places.take(peer.ip().to_canonical()) {
        Ok(place) => place,
        Err(limit) => return shared.observer.refused(peer, limit),
    };
    if let Some(tls) = tls {
        shared.tasks.spawn(serve_tls(Arc::clone(shared), stream, tls.clone(), peer, place));
        return;
    }
    let mut connection = Box::pin(serve(Arc::clone(shared), Stream::Fresh(Some(stream)), peer, place));
    // Whatever it waits for is told to the task: there it is polled again.
    let mut context = Context::from_waker(Waker::noop());
    // A panic would be our bug, and ends this connection only.
    let first = catch_unwind(AssertUnwindSafe(|| connection.as_mut().poll(&mut context)));
    if first.is_ok_and(|first| first.is_pending()) {
        shared.tasks.spawn(connection);
    }
}

async fn serve(shared: Arc<Shared>, stream: Stream, peer: SocketAddr, mut place: Place) {
    connection::serve(&shared, stream, peer, &mut place).await;
}

async fn serve_tls(shared: Arc<Shared>, stream: std::net::TcpStream, tls: Tls, peer: SocketAddr, place: Place) {
    let Ok(stream) = TcpStream::from_std(stream) else { return };
    if let Some(stream) = tls.accept(&shared, stream, peer).await {
        serve(shared, stream, peer, place).await;
    }
}
