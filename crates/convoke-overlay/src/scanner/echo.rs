//! Takes out of a stream what the dispatcher typed and the device's tty sent back (device-side.md §8.5).
//!
//! Only typed text that begins like a signal can be taken for one, so only that is looked for: the part of a typed
//! line from its first `<LAVA_`. A line editor may echo twice, so a text is taken out as often as it comes. Text that
//! differs in one byte is not an echo and goes on.

use std::collections::VecDeque;

const MARK: &[u8] = b"<LAVA_";
/// So many typed texts are remembered, the latest ones.
const REMEMBERED: usize = 16;
/// Longer texts are not remembered; no reply is that long.
const LONGEST: usize = 1 << 20;

/// The filter of one stream.
#[derive(Debug, Default)]
pub(crate) struct EchoFilter {
    typed: VecDeque<Typed>,
    line: Vec<u8>,
    held: Vec<u8>,
}

/// One typed text with the failure function of its search (Knuth, Morris, Pratt), so that every byte is looked at a
/// constant number of times.
#[derive(Debug)]
struct Typed {
    text: Vec<u8>,
    failure: Vec<usize>,
    matched: usize,
}

impl Typed {
    fn new(text: &[u8]) -> Self {
        let mut failure = vec![0; text.len()];
        let mut matched = 0;
        for at in 1..text.len() {
            while matched > 0 && text[at] != text[matched] {
                matched = failure[matched - 1];
            }
            if text[at] == text[matched] {
                matched += 1;
            }
            failure[at] = matched;
        }
        Typed { text: text.to_vec(), failure, matched: 0 }
    }

    fn step(&mut self, byte: u8) {
        while self.matched > 0 && (self.matched == self.text.len() || self.text[self.matched] != byte) {
            self.matched = self.failure[self.matched - 1];
        }
        if self.text[self.matched] == byte {
            self.matched += 1;
        }
    }
}

impl EchoFilter {
    /// Remembers what was typed.
    pub(crate) fn typed(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if byte == b'\n' || byte == b'\r' {
                self.end_of_line();
            } else if self.line.len() < LONGEST {
                self.line.push(byte);
            }
        }
        // A text is looked for as soon as it can be one, even before its line end is typed.
        if bytes.last() == Some(&b'>') {
            self.remember();
        }
    }

    fn end_of_line(&mut self) {
        self.remember();
        self.line.clear();
    }

    fn remember(&mut self) {
        let Some(start) = self.line.windows(MARK.len()).position(|window| window == MARK) else { return };
        let text = &self.line[start..];
        if text.len() == MARK.len() || self.typed.iter().any(|typed| typed.text == text) {
            return;
        }
        if self.typed.len() == REMEMBERED {
            self.typed.pop_front();
        }
        let mut typed = Typed::new(text);
        self.held.iter().for_each(|byte| typed.step(*byte));
        self.typed.push_back(typed);
    }

    /// Whether text passes through as it is.
    pub(crate) fn passes(&self, bytes: &[u8]) -> bool {
        self.typed.is_empty() || self.held.is_empty() && memchr::memchr(b'<', bytes).is_none()
    }

    /// Appends to `out` what of `bytes` is no echo, as far as that is decided.
    pub(crate) fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        if self.typed.is_empty() {
            out.extend_from_slice(bytes);
            return;
        }
        let mut rest = bytes;
        while let Some((&byte, after)) = rest.split_first() {
            if self.held.is_empty() && byte != b'<' {
                let plain = memchr::memchr(b'<', rest).unwrap_or(rest.len());
                out.extend_from_slice(&rest[..plain]);
                rest = &rest[plain..];
                continue;
            }
            rest = after;
            self.held.push(byte);
            let mut longest = 0;
            let mut whole = 0;
            for typed in &mut self.typed {
                typed.step(byte);
                longest = longest.max(typed.matched);
                if typed.matched == typed.text.len() {
                    whole = whole.max(typed.matched);
                }
            }
            if whole > 0 {
                let keep = self.held.len() - whole;
                out.extend_from_slice(&self.held[..keep]);
                self.held.clear();
                self.typed.iter_mut().for_each(|typed| typed.matched = 0);
            } else if longest < self.held.len() {
                let release = self.held.len() - longest;
                out.extend(self.held.drain(..release));
            }
        }
    }

    /// Nothing came for a while: what is held is no echo.
    pub(crate) fn flush(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.held);
        self.typed.iter_mut().for_each(|typed| typed.matched = 0);
    }
}
