//! One member's time: stages, pipeline actions, test suites, test cases.

use std::collections::BTreeMap;

use convoke_journal::{Body, Failure, ResultRecord, Stage};

/// What one member did, and when.
#[derive(Clone, Debug)]
pub struct Lane {
    /// Number in the group.
    pub sub_id: u32,
    /// Deploy, boot, test, …: one after the other.
    pub stages: Vec<StageSpan>,
    /// Pipeline actions in the order they started, nested by depth.
    pub actions: Vec<ActionSpan>,
    /// Test suites in order.
    pub suites: Vec<SuiteSpan>,
    /// Results in order, those of suite `lava` too.
    pub cases: Vec<Case>,
    started: BTreeMap<String, u64>,
    open: Vec<usize>,
    is_over: bool,
}

/// A stage of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageSpan {
    /// Which.
    pub stage: Stage,
    /// Start.
    pub from_ns: u64,
    /// End.
    pub to_ns: u64,
}

/// A pipeline action.
#[derive(Clone, Debug, PartialEq)]
pub struct ActionSpan {
    /// `1.3.2`
    pub level: String,
    /// LAVA's name.
    pub name: String,
    /// Its limit in seconds.
    pub timeout_s: f64,
    /// How many actions are around it.
    pub depth: usize,
    /// Start.
    pub from_ns: u64,
    /// End.
    pub to_ns: u64,
    /// What went wrong.
    pub failure: Option<Failure>,
    /// Whether its end is recorded.
    pub ended: bool,
}

/// A run of a test suite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuiteSpan {
    /// `<index>_<name>`
    pub name: String,
    /// Start.
    pub from_ns: u64,
    /// End.
    pub to_ns: u64,
    /// Whether its end is recorded.
    pub ended: bool,
}

/// A result.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// As recorded.
    pub record: ResultRecord,
    /// When the case started, when it said so.
    pub from_ns: Option<u64>,
    /// When the result came.
    pub at_ns: u64,
    /// Number of its line in the merged log, see [`Log::next`](super::Log::next).
    pub line: u64,
}

impl Lane {
    pub(super) fn new(sub_id: u32) -> Self {
        Lane {
            sub_id,
            stages: Vec::new(),
            actions: Vec::new(),
            suites: Vec::new(),
            cases: Vec::new(),
            started: BTreeMap::new(),
            open: Vec::new(),
            is_over: false,
        }
    }

    /// Takes an event of this member, whose last line in the log is the one before `next_line`.
    pub(super) fn event(&mut self, now: u64, body: &Body, next_line: u64) {
        match body {
            Body::MemberState { stage, .. } => self.stage(now, stage),
            Body::ActionStarted { level, name, timeout_s, .. } => {
                self.open.push(self.actions.len());
                self.actions.push(ActionSpan {
                    level: level.clone(),
                    name: name.clone(),
                    timeout_s: *timeout_s,
                    depth: self.open.len() - 1,
                    from_ns: now,
                    to_ns: now,
                    failure: None,
                    ended: false,
                });
            }
            Body::ActionEnded { level, name, failure, .. } => {
                let fits = |place: &usize| self.actions[*place].level == *level && self.actions[*place].name == *name;
                if let Some(at) = self.open.iter().rposition(fits) {
                    for place in self.open.drain(at..) {
                        let action = &mut self.actions[place];
                        (action.to_ns, action.ended) = (now, true);
                        action.failure.clone_from(failure);
                    }
                }
            }
            Body::SuiteStarted { suite } => {
                self.suites.push(SuiteSpan { name: suite.clone(), from_ns: now, to_ns: now, ended: false });
            }
            Body::SuiteEnded { suite } => {
                if let Some(span) = self.suites.iter_mut().rev().find(|span| span.name == *suite && !span.ended) {
                    (span.to_ns, span.ended) = (now, true);
                }
            }
            Body::TestCaseMark { case, start: true } => {
                self.started.insert(case.clone(), now);
            }
            Body::Result(record) => {
                let from_ns = if record.definition == "lava" { None } else { self.started.remove(&record.case) };
                let line = next_line.saturating_sub(1);
                self.cases.push(Case { record: record.clone(), from_ns, at_ns: now, line });
            }
            Body::MemberEnded { .. } => self.end(now),
            _ => {}
        }
    }

    fn stage(&mut self, now: u64, stage: &Stage) {
        if let Some(last) = self.stages.last_mut() {
            last.to_ns = now;
            if last.stage == *stage {
                return;
            }
        }
        self.stages.push(StageSpan { stage: stage.clone(), from_ns: now, to_ns: now });
    }

    /// Nothing of this member goes on beyond `now`. The first end counts.
    pub(super) fn end(&mut self, now: u64) {
        if std::mem::replace(&mut self.is_over, true) {
            return;
        }
        if let Some(last) = self.stages.last_mut() {
            last.to_ns = now;
        }
        for place in std::mem::take(&mut self.open) {
            self.actions[place].to_ns = now;
        }
        for span in self.suites.iter_mut().filter(|span| !span.ended) {
            span.to_ns = now;
        }
    }
}
