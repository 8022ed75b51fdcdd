//! The suites of one test action: which is open, what it has reported, and how it ends (device-side.md §4.1, §5.4).
//!
//! ```text
//!          STARTRUN                 ENDRUN ─→ pass
//! planned ──────────→ open ──────────┤
//!    │                               └─ STARTRUN of another, script exited, runner's EXIT, cut off ─→ fail
//!    └─ INSTALL_FAIL ─→ not started            never reached ─→ skip
//! ```
//!
//! Pure: signals and times in, journal events out. No result is ever lost: one that comes while no suite is open goes
//! to the suite that the runner's order implies.

use std::collections::BTreeSet;
use std::time::Duration;

use convoke_journal::{Body, LogLevel, ResultRecord, ResultValue};
use convoke_overlay::definition::ParsePattern;
use convoke_overlay::signal::Verdict;
use serde_json::{Map, Value};

/// What is known of a suite before it runs.
#[derive(Clone, Debug, Default)]
pub(crate) struct SuitePlan {
    /// `<index>_<name>`
    pub(crate) suite: String,
    /// `<job id>_<level>`
    pub(crate) uuid: String,
    /// Cases it must report.
    pub(crate) expected: Option<Vec<String>>,
    /// Its `parse`.
    pub(crate) parse: Option<ParsePattern>,
    /// Keys of its own result: `path`, `repository`, `revision`, `commit_id`.
    pub(crate) facts: Map<String, Value>,
}

/// The state of the suites of one action.
#[derive(Debug)]
pub(crate) struct Suites {
    plans: Vec<Progress>,
    namespace: String,
    /// Position of the open suite.
    open: Option<Open>,
    /// Position of the suite that comes next in the runner's order.
    next: usize,
    /// Open test set.
    set: Option<String>,
    /// Why the open suite cannot pass, whatever it says: results of it were lost.
    lost: Option<String>,
    /// What `<what is done>` produced.
    out: Vec<Body>,
}

#[derive(Debug)]
struct Progress {
    plan: SuitePlan,
    seen: BTreeSet<String>,
    /// The expected cases have been looked at.
    checked: bool,
    started: bool,
    install_failed: bool,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    at: usize,
    since: Duration,
    /// Opened because of the order, not by its STARTRUN.
    implied: bool,
}

/// A result of a case.
#[derive(Clone, Debug, Default)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) result: ResultValue,
    pub(crate) measurement: Option<String>,
    pub(crate) units: Option<String>,
    pub(crate) reference: Option<String>,
    pub(crate) duration: Option<Duration>,
    pub(crate) extra: Map<String, Value>,
}

impl Suites {
    /// The suites of an action, in the runner's order.
    pub(crate) fn new(plans: Vec<SuitePlan>, namespace: &str) -> Self {
        let progress =
            |plan| Progress { plan, seen: BTreeSet::new(), checked: false, started: false, install_failed: false };
        Suites {
            plans: plans.into_iter().map(progress).collect(),
            namespace: namespace.into(),
            open: None,
            next: 0,
            set: None,
            lost: None,
            out: Vec::new(),
        }
    }

    /// What has happened since the last time this was asked.
    pub(crate) fn take(&mut self) -> Vec<Body> {
        std::mem::take(&mut self.out)
    }

    /// Whether a suite is open.
    pub(crate) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// The open suite.
    pub(crate) fn open_suite(&self) -> Option<String> {
        self.open.map(|open| self.plans[open.at].plan.suite.clone())
    }

    /// STARTRUN.
    pub(crate) fn start(&mut self, suite: &str, now: Duration) {
        let Some(at) = self.position(suite) else {
            return self.warn(format!("STARTRUN of {suite}, which is no suite of this stage"));
        };
        match self.open {
            Some(open) if open.at == at && open.implied => self.open = Some(Open { implied: false, ..open }),
            Some(open) if open.at == at => self.warn(format!("{suite} is started again while it runs")),
            Some(_) => {
                self.close("the next suite was started before its end", now);
                self.opened(at, now, false);
            }
            None => self.opened(at, now, false),
        }
    }

