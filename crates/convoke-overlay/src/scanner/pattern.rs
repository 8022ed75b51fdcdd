//! A definition's `parse.pattern` over the text of its suite (device-side.md §4.1).
//!
//! The text is matched in blocks: whole lines when the device falls silent, before a signal that changes what a result
//! belongs to, or when [`BLOCK`] bytes are there. Matched text is never looked at again, unmatched text only for
//! [`OVERLAP`] bytes, so the work is linear and the memory bounded, whatever a device prints.
//!
//! `run.sh` traces its steps, so a result that a step echoes stands in the text twice: `+ echo t1=PASS`, `t1=PASS`. What
//! is found in a line that may be a trace is held until the same is found elsewhere, and then counts once; what has no
//! such twin counts when the suite ends.

use fancy_regex::Regex;

use crate::definition::{DefinitionError, ParsePattern, one_line};
use crate::scanner::grammar::{is_number, verdict};
use crate::signal::{Signal, Verdict};

const BLOCK: usize = 64 * 1024;
const OVERLAP: usize = 4 * 1024;

/// A compiled pattern with its map of results.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    regex: Regex,
    fixup: Vec<(String, String)>,
}

impl Pattern {
    pub(crate) fn new(parse: &ParsePattern) -> Result<Self, DefinitionError> {
        Ok(Pattern { regex: parse.compile()?, fixup: parse.fixup.clone() })
    }
}

/// The unmatched text of one stream of one suite.
#[derive(Debug, Default)]
pub(crate) struct PatternText {
    text: Vec<u8>,
    /// So much of `text` has been looked at without a match.
    seen: usize,
    /// Results from lines that may be a trace.
    traced: Vec<Signal>,
}

/// So many results of traces are held.
const TRACED: usize = 1000;

impl PatternText {
    /// Adds text that is no signal.
    pub(crate) fn push(&mut self, pattern: &Pattern, bytes: &[u8], out: &mut Vec<Signal>) -> bool {
        let mut good = true;
        let mut rest = bytes;
        while !rest.is_empty() {
            // Blocks have one length, whatever the chunks: what is found must not depend on these.
            let (piece, after) = rest.split_at(rest.len().min(BLOCK - self.text.len()));
            self.text.extend_from_slice(piece);
            rest = after;
            if self.text.len() == BLOCK {
                let lines = self.text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
                good &= self.run(pattern, if lines > BLOCK / 2 { lines } else { BLOCK }, out);
            }
        }
        good
    }

    /// Looks for results in whole lines. False when the pattern cannot be run.
    pub(crate) fn lines(&mut self, pattern: &Pattern, out: &mut Vec<Signal>) -> bool {
        let end = self.text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        end <= self.seen || self.run(pattern, end, out)
    }

    /// Looks for results in all of the text, and forgets it.
    pub(crate) fn finish(&mut self, pattern: &Pattern, out: &mut Vec<Signal>) -> bool {
        let good = self.run(pattern, self.text.len(), out);
        out.append(&mut self.traced);
        *self = Self::default();
        good
    }

