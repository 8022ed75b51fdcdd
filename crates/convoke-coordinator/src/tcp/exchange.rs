//! One request and its reply on one connection.
//!
//! Every failure is the same to the caller: nothing was answered, ask again later. That includes a connection closed
//! without a reply, which is how a coordinator says so (coordinator-protocol.md §1).

use std::fmt;
use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::wire::{Decoded, Decoder, Json};

/// How long a connection may take to come up.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a coordinator may take for a reply beyond the time it was asked to hold the request.
const REPLY: Duration = Duration::from_secs(60);
/// More than this is no reply.
const LONGEST: usize = 256 << 20;

/// Why there was no reply.
#[derive(Debug)]
pub(super) enum NoReply {
    /// There was no connection; the request was not made.
    Unreachable(io::Error),
    /// The request may have been made.
    Lost(&'static str),
    /// The same, with the system's word.
    Broken(io::Error),
}

impl NoReply {
    /// Whether the coordinator certainly knows nothing of the request.
    pub(super) fn not_made(&self) -> bool {
        matches!(self, NoReply::Unreachable(_))
    }
}

impl fmt::Display for NoReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoReply::Unreachable(error) => write!(f, "cannot be reached: {error}"),
            NoReply::Lost(how) => f.write_str(how),
            NoReply::Broken(error) => write!(f, "did not answer: {error}"),
        }
    }
}

/// Makes the request `frame` and gives the reply. `hold` is how long the coordinator was asked to hold the
/// request; `None` for not at all.
///
/// A request that may be held leaves its sending side open: its end is then what tells a coordinator that the caller is
/// gone. Any other is half-closed, as LAVA's dispatchers do.
pub(super) async fn exchange(coordinator: &str, frame: &[u8], hold: Option<Duration>) -> Result<Json, NoReply> {
    let mut stream = match timeout(CONNECT, TcpStream::connect(coordinator)).await {
        Ok(connected) => connected.map_err(NoReply::Unreachable)?,
        Err(_) => return Err(NoReply::Unreachable(io::ErrorKind::TimedOut.into())),
    };
    let talk = async {
        stream.set_nodelay(true).map_err(NoReply::Broken)?;
        stream.write_all(frame).await.map_err(NoReply::Broken)?;
        if hold.is_none() {
            stream.shutdown().await.map_err(NoReply::Broken)?;
        }
        read(&mut stream).await
    };
    timeout(REPLY + hold.unwrap_or_default(), talk).await.unwrap_or(Err(NoReply::Lost("does not answer")))
}

async fn read(stream: &mut TcpStream) -> Result<Json, NoReply> {
    let mut decoder = Decoder::new(LONGEST);
    let mut chunk = vec![0; 16 << 10];
    loop {
        let decoded = match stream.read(&mut chunk).await.map_err(NoReply::Broken)? {
            0 if decoder.is_empty() => return Err(NoReply::Lost("closed the connection without an answer")),
            0 => decoder.end(),
            count => {
                decoder.push(&chunk[..count]);
                decoder.poll()
            }
        };
        match decoded {
            Decoded::More => {}
            Decoded::Message(message) => return Ok(message),
            Decoded::Broken(how) | Decoded::Unusable(how) => {
                tracing::debug!(how, "broken reply");
                return Err(NoReply::Lost("answered with a broken frame"));
            }
        }
    }
}
