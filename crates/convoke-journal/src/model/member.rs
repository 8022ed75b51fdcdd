//! One member of a run: what it does, whom it waits for, what it found, and its log.

use std::collections::BTreeMap;

use super::console::Lines;
use super::line::{Content, LogLine};
use crate::event::{
    Body, ErrorClass, Event, Failure, Health, LogLevel, MemberInfo, MemberState, ResultRecord, ResultValue, Stage,
};

/// Characters kept of a step.
const STEP: usize = 300;

/// A MultiNode call that has not been answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// `send`, `wait`, `wait_all`, `sync`, `group_data`.
    pub call: String,
    /// ID.
    pub message_id: String,
    /// Role of a wait-all.
    pub role: Option<String>,
    /// `shell` or the name of the pipeline action.
    pub from: String,
    /// When it was made, nanoseconds since the run started; later by the time in which the group was stopped since.
    pub since_ns: u64,
    /// Whether the member is parked in it.
    pub waiting: bool,
    /// Members still missing, by `sub_id`, when it waits.
    pub missing: Vec<u32>,
    /// Its limit in seconds.
    pub limit_s: Option<f64>,
    /// The log has told that it lasts long.
    pub(super) told: bool,
}

impl Call {
    /// `lava-wait server-ready`, `lava-wait-all ready client`.
    pub fn command(&self) -> String {
        if self.call == "group_data" {
            return "group assembly".into();
        }
        let role = self.role.as_ref().map(|role| format!(" {role}")).unwrap_or_default();
        format!("lava-{} {}{role}", self.call.replace('_', "-"), self.message_id)
    }
}

/// A result and where its lines are.
#[derive(Clone, Debug, PartialEq)]
pub struct CaseResult {
    /// As recorded.
    pub record: ResultRecord,
    /// When.
    pub at: jiff::Timestamp,
    /// Line of its STARTTC in the member's log, from 0.
    pub starttc: Option<u64>,
    /// Line of its ENDTC.
    pub endtc: Option<u64>,
}

impl CaseResult {
    /// Whether this fails the run (exit status 1). In suite `lava` only the cases of test suites do: an action that
    /// failed was retried or ended the member, which says so itself.
    pub fn fails(&self) -> bool {
        self.record.result == ResultValue::Fail && (self.record.definition != "lava" || is_suite(&self.record.case))
    }
}

/// Whether a case of suite `lava` stands for a test suite: `<index>_<name>`.
pub(crate) fn is_suite(case: &str) -> bool {
    case.split_once('_').is_some_and(|(index, _)| !index.is_empty() && index.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Results by value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// pass
    pub pass: usize,
    /// fail
    pub fail: usize,
    /// skip
    pub skip: usize,
    /// unknown
    pub unknown: usize,
}

impl Counts {
    /// Counts some results.
    pub fn of<'a>(results: impl IntoIterator<Item = &'a CaseResult>) -> Self {
        let mut counts = Counts::default();
        for result in results {
            match result.record.result {
                ResultValue::Pass => counts.pass += 1,
                ResultValue::Fail => counts.fail += 1,
                ResultValue::Skip => counts.skip += 1,
                ResultValue::Unknown => counts.unknown += 1,
            }
        }
        counts
    }

    /// All of them.
    pub fn total(&self) -> usize {
        self.pass + self.fail + self.skip + self.unknown
    }
}

/// One member.
#[derive(Clone, Debug)]
pub struct Member {
    /// As announced.
    pub info: MemberInfo,
    /// How views call it: the role, with a number when several members have it (`client.2`).
    pub label: String,
    /// Name of its device.
    pub device: Option<String>,
    /// Type of its device.
    pub device_type: Option<String>,
    /// Life cycle.
    pub state: MemberState,
    /// What it does.
    pub stage: Option<Stage>,
    /// The running suite.
    pub suite: Option<String>,
    /// The running test case.
    pub case: Option<String>,
    /// The command that the test shell runs, as its trace (`+ lava-send go`) told last.
    pub step: Option<String>,
    /// The running pipeline actions, outermost first: level and name.
    pub actions: Vec<(String, String)>,
    /// Calls without an answer, by number.
    pub calls: BTreeMap<u64, Call>,
    /// All results in order.
    pub results: Vec<CaseResult>,
    /// Its verdict, once it has ended.
    pub health: Option<Health>,
    /// What ended it.
    pub failure: Option<Failure>,
    /// When that happened (not when it was done cleaning up), nanoseconds since the run started.
    pub failed_ns: Option<u64>,
    /// When it started.
    pub started_ns: Option<u64>,
    /// When it ended.
    pub ended_ns: Option<u64>,
    /// Lines in its log so far.
    pub lines: u64,
    pub(super) console: Lines,
    /// Those of its further connections, by namespace.
    connections: BTreeMap<String, Lines>,
    marks: BTreeMap<String, (Option<u64>, Option<u64>)>,
    failures: Vec<(u64, Failure)>,
    /// For each running action, how many results and failures there were when it started.
    before: Vec<(usize, usize)>,
    /// The last error line. A failure goes up from action to action to the member; once is enough.
    told: String,
}

