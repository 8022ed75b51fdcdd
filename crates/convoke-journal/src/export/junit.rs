//! `junit.xml`: one `testsuite` per member and suite, in the form Jenkins and Surefire read.
//!
//! | here | there |
//! |---|---|
//! | member `server`, suite `0_smoke` | `testsuite name="server.0_smoke" hostname="<device>"` |
//! | case | `testcase name="<case>" classname="<job>.server.0_smoke"` |
//! | fail | `failure`; the case `lava.job` is an `error` with the member's error type and message |
//! | a member without an end, as the run was cut off | an `error` of its own |
//! | skip, unknown | `skipped` |
//! | an action of suite `lava` that failed, though the member went on | passes, with a note in `system-out` |
//! | set, measurement, units, reference, … | `system-out`, a line each |
//!
//! Only elements and attributes of the common schema are used. Characters that XML 1.0 forbids are left out.

use std::fmt::Write as _;

use crate::event::ResultValue;
use crate::model::{CaseResult, Member, RunModel, is_suite, seconds};

/// What a case becomes.
enum Outcome {
    Passed,
    Failure { kind: &'static str, message: String },
    Error { kind: String, message: String },
    Skipped { message: &'static str },
}

/// The document.
pub(crate) fn document(model: &RunModel) -> String {
    let mut suites = String::new();
    let mut total = Tally::default();
    for member in &model.members {
        let of_member = member.suites();
        let count = of_member.len();
        for (index, (suite, cases)) in of_member.into_iter().enumerate() {
            let tally = testsuite(model, member, index, suite, &cases, &mut suites);
            total.add(&tally);
        }
        if member.health.is_none() {
            total.add(&cut_off(model, member, count, &mut suites));
        }
    }
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name={} tests=\"{}\" failures=\"{}\" errors=\"{}\" time=\"{:.3}\">\n{suites}</testsuites>\n",
        attribute(&model.job_name),
        total.tests,
        total.failures,
        total.errors,
        seconds(model.elapsed_ns),
    )
}

#[derive(Default)]
struct Tally {
    tests: usize,
    failures: usize,
    errors: usize,
    skipped: usize,
    time: f64,
}

impl Tally {
    fn add(&mut self, other: &Tally) {
        self.tests += other.tests;
        self.failures += other.failures;
        self.errors += other.errors;
        self.skipped += other.skipped;
    }

