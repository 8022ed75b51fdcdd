//! Frames: eight hexadecimal digits, then as much JSON text (coordinator-protocol.md §1).
//!
//! The number counts bytes. A client that counted characters, or understated the length, is understood all the same:
//! past the announced count the decoder follows the brackets of the text and takes the message when the outermost one
//! closes. At the end of the input whatever is there counts. Every byte is looked at a fixed number of times, so that a
//! sender of single bytes costs no more than another, and nothing is allocated by the announced number.

use super::json::{Json, JsonError};

const HEADER: usize = 8;

/// Puts a text into a frame.
pub fn frame(text: &str) -> Vec<u8> {
    let mut frame = format!("{:08X}", text.len()).into_bytes();
    frame.extend_from_slice(text.as_bytes());
    frame
}

/// What a decoder makes of the bytes so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// More bytes are needed.
    More,
    /// A message. Bytes behind it are kept for the next one.
    Message(Json),
    /// Close without a reply: this is no frame, no JSON, or too long.
    Broken(&'static str),
    /// Answer nack: JSON of a kind that is not kept.
    Unusable(&'static str),
}

/// Takes a stream of bytes apart into messages.
#[derive(Debug)]
pub struct Decoder {
    buffer: Vec<u8>,
    limit: usize,
    scan: Scan,
    tried: bool,
}

impl Decoder {
    /// A decoder that refuses messages of more than `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { buffer: Vec::new(), limit, scan: Scan::default(), tried: false }
    }

    /// Whether nothing has arrived yet.
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// Takes bytes that have arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Looks at what has arrived.
    pub fn poll(&mut self) -> Decoded {
        let announced = match self.announced() {
            Ok(Some(announced)) => announced,
            Ok(None) => return Decoded::More,
            Err(why) => return Decoded::Broken(why),
        };
        let body = &self.buffer[HEADER..];
        self.scan.follow(body);
        // What lies behind a complete message belongs to the next one and does not count.
        let length = self.scan.end.map_or(body.len(), |end| end.max(announced).min(body.len()));
        if length > self.limit {
            return Decoded::Broken("the message is too long");
        }
        if body.len() < announced {
            return Decoded::More;
        }
        match self.scan.end {
            Some(end) if end <= announced || self.tried => self.take(end.max(announced)),
            None if self.tried => Decoded::More,
            end => {
                // Not closed within the count, or no object at all: read once up to there, so that what no further byte
                // can mend ends here, however much has arrived.
                self.tried = true;
                match (Json::parse(&body[..announced]), end) {
                    (Err(JsonError::Incomplete), Some(end)) => self.take(end),
                    (Err(JsonError::Incomplete), None) => Decoded::More,
                    _ => self.take(announced),
                }
            }
        }
    }

    /// The sender has finished: what is there is all there will be. Call after [`Decoder::poll`] has asked for more.
    pub fn end(&mut self) -> Decoded {
        match self.announced() {
            Ok(Some(_)) => self.take(self.buffer.len() - HEADER),
            Ok(None) => Decoded::Broken("the connection ended before a message was there"),
            Err(why) => Decoded::Broken(why),
        }
    }

    fn announced(&self) -> Result<Option<usize>, &'static str> {
        let header = &self.buffer[..self.buffer.len().min(HEADER)];
        if header.first() == Some(&0x16) {
            return Err("the message is one of TLS, and this port takes none: use the one of --listen-tls");
        }
        if !header.iter().all(u8::is_ascii_hexdigit) {
            return Err("the message does not begin with eight hexadecimal digits");
        }
        if header.len() < HEADER {
            return Ok(None);
        }
        let count = header.iter().filter_map(|digit| char::from(*digit).to_digit(16));
        match count.fold(0_usize, |sum, digit| sum.saturating_mul(16).saturating_add(digit as usize)) {
            0 => Err("the message is empty"),
            announced => Ok(Some(announced)),
        }
    }

    fn take(&mut self, length: usize) -> Decoded {
        let parsed = Json::parse(&self.buffer[HEADER..HEADER + length]);
        self.buffer.drain(..HEADER + length);
        self.scan = Scan::default();
        self.tried = false;
        match parsed {
            Ok(message) => Decoded::Message(message),
            Err(JsonError::Unusable) => {
                Decoded::Unusable("the message holds NaN, a lone surrogate or too deep nesting")
            }
            Err(JsonError::Incomplete) => Decoded::Broken("the message is cut off"),
            Err(JsonError::Malformed) => Decoded::Broken("the message is not JSON"),
        }
    }
}

/// Finds where the outermost bracket of a text closes, without reading the text.
#[derive(Debug, Default)]
struct Scan {
    at: usize,
    depth: usize,
    in_text: bool,
    escaped: bool,
    /// The text does not begin with a bracket.
    other: bool,
    /// Length of the text up to and with the closing bracket.
    end: Option<usize>,
}

impl Scan {
    fn follow(&mut self, body: &[u8]) {
        while self.end.is_none() && !self.other && self.at < body.len() {
            let byte = body[self.at];
            self.at += 1;
            if self.in_text {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.in_text = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' if self.depth > 1 => self.depth -= 1,
                b'}' | b']' if self.depth == 1 => self.end = Some(self.at),
                b'"' if self.depth > 0 => self.in_text = true,
                b' ' | b'\t' | b'\n' | b'\r' => {}
                _ => self.other = self.depth == 0,
            }
        }
    }
}