impl Member {
    pub(crate) fn new(info: MemberInfo, label: String) -> Self {
        Member {
            info,
            label,
            device: None,
            device_type: None,
            state: MemberState::Starting,
            stage: None,
            suite: None,
            case: None,
            step: None,
            actions: Vec::new(),
            calls: BTreeMap::new(),
            results: Vec::new(),
            health: None,
            failure: None,
            failed_ns: None,
            started_ns: None,
            ended_ns: None,
            lines: 0,
            console: Lines::default(),
            connections: BTreeMap::new(),
            marks: BTreeMap::new(),
            failures: Vec::new(),
            before: Vec::new(),
            told: String::new(),
        }
    }

    /// The call it is parked in, the longest-waiting one.
    pub fn waits(&self) -> Option<&Call> {
        self.calls.values().filter(|call| call.waiting).min_by_key(|call| call.since_ns)
    }

    /// Suites in the order they came, with their results.
    pub fn suites(&self) -> Vec<(&str, Vec<&CaseResult>)> {
        let mut suites: Vec<(&str, Vec<&CaseResult>)> = Vec::new();
        let mut places: BTreeMap<&str, usize> = BTreeMap::new();
        for result in &self.results {
            let name = result.record.definition.as_str();
            let place = *places.entry(name).or_insert_with(|| {
                suites.push((name, Vec::new()));
                suites.len() - 1
            });
            suites[place].1.push(result);
        }
        suites
    }

    /// Results of the tests, the dispatcher's own suite `lava` left out.
    pub fn test_counts(&self) -> Counts {
        Counts::of(self.results.iter().filter(|result| result.record.definition != "lava"))
    }

    /// Seconds from start to end.
    pub fn duration_s(&self) -> Option<f64> {
        let ended = self.ended_ns?;
        Some(seconds(ended.saturating_sub(self.started_ns.unwrap_or(0))))
    }

    /// Name of its folder below `members/`: `<sub_id>-<role>`, the role in characters every file system takes.
    pub fn folder(&self) -> String {
        folder(&self.info)
    }

    fn line(&mut self, out: &mut Vec<LogLine>, at: jiff::Timestamp, elapsed_ns: u64, content: Content) -> u64 {
        self.printed(out, at, elapsed_ns, None, content)
    }

    fn printed(
        &mut self,
        out: &mut Vec<LogLine>,
        at: jiff::Timestamp,
        elapsed_ns: u64,
        connection: Option<&str>,
        content: Content,
    ) -> u64 {
        let connection = connection.map(str::to_owned);
        out.push(LogLine { at, elapsed_ns, member: Some(self.info.sub_id), connection, content });
        self.lines += 1;
        self.lines - 1
    }

    /// The line that is due by the passing of time up to `now_ns`: one without an end. The two of the clock belong
    /// together.
    pub(crate) fn due(&mut self, now_ns: u64, clock: (jiff::Timestamp, u64), out: &mut Vec<LogLine>) {
        let Some(due) = self.console.due().filter(|due| *due <= now_ns) else { return };
        let wall = super::wall(clock, due);
        let text = self.console.partial();
        self.line(out, wall, due, Content::Target { text, partial: true });
    }

    /// What is left of all connections at the end.
    fn rest(&mut self, (at, now): (jiff::Timestamp, u64), out: &mut Vec<LogLine>) {
        if let Some(text) = self.console.rest() {
            self.line(out, at, now, Content::Target { text, partial: false });
        }
        let rest: Vec<_> =
            self.connections.iter_mut().filter_map(|(name, lines)| Some((name.clone(), lines.rest()?))).collect();
        for (name, text) in rest {
            self.printed(out, at, now, Some(&name), Content::Target { text, partial: false });
        }
    }

