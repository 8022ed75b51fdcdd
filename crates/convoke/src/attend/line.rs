//! One line that somebody types, key by key.
//!
//! Pure: keys in, the line out when it is done. Escape sequences (arrows) and control characters do nothing.

/// The line being typed.
#[derive(Debug, Default)]
pub(crate) struct Line {
    bytes: Vec<u8>,
    escape: Escape,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Escape {
    #[default]
    No,
    Begun,
    Inside,
}

impl Line {
    /// What is typed so far.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// Takes one key's byte; gives the line when it was Enter.
    pub(crate) fn key(&mut self, byte: u8) -> Option<String> {
        match (self.escape, byte) {
            (Escape::Begun, b'[' | b'O') => self.escape = Escape::Inside,
            (Escape::Begun, _) => self.escape = Escape::No,
            (Escape::Inside, b'@'..=b'~') => self.escape = Escape::No,
            (Escape::Inside, _) => {}
            (Escape::No, 0x1b) => self.escape = Escape::Begun,
            (Escape::No, b'\r' | b'\n') => {
                let text = self.text();
                self.bytes.clear();
                return Some(text);
            }
            (Escape::No, 0x7f | 0x08) => {
                // A whole character, however many bytes it has.
                while self.bytes.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
            }
            (Escape::No, 0x15) => self.bytes.clear(),
            // Ctrl-D: there is no more.
            (Escape::No, 0x04) if self.bytes.is_empty() => return Some(String::new()),
            (Escape::No, 0..=0x1f) => {}
            (Escape::No, byte) => self.bytes.push(byte),
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(keys: &[u8]) -> (Vec<String>, String) {
        let mut line = Line::default();
        let done = keys.iter().filter_map(|key| line.key(*key)).collect();
        (done, line.text())
    }

    #[test]
    fn a_line_is_edited_and_done_with_enter() {
        assert_eq!(typed(b"12\x7f3\rx"), (vec!["13".into()], "x".into()));
        assert_eq!(typed("aé\x7f\x7f\x7fb\n".as_bytes()), (vec!["b".into()], String::new()));
        assert_eq!(typed(b"abc\x15d\r"), (vec!["d".into()], String::new()));
    }

    #[test]
    fn the_end_is_an_empty_line() {
        assert_eq!(typed(b"\x04"), (vec![String::new()], String::new()));
        assert_eq!(typed(b"a\x04b\r"), (vec!["ab".into()], String::new()));
    }

    #[test]
    fn arrows_and_control_characters_do_nothing() {
        assert_eq!(typed(b"a\x1b[Ab\x1bOPc\x1b[1;5Cd\x01\x09e\r"), (vec!["abcde".into()], String::new()));
    }
}
