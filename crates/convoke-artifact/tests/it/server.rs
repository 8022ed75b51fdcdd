//! A small HTTP server that misbehaves as a test wants.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A request as it came.
pub(crate) struct Asked {
    /// The how manyth of this server, from 0.
    pub(crate) number: usize,
    /// `GET /path HTTP/1.1` and the headers, names in lower case.
    pub(crate) head: String,
}

impl Asked {
    pub(crate) fn path(&self) -> &str {
        self.head.split(' ').nth(1).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    /// Where the range begins.
    pub(crate) fn range(&self) -> Option<usize> {
        self.header("range")?.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()
    }
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Every connection gets one request's answer from `answer`, and is closed.
    pub(crate) fn start(answer: impl Fn(&Asked, &mut TcpStream) + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (log, answer) = (Arc::clone(&asked), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
                std::thread::spawn(move || serve(&mut stream.unwrap(), &log, &*answer));
            }
        });
        Server { address, asked }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The requests so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        let heads = self.asked.lock().unwrap().clone();
        heads.into_iter().enumerate().map(|(number, head)| Asked { number, head }).collect()
    }
}

fn serve(stream: &mut TcpStream, log: &Mutex<Vec<String>>, answer: &(dyn Fn(&Asked, &mut TcpStream) + Send + Sync)) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.lines();
    let mut text = lines.next().unwrap().to_owned();
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        text.push_str(&format!("\n{}: {value}", name.to_ascii_lowercase()));
    }
    let number = {
        let mut log = log.lock().unwrap();
        log.push(text.clone());
        log.len() - 1
    };
    answer(&Asked { number, head: text }, stream);
}

/// Status line, headers, the length that is said, and a body that may be shorter.
pub(crate) fn reply(stream: &mut TcpStream, status: &str, headers: &str, length: usize, body: &[u8]) {
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{headers}connection: close\r\n\r\n");
    // A client that has seen enough closes early.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
}

/// A well-behaved answer: validators, conditions, ranges.
pub(crate) fn good(asked: &Asked, stream: &mut TcpStream, etag: &str, body: &[u8]) {
    let headers = format!("etag: {etag}\r\n");
    if asked.header("if-none-match") == Some(etag) {
        return reply(stream, "304 Not Modified", &headers, 0, b"");
    }
    match asked.range() {
        Some(from) if asked.header("if-range").is_none_or(|version| version == etag) => {
            let headers = format!("{headers}content-range: bytes {from}-{}/{}\r\n", body.len() - 1, body.len());
            reply(stream, "206 Partial Content", &headers, body.len() - from, &body[from..]);
        }
        _ => reply(stream, "200 OK", &headers, body.len(), body),
    }
}

/// Waits until the client has closed its side.
pub(crate) fn until_closed(stream: &mut TcpStream) {
    let mut byte = [0];
    while stream.read(&mut byte).is_ok_and(|length| length > 0) {}
}