    fn open(&self, model: &RunModel, member: &Member, index: usize, suite: &str) -> String {
        let hostname = member.device.as_deref().unwrap_or("none");
        let started = model.started.map_or_else(
            || "1970-01-01T00:00:00.000+00:00".into(),
            |at| at.strftime("%Y-%m-%dT%H:%M:%S.%3f+00:00").to_string(),
        );
        format!(
            "  <testsuite name={} tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{:.3}\" timestamp=\"{started}\" hostname={} id=\"{index}\" package={}>\n",
            attribute(&format!("{}.{suite}", member.label)),
            self.tests,
            self.failures,
            self.errors,
            self.skipped,
            self.time,
            attribute(hostname),
            attribute(&model.job_name),
        )
    }
}

fn testsuite(
    model: &RunModel,
    member: &Member,
    index: usize,
    suite: &str,
    cases: &[&CaseResult],
    out: &mut String,
) -> Tally {
    let mut tally = Tally::default();
    let mut body = String::new();
    for case in cases {
        let outcome = outcome(member, case);
        tally.tests += 1;
        tally.time += case.record.duration.unwrap_or(0.0);
        let _ = write!(
            body,
            "    <testcase name={} classname={} time=\"{:.3}\"",
            attribute(&case.record.case),
            attribute(&format!("{}.{}.{suite}", model.job_name, member.label)),
            case.record.duration.unwrap_or(0.0),
        );
        let notes = notes(case, &outcome);
        if matches!(outcome, Outcome::Passed) && notes.is_empty() {
            body.push_str("/>\n");
            continue;
        }
        body.push_str(">\n");
        match outcome {
            Outcome::Passed => {}
            Outcome::Failure { kind, message } => {
                tally.failures += 1;
                element("failure", Some(kind), &message, &mut body);
            }
            Outcome::Error { kind, message } => {
                tally.errors += 1;
                element("error", Some(&kind), &message, &mut body);
            }
            Outcome::Skipped { message } => {
                tally.skipped += 1;
                element("skipped", None, message, &mut body);
            }
        }
        if !notes.is_empty() {
            let _ = writeln!(body, "      <system-out>{}</system-out>", text(&notes));
        }
        body.push_str("    </testcase>\n");
    }
    out.push_str(&tally.open(model, member, index, suite));
    out.push_str(&body);
    out.push_str("  </testsuite>\n");
    tally
}

/// A member that has not ended must not look like one that passed.
fn cut_off(model: &RunModel, member: &Member, index: usize, out: &mut String) -> Tally {
    let tally = Tally { tests: 1, errors: 1, ..Tally::default() };
    out.push_str(&tally.open(model, member, index, "end"));
    let class = attribute(&format!("{}.{}.end", model.job_name, member.label));
    let _ = writeln!(out, "    <testcase name=\"job\" classname={class} time=\"0.000\">");
    element("error", Some("Unknown"), "the run was cut off before this member ended", out);
    out.push_str("    </testcase>\n  </testsuite>\n");
    tally
}

fn outcome(member: &Member, case: &CaseResult) -> Outcome {
    let record = &case.record;
    let extra = |key: &str| record.extra.get(key).and_then(|value| value.as_str()).map(str::to_owned);
    match record.result {
        ResultValue::Pass => Outcome::Passed,
        ResultValue::Skip => Outcome::Skipped { message: "skipped" },
        ResultValue::Unknown => Outcome::Skipped { message: "result unknown" },
        ResultValue::Fail if record.definition == "lava" && record.case == "job" => Outcome::Error {
            kind: extra("error_type").unwrap_or_else(|| "Bug".into()),
            message: extra("error_msg").unwrap_or_else(|| "the member failed".into()),
        },
        ResultValue::Fail if tolerated(member, case) => Outcome::Passed,
        ResultValue::Fail => {
            Outcome::Failure { kind: "fail", message: extra("error_msg").unwrap_or_else(|| "failed".into()) }
        }
    }
}

/// An action that failed in a member that is Complete all the same: it was retried, or the job allows it.
pub(super) fn tolerated(member: &Member, case: &CaseResult) -> bool {
    let record = &case.record;
    record.definition == "lava"
        && record.case != "job"
        && !is_suite(&record.case)
        && member.health == Some(crate::event::Health::Complete)
}

fn notes(case: &CaseResult, outcome: &Outcome) -> String {
    let record = &case.record;
    let mut notes = Vec::new();
    let mut note = |key: &str, value: Option<String>| notes.extend(value.map(|value| format!("{key}: {value}")));
    note("set", record.set.clone());
    let units = record.units.as_ref().map(|units| format!(" {units}")).unwrap_or_default();
    note("measurement", record.measurement.as_ref().map(|number| format!("{number}{units}")));
    note("reference", record.reference.clone());
    if record.result == ResultValue::Fail && matches!(outcome, Outcome::Passed) {
        note("note", Some("this action failed, and the job went on".into()));
    }
    if let Some(missing) = record.extra.get("missing") {
        note("missing", Some(missing.to_string()));
    }
    if record.result != ResultValue::Pass
        && let (Some(start), Some(end)) = (case.starttc, case.endtc)
    {
        note("log.yaml lines", Some(format!("{start} to {end}, from 0")));
    }
    notes.join("\n")
}

fn element(name: &str, kind: Option<&str>, message: &str, out: &mut String) {
    let kind = kind.map(|kind| format!(" type={}", attribute(kind))).unwrap_or_default();
    let _ = writeln!(out, "      <{name} message={}{kind}/>", attribute(message));
}

fn attribute(value: &str) -> String {
    let mut out = String::from("\"");
    for character in value.chars().filter(|c| allowed(*c)) {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\r' => out.push_str("&#13;"),
            '\t' => out.push_str("&#9;"),
            _ => out.push(character),
        }
    }
    out.push('"');
    out
}

fn text(value: &str) -> String {
    let mut out = String::new();
    for character in value.chars().filter(|c| allowed(*c)) {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\r' => out.push_str("&#13;"),
            _ => out.push(character),
        }
    }
    out
}

/// Whether XML 1.0 allows the character.
fn allowed(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
        && !matches!(character, '\x7f'..='\u{84}' | '\u{86}'..='\u{9f}')
}