    fn run(&mut self, pattern: &Pattern, end: usize, out: &mut Vec<Signal>) -> bool {
        // Invalid bytes are replaced, so positions in the text looked at are not those in the buffer.
        let text = String::from_utf8_lossy(&self.text[..end]);
        let block: &str = &text;
        let mut consumed = 0;
        let mut at = 0;
        let mut good = true;
        while at <= block.len() {
            let captures = match pattern.regex.captures_from_pos(block, at) {
                Ok(Some(captures)) => captures,
                Ok(None) => break,
                Err(cause) => {
                    out.push(Signal::Warning {
                        text: pattern.regex.as_str().to_string(),
                        why: format!(
                            "parse.pattern takes too long on this output and is switched off: {}",
                            one_line(&cause.to_string())
                        ),
                    });
                    good = false;
                    break;
                }
            };
            let Some(whole) = captures.get(0) else { break };
            consumed = whole.end();
            at = if whole.end() > whole.start() {
                whole.end()
            } else {
                match block[whole.end()..].chars().next() {
                    Some(c) => whole.end() + c.len_utf8(),
                    None => break,
                }
            };
            let group = |name: &str| captures.name(name).map(|group| group.as_str());
            let mut found = Vec::new();
            result(pattern, group, whole.as_str(), &mut found);
            let line = block[..whole.start()].rfind('\n').map_or(0, |at| at + 1);
            if is_trace(&block[line..]) {
                self.traced.append(&mut found);
                let surplus = self.traced.len().saturating_sub(TRACED);
                out.extend(self.traced.drain(..surplus));
                continue;
            }
            for signal in &found {
                if let Some(twin) = self.traced.iter().position(|traced| traced == signal) {
                    self.traced.remove(twin);
                }
            }
            out.append(&mut found);
        }
        let consumed = if let std::borrow::Cow::Borrowed(_) = text {
            consumed
        } else {
            // The buffer's own position of the end of the last match, counted in bytes of the replaced text.
            original_length(&self.text[..end], consumed)
        };
        let overlap = end.saturating_sub(OVERLAP);
        let cut = consumed.max(self.line_start(overlap));
        self.text.drain(..cut);
        self.seen = end - cut;
        good
    }

    /// A place at or after `from` where a line, or at least a character, begins.
    fn line_start(&self, from: usize) -> usize {
        if from == 0 {
            return 0;
        }
        let tail = &self.text[from..];
        let line = tail.iter().position(|byte| *byte == b'\n').map(|at| at + 1).filter(|at| *at < tail.len());
        from + line.unwrap_or_else(|| tail.iter().take_while(|byte| **byte & 0xc0 == 0x80).count())
    }
}

/// Whether a line may be a shell's trace: `+ ` in front, a `+` more for each level.
fn is_trace(line: &str) -> bool {
    line.starts_with('+') && line.trim_start_matches('+').starts_with(' ')
}

fn result<'a>(pattern: &Pattern, group: impl Fn(&str) -> Option<&'a str>, whole: &str, out: &mut Vec<Signal>) {
    let (Some(case), Some(result)) = (group("test_case_id"), group("result")) else { return };
    let (measurement, units) = (group("measurement"), group("units"));
    // An id with a blank inside is skipped.
    if case.is_empty() || case.contains(char::is_whitespace) {
        return;
    }
    let fixed = pattern.fixup.iter().find(|(from, _)| from == result).map_or(result, |(_, to)| to.as_str());
    let verdict = verdict(fixed).unwrap_or_else(|| {
        out.push(Signal::Warning {
            text: whole.to_string(),
            why: format!(
                "parse.pattern found the result {result:?}, which parse.fixupdict does not turn into pass, fail, skip \
                 or unknown; it is recorded as unknown"
            ),
        });
        Verdict::Unknown
    });
    let number = measurement.filter(|text| is_number(text));
    if let (Some(text), None) = (measurement, number) {
        out.push(Signal::Warning {
            text: whole.to_string(),
            why: format!("parse.pattern found the measurement {text:?}, which is no number; it is left out"),
        });
    }
    out.push(Signal::Pattern {
        case: case.replace('/', "_"),
        result: verdict,
        measurement: number.map(str::to_string),
        units: units.filter(|units| number.is_some() && !units.is_empty()).map(str::to_string),
    });
}

/// How many bytes of `bytes` stand for the first `length` bytes of its text with replacements.
pub(crate) fn original_length(bytes: &[u8], length: usize) -> usize {
    let mut original = 0;
    let mut replaced = 0;
    for chunk in bytes.utf8_chunks() {
        let valid = chunk.valid().len();
        if replaced + valid >= length {
            return original + (length - replaced);
        }
        original += valid;
        replaced += valid;
        if !chunk.invalid().is_empty() {
            original += chunk.invalid().len();
            replaced += char::REPLACEMENT_CHARACTER.len_utf8();
        }
        if replaced >= length {
            return original;
        }
    }
    original
}
