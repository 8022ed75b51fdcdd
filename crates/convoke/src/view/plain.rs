//! The log as lines: time since the start, member, what happened.
//!
//! ```text
//! 00:00.222 server  pass     0_serve started
//! 00:00.250 server  pass     0_serve throughput  942.5 Mbit/s
//! 00:35.010 server  warning  lava-sync done: failed after 34.510 s: …
//! ```
//! The live view uses the same lines for what scrolls.

use std::collections::BTreeMap;
use std::io::{self, Write};

use convoke_journal::model::{Content, LogLine};
use convoke_journal::{Body, Event, LogLevel, MemberState, ResultRecord, ResultValue, RunModel, Stage, View};

use super::style::{clock, named, pad, safe};
use super::{Level, Out, Paint};

/// The view.
pub(crate) struct Plain<W> {
    out: Out<W>,
    log: Log,
    summary: Option<String>,
}

impl<W: Write> Plain<W> {
    /// With the folder of the run, a summary ends the lines.
    pub(crate) fn new(to: W, level: Level, paint: Paint, summary: Option<String>) -> Self {
        Plain { out: Out::new(to), log: Log::new(level, paint, true), summary }
    }

    fn write(&mut self, lines: Vec<String>) {
        if !lines.is_empty() {
            let mut text = lines.join("\n");
            text.push('\n');
            self.out.write(text.as_bytes());
        }
    }
}

impl<W: Write + Send> View for Plain<W> {
    fn event(&mut self, event: &Event) {
        let lines = self.log.event(event);
        self.write(lines);
    }

    fn idle(&mut self, elapsed_ns: u64) {
        let lines = self.log.tick(elapsed_ns);
        self.write(lines);
    }

    fn tick(&self) -> Option<std::time::Duration> {
        Some(std::time::Duration::from_secs(1))
    }

    fn finish(&mut self) -> io::Result<()> {
        let lines = self.log.finish();
        self.write(lines);
        if let Some(dir) = &self.summary {
            self.out.write(self.log.summary(dir).as_bytes());
        }
        self.out.outcome()
    }
}

/// Events into lines for people.
pub(crate) struct Log {
    pub(crate) model: RunModel,
    level: Level,
    paint: Paint,
    /// Whether a line tells that a member got its device or reached another stage.
    stages: bool,
    /// Columns of the longest label.
    width: usize,
    /// The last error of each member. A failure is told by all it goes through; once is enough for people.
    told: BTreeMap<u32, String>,
}

impl Log {
    pub(crate) fn new(level: Level, paint: Paint, stages: bool) -> Self {
        Log { model: RunModel::default(), level, paint, stages, width: 0, told: BTreeMap::new() }
    }

    pub(crate) fn event(&mut self, event: &Event) -> Vec<String> {
        let before = event.member.and_then(|id| self.model.member(id)).and_then(|member| member.stage.clone());
        let lines = self.model.apply(event);
        let labels = self.model.members.iter().map(|member| console::measure_text_width(&member.label));
        self.width = labels.max().unwrap_or(0).clamp(self.width, 24);
        let mut out = Vec::new();
        if let Body::MemberState { state, stage } = &event.body
            && (*state == MemberState::Running || *stage == Stage::DelayedStart)
            && before.as_ref() != Some(stage)
            && self.stages
            && self.level >= Level::Info
        {
            out.push(self.line(event.elapsed_ns, event.member, &stage.describe()));
        }
        // What a cancelled group takes with it is what was asked for.
        let canceled = self.model.canceling.as_deref().is_some_and(|why| match &event.body {
            Body::CallAnswered { ok, .. } => !ok,
            Body::Result(record) => record.result == ResultValue::Fail && record.case.starts_with("multinode-"),
            Body::Log { text, .. } => event.member.is_some() && text.ends_with(why),
            _ => false,
        });
        // The actions of a pipeline are told by stage, the end of the run by the summary; whoever wants all of it asks for
        // more.
        let detail = match &event.body {
            Body::ActionStarted { .. } | Body::ActionEnded { .. } | Body::RunEnded { .. } => true,
            Body::DeviceAllocated { .. } => !self.stages,
            Body::Log { text, .. } => canceled || (event.member.is_some() && self.frame(text)),
            _ => canceled,
        };
        out.extend(lines.iter().filter_map(|line| self.render(line, detail, canceled)));
        out
    }

    /// The end of the run in short.
    pub(crate) fn summary(&self, dir: &str) -> String {
        super::summary::text(&self.model, dir, self.paint)
    }

