//! Finds what is built like a signal in cleaned text (device-side.md §4.1). A signal may stand anywhere in a line.
//!
//! There is no search window: a signal's bytes are collected from its `<LAVA_` to its `>`, at most [`LONGEST`] of them.
//! A signal that begins inside another proves the first one damaged. Every byte is looked at once.

/// The longest signal. A longer one is given up with a warning.
pub(crate) const LONGEST: usize = 64 * 1024;
/// The longest line of the runner.
const LONGEST_LINE: usize = 1024;
/// The longest frame, and some bytes that a line may double in it.
const LONGEST_FRAME: usize = crate::link::frame::LONGEST as usize + 20;

/// How signals begin, and what ends them.
const STARTS: [(&[u8], Kind); 7] = [
    (b"<LAVA_SIGNAL_", Kind::Signal),
    (b"<LAVA_TEST_RUNNER ", Kind::Signal),
    (b"<LAVA_TEST_RUNNER>: ", Kind::Line),
    (b"<LAVA_MULTI_NODE> <LAVA_", Kind::Request),
    (b"<LAVA_QUIET ", Kind::Signal),
    (b"<LAVA_GAVE_UP ", Kind::Signal),
    (b"<LAVA2 ", Kind::Frame),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Ends with `>`.
    Signal,
    /// Ends with `>`, and its values may hold anything else, also what looks like the start of a signal.
    Request,
    /// Ends with its line.
    Line,
    /// A frame of the checked link: ends with `>`, or damaged with its line.
    Frame,
}

/// A piece of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    /// Text that is no signal.
    Text(&'a [u8]),
    /// A whole signal, `<` to `>`; a line of the runner without its line end.
    Signal(&'a [u8]),
    /// A frame, whole or damaged.
    Frame(&'a [u8]),
    /// A signal that began and did not end.
    Damaged(&'a [u8], &'static str),
}

/// The finder.
#[derive(Debug, Default)]
pub(crate) struct Lexer {
    pending: Vec<u8>,
    body: Option<Kind>,
    /// A line end has been seen in the body.
    lines: bool,
    /// Where the latest `<` of the body is.
    inner: usize,
    /// A first `>` was part of a value.
    extended: bool,
}

impl Lexer {
    /// Takes cleaned text and hands on its pieces in order.
    pub(crate) fn feed(&mut self, bytes: &[u8], sink: &mut impl FnMut(Token<'_>)) {
        let mut rest = bytes;
        while let Some(&first) = rest.first() {
            if self.pending.is_empty() && first != b'<' {
                let plain = memchr::memchr(b'<', rest).unwrap_or(rest.len());
                sink(Token::Text(&rest[..plain]));
                rest = &rest[plain..];
                continue;
            }
            rest = &rest[1..];
            match self.body {
                None => self.start(first, sink),
                Some(kind) => self.body(kind, first, sink),
            }
        }
    }

    /// Whether a signal has begun and not ended.
    pub(crate) fn pending(&self) -> bool {
        self.body.is_some()
    }

    /// Gives up what has begun.
    pub(crate) fn give_up(&mut self, why: &'static str, sink: &mut impl FnMut(Token<'_>)) {
        match self.body {
            Some(Kind::Line) => sink(Token::Signal(&self.pending)),
            Some(Kind::Frame) => sink(Token::Frame(&self.pending)),
            Some(_) => sink(Token::Damaged(&self.pending, why)),
            None if !self.pending.is_empty() => sink(Token::Text(&self.pending)),
            None => {}
        }
        self.reset();
    }

    fn start(&mut self, byte: u8, sink: &mut impl FnMut(Token<'_>)) {
        self.pending.push(byte);
        let mut viable = false;
        for (start, kind) in STARTS {
            if start == self.pending {
                self.body = Some(kind);
                self.inner = 0;
                return;
            }
            viable |= start.starts_with(&self.pending);
        }
        if !viable {
            // No start holds another one, so only the last byte can begin anew.
            self.pending.pop();
            if !self.pending.is_empty() {
                sink(Token::Text(&self.pending));
                self.pending.clear();
            }
            if byte == b'<' {
                self.pending.push(byte);
            } else {
                sink(Token::Text(&[byte]));
            }
        }
    }

    fn body(&mut self, kind: Kind, byte: u8, sink: &mut impl FnMut(Token<'_>)) {
        if kind == Kind::Frame && (byte == b'\n' || byte == b'>' || self.pending.len() >= LONGEST_FRAME) {
            if byte != b'\n' {
                self.pending.push(byte);
            }
            sink(Token::Frame(&self.pending));
            self.reset();
            if byte == b'\n' {
                sink(Token::Text(b"\n"));
            }
            return;
        }
        if byte == b'\n' {
            if kind == Kind::Line {
                sink(Token::Signal(&self.pending));
                self.reset();
                sink(Token::Text(b"\n"));
                return;
            }
            if self.extended {
                sink(Token::Damaged(&self.pending, "has no result"));
                self.reset();
                sink(Token::Text(b"\n"));
                return;
            }
            self.lines = true;
        }
        self.pending.push(byte);
        match byte {
            b'>' if kind != Kind::Line && !self.inner_start(kind) => {
                if !self.extended && lacks_result(&self.pending) {
                    self.extended = true;
                } else {
                    sink(Token::Signal(&self.pending));
                    self.reset();
                }
                return;
            }
            b'<' if self.pending[self.inner..] == b"<LAVA_MULTI_NODE> <"[..] => {}
            b'<' => self.inner = self.pending.len() - 1,
            _ if self.inner > 0 && (kind != Kind::Request || self.lines) && self.restart(sink) => return,
            _ => {}
        }
        let longest = if kind == Kind::Line { LONGEST_LINE } else { LONGEST };
        if self.pending.len() > longest {
            sink(Token::Damaged(&self.pending, "does not end"));
            self.reset();
        }
    }

    /// Whether the `>` just read belongs to the start of an inner signal (`<LAVA_MULTI_NODE>`, `<LAVA_TEST_RUNNER>`)
    /// in a damaged one.
    fn inner_start(&self, kind: Kind) -> bool {
        let tail = &self.pending[self.inner..];
        self.inner > 0
            && (kind != Kind::Request || self.lines)
            && [&b"<LAVA_MULTI_NODE>"[..], b"<LAVA_TEST_RUNNER>"].contains(&tail)
    }

    /// Begins anew at the inner `<` when a whole start follows it.
    fn restart(&mut self, sink: &mut impl FnMut(Token<'_>)) -> bool {
        let tail = &self.pending[self.inner..];
        let Some((_, kind)) = STARTS.into_iter().find(|(start, _)| *start == tail) else { return false };
        let inner = self.inner;
        if self.body == Some(Kind::Frame) {
            sink(Token::Frame(&self.pending[..inner]));
        } else {
            sink(Token::Damaged(&self.pending[..inner], "is cut by another signal"));
        }
        self.pending.drain(..inner);
        self.body = Some(kind);
        self.lines = false;
        self.inner = 0;
        self.extended = false;
        true
    }

    fn reset(&mut self) {
        self.pending.clear();
        self.body = None;
        self.lines = false;
        self.inner = 0;
        self.extended = false;
    }
}

/// Whether the first `>` of a TESTCASE stands inside a value: an old helper lets it through, and the result follows.
fn lacks_result(text: &[u8]) -> bool {
    const CASE: &[u8] = b"<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=";
    const RESULT: &[u8] = b"RESULT=";
    let whole = |window: &[u8]| window[0].is_ascii_whitespace() && window[1..] == *RESULT;
    text.starts_with(CASE) && !text.windows(RESULT.len() + 1).any(whole)
}
