//! Which signals a stage obeys (device-side.md §8.2, §8.5).
//!
//! The suites of a stage run in order and each once, so a STARTRUN can only name a later one than the last, and only
//! with its own uuid. An ENDRUN may be damaged in one of its two words, not in both.

use super::demux::Source;
use super::grammar::{Parsed, parse};
use super::lexer::Token;
use super::pattern::{Pattern, PatternText};
use crate::definition::{DefinitionError, ParsePattern};
use crate::signal::{RequestKind, Signal};

/// What the signals of one stage are measured against.
#[derive(Debug, Default)]
pub(super) struct StageState {
    suites: Vec<Suite>,
    /// The open suite.
    current: Option<usize>,
    /// Suites before this one have been started.
    started: usize,
    pattern: Option<Pattern>,
    kernel_text: PatternText,
    user_text: PatternText,
    /// What the device said of itself just before a request.
    quiet: Option<(RequestKind, String)>,
}

#[derive(Debug)]
struct Suite {
    suite: String,
    uuid: String,
    pattern: Option<Pattern>,
}

impl StageState {
    pub(super) fn new(suites: Vec<(String, String)>) -> Self {
        let suites = suites.into_iter().map(|(suite, uuid)| Suite { suite, uuid, pattern: None }).collect();
        StageState { suites, ..StageState::default() }
    }

    pub(super) fn add_pattern(&mut self, suite: &str, pattern: &ParsePattern) -> Result<(), DefinitionError> {
        let pattern = Pattern::new(pattern)?;
        for known in self.suites.iter_mut().filter(|known| known.suite == suite) {
            known.pattern = Some(pattern.clone());
        }
        Ok(())
    }

    pub(super) fn set_pattern(&mut self, pattern: Option<&ParsePattern>) {
        self.pattern = pattern.and_then(|pattern| Pattern::new(pattern).ok());
        self.kernel_text = PatternText::default();
        self.user_text = PatternText::default();
    }

    pub(super) fn current_suite(&self) -> Option<&str> {
        self.current.and_then(|at| self.suites.get(at)).map(|suite| suite.suite.as_str())
    }

    /// Takes one piece of a stream's text.
    pub(super) fn take(&mut self, source: Source, token: Token<'_>, out: &mut Vec<Signal>) {
        match token {
            Token::Text(text) => self.text(source, text, out),
            Token::Damaged(text, why) => out.push(Signal::Ignored { text: shown(text), why: why.into() }),
            Token::Signal(text) => {
                let text = String::from_utf8_lossy(text);
                match parse(&text) {
                    Parsed::Signals(signals) => signals.into_iter().for_each(|signal| self.signal(&text, signal, out)),
                    Parsed::Quiet(kind, id) => self.quiet = Some((kind, id)),
                    Parsed::Runner(line) => self.runner(&line, out),
                    Parsed::Nothing => {}
                }
            }
        }
    }

    /// The pattern looks at the whole lines so far.
    pub(super) fn pattern_lines(&mut self, out: &mut Vec<Signal>) {
        self.with_pattern(|state, pattern| {
            state.user_text.lines(pattern, out) && state.kernel_text.lines(pattern, out)
        });
    }

    fn text(&mut self, source: Source, text: &[u8], out: &mut Vec<Signal>) {
        self.with_pattern(|state, pattern| match source {
            Source::Kernel => state.kernel_text.push(pattern, text, out),
            Source::User => state.user_text.push(pattern, text, out),
        });
    }

    /// Runs what needs the pattern; one that cannot be run is switched off.
    fn with_pattern(&mut self, run: impl FnOnce(&mut Self, &Pattern) -> bool) {
        if let Some(pattern) = self.pattern.take()
            && run(self, &pattern)
        {
            self.pattern = Some(pattern);
        }
    }

    fn end_pattern(&mut self, out: &mut Vec<Signal>) {
        self.with_pattern(|state, pattern| {
            state.user_text.finish(pattern, out) && state.kernel_text.finish(pattern, out)
        });
        self.set_pattern(None);
    }

