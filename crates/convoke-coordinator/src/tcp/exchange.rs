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

/// How long a connection may take to come up.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a coordinator may take for a reply beyond the time it was asked to hold the request.
const REPLY: Duration = Duration::from_secs(60);
/// More than this is no reply.
const LONGEST: u64 = 256 << 20;

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

/// Makes the request `frame` and gives the text of the reply. `hold` is how long the coordinator was asked to hold the
/// request, zero for not at all.
///
/// A request that may be held leaves its sending side open: its end is then what tells a coordinator that the caller is
/// gone. Any other is half-closed, as LAVA's dispatchers do.
pub(super) async fn exchange(coordinator: &str, frame: &[u8], hold: Duration) -> Result<Vec<u8>, NoReply> {
    let mut stream = match timeout(CONNECT, TcpStream::connect(coordinator)).await {
        Ok(connected) => connected.map_err(NoReply::Unreachable)?,
        Err(_) => return Err(NoReply::Unreachable(io::ErrorKind::TimedOut.into())),
    };
    let talk = async {
        stream.set_nodelay(true).map_err(NoReply::Broken)?;
        stream.write_all(frame).await.map_err(NoReply::Broken)?;
        if hold.is_zero() {
            stream.shutdown().await.map_err(NoReply::Broken)?;
        } else {
            // A held request is silent for long; only probes find out that the other machine is gone.
            keep_alive(&stream).map_err(NoReply::Broken)?;
        }
        read(&mut stream).await
    };
    timeout(hold.saturating_add(REPLY), talk).await.unwrap_or(Err(NoReply::Lost("does not answer")))
}

async fn read(stream: &mut TcpStream) -> Result<Vec<u8>, NoReply> {
    let mut header = [0; 8];
    match stream.read_exact(&mut header).await {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            return Err(NoReply::Lost("closed the connection without an answer"));
        }
        Err(error) => return Err(NoReply::Broken(error)),
    }
    let length = std::str::from_utf8(&header)
        .ok()
        .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
        .and_then(|digits| u64::from_str_radix(digits, 16).ok())
        .filter(|length| *length <= LONGEST)
        .ok_or(NoReply::Lost("answered with a broken frame"))?;
    let mut text = Vec::new();
    stream.take(length).read_to_end(&mut text).await.map_err(NoReply::Broken)?;
    if (text.len() as u64) < length {
        return Err(NoReply::Lost("closed the connection within an answer"));
    }
    Ok(text)
}

fn keep_alive(stream: &TcpStream) -> io::Result<()> {
    use rustix::net::sockopt;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, Duration::from_secs(30))?;
    sockopt::set_tcp_keepintvl(stream, Duration::from_secs(10))?;
    sockopt::set_tcp_keepcnt(stream, 3)?;
    Ok(())
}
