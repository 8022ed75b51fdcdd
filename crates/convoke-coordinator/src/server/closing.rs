//! How a connection ends: everything that came is read before it is closed, or the system would send a reset and the
//! reply would be lost (coordinator-protocol.md §1 rule 6); and whether a reply arrived.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::stream::Stream;

/// How long a caller that was answered may go on sending, or leave its side open.
const DRAIN: Duration = Duration::from_secs(10);
/// How long a caller may take to acknowledge its reply when the server ends.
const LAST_LOOK: Duration = Duration::from_millis(500);
/// First and longest pause between two looks at whether the other side has acknowledged everything.
const LOOK: (Duration, Duration) = (Duration::from_micros(200), Duration::from_millis(200));

/// Closes the connection in order: our side first, then what still comes is read until the other side has closed.
/// When the server ends, only what has come already is read.
pub(super) async fn close(stream: &mut Stream, ended: bool, end: &CancellationToken) {
    let ended = ended || stream.next_byte() == Some(0);
    if ended && !matches!(stream, Stream::Tls(_)) {
        // The other side has closed, and everything it sent is read: closing is all there is to do.
        return;
    }
    if stream.shutdown().await.is_ok() && !ended {
        tokio::select! {
            biased;
            _ = timeout(DRAIN, drain(stream)) => {}
            () = end.cancelled() => {}
        }
    }
}

/// Closes the connection, and says whether the other side has received everything that was written: it closed without a
/// reset, or acknowledged the end of our side. When the server ends it has to do so soon, or counts as gone.
pub(super) async fn has_arrived(
    stream: &mut Stream,
    ended: &mut bool,
    limit: Duration,
    end: &CancellationToken,
) -> bool {
    tokio::select! {
        biased;
        arrived = acknowledged(stream, ended, limit) => arrived,
        () = async { end.cancelled().await; sleep(LAST_LOOK).await } => false,
    }
}

async fn acknowledged(stream: &mut Stream, ended: &mut bool, limit: Duration) -> bool {
    if stream.shutdown().await.is_err() {
        return false;
    }
    let give_up = Instant::now().checked_add(limit);
    if !*ended {
        match timeout(limit, drain(stream)).await {
            Ok(Ok(())) => *ended = true,
            Ok(Err(_)) | Err(_) => return false,
        }
    }
    // Both sides have sent their end. The connection is over for the system once ours is acknowledged, and then has no
    // peer any more; it tells nobody, so one has to look.
    let mut pause = LOOK.0;
    loop {
        if let Ok(Some(_)) | Err(_) = stream.take_error() {
            return false;
        }
        match stream.peer_addr() {
            Err(error) if error.kind() == io::ErrorKind::NotConnected => {
                return matches!(stream.take_error(), Ok(None));
            }
            Err(_) => return false,
            Ok(_) if give_up.is_some_and(|give_up| Instant::now() >= give_up) => return false,
            Ok(_) => sleep(pause).await,
        }
        pause = (pause * 2).min(LOOK.1);
    }
}

async fn drain(stream: &mut Stream) -> io::Result<()> {
    let mut block = [0; 4096];
    loop {
        match stream.read(&mut block).await {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            // Within TLS: it closed without saying so before.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    /// A caller that neither reads nor closes does not hold the server's end up.
    #[tokio::test(start_paused = true)]
    async fn a_silent_caller_counts_as_gone_soon_after_the_end() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _caller = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let mut stream = Stream::Clear(listener.accept().await.unwrap().0);
        let end = CancellationToken::new();
        end.cancel();
        let (began, limit) = (Instant::now(), Duration::from_secs(30));
        assert!(!has_arrived(&mut stream, &mut false, limit, &end).await);
        assert!(began.elapsed() < limit, "its own limit does not count then");
    }
}