    fn signal(&mut self, text: &str, signal: Signal, out: &mut Vec<Signal>) {
        match signal {
            Signal::StartRun { suite, uuid } => self.start_run(text, suite, uuid, out),
            Signal::EndRun { suite, uuid } => self.end_run(text, suite, uuid, out),
            Signal::TestSetStart(_) | Signal::TestSetStop => {
                self.pattern_lines(out);
                out.push(signal);
            }
            Signal::RunnerExit => {
                self.end_pattern(out);
                self.current = None;
                out.push(signal);
            }
            Signal::Request(mut request) => {
                if let Some((kind, id)) = self.quiet.take()
                    && request.kind() == Some(kind)
                    && request.message_id() == id
                {
                    request.set_quiet();
                }
                out.push(Signal::Request(request));
            }
            other => out.push(other),
        }
    }

    fn start_run(&mut self, text: &str, suite: String, uuid: String, out: &mut Vec<Signal>) {
        let why = match self.suites.iter().position(|known| known.suite == suite && known.uuid == uuid) {
            None => "names no suite and uuid of this test action",
            Some(at) if at < self.started => "this suite, or a later one, was started before",
            Some(at) => {
                self.end_pattern(out);
                self.current = Some(at);
                self.started = at + 1;
                self.pattern = self.suites[at].pattern.clone();
                out.push(Signal::StartRun { suite, uuid });
                return;
            }
        };
        out.push(Signal::Ignored { text: shown(text.as_bytes()), why: why.into() });
    }

    fn end_run(&mut self, text: &str, suite: String, uuid: String, out: &mut Vec<Signal>) {
        let Some(known) = self.current.and_then(|at| self.suites.get(at)) else {
            let why = match self.suites.iter().position(|known| known.suite == suite && known.uuid == uuid) {
                Some(at) if at >= self.started => {
                    self.started = at + 1;
                    let why = "the STARTRUN of this suite was not seen".into();
                    out.push(Signal::Warning { text: shown(text.as_bytes()), why });
                    out.push(Signal::EndRun { suite, uuid });
                    return;
                }
                Some(_) => "this suite has ended before",
                None => "names no suite and uuid of this test action",
            };
            out.push(Signal::Ignored { text: shown(text.as_bytes()), why: why.into() });
            return;
        };
        let (same_suite, same_uuid) = (known.suite == suite, known.uuid == uuid);
        let end = Signal::EndRun { suite: known.suite.clone(), uuid: known.uuid.clone() };
        if !same_suite && !same_uuid {
            out.push(Signal::Ignored {
                text: shown(text.as_bytes()),
                why: format!("names another suite than the open one, {}", known.suite),
            });
            return;
        }
        self.end_pattern(out);
        self.current = None;
        if !(same_suite && same_uuid) {
            out.push(Signal::Warning {
                text: shown(text.as_bytes()),
                why: "is damaged in one word; it ends the open suite".into(),
            });
        }
        out.push(end);
    }

    fn runner(&mut self, line: &str, out: &mut Vec<Signal>) {
        let said =
            [" exited with: ", " dependencies failed with: "].into_iter().enumerate().find_map(|(which, words)| {
                let (suite, status) = line.split_once(words)?;
                Some((which, suite.to_string(), status.trim().parse().ok()?))
            });
        let Some((which, suite, status)) = said.filter(|(_, suite, _)| self.suites.iter().any(|k| k.suite == *suite))
        else {
            out.push(Signal::Ignored {
                text: shown(line.as_bytes()),
                why: "not a word of the test runner about a suite of this test action".into(),
            });
            return;
        };
        if which == 0 {
            if self.current_suite() == Some(suite.as_str()) {
                self.end_pattern(out);
                self.current = None;
            }
            out.push(Signal::SuiteExited { suite, status });
        } else {
            out.push(Signal::DependenciesFailed { suite, status });
        }
    }
}

/// Text for a message: at most 200 characters of it.
fn shown(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(&text[..text.len().min(1000)]);
    let text = text.trim();
    match text.char_indices().nth(200) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_string(),
    }
}
