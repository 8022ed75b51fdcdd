//! The merged log, in bounded memory.
//!
//! What people and members said is kept. Of consoles that together print more than the limit, the middle of the longest
//! one is left out, again and again; where lines are missing it says so. Which lines are kept depends on the lines alone.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};

use convoke_journal::LogLine;
use convoke_journal::model::Content;

/// Bytes of console lines kept, all members together.
const LIMIT: usize = 24 * 1024 * 1024;
/// Bytes of a member's first console lines that are never left out: how it booted.
const HEAD: usize = 64 * 1024;
/// Bytes kept of one line.
const LINE: usize = 4000;
/// What a line costs besides its text.
const COST: usize = 40;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Number in the whole log, from 0.
    pub number: u64,
    /// When.
    pub at_ns: u64,
    /// `sub_id`; `None` for the group.
    pub member: Option<u32>,
    /// `debug`, …, `target`, `input`, `results`.
    pub level: &'static str,
    /// What it says: of the console as it came, escape sequences and all.
    pub text: String,
}

/// All lines.
#[derive(Debug)]
pub struct Log {
    limit: usize,
    next: u64,
    kept: Vec<Line>,
    consoles: BTreeMap<u32, Console>,
    size: usize,
}

/// A member's console lines.
#[derive(Debug, Default)]
struct Console {
    head_size: usize,
    tail: VecDeque<Line>,
    tail_size: usize,
    /// First and last line that was left out, and how many.
    left_out: Option<(u64, u64, usize)>,
}

impl Default for Log {
    fn default() -> Self {
        Log::with_limit(LIMIT)
    }
}

impl Log {
    pub(super) fn with_limit(limit: usize) -> Self {
        Log { limit, next: 0, kept: Vec::new(), consoles: BTreeMap::new(), size: 0 }
    }

    /// The number that the next line gets.
    pub fn next(&self) -> u64 {
        self.next
    }

    pub(super) fn push(&mut self, line: LogLine) {
        if let Content::Text(level, text) = &line.content
            && text.contains('\n')
        {
            // A row of the page has one line.
            for text in text.lines() {
                self.push(LogLine { content: Content::Text(*level, text.to_owned()), ..line.clone() });
            }
            return;
        }
        let number = self.next;
        self.next += 1;
        let (level, member) = (line.level(), line.member);
        let of_console = matches!(line.content, Content::Target { .. } | Content::Input(_));
        let text = match line.content {
            Content::Target { text, .. } => match &line.connection {
                Some(connection) => cut(format!("[{connection}] {text}")),
                None => cut(text),
            },
            Content::Text(_, text) | Content::Input(text) => cut(text),
            Content::Result { record, .. } => result(&record),
        };
        let kept = Line { number, at_ns: line.elapsed_ns, member, level, text };
        let Some(member) = member.filter(|_| of_console) else {
            self.kept.push(kept);
            return;
        };
        let cost = kept.text.len() + COST;
        let console = self.consoles.entry(member).or_default();
        if console.head_size + cost <= HEAD {
            console.head_size += cost;
            self.kept.push(kept);
            return;
        }
        // Once full, the head stays as it is: nothing may come into it after a gap.
        console.head_size = HEAD;
        console.tail_size += cost;
        console.tail.push_back(kept);
        self.size += cost;
        while self.size > self.limit {
            self.leave_out();
        }
    }

    fn leave_out(&mut self) {
        let Some(longest) = self.consoles.values_mut().max_by_key(|console| console.tail_size) else { return };
        let Some(line) = longest.tail.pop_front() else { return };
        let cost = line.text.len() + COST;
        longest.tail_size -= cost;
        self.size -= cost;
        let (first, count) = longest.left_out.map_or((line.number, 0), |(first, _, count)| (first, count));
        longest.left_out = Some((first, line.number, count + 1));
    }

    /// How many lines there were, kept or not.
    pub fn total(&self) -> u64 {
        self.next
    }

    /// The lines that are kept, in order, and lines of level `gap` that say where some are missing.
    pub fn lines(&self) -> Vec<Cow<'_, Line>> {
        let mut lines: Vec<Cow<'_, Line>> = self.kept.iter().map(Cow::Borrowed).collect();
        for (member, console) in &self.consoles {
            lines.extend(console.tail.iter().map(Cow::Borrowed));
            if let Some((_, last, count)) = console.left_out {
                let at_ns = console.tail.front().map_or(0, |line| line.at_ns);
                let text = format!("{count} lines of this console are left out here; its log.yaml has them all");
                lines.push(Cow::Owned(Line { number: last, at_ns, member: Some(*member), level: "gap", text }));
            }
        }
        lines.sort_by_key(|line| line.number);
        lines
    }
}

fn cut(text: String) -> String {
    if text.len() <= LINE {
        return text;
    }
    let mut end = LINE;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}… (line cut, {} bytes in all)", &text[..end], text.len())
}

fn result(record: &convoke_journal::ResultRecord) -> String {
    let mut text = format!("{} {}: {}", record.definition, record.case, record.result.as_str());
    if let Some(measurement) = &record.measurement {
        text.push(' ');
        text.push_str(measurement);
        if let Some(units) = &record.units {
            text.push(' ');
            text.push_str(units);
        }
    }
    text
}
