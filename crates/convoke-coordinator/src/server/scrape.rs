//! The metrics over HTTP: as much of HTTP/1.1 as a scraper needs, one request a connection.
//!
//! ```text
//! head ──▶ GET, HEAD /metrics ──▶ 200   /, other path ──▶ 404   another method ──▶ 405   no request ──▶ 400
//!   └────▶ too long ──▶ 431   too late, gone ──▶ close
//! ```
//!
//! A body that somebody sends is read and thrown away, at most as much as a head may have, so that the answer arrives.
//! However many connect, only a few are served at once and the others wait in the listener's queue.

use std::fmt::Write;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::Shared;
use super::exposition;

/// How long a request may take to come, and again its answer to be taken.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long it is waited for the other side to close.
const LINGER: Duration = Duration::from_secs(1);
/// The longest head.
const LONGEST: usize = 8 * 1024;
/// Who is served at once.
const AT_ONCE: usize = 16;
/// How long a listener that cannot accept pauses.
const NO_ACCEPT: Duration = Duration::from_millis(100);
/// Type of the text.
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";
const PLAIN: &str = "text/plain; charset=utf-8";

pub(super) async fn serve(shared: Arc<Shared>, listener: TcpListener) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        let place = Arc::clone(&places).acquire_owned();
        let accepted = async { (place.await, listener.accept().await) };
        let (place, accepted) = tokio::select! {
            accepted = accepted => accepted,
            () = shared.end.cancelled() => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                let asked = Arc::clone(&shared);
                shared.tasks.spawn(async move {
                    let _place = place;
                    tokio::select! {
                        told = answer(&asked, stream) => if let Err(error) = told {
                            tracing::debug!(%peer, %error, "the metrics were not told");
                        },
                        () = asked.end.cancelled() => {}
                    }
                });
            }
            Err(error) => {
                tracing::debug!(%error, "who asks for metrics cannot be accepted");
                sleep(NO_ACCEPT).await;
            }
        }
    }
}

async fn answer(shared: &Shared, mut stream: TcpStream) -> io::Result<()> {
    let head = timeout(PATIENCE, head(&mut stream)).await??;
    let Answer { status, content, body } = match &head {
        Head::Whole(head) => route(head, shared),
        Head::TooLong => Answer::plain("431 Request Header Fields Too Large", "the head is too long\n"),
        Head::None => return Ok(()),
    };
    let mut text = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {content}\r\nContent-Length: {}\r\nConnection: close\r\n",
        body.len()
    );
    if status.starts_with("405") {
        text.push_str("Allow: GET, HEAD\r\n");
    }
    text.push_str("\r\n");
    if !matches!(&head, Head::Whole(head) if head.starts_with(b"HEAD ")) {
        // Writing to a String does not fail.
        let _ = write!(text, "{body}");
    }
    timeout(PATIENCE, stream.write_all(text.as_bytes())).await??;
    stream.shutdown().await?;
    // What still comes is read, or the system would send a reset and the answer be lost.
    let rest = async { tokio::io::copy(&mut (&mut stream).take(LONGEST as u64), &mut tokio::io::sink()).await };
    // Whoever does not close has its answer all the same.
    let _ = timeout(LINGER, rest).await;
    Ok(())
}

enum Head {
    Whole(Vec<u8>),
    TooLong,
    /// The other side closed before.
    None,
}

/// Reads to the empty line.
async fn head(stream: &mut TcpStream) -> io::Result<Head> {
    let mut head = Vec::new();
    let mut block = [0; 1024];
    loop {
        match stream.read(&mut block).await? {
            0 => return Ok(Head::None),
            count => head.extend_from_slice(&block[..count]),
        }
        if ends(&head) {
            return Ok(Head::Whole(head));
        }
        if head.len() > LONGEST {
            return Ok(Head::TooLong);
        }
    }
}

fn ends(head: &[u8]) -> bool {
    head.windows(4).any(|window| window == b"\r\n\r\n") || head.windows(2).any(|window| window == b"\n\n")
}

struct Answer {
    status: &'static str,
    content: &'static str,
    body: String,
}

impl Answer {
    fn plain(status: &'static str, body: &str) -> Self {
        Self { status, content: PLAIN, body: body.to_owned() }
    }
}

fn route(head: &[u8], shared: &Shared) -> Answer {
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let mut words = line.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return Answer::plain("400 Bad Request", "this is no HTTP request\n");
    };
    if !version.starts_with(b"HTTP/1.") {
        return Answer::plain("400 Bad Request", "this is no HTTP/1 request\n");
    }
    if method != b"GET" && method != b"HEAD" {
        return Answer::plain("405 Method Not Allowed", "ask with GET\n");
    }
    let path = target.split(|byte| *byte == b'?').next().unwrap_or_default();
    if path != b"/metrics" {
        return Answer::plain("404 Not Found", "the metrics are at /metrics\n");
    }
    Answer { status: "200 OK", content: METRICS, body: exposition::text(shared) }
}
