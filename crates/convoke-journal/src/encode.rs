//! Console bytes on their way into the journal: pieces joined, secrets masked, text where possible.
//!
//! Invariant: the bytes of a member's `Console` events of one connection, one after the other, are its bytes with secrets
//! masked. A tail that may become a secret or that is half a character waits for the member's next bytes; [`Encoder::end`]
//! lets go of it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::event::Body;
use crate::mask::Masker;

/// The state of one member's console.
#[derive(Debug, Default)]
pub(crate) struct Encoder {
    /// May be the beginning of a secret.
    held: Vec<u8>,
    /// The beginning of a UTF-8 character.
    half: Vec<u8>,
    /// Which connection it is.
    connection: Option<String>,
}

impl Encoder {
    /// The state of a connection that has shown nothing yet.
    pub(crate) fn new(connection: Option<String>) -> Self {
        Encoder { connection, ..Encoder::default() }
    }

    /// More bytes from the console; an event, unless all of them have to wait.
    pub(crate) fn push(&mut self, masker: &Masker, bytes: &[u8]) -> Option<Body> {
        let masked = masker.stream(&mut self.held, bytes, false);
        self.encode(masked, false)
    }

    /// The console is closed: what has waited, if anything.
    pub(crate) fn end(&mut self, masker: &Masker) -> Option<Body> {
        let masked = masker.stream(&mut self.held, b"", true);
        self.encode(masked, true)
    }

    fn encode(&mut self, bytes: Vec<u8>, last: bool) -> Option<Body> {
        let mut data = std::mem::take(&mut self.half);
        data.extend(bytes);
        if !last {
            self.half = data.split_off(data.len() - half_character(&data));
        }
        if data.is_empty() {
            return None;
        }
        let connection = self.connection.clone();
        Some(match String::from_utf8(data) {
            Ok(text) => Body::Console { text: Some(text), base64: None, connection },
            Err(error) => Body::Console { text: None, base64: Some(STANDARD.encode(error.as_bytes())), connection },
        })
    }
}

/// How many bytes at the end of `data` begin a UTF-8 character that is not complete.
fn half_character(data: &[u8]) -> usize {
    for back in 1..=data.len().min(3) {
        let byte = data[data.len() - back];
        let length = match byte {
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            0x80..=0xbf => continue,
            _ => return 0,
        };
        return if length > back { back } else { 0 };
    }
    0
}

/// The bytes of a `Console` event; none for any other event, or when its base64 is damaged.
pub(crate) fn console_bytes(body: &Body) -> Option<std::borrow::Cow<'_, [u8]>> {
    match body {
        Body::Console { text: Some(text), .. } => Some(text.as_bytes().into()),
        Body::Console { base64: Some(code), .. } => STANDARD.decode(code).ok().map(Into::into),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_joined_and_other_bytes_survive() {
        let (masker, mut encoder) = (Masker::default(), Encoder::default());
        let mut out = Vec::new();
        let mut events = Vec::new();
        let input = [&b"caf\xc3"[..], b"\xa9 \xf0\x9f", b"\x98\x80", b"\xff\xfe", b"ok\xe2\x82"];
        for piece in input {
            events.extend(encoder.push(&masker, piece));
        }
        events.extend(encoder.end(&masker));
        for event in &events {
            out.extend_from_slice(&console_bytes(event).expect("console"));
        }
        assert_eq!(out, input.concat());
        let texts: Vec<_> = events
            .iter()
            .filter_map(|event| match event {
                Body::Console { text: Some(text), .. } => Some(text.as_str()),
                _ => None,
            })
            .collect();
        assert_eq!(texts, ["caf", "é ", "😀", "ok"]);
    }
}