    fn opened(&mut self, at: usize, now: Duration, implied: bool) {
        let progress = &mut self.plans[at];
        progress.started = true;
        let suite = progress.plan.suite.clone();
        self.out.push(Body::SuiteStarted { suite });
        self.open = Some(Open { at, since: now, implied });
        self.next = at + 1;
        self.set = None;
        self.lost = None;
    }

    /// ENDRUN: the suite ran to its end.
    pub(crate) fn end(&mut self, suite: &str, now: Duration) {
        let at = self.position(suite);
        match (self.open, at) {
            (Some(open), Some(at)) if open.at == at && self.lost.is_some() => {
                let why = self.lost.take().unwrap_or_default();
                self.close(&why, now);
            }
            (Some(open), Some(at)) if open.at == at => self.ended(ResultValue::Pass, None, now),
            (None, Some(at)) if !self.plans[at].started => {
                self.warn(format!("{suite} ended but its start was not seen"));
                self.opened(at, now, true);
                self.ended(ResultValue::Pass, None, now);
            }
            _ => self.warn(format!("ENDRUN of {suite}, which does not run")),
        }
    }

    /// Results of the open suite were lost for good.
    pub(crate) fn lost(&mut self, why: &str) {
        self.log(LogLevel::Error, why.to_owned());
        self.lost = Some(why.to_owned());
    }

    /// The runner says that a suite's script has ended. One that is still open did not reach its end.
    pub(crate) fn exited(&mut self, suite: &str, status: i32, now: Duration) {
        if self.open.is_some_and(|open| self.plans[open.at].plan.suite == suite) {
            self.close(&format!("a step failed: its script exited with status {status}"), now);
        } else if status != 0 {
            self.warn(format!("the script of {suite} exited with status {status}"));
        }
    }

    /// Ends the open suite as failed.
    pub(crate) fn close(&mut self, why: &str, now: Duration) {
        if let Some(open) = self.open {
            let suite = self.plans[open.at].plan.suite.clone();
            self.log(LogLevel::Error, format!("suite {suite} is marked as failed: {why}"));
            self.ended(ResultValue::Fail, Some(why), now);
        }
    }

    fn ended(&mut self, result: ResultValue, why: Option<&str>, now: Duration) {
        let Some(open) = self.open.take() else { return };
        self.set = None;
        self.check_expected(open.at);
        let plan = &self.plans[open.at].plan;
        let duration = now.saturating_sub(open.since);
        let mut extra = plan.facts.clone();
        extra.insert("uuid".into(), plan.uuid.clone().into());
        if let Some(why) = why {
            extra.insert("error_msg".into(), why.into());
        }
        let suite = plan.suite.clone();
        self.out.push(Body::SuiteEnded { suite: suite.clone() });
        self.suite_result(suite, result, Some(duration), extra);
    }

    fn suite_result(
        &mut self,
        suite: String,
        result: ResultValue,
        duration: Option<Duration>,
        extra: Map<String, Value>,
    ) {
        self.out.push(Body::Result(ResultRecord {
            definition: "lava".into(),
            case: suite,
            result,
            duration: duration.map(seconds),
            namespace: Some(self.namespace.clone()),
            extra,
            ..ResultRecord::default()
        }));
    }

    /// Expected cases that were not reported fail; looked at once a suite.
    fn check_expected(&mut self, at: usize) {
        let progress = &mut self.plans[at];
        if std::mem::replace(&mut progress.checked, true) {
            return;
        }
        let Some(expected) = &progress.plan.expected else { return };
        let missing: Vec<String> = expected.iter().filter(|case| !progress.seen.contains(*case)).cloned().collect();
        let suite = progress.plan.suite.clone();
        for case in missing {
            self.log(LogLevel::Error, format!("{suite}: the expected case {case} was not reported"));
            self.out.push(Body::Result(ResultRecord {
                definition: suite.clone(),
                case,
                result: ResultValue::Fail,
                extra: error("expected, but not reported"),
                ..ResultRecord::default()
            }));
        }
    }

    /// STARTTC or ENDTC.
    pub(crate) fn mark(&mut self, case: String, start: bool) {
        self.out.push(Body::TestCaseMark { case, start });
    }

