//! `results.tap`: TAP version 13, one stream for the run; a subtest a member, a subtest in it a suite.
//!
//! A member is `ok` when it is Complete and none of its cases fails the run. A case with result unknown is `not ok` with a
//! TODO directive, which no consumer counts as a failure, and so is an action that failed though the member went on.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::junit::tolerated;
use super::yaml;
use crate::event::{Health, ResultValue};
use crate::model::{CaseResult, Member, RunModel, number};

/// The stream.
pub(crate) fn document(model: &RunModel) -> String {
    let mut out = String::from("TAP version 13\n");
    let _ = writeln!(out, "# job {}", comment(&model.job_name));
    let _ = writeln!(out, "1..{}", model.members.len());
    for (index, member) in model.members.iter().enumerate() {
        let device = member.device.as_deref().unwrap_or("no device");
        let name = format!("{} ({device})", member.label);
        let _ = writeln!(out, "# Subtest: {}", comment(&name));
        let suites = member.suites();
        let empty = if suites.is_empty() { " # SKIP no results" } else { "" };
        let _ = writeln!(out, "    1..{}{empty}", suites.len());
        for (index, (suite, cases)) in suites.iter().enumerate() {
            subtest(member, index + 1, suite, cases, &mut out);
        }
        let good = member.health == Some(Health::Complete) && !member.results.iter().any(CaseResult::fails);
        let _ = writeln!(out, "{}ok {} - {}", if good { "" } else { "not " }, index + 1, escape(&name));
        let mut notes = Map::new();
        if let Some(failure) = &member.failure {
            notes.insert("error_type".into(), failure.class.as_str().into());
            notes.insert("error_msg".into(), failure.message.clone().into());
            notes.insert("consequence".into(), failure.consequence.into());
        }
        if !good {
            let health = member.health.map_or("Unknown", |health| health.as_str());
            notes.insert("health".into(), health.into());
        }
        block(notes, 2, &mut out);
    }
    out
}

fn subtest(member: &Member, index: usize, suite: &str, cases: &[&CaseResult], out: &mut String) {
    let _ = writeln!(out, "    # Subtest: {}", comment(suite));
    let _ = writeln!(out, "        1..{}", cases.len());
    let mut good = true;
    for (index, case) in cases.iter().enumerate() {
        let record = &case.record;
        let (ok, directive) = match record.result {
            ResultValue::Pass => (true, ""),
            ResultValue::Skip => (true, " # SKIP test skipped"),
            ResultValue::Unknown => (false, " # TODO result unknown"),
            ResultValue::Fail if tolerated(member, case) => (false, " # TODO the job went on"),
            ResultValue::Fail => (false, ""),
        };
        good &= ok || !directive.is_empty();
        let _ = writeln!(
            out,
            "        {}ok {} - {}{directive}",
            if ok { "" } else { "not " },
            index + 1,
            escape(&record.case)
        );
        let mut notes = Map::new();
        let mut put = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                notes.insert(key.into(), value);
            }
        };
        put("set", record.set.clone().map(Value::from));
        put("measurement", record.measurement.as_deref().map(number));
        put("units", record.units.clone().map(Value::from));
        put("reference", record.reference.clone().map(Value::from));
        for key in ["error_type", "error_msg", "missing"] {
            put(key, record.extra.get(key).cloned());
        }
        block(notes, 10, out);
    }
    let _ = writeln!(out, "    {}ok {index} - {}", if good { "" } else { "not " }, escape(suite));
}

/// A YAML block below a test point.
fn block(notes: Map<String, Value>, indent: usize, out: &mut String) {
    if notes.is_empty() {
        return;
    }
    let indent = " ".repeat(indent);
    let _ = writeln!(out, "{indent}---");
    for line in yaml::document(&notes.into()).lines() {
        let _ = writeln!(out, "{indent}{line}");
    }
    let _ = writeln!(out, "{indent}...");
}

/// A description: one line, `#` and `\` escaped.
fn escape(text: &str) -> String {
    comment(text).replace('\\', "\\\\").replace('#', "\\#")
}

fn comment(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
