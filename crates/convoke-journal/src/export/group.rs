//! `results.yaml` of a run: everything the group came to, in one document.
//!
//! Version 1. Keys that do not apply are left out. Times are RFC 3339 in UTC, durations are seconds.
//!
//! ```yaml
//! version: 1
//! job: two members            # job_name
//! job_file: job.yaml
//! group: g
//! rehearsal: false
//! program: convoke 0.1.0
//! started: 2026-11-21T19:31:03.646690+00:00
//! duration: 3.214
//! health: Incomplete          # Complete, Incomplete, Canceled; Unknown when the run was cut off
//! exit_status: 1              # left out when the run was cut off
//! first_failure:              # what failed first and was nobody's consequence
//!   member: 1
//!   label: client
//!   time: 2.5                 # seconds since the run started
//!   error_type: Test
//!   error_msg: …
//!   reason: …
//!   consequences: [{member, label, error_type, error_msg, reason}]
//!   other_failures: [the same]
//! tests: {pass: 3, fail: 1, skip: 0, unknown: 0}      # without suite lava
//! members:
//! - sub_id: 0
//!   label: server             # how the log calls it
//!   role, job_id, name, device, device_type, essential, health, duration, error_type, error_msg, reason, consequence, tests
//!   folder: members/0-server
//!   suites:
//!   - name: 0_smoke
//!     cases:
//!     - {case, result, measurement, units, set, reference, duration, starttc, endtc, level, namespace, …}
//! ```
//! `starttc` and `endtc` are line numbers of the member's `log.yaml`, from 0. Further keys of a case are LAVA's:
//! `error_msg`, `error_type`, `missing`, `uuid`, `repository`, `path`, `revision`, `commit_id`, `extra`.

use serde_json::{Map, Value, json};

use super::yaml;
use crate::event::Failure;
use crate::model::{Counts, Member, RunModel, micros, result_map, seconds};

/// The document.
pub(crate) fn results(model: &RunModel) -> String {
    let mut map = Map::new();
    let mut put = |key: &str, value: Value| {
        if !value.is_null() {
            map.insert(key.into(), value);
        }
    };
    put("version", 1.into());
    put("job", model.job_name.clone().into());
    put("job_file", model.job_file.clone().into());
    put("group", model.group.clone().into());
    put("rehearsal", model.rehearsal.into());
    put("program", model.program.clone().into());
    put("started", model.started.map(|at| micros(at).into()).unwrap_or_default());
    put("duration", round(seconds(model.elapsed_ns)));
    put("health", model.health().map_or("Unknown", |health| health.as_str()).into());
    put("exit_status", model.health().map(|_| model.exit_status().into()).unwrap_or_default());
    if let Some(first) = model.first_failure() {
        let mut failure = failed(model, first.member, &first.failure);
        if let Some(at) = first.at_ns {
            failure.insert("time".into(), round(seconds(at)));
        }
        let list = |failures: &[(u32, Failure)]| {
            failures.iter().map(|(member, failure)| failed(model, *member, failure).into()).collect::<Vec<Value>>()
        };
        failure.insert("consequences".into(), list(&first.consequences).into());
        failure.insert("other_failures".into(), list(&first.others).into());
        put("first_failure", failure.into());
    }
    if let Some(why) = &model.canceling {
        put("canceled_because", why.clone().into());
    }
    put("tests", counts(model.test_counts()));
    put("members", model.members.iter().map(member).collect());
    yaml::document(&map.into())
}

fn round(seconds: f64) -> Value {
    ((seconds * 1e6).round() / 1e6).into()
}

fn failed(model: &RunModel, member: u32, failure: &Failure) -> Map<String, Value> {
    let mut map = Map::new();
    map.insert("member".into(), member.into());
    map.insert("label".into(), model.label(member).into());
    error(failure, &mut map);
    map
}

fn error(failure: &Failure, map: &mut Map<String, Value>) {
    map.insert("error_type".into(), failure.class.as_str().into());
    map.insert("error_msg".into(), failure.message.clone().into());
    if let Some(reason) = &failure.reason {
        map.insert("reason".into(), reason.clone().into());
    }
}

fn counts(counts: Counts) -> Value {
    json!({"pass": counts.pass, "fail": counts.fail, "skip": counts.skip, "unknown": counts.unknown})
}

fn member(member: &Member) -> Value {
    let mut map = Map::new();
    map.insert("sub_id".into(), member.info.sub_id.into());
    map.insert("label".into(), member.label.clone().into());
    if !member.info.role.is_empty() {
        map.insert("role".into(), member.info.role.clone().into());
    }
    map.insert("job_id".into(), member.info.job_id.into());
    map.insert("name".into(), member.info.name.clone().into());
    if let Some(device) = &member.device {
        map.insert("device".into(), device.clone().into());
    }
    let device_type = member.device_type.as_ref().unwrap_or(&member.info.device_type);
    map.insert("device_type".into(), device_type.clone().into());
    map.insert("essential".into(), member.info.essential.into());
    map.insert("health".into(), member.health.map_or("Unknown", |health| health.as_str()).into());
    if let Some(duration) = member.duration_s() {
        map.insert("duration".into(), round(duration));
    }
    if let Some(failure) = &member.failure {
        error(failure, &mut map);
        map.insert("consequence".into(), failure.consequence.into());
    }
    map.insert("tests".into(), counts(member.test_counts()));
    map.insert("folder".into(), format!("members/{}", member.folder()).into());
    let suites = member.suites().into_iter().map(|(name, cases)| {
        let cases: Vec<Value> = cases
            .into_iter()
            .map(|case| {
                let all = result_map(&case.record, case.starttc, case.endtc);
                let mut map = Map::new();
                // The order people read in; what is left follows.
                for key in ["case", "result", "measurement", "units", "set", "reference"] {
                    if let Some(value) = all.get(key) {
                        map.insert(key.into(), value.clone());
                    }
                }
                if let Some(duration) = case.record.duration {
                    map.insert("duration".into(), round(duration));
                }
                for (key, value) in all {
                    if key != "definition" && !map.contains_key(&key) {
                        map.insert(key, value);
                    }
                }
                map.into()
            })
            .collect();
        json!({"name": name, "cases": cases})
    });
    map.insert("suites".into(), suites.collect());
    map.into()
}
