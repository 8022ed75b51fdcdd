//! The state of a run, put together from its events. All views use it, so that they agree.
//!
//! ```text
//!   Event ──apply──▶ RunModel ──▶ log lines (in order, numbered per member)
//!   time  ──tick───▶          ──▶ members, results, waits, failures, verdict, exit status
//! ```
//!
//! Invariant: the state and the lines depend on the events alone. What time brings (a line without end is shown after two
//! seconds) is put between the events it happened between, so rendering a finished run again gives the same lines.

mod console;
mod line;
mod member;
mod position;
mod verdict;
mod waits;

pub use line::{Content, LINE_LIMIT, LogLine};
pub(crate) use line::{micros, number, plain_number, quote, result_map};
pub use member::{Call, CaseResult, Counts, Member, folder};
pub(crate) use member::{is_suite, seconds};
pub use position::{Position, ago};
pub use verdict::{FirstFailure, exit_status};
pub use waits::Wait;

use crate::event::{Body, Event, Failure, Health, LogLevel, MemberInfo};

/// A finding of the check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Code.
    pub code: String,
    /// `warning` or `error`.
    pub severity: String,
    /// Text.
    pub message: String,
    /// Line in the job file, from 1; 0 for the whole file.
    pub line: usize,
}

/// How a run ended, as recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    /// Verdict of the group.
    pub health: Health,
    /// The first member that failed, and what.
    pub first_failure: Option<(u32, Failure)>,
    /// Exit status of the command.
    pub exit_status: i32,
}

/// The state of a run.
#[derive(Clone, Debug, Default)]
pub struct RunModel {
    /// What wrote the journal, `convoke 0.1.0`.
    pub program: String,
    /// The job file as given.
    pub job_file: String,
    /// `job_name`.
    pub job_name: String,
    /// Group name.
    pub group: String,
    /// Whether it is a rehearsal.
    pub rehearsal: bool,
    /// When it started.
    pub started: Option<jiff::Timestamp>,
    /// Time of the last event, nanoseconds since the run started.
    pub elapsed_ns: u64,
    /// Members in order.
    pub members: Vec<Member>,
    /// Findings of the check.
    pub findings: Vec<Finding>,
    /// Why the group is being cancelled.
    pub canceling: Option<String>,
    /// Since when.
    pub canceled_at: Option<jiff::Timestamp>,
    /// Who waits for what, while the group is probably stuck.
    pub probably_stuck: Vec<String>,
    /// The ID at which the user has stopped the group, and since when.
    pub stopped: Option<(String, u64)>,
    /// The end, once it has come.
    pub ended: Option<Ended>,
    last: Option<(jiff::Timestamp, u64)>,
}

impl RunModel {
    /// The member with this `sub_id`.
    pub fn member(&self, sub_id: u32) -> Option<&Member> {
        self.members.iter().find(|member| member.info.sub_id == sub_id)
    }

    /// The label of a member: `client.2`.
    pub fn label(&self, sub_id: u32) -> String {
        self.member(sub_id).map_or_else(|| format!("member {sub_id}"), |member| member.label.clone())
    }

    /// All results of the tests.
    pub fn test_counts(&self) -> Counts {
        let results = self.members.iter().flat_map(|member| &member.results);
        Counts::of(results.filter(|result| result.record.definition != "lava"))
    }

