//! Text of a console without what is meant for a terminal (device-side.md §3, §8.1): control sequences are dropped,
//! any run of CR before LF is part of the line end, a lone CR (a progress bar) ends a line.

use memchr::memchr2;

/// An operating system command (a window title) that does not end within so many bytes, or on its line, is given up.
const LONGEST_OSC: u16 = 1024;
/// So is a control sequence.
const LONGEST_CSI: u16 = 64;

/// One stream's cleaner.
#[derive(Debug, Default)]
pub(crate) struct Cleaner {
    state: State,
    carriage_return: bool,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    Text,
    Escape,
    /// `ESC (` and its like: one more byte, the character set.
    Charset,
    Csi(u16),
    Osc(u16),
    OscEscape(u16),
}

impl Cleaner {
    /// Appends the cleaned form of `bytes` to `out`.
    pub(crate) fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let mut rest = bytes;
        while let Some((&byte, after)) = rest.split_first() {
            // Most of a console is plain text with CR LF at the ends of its lines.
            if matches!(self.state, State::Text) && !self.carriage_return {
                let plain = memchr2(0x1b, b'\r', rest).unwrap_or(rest.len());
                out.extend_from_slice(&rest[..plain]);
                rest = &rest[plain..];
                if let [b'\r', b'\n', next @ ..] = rest {
                    out.push(b'\n');
                    rest = next;
                    continue;
                }
                if plain > 0 {
                    continue;
                }
            }
            rest = after;
            self.state = match self.state {
                State::Text => self.text(byte, out),
                State::Escape => match byte {
                    b'[' => State::Csi(0),
                    b']' => State::Osc(0),
                    b'(' | b')' | b'*' | b'+' => State::Charset,
                    _ => self.text(byte, out),
                },
                State::Charset => match byte {
                    b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => State::Text,
                    _ => self.text(byte, out),
                },
                State::Csi(n) => match byte {
                    0x40..=0x7e => State::Text,
                    0x20..=0x3f if n < LONGEST_CSI => State::Csi(n + 1),
                    _ => self.text(byte, out),
                },
                State::Osc(n) => match byte {
                    0x07 => State::Text,
                    0x1b => State::OscEscape(n),
                    b'\n' => self.text(byte, out),
                    _ if n < LONGEST_OSC => State::Osc(n + 1),
                    _ => self.text(byte, out),
                },
                State::OscEscape(_) if byte == b'\\' => State::Text,
                State::OscEscape(n) if byte != b'\n' && n < LONGEST_OSC => State::Osc(n + 1),
                State::OscEscape(_) => self.text(byte, out),
            };
        }
    }

    fn text(&mut self, byte: u8, out: &mut Vec<u8>) -> State {
        if self.carriage_return && byte != b'\r' {
            self.carriage_return = false;
            if byte != b'\n' && byte != 0x1b {
                out.push(b'\n');
            } else if byte == 0x1b {
                // Whether the CR stands alone is decided by what follows the control sequence.
                self.carriage_return = true;
            }
        }
        match byte {
            0x1b => return State::Escape,
            b'\r' => self.carriage_return = true,
            _ => out.push(byte),
        }
        State::Text
    }
}
