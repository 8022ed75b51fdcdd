//! Results in what a device prints between two texts (job-definition.md §9.2).
//!
//! ```text
//! bytes ─→ whole lines ─→ start seen? ─→ results, until the end is seen ─→ the rest is the next one's
//! ```
//!
//! The text is looked at line by line, so what is found does not depend on how the bytes were cut: half a line may show
//! half a result. A beginning or an end may also stand in a line that has no end yet, once the device falls silent.
//! Memory is bounded: a line of [`LINE`] bytes is looked at as it is.

use convoke_job::console_test::Monitor;

use crate::prompt::{Match, PromptError, PromptMatcher};
use crate::scanner::grammar::{is_number, verdict};
use crate::signal::Verdict;

/// The longest line that is waited for.
const LINE: usize = 64 * 1024;

/// What was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The start.
    Start,
    /// A result.
    Result {
        /// `test_case_id`; blanks and `/` in it are `_`.
        case: String,
        /// The result.
        result: Verdict,
        /// `measurement`, when it is a number.
        measurement: Option<String>,
        /// `units`, of a measurement.
        units: Option<String>,
    },
    /// Something about a result is odd: what, for the log.
    Odd(String),
    /// The end: nothing more is looked at.
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Before,
    Within,
    After,
}

/// Watches a console for one monitor.
#[derive(Debug)]
pub struct Watch {
    monitor: Monitor,
    phase: Phase,
    matcher: PromptMatcher,
    /// A line that has no end yet, and what comes behind the end.
    held: Vec<u8>,
}

impl Watch {
    /// A watch that has seen nothing.
    ///
    /// # Errors
    /// When a pattern is no regular expression.
    pub fn new(monitor: &Monitor) -> Result<Watch, PromptError> {
        PromptMatcher::new(&[&monitor.end, &monitor.pattern])?;
        let matcher = PromptMatcher::new(&[&monitor.start])?;
        Ok(Watch { monitor: monitor.clone(), phase: Phase::Before, matcher, held: Vec::new() })
    }

    /// Whether the start was seen.
    pub fn has_started(&self) -> bool {
        self.phase != Phase::Before
    }

    /// Takes bytes.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Seen> {
        self.held.extend_from_slice(bytes);
        let mut seen = Vec::new();
        while self.phase != Phase::After {
            let end = self.held.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
            let Some(end) = end.or((self.held.len() >= LINE).then_some(self.held.len())) else { break };
            let line: Vec<u8> = self.held.drain(..end).collect();
            self.line(&line, &mut seen);
        }
        seen
    }

    /// No byte came for a while (300 ms): a line without an end may be the start, or have the end.
    pub fn quiet(&mut self) -> Vec<Seen> {
        let mut seen = Vec::new();
        let wanted = match self.phase {
            Phase::Before => &self.monitor.start,
            Phase::Within => &self.monitor.end,
            Phase::After => return seen,
        };
        // It was compiled before.
        let Ok(mut matcher) = PromptMatcher::new(&[wanted]) else { return seen };
        if matcher.feed(&self.held).or_else(|| matcher.flush()).is_some() {
            let line = std::mem::take(&mut self.held);
            self.line(&line, &mut seen);
        }
        seen
    }

    /// What came behind the end.
    pub fn into_rest(self) -> Vec<u8> {
        self.held
    }

    fn line(&mut self, line: &[u8], seen: &mut Vec<Seen>) {
        let mut found = self.matcher.feed(line);
        while let Some(matched) = found {
            match (self.phase, matched.prompt) {
                (Phase::Before, _) => {
                    self.phase = Phase::Within;
                    seen.push(Seen::Start);
                    // Both were compiled before.
                    let _ = self.matcher.set_prompts(&[&self.monitor.end, &self.monitor.pattern]);
                }
                (_, 0) => {
                    self.phase = Phase::After;
                    seen.push(Seen::End);
                    return;
                }
                _ if matched.text.is_empty() => {
                    // It would be found for ever, and hide the end.
                    let _ = self.matcher.set_prompts(&[&self.monitor.end]);
                    found = self.matcher.feed(b"");
                    if found.is_none() {
                        let _ = self.matcher.set_prompts(&[&self.monitor.end, &self.monitor.pattern]);
                        return;
                    }
                    continue;
                }
                _ => self.result(&matched, seen),
            }
            found = self.matcher.feed(b"");
        }
    }

    fn result(&self, matched: &Match, seen: &mut Vec<Seen>) {
        let names = self.matcher.group_names(matched.prompt);
        let group = |name: &str| {
            let at = names.iter().position(|known| known.as_deref() == Some(name))?;
            matched.groups.get(at)?.as_deref()
        };
        let text = matched.text.trim();
        let case: Vec<&str> = group("test_case_id").unwrap_or_default().split_whitespace().collect();
        if case.is_empty() {
            return seen.push(Seen::Odd(format!("{text:?} names no case and is left out")));
        }
        let word = group("result").unwrap_or_default();
        let fixed = self.monitor.fixup.iter().find(|(from, _)| from == word).map_or(word, |(_, to)| to.as_str());
        let result = verdict(fixed).unwrap_or_else(|| {
            seen.push(Seen::Odd(format!(
                "{text:?}: `fixupdict` does not turn {word:?} into pass, fail, skip or unknown; it is recorded as unknown"
            )));
            Verdict::Unknown
        });
        let measurement = group("measurement").filter(|text| !text.is_empty());
        let number = measurement.filter(|text| is_number(text));
        if let (Some(given), None) = (measurement, number) {
            seen.push(Seen::Odd(format!("{text:?}: the measurement {given:?} is no number and is left out")));
        }
        seen.push(Seen::Result {
            case: case.join("_").replace('/', "_"),
            result,
            measurement: number.map(str::to_owned),
            units: group("units").filter(|units| number.is_some() && !units.is_empty()).map(str::to_owned),
        });
    }
}
