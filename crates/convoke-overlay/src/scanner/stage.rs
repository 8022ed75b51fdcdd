//! Which signals a stage obeys (device-side.md §8.2, §8.5).
//!
//! The suites of a stage run in order and each once, so a STARTRUN can only name a later one than the last, and only
//! with its own uuid. An ENDRUN may be damaged in one of its two words, not in both.
//!
//! On the checked link (§8.4) a suite is over when its runner has said how many signals it had and all have come; its
//! ENDRUN is held until then, so that what is sent again still belongs to it. A signal without a number is then obeyed
//! only when nothing about it is odd.

use std::collections::BTreeMap;

use super::checked::{Numbers, Trailer, trailer, unescaped};
use super::demux::Source;
use super::grammar::{Parsed, parse};
use super::lexer::Token;
use super::pattern::{Pattern, PatternText};
use crate::definition::{DefinitionError, ParsePattern};
use crate::link::Frame;
use crate::link::text::{Phase, SuiteEnd};
use crate::signal::{RequestKind, Signal};

/// So many signals without a number are remembered, to know one that comes again with its number.
const REMEMBERED: usize = 100;
/// So many tags of numbers are known at once.
const TAGS: usize = 16;

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
    checked: Option<Checked>,
}

/// What is known of the suite that runs, on the checked link.
#[derive(Debug, Default)]
struct Checked {
    /// By their tags.
    numbers: BTreeMap<String, Numbers>,
    /// Its ENDRUN, held back.
    ended: Option<Signal>,
    install_failed: bool,
    /// The texts of signals that had no number.
    bare: Vec<String>,
    told: bool,
}

