//! Handing the overlay out to a device that fetches it itself (`transfer_overlay` by http, device-side.md §2).
//!
//! One file, at an address that cannot be guessed, since an overlay holds the job's secrets; once: when a client has
//! taken all of it, the address is gone. A transfer that breaks off may be begun again. Everything ends when the
//! [`HandOut`] is dropped.

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use uuid::Uuid;

use crate::error::Error;

/// How long a client may take to ask, or to take the next piece.
const PATIENCE: Duration = Duration::from_secs(60);
/// The longest request.
const LONGEST: usize = 8192;
/// Clients at once; further ones wait.
const CLIENTS: usize = 16;
const PIECE: usize = 256 * 1024;

/// A file that is being handed out until this is dropped.
#[derive(Debug)]
pub struct HandOut {
    address: SocketAddr,
    offer: Arc<Offer>,
    task: AbortHandle,
}

#[derive(Debug)]
struct Offer {
    file: File,
    length: u64,
    path: String,
    taken: AtomicBool,
}

impl HandOut {
    /// Hands `file` out to who connects to `listener`. `name` ends the URL's path, for devices that keep it.
    ///
    /// # Errors
    /// A lab error when the listener cannot be used.
    pub fn start(listener: TcpListener, file: File, name: &str) -> Result<HandOut, Error> {
        let failed = |error: io::Error| Error::lab(format!("cannot hand out the overlay: {error}"));
        let address = listener.local_addr().map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        let path = format!("/tmp/{}/{name}", Uuid::new_v4().simple());
        let offer = Arc::new(Offer { file, length, path, taken: AtomicBool::new(false) });
        let task = tokio::spawn(serve(listener, Arc::clone(&offer))).abort_handle();
        Ok(HandOut { address, offer, task })
    }

    /// Where a device finds it: `http://ADDRESS:PORT/tmp/…/NAME`.
    pub fn url(&self) -> String {
        format!("http://{}{}", self.address, self.offer.path)
    }

    /// The same for a device that knows this machine by another address, when it listens at all of them.
    pub fn url_at(&self, host: &str) -> String {
        format!("http://{host}:{}{}", self.address.port(), self.offer.path)
    }

    /// Whether somebody has taken all of it.
    pub fn taken(&self) -> bool {
        self.offer.taken.load(Ordering::Acquire)
    }
}

impl Drop for HandOut {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, offer: Arc<Offer>) {
    // Ends its clients when it is dropped itself.
    let mut clients = JoinSet::new();
    loop {
        tokio::select! {
            client = listener.accept(), if clients.len() < CLIENTS => match client {
                // A client that goes away has nobody to be told.
                Ok((stream, _)) => drop(clients.spawn(tell(stream, Arc::clone(&offer)))),
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                // Out of descriptors: one is freed when a client ends. Without clients there is nothing to wait for.
                Err(_) if clients.is_empty() => return,
                Err(_) => drop(clients.join_next().await),
            },
            Some(_) = clients.join_next() => {}
        }
    }
}

async fn tell(mut stream: TcpStream, offer: Arc<Offer>) -> io::Result<()> {
    let mut head = Vec::new();
    let request = async {
        while !head.windows(4).any(|end| end == b"\r\n\r\n") && head.len() < LONGEST {
            if stream.read_buf(&mut head).await? == 0 {
                break;
            }
        }
        io::Result::Ok(())
    };
    tokio::time::timeout(PATIENCE, request).await??;
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let mut words = line.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let status = match method {
        _ if path != offer.path => "404 Not Found",
        _ if offer.taken.load(Ordering::Acquire) => "410 Gone",
        "GET" | "HEAD" => "200 OK",
        _ => "405 Method Not Allowed",
    };
    let good = status.starts_with("200");
    let length = if good { offer.length } else { 0 };
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/octet-stream\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n"
    );
    stream.write_all(answer.as_bytes()).await?;
    if good && method == "GET" {
        send(&mut stream, &offer).await?;
    }
    stream.shutdown().await?;
    // What the client closes in good order has arrived.
    let rest = async {
        while stream.read(&mut [0; 512]).await? > 0 {}
        io::Result::Ok(())
    };
    tokio::time::timeout(PATIENCE, rest).await??;
    if good && method == "GET" {
        offer.taken.store(true, Ordering::Release);
    }
    Ok(())
}

async fn send(stream: &mut TcpStream, offer: &Arc<Offer>) -> io::Result<()> {
    let mut at = 0;
    while at < offer.length {
        let source = Arc::clone(offer);
        let read = move || -> io::Result<Vec<u8>> {
            let mut piece = vec![0; PIECE];
            let length = source.file.read_at(&mut piece, at)?;
            piece.truncate(length);
            Ok(piece)
        };
        let piece = tokio::task::spawn_blocking(read).await.map_err(io::Error::other)??;
        if piece.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        tokio::time::timeout(PATIENCE, stream.write_all(&piece)).await??;
        at += piece.len() as u64;
    }
    Ok(())
}
