//! Splits a console into what the kernel and what everything else printed (device-side.md §8.2).
//!
//! The kernel writes whole records, `[   12.345678] text LF`, also into the middle of another line. Taking them out
//! joins what they cut. A record is complete only with its LF; bytes that may still become one are held back, at most
//! [`HOLD`] of them. Every byte is looked at once, whatever the input.

use std::collections::VecDeque;

use memchr::memchr;

/// The longest record, its time stamp included. Longer text with a time stamp in front is not the kernel's.
pub(crate) const HOLD: usize = 1100;

/// Which stream a piece belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The kernel's records.
    Kernel,
    /// All the rest.
    User,
}

/// The splitter.
#[derive(Debug, Default)]
pub(crate) struct Demux {
    held: Vec<u8>,
    header: Header,
    /// Once the first time stamp is whole: where further ones begin in `held`, and the length of each record so far
    /// is `held.len()` minus its start.
    starts: VecDeque<usize>,
}

/// How far a time stamp `[` blanks digits `.` six digits `]` has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Header {
    #[default]
    None,
    Blanks,
    Seconds,
    Fraction(u8),
}

impl Header {
    /// The state after `byte`; `Ok(true)` when the time stamp is whole.
    fn step(&mut self, byte: u8) -> bool {
        let (next, whole) = match (*self, byte) {
            (_, b'[') => (Header::Blanks, false),
            (Header::Blanks, b' ') => (Header::Blanks, false),
            (Header::Blanks | Header::Seconds, b'0'..=b'9') => (Header::Seconds, false),
            (Header::Seconds, b'.') => (Header::Fraction(0), false),
            (Header::Fraction(n), b'0'..=b'9') if n < 6 => (Header::Fraction(n + 1), false),
            (Header::Fraction(6), b']') => (Header::None, true),
            _ => (Header::None, false),
        };
        *self = next;
        whole
    }
}

impl Demux {
    /// Takes bytes and hands on, in order, the pieces that are decided.
    pub(crate) fn feed(&mut self, bytes: &[u8], sink: &mut impl FnMut(Source, &[u8])) {
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.held.is_empty() {
                let plain = memchr(b'[', rest).unwrap_or(rest.len());
                if plain > 0 {
                    sink(Source::User, &rest[..plain]);
                    rest = &rest[plain..];
                    continue;
                }
            }
            // A record whose end is in sight is taken at once.
            if !self.starts.is_empty() {
                let near = rest.len().min(HOLD.saturating_sub(self.held.len()));
                if let Some(end) = memchr(b'\n', &rest[..near]) {
                    self.held.extend_from_slice(&rest[..=end]);
                    sink(Source::Kernel, &self.held);
                    self.clear();
                    rest = &rest[end + 1..];
                    continue;
                }
                // None of these ends it, so none has to be asked for again.
                rest[..near].iter().for_each(|byte| self.push(*byte, sink));
                rest = &rest[near..];
                if rest.is_empty() {
                    break;
                }
            }
            self.push(rest[0], sink);
            rest = &rest[1..];
        }
    }

    fn push(&mut self, byte: u8, sink: &mut impl FnMut(Source, &[u8])) {
        if self.starts.is_empty() {
            self.push_header(byte, sink);
        } else {
            self.push_record(byte, sink);
        }
    }

    fn push_header(&mut self, byte: u8, sink: &mut impl FnMut(Source, &[u8])) {
        let whole = self.header.step(byte);
        // Only `[` can begin a time stamp: when this one has failed, nothing held can be part of another.
        if byte == b'[' || (self.header == Header::None && !whole) {
            if !self.held.is_empty() {
                sink(Source::User, &self.held);
                self.held.clear();
            }
            if byte == b'[' {
                self.held.push(byte);
            } else {
                sink(Source::User, &[byte]);
            }
            return;
        }
        self.held.push(byte);
        if whole {
            self.starts.push_back(0);
        } else if self.held.len() > HOLD {
            self.release(sink);
        }
    }

    fn push_record(&mut self, byte: u8, sink: &mut impl FnMut(Source, &[u8])) {
        self.held.push(byte);
        if byte == b'\n' {
            sink(Source::Kernel, &self.held);
            self.clear();
            return;
        }
        // Time stamps inside the text matter only when the first turns out to belong to no record.
        if self.header.step(byte) {
            let start = self.held.iter().rposition(|byte| *byte == b'[').unwrap_or(0);
            self.starts.push_back(start);
        }
        if self.held.len() > HOLD {
            self.starts.pop_front();
            let next = match self.starts.front() {
                Some(start) => *start,
                None if self.header != Header::None => {
                    self.held.iter().rposition(|byte| *byte == b'[').unwrap_or(self.held.len())
                }
                None => self.held.len(),
            };
            sink(Source::User, &self.held[..next]);
            self.held.drain(..next);
            self.starts.iter_mut().for_each(|start| *start -= next);
        }
    }

    /// Nothing came for a while: what is held is taken for the user's.
    pub(crate) fn flush(&mut self, sink: &mut impl FnMut(Source, &[u8])) {
        self.release(sink);
    }

    fn release(&mut self, sink: &mut impl FnMut(Source, &[u8])) {
        if !self.held.is_empty() {
            sink(Source::User, &self.held);
        }
        self.clear();
    }

    fn clear(&mut self) {
        self.held.clear();
        self.starts.clear();
        self.header = Header::None;
    }
}