    /// Takes an event of this member.
    pub(crate) fn apply(&mut self, event: &Event, out: &mut Vec<LogLine>) {
        let (at, now) = (event.at, event.elapsed_ns);
        let mut text = |member: &mut Member, level, text: String| {
            member.line(out, at, now, Content::Text(level, text));
        };
        match &event.body {
            Body::DeviceAllocated { device, device_type, .. } => {
                self.device = Some(device.clone());
                self.device_type = Some(device_type.clone());
                text(self, LogLevel::Info, format!("device: {device}, type {device_type}"));
            }
            Body::MemberState { state, stage } => {
                self.started_ns.get_or_insert(now);
                self.state = *state;
                self.stage = Some(stage.clone());
            }
            Body::ActionStarted { level, name, timeout_s, namespace } => {
                self.actions.push((level.clone(), name.clone()));
                self.before.push((self.results.len(), self.failures.len()));
                let limit = clock(*timeout_s);
                text(self, action_level(level), format!("start: {level} {name} (timeout {limit}) [{namespace}]"));
            }
            Body::ActionEnded { level, name, duration_s, namespace, failure } => {
                if let Some(at) = self.actions.iter().rposition(|(l, n)| l == level && n == name) {
                    self.actions.truncate(at);
                    self.before.truncate(at);
                }
                if let Some(failure) = failure {
                    if self.failures.last().is_none_or(|(_, last)| last.message != failure.message) {
                        self.failures.push((now, failure.clone()));
                    }
                    if !self.told.contains(&failure.message) {
                        self.told = format!("{name}: {}", failure.message);
                        text(self, LogLevel::Error, self.told.clone());
                    }
                }
                let took = clock(*duration_s);
                text(self, action_level(level), format!("end: {level} {name} (duration {took}) [{namespace}]"));
            }
            Body::AttemptFailed { level, name, attempt } => {
                let at = self.actions.iter().rposition(|(l, n)| l == level && n == name);
                if let Some((results, failures)) = at.and_then(|at| self.before.get(at).copied()) {
                    self.results.truncate(results);
                    self.failures.truncate(failures);
                }
                let what = format!("{name} is tried again: the results of attempt {attempt} do not count");
                text(self, LogLevel::Info, what);
            }
            Body::Log { level, text: message } => {
                if matches!(level, LogLevel::Error | LogLevel::Exception) {
                    self.told.clone_from(message);
                }
                text(self, *level, message.clone());
            }
            Body::Input { text } => {
                self.line(out, at, now, Content::Input(text.clone()));
            }
            Body::Console { connection: Some(name), .. } => {
                let bytes = event.body.console_bytes().unwrap_or_default();
                let mut lines = self.connections.remove(name).unwrap_or_default();
                lines.push(&bytes, now, |text| {
                    self.trace(&text);
                    self.printed(out, at, now, Some(name), Content::Target { text, partial: false })
                });
                self.connections.insert(name.clone(), lines);
            }
            Body::Console { .. } => {
                let bytes = event.body.console_bytes().unwrap_or_default();
                let mut console = std::mem::take(&mut self.console);
                console.push(&bytes, now, |text| {
                    self.trace(&text);
                    self.line(out, at, now, Content::Target { text, partial: false })
                });
                self.console = console;
            }
            Body::TestCaseMark { case, start } => {
                let further = || self.connections.values_mut().find_map(|lines| lines.mark(*start, case));
                let line = self.console.mark(*start, case).or_else(further).or(Some(self.lines));
                if *start {
                    self.case = Some(case.clone());
                    self.marks.insert(case.clone(), (line, None));
                } else {
                    self.case = None;
                    self.marks.entry(case.clone()).or_default().1 = line;
                }
            }
            Body::SuiteStarted { suite } => {
                self.suite = Some(suite.clone());
            }
            Body::SuiteEnded { .. } => {
                self.suite = None;
                self.case = None;
            }
            Body::Result(record) => self.result(record.clone(), at, now, out),
            Body::CallMade { call_id, call, message_id, role, data, from, limit_s } => {
                let made = Call {
                    call: call.clone(),
                    message_id: message_id.clone(),
                    role: role.clone(),
                    from: from.clone(),
                    since_ns: now,
                    waiting: false,
                    missing: Vec::new(),
                    limit_s: *limit_s,
                    told: false,
                };
                let data: String = data.iter().map(|(key, value)| format!(" {key}={value}")).collect();
                let limit = limit_s.map(|limit| format!(", limit {limit} s")).unwrap_or_default();
                text(self, LogLevel::Debug, format!("{}{data} (from {from}{limit})", made.command()));
                self.calls.insert(*call_id, made);
            }
            Body::Waiting { call_id, missing } => {
                if let Some(call) = self.calls.get_mut(call_id) {
                    call.waiting = true;
                    call.missing.clone_from(missing);
                }
            }
            Body::CallAnswered { call_id, ok, reason, .. } => {
                if let Some(call) = self.calls.remove(call_id) {
                    let took = seconds(now.saturating_sub(call.since_ns));
                    let command = call.command();
                    if *ok {
                        text(self, LogLevel::Debug, format!("{command}: done after {took:.3} s"));
                    } else {
                        let reason = reason.as_deref().unwrap_or("no reason given");
                        // A reason that names the call already says it once.
                        let said = if reason.starts_with(&command) {
                            format!("after {took:.3} s: {reason}")
                        } else {
                            format!("{command}: failed after {took:.3} s: {reason}")
                        };
                        text(self, LogLevel::Warning, said);
                    }
                }
            }
            Body::MemberEnded { health, failure } => self.end(*health, failure.as_ref(), at, now, out),
            _ => {}
        }
    }

