//! The end of a run: verdict, first failure apart from its consequences, results, failing cases, where the files are.

use std::fmt::Write as _;

use convoke_journal::model::{CaseResult, Counts, Member};
use convoke_journal::{ErrorClass, Failure, Health, ResultRecord, RunModel};

use super::Paint;
use super::plain::details;
use super::style::{clock, duration, named, pad, safe};

/// Failing cases listed before the rest is only counted.
const LISTED: usize = 40;

/// The summary of a run whose files are in `dir`.
pub(crate) fn text(model: &RunModel, dir: &str, paint: Paint) -> String {
    let mut out = String::from("\n");
    let verdict = match model.health() {
        Some(Health::Complete) if model.exit_status() == 0 => paint.good("Complete"),
        Some(Health::Complete) => paint.bad("Complete, with failing test cases"),
        Some(health) => paint.bad(health.as_str()),
        None => paint.bad("cut off, no verdict"),
    };
    let kind = if model.rehearsal { "rehearsal of " } else { "" };
    let took = duration(model.elapsed_ns);
    let _ = writeln!(out, "{kind}{}: {verdict} after {took}", paint.bold(&safe(&model.job_name)));
    failures(model, paint, &mut out);
    table(model, paint, &mut out);
    failing(model, paint, &mut out);
    let _ = writeln!(out, "\nfiles: {}", safe(dir));
    out
}

fn failures(model: &RunModel, paint: Paint, out: &mut String) {
    if let Some(why) = &model.canceling {
        let _ = writeln!(out, "  cancelled      {}", safe(why));
    }
    let Some(mut first) = model.first_failure() else { return };
    // Being cancelled is no failure of a member's own.
    let canceled = model.canceling.is_some() && first.failure.class == ErrorClass::Canceled;
    first.others.retain(|(_, failure)| !canceled || failure.class != ErrorClass::Canceled);
    let at = first.at_ns.map(|at| format!(" at {}", clock(at))).unwrap_or_default();
    let device = model.member(first.member).and_then(|member| member.device.as_deref());
    let device = device.map(|device| format!(" ({device})")).unwrap_or_default();
    let label = paint.member(first.member, &model.label(first.member));
    if !canceled {
        let _ =
            writeln!(out, "  {}  {label}{device}{at}: {}", paint.bad("first failure"), failure(model, &first.failure));
    }
    let mut list = |title: &str, failures: &[(u32, Failure)]| {
        for (index, (member, what)) in failures.iter().enumerate() {
            let title = if index == 0 { title } else { "" };
            let label = paint.member(*member, &model.label(*member));
            let _ = writeln!(out, "  {title:13}  {label}: {}", failure(model, what));
        }
    };
    list("because of it", &first.consequences);
    list("also failed", &first.others);
}

fn failure(model: &RunModel, failure: &Failure) -> String {
    format!("{} ({})", safe(&named(model, &failure.message)), failure.class.as_str())
}

/// A row: member, device and verdict, which stand in the member's first row only; suite and its results.
struct Row<'a> {
    member: &'a Member,
    first: bool,
    suite: String,
    counts: Counts,
}

fn table(model: &RunModel, paint: Paint, out: &mut String) {
    let mut rows: Vec<Row> = Vec::new();
    for member in &model.members {
        let suites = member.suites().into_iter().filter(|(name, _)| *name != "lava");
        let before = rows.len();
        for (name, cases) in suites {
            let cut = member.results.iter().any(|result| result.record.case == name && result.fails());
            let suite = if cut { format!("{} (cut off)", safe(name)) } else { safe(name).into_owned() };
            rows.push(Row { member, first: rows.len() == before, suite, counts: Counts::of(cases) });
        }
        if rows.len() == before {
            rows.push(Row { member, first: true, suite: "no test results".into(), counts: Counts::default() });
        }
    }
    let width = |title: &str, text: &dyn for<'a> Fn(&'a Row<'a>) -> &'a str| {
        let longest = rows.iter().map(|row| console::measure_text_width(text(row))).max();
        longest.unwrap_or(0).max(title.len())
    };
    let labels = width("member", &|row| &row.member.label);
    let devices = width("device", &|row| device(row.member));
    let verdicts = width("verdict", &|row| verdict(row.member));
    let suites = width("suite", &|row| &row.suite);
    let header = format!(
        "{}  {}  {}  {}  pass  fail  skip  unknown",
        pad("member", labels),
        pad("device", devices),
        pad("verdict", verdicts),
        pad("suite", suites)
    );
    let _ = writeln!(out, "\n  {}", paint.dim(&header));
    for Row { member, first, suite, counts } in &rows {
        let once = |text: &str, width: usize| pad(if *first { text } else { "" }, width);
        let number =
            |number: usize, width: usize| if number == 0 { pad("", width) } else { format!("{number:>width$}") };
        let verdict = once(verdict(member), verdicts);
        let verdict = if member.health == Some(Health::Complete) { verdict } else { paint.bad(&verdict) };
        let fail = number(counts.fail, 4);
        let fail = if counts.fail > 0 { paint.bad(&fail) } else { fail };
        let line = format!(
            "  {}  {}  {verdict}  {}  {}  {fail}  {}  {}",
            paint.member(member.info.sub_id, &once(&member.label, labels)),
            once(device(member), devices),
            pad(suite, suites),
            number(counts.pass, 4),
            number(counts.skip, 4),
            number(counts.unknown, 7),
        );
        let _ = writeln!(out, "{}", line.trim_end());
    }
}

