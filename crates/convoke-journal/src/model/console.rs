//! Console bytes cut into lines, for one member.
//!
//! Invariant: memory is bounded, whatever the device prints: of a line longer than [`KEEP`] bytes the rest is dropped, and
//! since it is longer than a line of the log may be, a placeholder stands for all of it.

use std::collections::VecDeque;

use super::position::printable;

/// Bytes kept of one line. More than any line of the log may have, in characters of up to four bytes.
const KEEP: usize = 4 * super::line::LINE_LIMIT + 4;
/// A line without end is shown when nothing came for so long (device-side.md §10).
pub(crate) const PARTIAL_NS: u64 = 2_000_000_000;
/// Characters kept of the last line for messages.
const KEPT: usize = 1000;
/// STARTTC and ENDTC lines remembered until their marks come.
const REMEMBER: usize = 256;

#[derive(Clone, Debug, Default)]
pub(crate) struct Lines {
    line: Vec<u8>,
    /// When the last byte of `line` came, until it has been shown as partial.
    fresh: Option<u64>,
    /// When the last byte came.
    came: u64,
    /// The last line that says something to a person, and when its last byte came.
    said: Option<(String, u64)>,
    signals: VecDeque<(bool, String, u64)>,
}

impl Lines {
    /// Takes bytes; `emit` is called for every whole line and gives the line's number in the log.
    pub(crate) fn push(&mut self, bytes: &[u8], now_ns: u64, mut emit: impl FnMut(String) -> u64) {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            let (text, whole) = match piece.split_last() {
                Some((b'\n', text)) => (text, true),
                _ => (piece, false),
            };
            let room = KEEP.saturating_sub(self.line.len());
            self.line.extend_from_slice(&text[..text.len().min(room)]);
            if whole {
                let text = clean(&self.line);
                self.line.clear();
                if says_something(&text) {
                    let (said, at) = self.said.get_or_insert_default();
                    said.clear();
                    said.extend(text.chars().take(KEPT));
                    *at = now_ns;
                }
                let signal = signal(&text);
                let number = emit(text);
                if let Some((start, case)) = signal {
                    if self.signals.len() == REMEMBER {
                        self.signals.pop_front();
                    }
                    self.signals.push_back((start, case, number));
                }
            }
        }
        self.fresh = (!self.line.is_empty()).then_some(now_ns);
        self.came = now_ns;
    }

    /// The newest line that says something, also one without an end, as one may show it, and when its last byte came.
    pub(crate) fn newest(&self) -> Option<(String, u64)> {
        let open = clean(&self.line[..self.line.len().min(4 * KEPT)]);
        if says_something(&open) {
            return Some((printable(&open), self.came));
        }
        self.said.as_ref().map(|(text, at)| (printable(text), *at))
    }

    /// When the unfinished line is to be shown, if there is one that has not been.
    pub(crate) fn due(&self) -> Option<u64> {
        self.fresh.map(|since| since.saturating_add(PARTIAL_NS))
    }

    /// The unfinished line, once.
    pub(crate) fn partial(&mut self) -> String {
        self.fresh = None;
        clean(&self.line)
    }

    /// What is left at the end, as a line.
    pub(crate) fn rest(&mut self) -> Option<String> {
        self.fresh = None;
        let line = std::mem::take(&mut self.line);
        (!line.is_empty()).then(|| clean(&line))
    }

    /// The number of the line that carried this mark.
    pub(crate) fn mark(&mut self, start: bool, case: &str) -> Option<u64> {
        let at = self.signals.iter().position(|(s, c, _)| *s == start && c == case)?;
        self.signals.remove(at).map(|(_, _, number)| number)
    }
}

/// A line without its carriage returns at the end.
fn clean(line: &[u8]) -> String {
    let end = line.iter().rposition(|&byte| byte != b'\r').map_or(0, |at| at + 1);
    String::from_utf8_lossy(&line[..end]).into_owned()
}

/// Not empty, no signal, and not the end of a trace.
fn says_something(line: &str) -> bool {
    // Most lines have nothing that would have to be left out.
    let is_plain = line.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    let is_empty = || if is_plain { line.trim().is_empty() } else { printable(line).is_empty() };
    !line.contains("<LAVA") && line != "+ set +x" && !is_empty()
}

fn signal(line: &str) -> Option<(bool, String)> {
    let rest = line.split_once("<LAVA_SIGNAL_")?.1;
    let (start, rest) = match rest.strip_prefix("STARTTC ") {
        Some(rest) => (true, rest),
        None => (false, rest.strip_prefix("ENDTC ")?),
    };
    let case = rest.split(['>', ' ']).next()?;
    Some((start, case.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_whole_however_the_bytes_are_cut() {
        let text = b"a\r\nb\r\r\n\x1b[31mred\x1b[0m\r\n\r\nlast";
        for size in 1..text.len() {
            let (mut lines, mut out) = (Lines::default(), Vec::new());
            for piece in text.chunks(size) {
                lines.push(piece, 0, |line| {
                    out.push(line);
                    0
                });
            }
            assert_eq!(out, ["a", "b", "\x1b[31mred\x1b[0m", ""]);
            assert_eq!(lines.rest().as_deref(), Some("last"));
        }
    }

    #[test]
    fn a_line_without_end_is_kept_in_bounds() {
        let mut lines = Lines::default();
        for _ in 0..1000 {
            lines.push(&[b'x'; 4096], 7, |_| panic!("no line has ended"));
        }
        assert!(lines.line.len() <= KEEP);
        assert_eq!(lines.due(), Some(7 + PARTIAL_NS));
    }

    #[test]
    fn the_newest_line_is_the_last_that_says_something() {
        let mut lines = Lines::default();
        assert_eq!(lines.newest(), None);
        lines.push(b"\x1b[1mhello\x1b[0m\r\n\r\n<LAVA_SYNC end>\r\n+ set +x\n", 5, |_| 0);
        assert_eq!(lines.newest(), Some(("hello".into(), 5)));
        lines.push(b"Pass", 7, |_| 0);
        lines.push(b"word: ", 9, |_| 0);
        assert_eq!(lines.newest(), Some(("Password:".into(), 9)), "also a line without an end");
        lines.push(b"\r\n  \r\n", 11, |_| 0);
        assert_eq!(lines.newest(), Some(("Password:".into(), 11)));
    }

    #[test]
    fn marks_find_their_lines() {
        let (mut lines, mut number) = (Lines::default(), 0);
        lines.push(
            b"[ 1.2] <LAVA_SIGNAL_STARTTC a>\nx\n<LAVA_SIGNAL_ENDTC a>\n<LAVA_SIGNAL_STARTTC a #1.2>\n",
            0,
            |_| {
                number += 1;
                number - 1
            },
        );
        assert_eq!(
            (lines.mark(true, "a"), lines.mark(false, "a"), lines.mark(true, "a"), lines.mark(true, "a")),
            (Some(0), Some(2), Some(3), None)
        );
    }
}
