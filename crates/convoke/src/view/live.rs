//! On a terminal: the merged log scrolls, and below it stands the status block, a line a member.
//!
//! Drawn in one write a frame, at most ten frames a second, and only when something has changed. The terminal's settings
//! are not touched and the cursor stays visible, so there is nothing to restore, however the program ends; at the end, or
//! when the view is dropped, the block is wiped. A question to the user stands below the block; while a device has the
//! terminal, what is to be shown waits.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use console::Term;
use convoke_journal::{Event, View};

use super::frame;
use super::plain::Log;
use super::style::{cut, to_ascii};
use super::{Level, Out, Paint};
use crate::attend::Stage;

/// Time between two frames.
const FRAME: Duration = Duration::from_millis(100);
/// Log lines of one frame; of more, only the last ones are shown.
const BURST: usize = 400;

/// Log lines kept for a terminal that changes its size.
const RECENT: usize = 200;

/// Where to draw.
pub(crate) trait Screen: io::Write + Send {
    /// Rows and columns.
    fn size(&self) -> (u16, u16);
}

impl Screen for Term {
    fn size(&self) -> (u16, u16) {
        Term::size(self)
    }
}

/// The view.
pub(crate) struct Live<S: Screen> {
    out: Out<S>,
    log: Log,
    paint: Paint,
    /// Log lines for the next frame.
    lines: Vec<String>,
    left_out: usize,
    /// The newest of those that are on the screen.
    recent: VecDeque<String>,
    /// The block as it stands on the screen.
    shown: Vec<String>,
    /// The screen for which that was drawn.
    size: (u16, u16),
    drawn: Option<Instant>,
    summary: Option<String>,
    stage: Stage,
    /// The terminal shows ASCII only.
    ascii: bool,
}

impl<S: Screen> Live<S> {
    /// With the folder of the run, a summary takes the place of the block at the end.
    pub(crate) fn new(to: S, level: Level, paint: Paint, summary: Option<String>) -> Self {
        Live {
            out: Out::new(to),
            // The block tells the stages.
            log: Log::new(level, paint, false),
            paint,
            lines: Vec::new(),
            left_out: 0,
            recent: VecDeque::new(),
            shown: Vec::new(),
            size: (0, 0),
            drawn: None,
            summary,
            stage: Stage::default(),
            ascii: false,
        }
    }

    /// On a terminal that may show ASCII only.
    pub(crate) fn in_ascii(mut self, ascii: bool) -> Self {
        self.ascii = ascii;
        self
    }

    fn write(&mut self, text: &str) {
        if self.ascii { self.out.write(to_ascii(text).as_bytes()) } else { self.out.write(text.as_bytes()) }
    }

    /// On a terminal that is shared with whoever asks the user something.
    pub(crate) fn on(mut self, stage: Stage) -> Self {
        self.stage = stage;
        self
    }

    fn add(&mut self, lines: Vec<String>) {
        self.lines.extend(lines);
        if self.lines.len() > 2 * BURST {
            let surplus = self.lines.len() - BURST;
            self.lines.drain(..surplus);
            self.left_out += surplus;
        }
    }

    fn draw(&mut self, now_ns: u64) {
        self.drawn = Some(Instant::now());
        if self.stage.is_wanted() {
            self.wipe();
            self.stage.give();
            return;
        }
        let size = self.out.to.size();
        let question = self.stage.question();
        let rows = size.0.saturating_sub(u16::try_from(question.len()).unwrap_or(u16::MAX));
        let mut block = frame::block(&self.log.model, (rows, size.1), now_ns, self.paint);
        let width = usize::from(size.1).saturating_sub(1);
        block.extend(question.iter().map(|line| cut(line, width)));
        if self.lines.is_empty() && block == self.shown && size == self.size {
            return;
        }
        let text = self.frame(&block, size);
        self.write(&text);
        self.shown = block;
    }

    /// What to send: over the old block the new log lines, then the new block. Begins and ends a synchronised update,
    /// which terminals that do not know it ignore.
    fn frame(&mut self, block: &[String], size: (u16, u16)) -> String {
        let mut text = String::from("\x1b[?2026h\r");
        let resized = std::mem::replace(&mut self.size, size) != size;
        if resized && !self.shown.is_empty() {
            // Where the terminal has put what it wrapped anew nobody knows: all of the screen is drawn again.
            text.push_str("\x1b[H\x1b[J");
            self.restore(&mut text, block.len(), size);
        } else if !self.shown.is_empty() {
            text.push_str(&format!("\x1b[{}A", self.shown.len()));
        }
        if self.left_out > 0 {
            let left_out = format!("… {} lines left out here; the members' log.yaml has them", self.left_out);
            text.push_str(&format!("{}\x1b[K\n", self.paint.dim(&left_out)));
            self.left_out = 0;
        }
        for line in std::mem::take(&mut self.lines) {
            // A long line wraps; what stood behind its end is wiped on every row it takes.
            text.push_str(&line.replace('\n', "\x1b[K\n"));
            text.push_str("\x1b[K\n");
            self.recent.push_back(line);
        }
        let surplus = self.recent.len().saturating_sub(RECENT);
        self.recent.drain(..surplus);
        // The cursor rests below the block, where a message from elsewhere (a panic) does not run into it.
        for line in block {
            text.push_str(line);
            text.push_str("\x1b[K\n");
        }
        text.push_str("\x1b[J\x1b[?2026l");
        text
    }

    /// The newest lines of the log, as many as have room above the block.
    fn restore(&self, text: &mut String, block: usize, (rows, columns): (u16, u16)) {
        let columns = usize::from(columns).max(1);
        let mut room = usize::from(rows).saturating_sub(block + 1);
        let taken = |line: &str| -> usize {
            line.lines().map(|line| console::measure_text_width(line).div_ceil(columns).max(1)).sum()
        };
        let fits = |line: &&String| match room.checked_sub(taken(line)) {
            Some(left) => {
                room = left;
                true
            }
            None => false,
        };
        let lines: Vec<&String> = self.recent.iter().rev().take_while(fits).collect();
        for line in lines.into_iter().rev() {
            text.push_str(line);
            text.push('\n');
        }
    }

    /// Writes what is left of the log and wipes the block, unless the terminal is somebody else's.
    fn wipe(&mut self) {
        if self.stage.is_given() || self.shown.is_empty() && self.lines.is_empty() {
            return;
        }
        let size = self.out.to.size();
        let text = self.frame(&[], size);
        self.write(&text);
        self.shown.clear();
    }
}

impl<S: Screen> View for Live<S> {
    fn event(&mut self, event: &Event) {
        let lines = self.log.event(event);
        self.add(lines);
        // While events pour in there is no idle moment.
        if self.drawn.is_some_and(|drawn| drawn.elapsed() > 2 * FRAME) {
            self.draw(event.elapsed_ns);
        }
    }

    fn idle(&mut self, elapsed_ns: u64) {
        let lines = self.log.tick(elapsed_ns);
        self.add(lines);
        if self.drawn.is_none_or(|drawn| drawn.elapsed() >= FRAME) {
            self.draw(elapsed_ns);
        }
    }

    fn tick(&self) -> Option<Duration> {
        Some(FRAME)
    }

    fn finish(&mut self) -> io::Result<()> {
        let lines = self.log.finish();
        self.add(lines);
        self.stage.end();
        self.wipe();
        if let Some(dir) = &self.summary {
            let summary = self.log.summary(dir);
            self.write(&summary);
        }
        self.out.outcome()
    }
}

impl<S: Screen> Drop for Live<S> {
    fn drop(&mut self) {
        self.stage.end();
        self.wipe();
    }
}
