//! One request and its reply, on a new connection or on the one that was kept.
//!
//! Every failure is the same to the caller: nothing was answered, ask again later. That includes a connection closed
//! without a reply, which is how a coordinator says so (coordinator-protocol.md §1).

use std::fmt;
use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::kept::Kept;
use super::stream::Stream;
use super::tls::{self, ClientTls};
use crate::wire::{Decoded, Decoder, Json, Reply};

/// How long a connection may take to come up.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a coordinator may take for a reply beyond the time it was asked to hold the request.
const REPLY: Duration = Duration::from_secs(60);
/// How long what is sent may stay without the other machine's acknowledgement, in milliseconds.
const UNHEARD: u32 = 20_000;
/// More than this is no reply.
const LONGEST: usize = 256 << 20;

/// Why there was no reply.
#[derive(Debug)]
pub(super) enum NoReply {
    /// There was no connection; the request was not made.
    Unreachable(io::Error),
    /// There was no TLS with it, and why; the request was not made.
    NoTls(String),
    /// The connection was closed without an answer; the request may have been made.
    Closed,
    /// The request may have been made.
    Lost(&'static str),
    /// The same, with the system's word.
    Broken(io::Error),
}

impl NoReply {
    /// Whether the coordinator certainly knows nothing of the request.
    pub(super) fn not_made(&self) -> bool {
        matches!(self, NoReply::Unreachable(_) | NoReply::NoTls(_))
    }
}

impl fmt::Display for NoReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoReply::Unreachable(error) => write!(f, "cannot be reached: {error}"),
            NoReply::NoTls(why) => f.write_str(why),
            NoReply::Closed => f.write_str("closed the connection without an answer"),
            NoReply::Lost(how) => f.write_str(how),
            NoReply::Broken(error) => match tls::words(error) {
                Some(words) => f.write_str(&words),
                None => write!(f, "did not answer: {error}"),
            },
        }
    }
}

/// How requests reach the coordinator.
#[derive(Debug)]
pub(super) struct Line {
    coordinator: String,
    tls: Option<ClientTls>,
    kept: Kept,
}

impl Line {
    pub(super) fn new(coordinator: String, tls: Option<ClientTls>) -> Self {
        Self { coordinator, tls, kept: Kept::default() }
    }

    /// Makes the request `frame` and gives the reply. `hold` is how long the coordinator was asked to hold the
    /// request; `None` for not at all.
    ///
    /// A request that may be held leaves its sending side open: its end is then what tells a coordinator that the caller
    /// is gone. Any other is half-closed, as LAVA's dispatchers do.
    ///
    /// A coordinator may close a kept connection at any time. A request that finds it closed is made again on a new one:
    /// only a coordinator of ours keeps connections, and with it that is harmless.
    pub(super) async fn exchange(&self, frame: &[u8], hold: Option<Duration>) -> Result<Json, NoReply> {
        if let Some(stream) = self.kept.take().await {
            match self.talk(stream, frame, hold).await {
                Err(NoReply::Closed | NoReply::Broken(_)) => tracing::debug!("the kept connection was closed"),
                other => return other,
            }
        }
        let stream = timeout(CONNECT, self.connect()).await;
        let stream = stream.unwrap_or_else(|_| Err(NoReply::Unreachable(io::ErrorKind::TimedOut.into())))?;
        self.talk(stream, frame, hold).await
    }

    async fn connect(&self) -> Result<Stream, NoReply> {
        let stream = TcpStream::connect(&self.coordinator).await.map_err(NoReply::Unreachable)?;
        stream.set_nodelay(true).map_err(NoReply::Broken)?;
        // On a kept connection nothing else tells soon that the other machine is gone; nothing depends on it.
        let _ = rustix::net::sockopt::set_tcp_user_timeout(&stream, UNHEARD);
        match &self.tls {
            None => Ok(Stream::Clear(stream)),
            Some(tls) => tls.connect(&self.coordinator, stream).await.map_err(NoReply::NoTls),
        }
    }

    async fn talk(&self, mut stream: Stream, frame: &[u8], hold: Option<Duration>) -> Result<Json, NoReply> {
        let talk = async {
            stream.write_all(frame).await.map_err(NoReply::Broken)?;
            stream.flush().await.map_err(NoReply::Broken)?;
            if hold.is_none() {
                stream.shutdown().await.map_err(NoReply::Broken)?;
            }
            read(&mut stream).await
        };
        let read = timeout(REPLY + hold.unwrap_or_default(), talk).await;
        let (reply, more) = read.unwrap_or(Err(NoReply::Lost("does not answer")))?;
        if hold.is_some() && !more && Reply::is_kept(&reply) {
            self.kept.put(stream);
        }
        Ok(reply)
    }
}

/// Reads a reply, and says whether something came behind it.
async fn read(stream: &mut Stream) -> Result<(Json, bool), NoReply> {
    let mut decoder = Decoder::new(LONGEST);
    let mut chunk = vec![0; 16 << 10];
    loop {
        let decoded = match stream.read(&mut chunk).await.map_err(NoReply::Broken)? {
            0 if decoder.is_empty() => return Err(NoReply::Closed),
            0 => decoder.end(),
            count => {
                decoder.push(&chunk[..count]);
                decoder.poll()
            }
        };
        match decoded {
            Decoded::More => {}
            Decoded::Message(message) => return Ok((message, !decoder.is_empty())),
            Decoded::Broken(how) | Decoded::Unusable(how) => {
                tracing::debug!(how, "broken reply");
                return Err(NoReply::Lost("answered with a broken frame"));
            }
        }
    }
}