    /// The result of a case, under the open suite or the one that the order implies.
    pub(crate) fn case(&mut self, case: Case, now: Duration) {
        if self.open.is_none()
            && let Some(at) = self.implied()
            && !self.plans[at].started
        {
            let suite = self.plans[at].plan.suite.clone();
            self.warn(format!("a result came before the start of a suite: it is kept under {suite}"));
            self.opened(at, now, true);
        }
        self.record(case, true);
    }

    /// The result of a MultiNode call. It opens no suite: install steps may call, too.
    pub(crate) fn call(&mut self, case: Case) {
        self.record(case, false);
    }

    fn record(&mut self, case: Case, counts: bool) {
        let at = self.open.map(|open| open.at).or_else(|| self.implied());
        let mut result = case.result;
        let mut extra = case.extra;
        let mut suite = "lava".to_owned();
        if let Some(at) = at {
            suite.clone_from(&self.plans[at].plan.suite);
            if counts {
                self.plans[at].seen.insert(case.name.clone());
                let expected = self.plans[at].plan.expected.as_ref();
                if expected.is_some_and(|expected| !expected.contains(&case.name)) {
                    self.warn(format!("{suite}: case {} is not in the expected list and counts as failed", case.name));
                    result = ResultValue::Fail;
                    extra = error("not in the expected list");
                }
            }
        }
        self.out.push(Body::Result(ResultRecord {
            definition: suite,
            case: case.name,
            result,
            measurement: case.measurement,
            units: case.units,
            set: self.set.clone().filter(|_| counts),
            reference: case.reference,
            duration: case.duration.map(seconds),
            extra,
            ..ResultRecord::default()
        }));
    }

    /// TESTSET START and STOP.
    pub(crate) fn set(&mut self, name: Option<String>) {
        self.set = name;
    }

    /// INSTALL_FAIL: the next suite will not run. Gives its name.
    pub(crate) fn install_failed(&mut self, now: Duration) -> Option<String> {
        self.close("the runner went on to the next definition before its end", now);
        let at = self.next;
        let progress = self.plans.get_mut(at)?;
        progress.install_failed = true;
        self.next = at + 1;
        Some(progress.plan.suite.clone())
    }

    /// The packages of a suite could not be installed (device-side.md §5.3).
    pub(crate) fn dependencies_failed(&mut self, suite: &str, status: i32) {
        self.warn(format!("the dependencies of {suite} could not be installed: status {status}"));
        let why = format!("lava-install-packages ended with status {status}");
        self.suite_result(format!("{suite}-install"), ResultValue::Fail, None, error(&why));
    }

    /// No more signals will come. Suites that never started are skipped; their expected cases fail.
    pub(crate) fn finish(&mut self, why: &str, now: Duration) {
        self.close(why, now);
        for at in 0..self.plans.len() {
            self.check_expected(at);
            let progress = &self.plans[at];
            if !progress.started && !progress.install_failed {
                let suite = progress.plan.suite.clone();
                self.warn(format!("suite {suite} did not run"));
                self.suite_result(suite, ResultValue::Skip, None, error(&format!("it did not run: {why}")));
            }
        }
    }

    /// The suite that the runner's order implies while none is open: the next one, else the last.
    fn implied(&self) -> Option<usize> {
        if self.next < self.plans.len() { Some(self.next) } else { self.plans.len().checked_sub(1) }
    }

    fn position(&self, suite: &str) -> Option<usize> {
        self.plans.iter().position(|progress| progress.plan.suite == suite)
    }

    fn warn(&mut self, text: String) {
        self.log(LogLevel::Warning, text);
    }

    fn log(&mut self, level: LogLevel, text: String) {
        self.out.push(Body::Log { level, text });
    }
}

/// The journal's word for a verdict.
pub(crate) fn value(verdict: Verdict) -> ResultValue {
    match verdict {
        Verdict::Pass => ResultValue::Pass,
        Verdict::Fail => ResultValue::Fail,
        Verdict::Skip => ResultValue::Skip,
        Verdict::Unknown => ResultValue::Unknown,
    }
}

fn error(text: &str) -> Map<String, Value> {
    Map::from_iter([("error_msg".to_owned(), Value::from(text))])
}

fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e6
}
