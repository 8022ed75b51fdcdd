//! The end of a run: verdict, first failure apart from its consequences, results, failing cases, where the files are.

use std::fmt::Write as _;

use convoke_journal::model::{CaseResult, Counts, Member};
use convoke_journal::{Failure, Health, RunModel};

use super::Paint;
use super::plain::details;
use super::style::{clock, duration, pad, safe};

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
    let Some(first) = model.first_failure() else { return };
    let at = first.at_ns.map(|at| format!(" at {}", clock(at))).unwrap_or_default();
    let device = model.member(first.member).and_then(|member| member.device.as_deref());
    let device = device.map(|device| format!(" ({device})")).unwrap_or_default();
    let label = paint.member(first.member, &model.label(first.member));
    let _ = writeln!(out, "  {}  {label}{device}{at}: {}", paint.bad("first failure"), failure(&first.failure));
    let mut list = |title: &str, failures: &[(u32, Failure)]| {
        for (index, (member, what)) in failures.iter().enumerate() {
            let title = if index == 0 { title } else { "" };
            let label = paint.member(*member, &model.label(*member));
            let _ = writeln!(out, "  {title:13}  {label}: {}", failure(what));
        }
    };
    list("because of it", &first.consequences);
    list("also failed", &first.others);
}

fn failure(failure: &Failure) -> String {
    format!("{} ({})", safe(&failure.message), failure.class.as_str())
}

fn table(model: &RunModel, paint: Paint, out: &mut String) {
    let mut rows: Vec<(&Member, String, Counts)> = Vec::new();
    for member in &model.members {
        let suites = member.suites().into_iter().filter(|(name, _)| *name != "lava");
        let before = rows.len();
        rows.extend(suites.map(|(name, cases)| {
            let cut = member.results.iter().any(|result| result.record.case == name && result.fails());
            let name = if cut { format!("{} (cut off)", safe(name)) } else { safe(name).into_owned() };
            (member, name, Counts::of(cases))
        }));
        if rows.len() == before {
            rows.push((member, "no test results".into(), Counts::default()));
        }
    }
    let width = |text: &dyn Fn(&(&Member, String, Counts)) -> usize| rows.iter().map(text).max().unwrap_or(0);
    let labels = width(&|row| console::measure_text_width(&row.0.label)).max(6);
    let suites = width(&|row| console::measure_text_width(&row.1)).max(5);
    let header = format!("{}  {}  pass  fail  skip  unknown", pad("member", labels), pad("suite", suites));
    let _ = writeln!(out, "\n  {}", paint.dim(&header));
    let mut last = None;
    for (member, suite, counts) in &rows {
        let id = member.info.sub_id;
        let label = if last == Some(id) { String::new() } else { member.label.clone() };
        last = Some(id);
        let number =
            |number: usize, width: usize| if number == 0 { pad("", width) } else { format!("{number:>width$}") };
        let fail = number(counts.fail, 4);
        let fail = if counts.fail > 0 { paint.bad(&fail) } else { fail };
        let line = format!(
            "  {}  {}  {}  {fail}  {}  {}",
            paint.member(id, &pad(&label, labels)),
            pad(suite, suites),
            number(counts.pass, 4),
            number(counts.skip, 4),
            number(counts.unknown, 7),
        );
        let _ = writeln!(out, "{}", line.trim_end());
    }
}

fn failing(model: &RunModel, paint: Paint, out: &mut String) {
    let all = model.members.iter().flat_map(|member| member.results.iter().map(move |result| (member, result)));
    let failing: Vec<(&Member, &CaseResult)> = all.filter(|(_, result)| result.fails()).collect();
    if failing.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n  {}", paint.bad("failing cases"));
    for (member, result) in failing.iter().take(LISTED) {
        let record = &result.record;
        let line = result.starttc.map(|line| format!("  (log.yaml line {line})")).unwrap_or_default();
        let label = paint.member(member.info.sub_id, &member.label);
        let _ =
            writeln!(out, "  {label}  {}  {}{}{line}", safe(&record.definition), safe(&record.case), details(record));
    }
    if failing.len() > LISTED {
        let _ = writeln!(out, "  and {} more", failing.len() - LISTED);
    }
}