    pub(crate) fn tick(&mut self, elapsed_ns: u64) -> Vec<String> {
        let lines = self.model.tick(elapsed_ns);
        lines.iter().filter_map(|line| self.render(line, false, false)).collect()
    }

    pub(crate) fn finish(&mut self) -> Vec<String> {
        let lines = self.model.finish();
        lines.iter().filter_map(|line| self.render(line, false, false)).collect()
    }

    /// Lines that LAVA's logs have around every job and that say nothing of this one.
    fn frame(&self, text: &str) -> bool {
        let greeting = text.strip_prefix(&self.model.program).is_some_and(|rest| rest.starts_with(", job "));
        let validation = text == "start: 0 validate" || text.starts_with("validate duration: ");
        greeting || validation || text == "ok: the test shell has completed"
    }

    /// Whether this is an error that the member has told already.
    fn again(&mut self, line: &LogLine) -> bool {
        let Content::Text(LogLevel::Error | LogLevel::Exception, text) = &line.content else { return false };
        let told = self.told.entry(line.member.unwrap_or(u32::MAX)).or_default();
        let again = told.contains(text.as_str());
        if !again {
            told.clone_from(text);
        }
        again
    }

    fn render(&mut self, line: &LogLine, detail: bool, canceled: bool) -> Option<String> {
        let again = self.again(line) || canceled;
        let bar = line.connection.as_ref().map_or_else(|| "|".to_owned(), |name| format!("{}|", safe(name)));
        let (level, text) = match &line.content {
            Content::Text(LogLevel::Info, text) if detail => (Level::Debug, text.clone()),
            Content::Text(level, text) if again => (Level::Debug, self.tagged(*level, text)),
            Content::Text(level, text) => ((*level).into(), self.tagged(*level, text)),
            Content::Input(text) => (Level::Debug, format!("> {}", safe(text.trim_end_matches('\n')))),
            // Signals are told as what they mean: results and calls.
            Content::Target { text, .. } if text.contains("<LAVA_") => (Level::Debug, format!("{bar} {}", safe(text))),
            Content::Target { text, .. } if text.is_empty() => (Level::Debug, bar),
            Content::Target { text, partial } => {
                let end = if *partial { self.paint.dim(" (no line end yet)") } else { String::new() };
                (Level::Target, format!("{bar} {}{end}", safe(text)))
            }
            Content::Result { record, .. } if canceled => (Level::Debug, self.result(record)),
            Content::Result { record, .. } => (result_level(record), self.result(record)),
        };
        (level <= self.level).then(|| self.line(line.elapsed_ns, line.member, &text))
    }

    fn tagged(&self, level: LogLevel, text: &str) -> String {
        let text = named(&self.model, text);
        let text: Vec<_> = text.lines().map(safe).collect();
        let text = text.join(&format!("\n{}", " ".repeat(self.width + 12)));
        match level {
            LogLevel::Info => text,
            LogLevel::Debug => self.paint.dim(&text),
            LogLevel::Event | LogLevel::Feedback => format!("{:8} {text}", level.as_str()),
            LogLevel::Warning => format!("{} {text}", self.paint.odd("warning ")),
            LogLevel::Error | LogLevel::Exception => format!("{} {text}", self.paint.bad("error   ")),
        }
    }

    fn result(&self, record: &ResultRecord) -> String {
        let value = self.paint.result(record.result, &format!("{:8}", record.result.as_str()));
        let suite = self.paint.dim(&safe(&record.definition));
        format!("{value} {suite} {}{}", safe(&record.case), details(record))
    }

    fn line(&self, elapsed_ns: u64, member: Option<u32>, text: &str) -> String {
        let label = member.map(|id| self.model.label(id)).unwrap_or_default();
        let label = pad(&super::style::cut(&label, self.width), self.width);
        let label = member.map_or(label.clone(), |id| self.paint.member(id, &label));
        format!("{} {label}  {text}", self.paint.dim(&clock(elapsed_ns)))
    }
}

/// Measurement and set.
pub(crate) fn details(record: &ResultRecord) -> String {
    let mut out = String::new();
    if let Some(number) = &record.measurement {
        out.push_str(&format!("  {number}"));
        if let Some(units) = &record.units {
            out.push_str(&format!(" {}", safe(units)));
        }
    }
    if let Some(set) = &record.set {
        out.push_str(&format!("  [{}]", safe(set)));
    }
    out
}

/// Results of tests are always shown. The dispatcher's own are details: what failed is told by the error that came before.
fn result_level(record: &ResultRecord) -> Level {
    if record.definition == "lava" { Level::Debug } else { Level::Error }
}