    /// What the test shell's trace says. The runner's own commands end with the end of their trace, `set +x`.
    fn trace(&mut self, line: &str) {
        if let Some(command) = line.strip_prefix("+ ") {
            self.step = (command != "set +x").then(|| command.chars().take(STEP).collect());
        }
    }

    fn result(&mut self, record: ResultRecord, at: jiff::Timestamp, now: u64, out: &mut Vec<LogLine>) {
        let (starttc, endtc) = match record.definition.as_str() {
            "lava" => (None, None),
            _ => self.marks.remove(&record.case).unwrap_or_default(),
        };
        self.line(out, at, now, Content::Result { record: Box::new(record.clone()), starttc, endtc });
        self.results.push(CaseResult { record, at, starttc, endtc });
    }

    fn end(
        &mut self,
        health: Health,
        failure: Option<&Failure>,
        at: jiff::Timestamp,
        now: u64,
        out: &mut Vec<LogLine>,
    ) {
        self.rest((at, now), out);
        self.state = MemberState::Finished;
        self.health = Some(health);
        self.ended_ns = Some(now);
        self.calls.clear();
        self.actions.clear();
        self.before.clear();
        if let Some(failure) = failure {
            let first = self.failures.iter().find(|(_, earlier)| earlier.message == failure.message);
            self.failed_ns = Some(first.map_or(now, |(when, _)| *when));
            self.failure = Some(failure.clone());
            if !self.told.contains(&failure.message) {
                let text = format!("{} error: {}", failure.class.as_str(), failure.message);
                self.line(out, at, now, Content::Text(LogLevel::Error, text));
            }
        }
        // LAVA's last result; made up here when the member could not record it itself.
        let has = self.results.iter().any(|result| result.record.definition == "lava" && result.record.case == "job");
        if !has && !self.info.played {
            self.result(job_result(health, failure), at, now, out);
        }
        let text = format!("ended: {}", health.as_str());
        self.line(out, at, now, Content::Text(LogLevel::Info, text));
    }

    /// The journal ends without an end of this member: what is left of its console.
    pub(crate) fn cut(&mut self, (at, now): (jiff::Timestamp, u64), out: &mut Vec<LogLine>) {
        self.rest((at, now), out);
    }
}

/// The result `lava.job` that goes with a verdict.
fn job_result(health: Health, failure: Option<&Failure>) -> ResultRecord {
    let mut extra = serde_json::Map::new();
    let class = failure.map(|failure| failure.class).or((health == Health::Canceled).then_some(ErrorClass::Canceled));
    if let Some(class) = class {
        extra.insert("error_msg".into(), failure.map_or("", |failure| failure.message.as_str()).into());
        extra.insert("error_type".into(), class.as_str().into());
    }
    let result = if health == Health::Complete { ResultValue::Pass } else { ResultValue::Fail };
    ResultRecord { definition: "lava".into(), case: "job".into(), result, extra, ..ResultRecord::default() }
}

/// See [`Member::folder`].
pub fn folder(info: &MemberInfo) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
    let role: String = info.role.chars().map(safe).take(100).collect();
    if role.is_empty() { info.sub_id.to_string() } else { format!("{}-{role}", info.sub_id) }
}

fn action_level(level: &str) -> LogLevel {
    if level.contains('.') { LogLevel::Debug } else { LogLevel::Info }
}

/// `HH:MM:SS`, cut to whole seconds.
fn clock(seconds: f64) -> String {
    let whole = seconds.max(0.0) as u64;
    format!("{:02}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60)
}

/// Nanoseconds as seconds.
pub(crate) fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}