    /// Takes the next event; gives the lines it adds to the log, with those that became due before it.
    pub fn apply(&mut self, event: &Event) -> Vec<LogLine> {
        let mut out = self.tick(event.elapsed_ns.saturating_sub(1));
        self.last = Some((event.at, event.elapsed_ns));
        self.elapsed_ns = event.elapsed_ns;
        if let Some(sub_id) = event.member {
            if !self.members.iter().any(|member| member.info.sub_id == sub_id) {
                // A journal without its first event, or a member nobody announced: show it rather than lose it.
                self.announce(MemberInfo { sub_id, ..nobody() });
            }
            if let Some(member) = self.members.iter_mut().find(|member| member.info.sub_id == sub_id) {
                member.apply(event, &mut out);
            }
            if matches!(event.body, Body::CallAnswered { .. }) {
                self.probably_stuck.clear();
            }
            return out;
        }
        let (at, elapsed_ns) = (event.at, event.elapsed_ns);
        let mut text = |level, text: String| {
            out.push(LogLine { at, elapsed_ns, member: None, connection: None, content: Content::Text(level, text) });
        };
        match &event.body {
            Body::RunStarted { program, job_file, job_name, group, rehearsal, members, .. } => {
                self.program.clone_from(program);
                self.job_file.clone_from(job_file);
                self.job_name.clone_from(job_name);
                self.group.clone_from(group);
                self.rehearsal = *rehearsal;
                self.started = Some(event.at);
                members.iter().cloned().for_each(|info| self.announce(info));
                let kind = if *rehearsal { "rehearsal of job" } else { "job" };
                let count = members.len();
                let count = if count == 1 { "1 member".into() } else { format!("{count} members") };
                text(LogLevel::Info, format!("{kind} {job_name}, {count}"));
            }
            Body::Diagnostic { code, severity, message, line } => {
                let level = if severity == "error" { LogLevel::Error } else { LogLevel::Warning };
                let place = if *line == 0 { self.job_file.clone() } else { format!("{}:{line}", self.job_file) };
                text(level, format!("{place}: {message} [{code}]"));
                self.findings.push(Finding {
                    code: code.clone(),
                    severity: severity.clone(),
                    message: message.clone(),
                    line: *line,
                });
            }
            Body::Log { level, text: message } => text(*level, message.clone()),
            Body::ProbablyStuck { waits } => {
                text(LogLevel::Warning, format!("the group is probably stuck:\n{}", waits.join("\n")));
                self.probably_stuck.clone_from(waits);
            }
            Body::Canceling { why } => {
                text(LogLevel::Warning, format!("cancelling the group: {why}"));
                self.canceling = Some(why.clone());
                self.canceled_at.get_or_insert(at);
            }
            Body::Stopped { message_id } => {
                text(LogLevel::Info, format!("the group is stopped at {message_id}"));
                self.stopped = Some((message_id.clone(), elapsed_ns));
            }
            Body::WentOn { message_id, stood_s } => {
                text(LogLevel::Info, format!("the group goes on from {message_id} after {stood_s:.1} s"));
                if let Some((_, since)) = self.stopped.take() {
                    self.move_waits(since, elapsed_ns);
                }
            }
            Body::RunEnded { health, first_failure, exit_status } => {
                text(LogLevel::Info, format!("run ended: {}", health.as_str()));
                self.ended =
                    Some(Ended { health: *health, first_failure: first_failure.clone(), exit_status: *exit_status });
            }
            _ => {}
        }
        out
    }

    /// The lines that became due up to `elapsed_ns`. Every event recorded until then must have been applied.
    pub fn tick(&mut self, elapsed_ns: u64) -> Vec<LogLine> {
        let Some(clock) = self.last else { return Vec::new() };
        let mut out = Vec::new();
        for (due, text) in self.long_waits(elapsed_ns) {
            out.push(LogLine {
                at: wall(clock, due),
                elapsed_ns: due,
                member: None,
                connection: None,
                content: Content::Text(LogLevel::Info, text),
            });
        }
        for member in &mut self.members {
            member.due(elapsed_ns, clock, &mut out);
        }
        out.sort_by_key(|line| line.elapsed_ns);
        out
    }

    /// Limits did not run between these moments.
    fn move_waits(&mut self, from: u64, to: u64) {
        for call in self.members.iter_mut().flat_map(|member| member.calls.values_mut()) {
            call.since_ns = call.since_ns.saturating_add(to.saturating_sub(from.max(call.since_ns)));
        }
    }

    /// The time that counts for waits: it stands still while the group is stopped.
    pub fn waiting_time(&self, now_ns: u64) -> u64 {
        self.stopped.as_ref().map_or(now_ns, |(_, since)| now_ns.min(*since))
    }

    /// The journal has no more events: what is left of the consoles of members that never ended.
    pub fn finish(&mut self) -> Vec<LogLine> {
        let mut out = Vec::new();
        if let Some(clock) = self.last {
            self.members.iter_mut().for_each(|member| member.cut(clock, &mut out));
        }
        out
    }

    fn announce(&mut self, info: MemberInfo) {
        self.members.push(Member::new(info, String::new()));
        self.members.sort_by_key(|member| member.info.sub_id);
        let roles: Vec<String> = self.members.iter().map(|member| word(&member.info)).collect();
        for (index, role) in roles.iter().enumerate() {
            let same = roles.iter().filter(|other| *other == role).count();
            let number = roles[..=index].iter().filter(|other| *other == role).count();
            self.members[index].label = if same == 1 { role.clone() } else { format!("{role}.{number}") };
        }
    }
}

/// The wall clock at `due`; the two of the clock belong together.
fn wall((at, elapsed_ns): (jiff::Timestamp, u64), due: u64) -> jiff::Timestamp {
    let shift = i64::try_from(due).unwrap_or(i64::MAX).saturating_sub(i64::try_from(elapsed_ns).unwrap_or(0));
    at.checked_add(jiff::SignedDuration::from_nanos(shift)).unwrap_or(at)
}

/// What a member's label is made of: its role, or its device type when it has none.
fn word(info: &MemberInfo) -> String {
    let word = if info.role.is_empty() { &info.device_type } else { &info.role };
    word.replace(char::is_whitespace, "_")
}

fn nobody() -> MemberInfo {
    MemberInfo {
        sub_id: 0,
        job_id: 0,
        name: String::new(),
        role: String::new(),
        device_type: "member".into(),
        essential: false,
        played: false,
    }
}