fn device(member: &Member) -> &str {
    member.device.as_deref().unwrap_or("none")
}

fn verdict(member: &Member) -> &str {
    if member.info.played { "played" } else { member.health.map_or("none", Health::as_str) }
}

/// Failing cases, the waits that could not be satisfied apart from them. A suite that failed is told by its cases where
/// it has some; what the cancelling itself made fail is only counted.
fn failing(model: &RunModel, paint: Paint, out: &mut String) {
    let canceled = |result: &CaseResult| model.canceled_at.is_some_and(|at| result.at >= at);
    let (mut cases, mut waits, mut after) = (Vec::new(), Vec::new(), 0);
    for member in &model.members {
        let told = |suite: &str| {
            member.results.iter().any(|result| result.record.definition == suite && result.fails() && !canceled(result))
        };
        for result in member.results.iter().filter(|result| result.fails()) {
            let suite = result.record.definition == "lava";
            if suite && told(&result.record.case) {
            } else if canceled(result) {
                after += usize::from(!suite);
            } else if result.record.extra.contains_key("missing") {
                waits.push((member, result));
            } else {
                cases.push((member, result));
            }
        }
    }
    let mut list = |title: &str, failing: &[(&Member, &CaseResult)]| {
        if !failing.is_empty() {
            let _ = writeln!(out, "\n  {}", paint.bad(title));
        }
        let labels = failing.iter().map(|(member, _)| console::measure_text_width(&member.label)).max().unwrap_or(0);
        for (member, result) in failing.iter().take(LISTED) {
            let record = &result.record;
            let label = paint.member(member.info.sub_id, &pad(&member.label, labels));
            let line = result.starttc.map(|line| format!("  (log.yaml line {line})")).unwrap_or_default();
            let what = match record.definition.as_str() {
                "lava" => format!("{}  (the suite itself)", safe(&record.case)),
                suite => format!("{}  {}{}", safe(suite), safe(&record.case), details(record)),
            };
            let _ = writeln!(out, "  {label}  {what}{}{line}", missing(model, record));
            for fact in record.extra.get("facts").and_then(|facts| facts.as_array()).into_iter().flatten() {
                let fact = named(model, fact.as_str().unwrap_or_default()).into_owned();
                let _ = writeln!(out, "  {}    {}", " ".repeat(labels), paint.dim(&safe(&fact)));
            }
        }
        if failing.len() > LISTED {
            let _ = writeln!(out, "  and {} more", failing.len() - LISTED);
        }
    };
    list("failing cases", &cases);
    list("waits that could not be satisfied", &waits);
    if after > 0 {
        let cases = if after == 1 { "1 case".into() } else { format!("{after} cases") };
        let _ = writeln!(out, "\n  {}", paint.dim(&format!("{cases} failed because the group was cancelled")));
    }
}

/// Why a wait could not be satisfied.
fn missing(model: &RunModel, record: &ResultRecord) -> String {
    let Some(missing) = record.extra.get("missing").and_then(|missing| missing.as_array()) else {
        return String::new();
    };
    let reasons: Vec<_> =
        missing.iter().map(|reason| reason.as_str().map_or_else(|| reason.to_string(), Into::into)).collect();
    format!(": {}", safe(&named(model, &reasons.join("; "))))
}
