//! Console bytes in, signals out (device-side.md §4.1, §8.2, §8.5).
//!
//! ```text
//! bytes ─ demux ─┬─ kernel ─ clean ──────── lexer ─┬─ grammar ─ what this stage allows ─ signals
//!                └─ user ─── clean ─ echo ─ lexer ─┘
//!                                             └─ text between signals ─ parse.pattern
//! ```
//!
//! Promises: the signals do not depend on how the bytes were cut into chunks (as long as [`Scanner::flush`] comes at the
//! same places); memory is bounded and the work linear whatever a device prints; nothing here fails, damage becomes
//! [`Signal::Warning`] and [`Signal::Ignored`].
//!
//! What is not obeyed: the echo of what the dispatcher typed; a STARTRUN or ENDRUN of a suite that is not this stage's;
//! a suite that was started before (a log that is listed); words of the runner about foreign suites. A program on the
//! device that prints a signal of the *running* suite, exactly as a helper would, cannot be told from that helper: it
//! runs with the same rights and reads the same files. On the checked link (§8.4) such text has no checksum, and is obeyed
//! only when nothing about it is odd.

mod checked;
pub(crate) mod clean;
pub(crate) mod demux;
mod echo;
pub(crate) mod grammar;
mod lexer;
mod pattern;
mod stage;

use std::fmt;

use clean::Cleaner;
use demux::{Demux, Source};
use echo::EchoFilter;
pub(crate) use pattern::original_length;

use lexer::Lexer;
use stage::StageState;

use crate::definition::{DefinitionError, ParsePattern};
use crate::link::text::SuiteEnd;
use crate::signal::Signal;

/// Scans one console for one test action, from the moment its runner is started.
#[derive(Default)]
pub struct Scanner {
    demux: Demux,
    kernel: Stream,
    user: Stream,
    echo: EchoFilter,
    stage: StageState,
}

/// What is cleaned and searched on its own.
#[derive(Debug, Default)]
struct Stream {
    cleaner: Cleaner,
    lexer: Lexer,
    /// Cleaned text, and what of it is no echo; kept for their room.
    text: Vec<u8>,
    heard: Vec<u8>,
}

impl fmt::Debug for Scanner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scanner").field("current", &self.current_suite()).finish_non_exhaustive()
    }
}

impl Scanner {
    /// A scanner that knows which suites and uuids this stage may start, in order (§8.5).
    pub fn new(suites: Vec<(String, String)>) -> Self {
        Scanner { stage: StageState::new(suites), ..Scanner::default() }
    }

    /// Gives a suite its `parse.pattern`, which is on from its STARTRUN to its ENDRUN.
    pub fn add_pattern(&mut self, suite: &str, pattern: &ParsePattern) -> Result<(), DefinitionError> {
        self.stage.add_pattern(suite, pattern)
    }

    /// Switches a pattern on at once, or off with `None`. One that does not compile is off. [`Scanner::add_pattern`]
    /// is the better way: it misses no text that comes in one chunk with the STARTRUN.
    pub fn set_pattern(&mut self, pattern: Option<ParsePattern>) {
        self.stage.set_pattern(pattern.as_ref());
    }

    /// The suite that is open.
    pub fn current_suite(&self) -> Option<&str> {
        self.stage.current_suite()
    }

    /// Tells what the dispatcher typed, so that its echo is not obeyed.
    pub fn typed(&mut self, bytes: &[u8]) {
        self.echo.typed(bytes);
    }

    /// Takes bytes as they came, and returns what they complete.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Signal> {
        let mut out = Vec::new();
        let Scanner { demux, kernel, user, echo, stage } = self;
        demux.feed(bytes, &mut |source, piece| match source {
            Source::Kernel => {
                let Stream { cleaner, lexer, text, .. } = kernel;
                text.clear();
                cleaner.feed(piece, text);
                lexer.feed(text, &mut |token| stage.take(source, token, &mut out));
            }
            Source::User => user.feed(piece, echo, stage, &mut out),
        });
        out
    }

    /// No byte came for a while (300 ms): what was held back because it could have become a kernel record or an echo
    /// is released, and the pattern looks at the whole lines so far. A signal that has begun goes on being collected.
    pub fn flush(&mut self) -> Vec<Signal> {
        let mut out = Vec::new();
        let Scanner { demux, user, echo, stage, .. } = self;
        demux.flush(&mut |_, piece| user.feed(piece, echo, stage, &mut out));
        let mut released = Vec::new();
        echo.flush(&mut released);
        user.lexer.feed(&released, &mut |token| stage.take(Source::User, token, &mut out));
        stage.pattern_lines(&mut out);
        out
    }

    /// The runner speaks the checked link (§8.4): its signals carry checksums and numbers, and a suite ends with
    /// [`Scanner::end_suite`].
    pub fn begin_checked(&mut self) {
        self.stage.begin_checked();
    }

    /// Whether it does.
    pub fn is_checked(&self) -> bool {
        self.stage.is_checked()
    }

    /// The runner's word that a suite's script has ended: what has to be sent again first, or the signals that end the
    /// suite. `last_try` ends it whatever is missing.
    ///
    /// # Errors
    /// The numbers that have not come.
    pub fn end_suite(&mut self, end: &SuiteEnd, last_try: bool) -> Result<Vec<Signal>, Vec<u32>> {
        self.stage.end_suite(end, last_try)
    }

    /// Whether a signal has begun and not ended. After 10 s it should be given up (§8.2).
    pub fn unfinished(&self) -> bool {
        self.user.lexer.pending() || self.kernel.lexer.pending()
    }

    /// Gives up a signal that has begun and not ended; it is told as ignored.
    pub fn give_up(&mut self) -> Vec<Signal> {
        let mut out = self.flush();
        let Scanner { kernel, user, stage, .. } = self;
        user.lexer.give_up("does not end", &mut |token| stage.take(Source::User, token, &mut out));
        kernel.lexer.give_up("does not end", &mut |token| stage.take(Source::Kernel, token, &mut out));
        out
    }
}

impl Stream {
    fn feed(&mut self, piece: &[u8], echo: &mut EchoFilter, stage: &mut StageState, out: &mut Vec<Signal>) {
        let Stream { cleaner, lexer, text, heard } = self;
        text.clear();
        cleaner.feed(piece, text);
        let text = if echo.passes(text) {
            text
        } else {
            heard.clear();
            echo.feed(text, heard);
            heard
        };
        lexer.feed(text, &mut |token| stage.take(Source::User, token, out));
    }
}
