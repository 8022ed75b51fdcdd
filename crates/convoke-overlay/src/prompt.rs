//! Waiting for prompts: regular expressions over the text of a console (device-side.md §3).
//!
//! The text is what a person would read: control sequences dropped, kernel records taken out of the lines they cut, line
//! ends as LF. A kernel record is matched too, on its own, because boot messages are waited for as well. At most
//! [`WINDOW`] bytes are kept, and of those that were looked at without a match at most [`OVERLAP`] are looked at again,
//! so the work per chunk is bounded.

use convoke_job::pattern;
use fancy_regex::Regex;

use crate::scanner::clean::Cleaner;
use crate::scanner::demux::{Demux, Source};

/// Text kept at most.
const WINDOW: usize = 64 * 1024;
/// The longest text a pattern can match across two chunks.
const OVERLAP: usize = 1024;
/// A chunk is looked at in pieces of this length.
const PIECE: usize = 4096;

/// A prompt that is no regular expression. A mistake of the job.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("prompt {prompt:?} is not a regular expression: {why}")]
pub struct PromptError {
    /// The prompt as the job has it.
    pub prompt: String,
    /// Why, on one line.
    pub why: String,
}

/// A prompt that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// Which pattern, counted from 0.
    pub prompt: usize,
    /// The text it matched.
    pub text: String,
    /// Its groups, from 1.
    pub groups: Vec<Option<String>>,
}

/// Looks for prompts in the bytes of a console.
#[derive(Debug, Default)]
pub struct PromptMatcher {
    patterns: Vec<Regex>,
    demux: Demux,
    user: Window,
    kernel: Window,
}

#[derive(Debug, Default)]
struct Window {
    cleaner: Cleaner,
    text: Vec<u8>,
    /// So much of `text` holds no match that ends in it.
    seen: usize,
}

impl PromptMatcher {
    /// A matcher for patterns in Python's syntax, `^` and `$` at every line.
    pub fn new<S: AsRef<str>>(prompts: &[S]) -> Result<Self, PromptError> {
        let mut matcher = PromptMatcher::default();
        matcher.set_prompts(prompts)?;
        Ok(matcher)
    }

    /// Waits for other prompts from here on; what has come and was not part of a match is looked at anew.
    pub fn set_prompts<S: AsRef<str>>(&mut self, prompts: &[S]) -> Result<(), PromptError> {
        self.patterns = prompts.iter().map(|prompt| compile(prompt.as_ref())).collect::<Result<_, _>>()?;
        self.user.seen = 0;
        self.kernel.seen = 0;
        Ok(())
    }

    /// The names of a pattern's groups, from 1.
    pub fn group_names(&self, prompt: usize) -> Vec<Option<String>> {
        let names = self.patterns.get(prompt).map(|pattern| pattern.capture_names().skip(1));
        names.into_iter().flatten().map(|name| name.map(str::to_owned)).collect()
    }

    /// Takes bytes, and tells the first match in what has come so far. Text up to the end of a match is forgotten, the
    /// rest is kept for the next call, which may be one with no bytes.
    pub fn feed(&mut self, bytes: &[u8]) -> Option<Match> {
        let PromptMatcher { patterns, demux, user, kernel } = self;
        let mut found = user.search(patterns).or_else(|| kernel.search(patterns));
        for piece in bytes.chunks(PIECE) {
            demux.feed(piece, &mut |source, text| match source {
                Source::User => user.push(text),
                Source::Kernel => kernel.push(text),
            });
            if found.is_none() {
                found = user.search(patterns).or_else(|| kernel.search(patterns));
            }
        }
        user.trim();
        kernel.trim();
        found
    }

    /// No byte came for a while (300 ms): what was held back because it could have become a kernel record is looked at.
    pub fn flush(&mut self) -> Option<Match> {
        let PromptMatcher { patterns, demux, user, .. } = self;
        demux.flush(&mut |_, text| user.push(text));
        user.search(patterns)
    }

    /// Forgets all text that has come.
    pub fn clear(&mut self) {
        self.demux = Demux::default();
        self.user = Window::default();
        self.kernel = Window::default();
    }
}

impl Window {
    fn push(&mut self, bytes: &[u8]) {
        self.cleaner.feed(bytes, &mut self.text);
    }

    fn search(&mut self, patterns: &[Regex]) -> Option<Match> {
        if self.seen == self.text.len() {
            return None;
        }
        let from = self.text.len().min(self.seen).saturating_sub(OVERLAP);
        let from = from + self.text[from..].iter().take_while(|byte| **byte & 0xc0 == 0x80).count();
        // One character more in front, so that `^` and look-behind see that a line does not begin here.
        let mut context = from.saturating_sub(1);
        while context > 0 && self.text[context] & 0xc0 == 0x80 {
            context -= 1;
        }
        let skip = String::from_utf8_lossy(&self.text[context..from]).len();
        let text = String::from_utf8_lossy(&self.text[context..]);
        let text: &str = &text;
        let mut best: Option<(usize, usize, Match)> = None;
        for (prompt, pattern) in patterns.iter().enumerate() {
            // A pattern that takes too long on this text does not match it.
            let Ok(Some(captures)) = pattern.captures_from_pos(text, skip) else { continue };
            let Some(whole) = captures.get(0) else { continue };
            if best.as_ref().is_some_and(|(start, ..)| *start <= whole.start()) {
                continue;
            }
            let groups = (1..captures.len()).map(|at| captures.get(at).map(|group| group.as_str().to_string()));
            let found = Match { prompt, text: whole.as_str().to_string(), groups: groups.collect() };
            best = Some((whole.start(), whole.end(), found));
        }
        let Some((_, end, found)) = best else {
            self.seen = self.text.len();
            return None;
        };
        let end = crate::scanner::original_length(&self.text[context..], end);
        self.text.drain(..context + end);
        self.seen = 0;
        Some(found)
    }

    fn trim(&mut self) {
        // What was looked at is kept only as far as a match may still begin in it.
        let keep = self.seen.saturating_sub(OVERLAP).max(self.text.len().saturating_sub(WINDOW));
        self.text.drain(..keep);
        self.seen = self.seen.saturating_sub(keep);
    }
}

fn compile(prompt: &str) -> Result<Regex, PromptError> {
    pattern::compile(prompt).map_err(|why| PromptError { prompt: prompt.to_string(), why: why.to_string() })
}
