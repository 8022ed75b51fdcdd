//! Timeouts: one unit, at least 1 (job-definition.md §3.1), and the `timeouts` block (§3.2).

use std::time::Duration;

use super::cursor::{At, Findings};
use super::hints::did_you_mean;
use crate::member::Timeouts;
use crate::methods;
use crate::node::NodeKind;

const UNITS: [(&str, u64); 4] = [("days", 86_400), ("hours", 3_600), ("minutes", 60), ("seconds", 1)];

/// One timeout: its limit, when it is one, and `skip`.
pub(crate) fn timeout(at: &At<'_>, findings: &mut Findings) -> (Option<Duration>, bool) {
    if at.node.as_map().is_none() {
        findings.push(not_a_mapping(at));
        return (None, false);
    }
    let mut given = Vec::new();
    let mut skip = false;
    let mut sound = true;
    for (key, value) in at.entries() {
        if key.text == "skip" {
            skip = findings.boolean(&value, "timeout.value").unwrap_or(false);
        } else if let Some((unit, seconds)) = UNITS.iter().find(|(unit, _)| *unit == key.text) {
            match value.node.kind {
                NodeKind::Int(number) if number >= 1 => given.push((*unit, number, *seconds)),
                NodeKind::Int(number) => {
                    sound = false;
                    let finding = value.error("timeout.value", format!("must be at least 1, is {number}"));
                    findings.push(finding.help("write a whole number from 1 on"));
                }
                NodeKind::Float(number) if number > 0.0 => {
                    sound = false;
                    let finding = value.error("timeout.value", format!("whole number expected, got {number}"));
                    findings.push(finding.help(format!("write `seconds: {}`", (number * *seconds as f64).round())));
                }
                _ => {
                    sound = false;
                    findings.integer(&value, "timeout.value", 1);
                }
            }
        } else {
            sound = false;
            let hint = did_you_mean(&key.text, &["days", "hours", "minutes", "seconds", "skip"]);
            let finding = value
                .error_at_name("timeout.units", format!("`{}` is no unit of time{hint}", key.text))
                .help("use one of days, hours, minutes, seconds");
            findings.push(finding);
        }
    }
    if given.is_empty() {
        if sound {
            findings.push(
                at.error("timeout.units", "a unit is missing")
                    .help("give one of days, hours, minutes, seconds, for example `minutes: 5`"),
            );
        }
        return (None, skip);
    }
    let total = given.iter().try_fold(0_i128, |sum, (_, number, seconds)| {
        number.checked_mul(i128::from(*seconds)).and_then(|part| sum.checked_add(part))
    });
    // A limit beyond 136 years is no limit, and would overflow sums of limits.
    let Some(total) = total.and_then(|total| u32::try_from(total).ok()) else {
        findings.push(at.error("timeout.value", "the timeout is too long").help("give at most 49000 days"));
        return (None, skip);
    };
    if given.len() > 1 {
        let (name, each) =
            UNITS.into_iter().find(|(_, each)| u64::from(total).is_multiple_of(*each)).unwrap_or(UNITS[3]);
        let count = u64::from(total) / each;
        let written = format!("`{name}: {count}`");
        findings.push(
            at.error("timeout.units", format!("exactly one unit allowed; {count} {name} can be written {written}"))
                .help(format!("write {written}")),
        );
    }
    (Some(Duration::from_secs(u64::from(total))), skip)
}

fn not_a_mapping(at: &At<'_>) -> crate::Diagnostic {
    let finding = at.error("timeout.form", format!("mapping with a unit expected, got {}", at.node.describe()));
    let mend = match &at.node.kind {
        NodeKind::Int(seconds) => format!("write `{{seconds: {seconds}}}`"),
        NodeKind::Text(text) => {
            let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
            let unit = match text[digits.len()..].trim() {
                unit if unit.starts_with('d') => "days",
                unit if unit.starts_with('h') => "hours",
                unit if unit.starts_with('m') => "minutes",
                _ => "seconds",
            };
            match digits.parse::<u32>() {
                Ok(number) => format!("write `{{{unit}: {number}}}`"),
                Err(_) => "write for example `{minutes: 5}`".into(),
            }
        }
        _ => "write for example `{minutes: 5}`".into(),
    };
    finding.help(mend)
}

/// Limits by action name. `names`: the actions there are; others are warned about. So is a limit longer than the job
/// (rule 36), which never takes effect.
pub(crate) fn named(
    at: &At<'_>,
    names: &[&str],
    job: Option<Duration>,
    findings: &mut Findings,
) -> Vec<(String, Duration)> {
    if !findings.is_mapping(at, "timeout.form") {
        return Vec::new();
    }
    let mut out = Vec::new();
    for (key, value) in at.entries() {
        if !names.contains(&key.text.as_str()) {
            let message = format!("there is no action `{}` here, this limit is never used", key.text);
            let finding = value.warning_at_name("action.name", message + &did_you_mean(&key.text, names));
            findings.push(finding.help("use the name of an action of the pipeline"));
        }
        if let (Some(limit), _) = timeout(&value, findings) {
            exceeding(&value, limit, job, findings);
            out.push((key.text.clone(), limit));
        }
    }
    out
}

/// The `timeouts` block.
pub(crate) fn timeouts(at: &At<'_>, findings: &mut Findings) -> Timeouts {
    const KEYS: [&str; 6] = ["job", "action", "connection", "actions", "connections", "queue"];
    let mut out = Timeouts::default();
    if !findings.is_mapping(at, "schema.type") {
        return out;
    }
    let names = methods::all_names();
    out.job = at.get("job").and_then(|at| timeout(&at, findings).0);
    for (key, value) in at.entries() {
        let mut default = || {
            let limit = timeout(&value, findings).0?;
            exceeding(&value, limit, out.job, findings);
            Some(limit)
        };
        match key.text.as_str() {
            "job" => {}
            "action" => out.action = default(),
            "connection" => out.connection = default(),
            "queue" => out.queue = timeout(&value, findings).0,
            "actions" => out.actions = named(&value, &names, out.job, findings),
            "connections" => out.connections = named(&value, &names, out.job, findings),
            other => {
                let finding = value
                    .error_at_name("schema.unknown-key", format!("unknown key `{other}`{}", did_you_mean(other, &KEYS)))
                    .help(format!("known here: {}; limits of single actions go below `actions`", KEYS.join(", ")));
                findings.push(finding);
            }
        }
    }
    if at.get("job").is_none() {
        let finding = at.error_at_name("schema.missing", "`timeouts.job` is required");
        findings.push(
            crate::Diagnostic { path: at.path_of("job"), ..finding }.help("add for example `job: {minutes: 30}`"),
        );
    }
    out
}

fn exceeding(at: &At<'_>, limit: Duration, job: Option<Duration>, findings: &mut Findings) {
    if let Some(job) = job.filter(|job| limit > *job) {
        let message = format!("{} s > job {} s", limit.as_secs(), job.as_secs());
        let finding = at.warning("timeout.exceeds-job", message);
        findings.push(finding.help("the job ends first: shorten it, or lengthen `timeouts.job`"));
    }
}