impl Checked {
    /// Forgets all but the numbers: what an earlier suite has left behind goes on counting.
    fn next_suite(&mut self) {
        *self = Checked { numbers: std::mem::take(&mut self.numbers), ..Checked::default() };
    }
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
            Token::Frame(text) => match Frame::parse(&String::from_utf8_lossy(text)) {
                Ok(frame) => out.push(Signal::Frame(frame)),
                Err(Some(frame)) => out.push(Signal::DamagedFrame(frame)),
                Err(None) => {}
            },
            Token::Signal(text) => {
                let text = String::from_utf8_lossy(text);
                if text.starts_with("<LAVA_SIGNAL_") && self.checked_signal(&text, out) {
                    return;
                }
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
            Signal::InstallFail => {
                if let Some(checked) = &mut self.checked {
                    checked.install_failed = true;
                }
                out.push(signal);
            }
            Signal::RunnerExit => {
                self.release(out);
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
                self.release(out);
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
                Some(at) if at >= self.started && self.checked.is_some() => {
                    self.implied_start(at, out);
                    return self.end_run(text, suite, uuid, out);
                }
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
        if self.checked.is_none() {
            self.current = None;
        }
        if !(same_suite && same_uuid) {
            out.push(Signal::Warning {
                text: shown(text.as_bytes()),
                why: "is damaged in one word; it ends the open suite".into(),
            });
        }
        match &mut self.checked {
            Some(checked) => checked.ended = Some(end),
            None => out.push(end),
        }
    }

    pub(super) fn begin_checked(&mut self) {
        self.checked.get_or_insert_default();
    }

    pub(super) fn is_checked(&self) -> bool {
        self.checked.is_some()
    }

    /// Obeys a signal whose checksum fits, or says why not. False when it has to be taken as it is.
    fn checked_signal(&mut self, text: &str, out: &mut Vec<Signal>) -> bool {
        let mut ignored = |why: &str| out.push(Signal::Ignored { text: shown(text.as_bytes()), why: why.into() });
        let (inner, tag, number) = match (trailer(text), &mut self.checked) {
            (Trailer::Good(inner, tag, number), _) => (inner, tag, number),
            (_, None) => return false,
            (Trailer::Damaged, Some(_)) => {
                ignored("it is damaged; it is asked for again at the end of its suite");
                return true;
            }
            (Trailer::Missing, Some(checked)) => {
                let Parsed::Signals(signals) = parse(text) else { return false };
                let odd = |signal: &Signal| matches!(signal, Signal::Warning { .. } | Signal::Ignored { .. });
                if text.contains('\n') || signals.iter().any(odd) {
                    ignored("it is odd and has no checksum");
                    return true;
                }
                let counted = |signal: &Signal| {
                    !matches!(signal, Signal::StartRun { .. } | Signal::EndRun { .. } | Signal::ReturnCode(_))
                };
                if signals.iter().all(counted) {
                    if !std::mem::replace(&mut checked.told, true) {
                        let why = "it has no checksum, so no helper of this job has printed it; later ones of this \
                                   suite are obeyed silently"
                            .into();
                        out.push(Signal::Warning { text: shown(text.as_bytes()), why });
                    }
                    if checked.bare.len() < REMEMBERED {
                        checked.bare.push(text.to_owned());
                    }
                }
                return false;
            }
        };
        let text = format!("<{inner}>");
        if let (Some(checked), 1..) = (&mut self.checked, number) {
            if checked.numbers.len() >= TAGS && !checked.numbers.contains_key(tag) {
                checked.numbers.pop_first();
            }
            let Some(again) = checked.numbers.entry(tag.to_owned()).or_default().take(number) else { return true };
            // It came before, only its number was lost.
            if again && let Some(twin) = checked.bare.iter().position(|bare| *bare == text) {
                checked.bare.remove(twin);
                return true;
            }
        }
        // What a helper was ended before it could print.
        if inner.starts_with("LAVA_SIGNAL_NONE ") {
            return true;
        }
        if let Parsed::Signals(signals) = parse(&text) {
            signals.into_iter().for_each(|signal| self.signal(&text, unescaped(signal), out));
        }
        true
    }

    /// The STARTRUN of a suite was lost.
    fn implied_start(&mut self, at: usize, out: &mut Vec<Signal>) {
        self.current = Some(at);
        self.started = at + 1;
        let Suite { suite, uuid, .. } = &self.suites[at];
        let why = "the STARTRUN of this suite was not seen".into();
        out.push(Signal::Warning { text: suite.clone(), why });
        out.push(Signal::StartRun { suite: suite.clone(), uuid: uuid.clone() });
    }

    /// Lets go of an ENDRUN that was held for a word of the runner that does not come any more.
    fn release(&mut self, out: &mut Vec<Signal>) {
        let Some(checked) = &mut self.checked else { return };
        let ended = checked.ended.take();
        let gaps: Vec<u32> = checked.numbers.values().flat_map(|numbers| numbers.missing(0)).collect();
        checked.numbers.values_mut().for_each(|numbers| numbers.settle(0));
        checked.next_suite();
        if let Some(known) = self.current.take().and_then(|at| self.suites.get(at))
            && !gaps.is_empty()
        {
            out.push(Signal::Lost { suite: known.suite.clone(), numbers: gaps });
        }
        out.extend(ended);
    }

    /// The runner's word about a suite. The numbers that are missing, unless this is the last try.
    pub(super) fn end_suite(&mut self, end: &SuiteEnd, last_try: bool) -> Result<Vec<Signal>, Vec<u32>> {
        let mut out = Vec::new();
        let (Some(at), Some(checked)) =
            (self.suites.iter().position(|known| known.suite == end.suite), &mut self.checked)
        else {
            let why = "the runner ends a suite that is none of this test action, or did not begin".into();
            out.push(Signal::Ignored { text: end.suite.clone(), why });
            return Ok(out);
        };
        if end.phase == Phase::Install {
            if !checked.install_failed {
                out.push(Signal::InstallFail);
            }
            checked.next_suite();
            return Ok(out);
        }
        let numbers = checked.numbers.entry(end.tag.clone()).or_default();
        let missing = numbers.missing(end.last);
        if !missing.is_empty() && !last_try {
            return Err(missing);
        }
        numbers.settle(end.last);
        checked.next_suite();
        if self.current != Some(at) {
            if at < self.started {
                return Ok(out);
            }
            self.implied_start(at, &mut out);
        }
        self.end_pattern(&mut out);
        self.current = None;
        let (suite, uuid) = (self.suites[at].suite.clone(), self.suites[at].uuid.clone());
        if !missing.is_empty() {
            out.push(Signal::Lost { suite: suite.clone(), numbers: missing });
        }
        out.push(match end.phase {
            Phase::Ended => Signal::EndRun { suite, uuid },
            _ => Signal::SuiteExited { suite, status: end.status },
        });
        Ok(out)
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
            if self.checked.is_some() {
                // Said before, where it cannot be damaged, unless nobody answered the runner.
                if self.current_suite() != Some(suite.as_str()) {
                    return;
                }
                self.end_pattern(out);
                if self.checked.as_ref().is_some_and(|checked| checked.ended.is_some()) {
                    return self.release(out);
                }
                self.release(out);
            }
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
