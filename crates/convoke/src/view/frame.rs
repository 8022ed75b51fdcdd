//! The status block of the live view: a title, what is waited for and who is missing, and a line a member.
//!
//! Pure: model, size and time in, lines out. No line is wider than the terminal.
//!
//! ```text
//! ── two members ── 00:12 ── 3 pass, 1 fail ────────────────────────
//! lava-wait server-ready  12 s of 60 s  nobody has sent it; client.1 waits
//!   server  0_serve  after bind pass  9 s ago: Serving HTTP on 0.0.0.0
//! server    sandbox-0  test 0  0_serve: python3 -m http.server
//! client.1  sandbox-1  test 0  waits 12 s: lava-wait server-ready, for server
//! client.2  sandbox-2  Complete, 2 pass
//! ```

use convoke_journal::model::{Counts, Member};
use convoke_journal::{Health, MemberState, RunModel, Stage};

use super::Paint;
use super::style::{cut, named, pad, safe};
use super::waits;

/// Rows that are left to the log; on a low terminal half of them.
const LOG: usize = 8;
/// Columns below which devices are left out.
const NARROW: usize = 56;
/// Names of missing members before the rest is only counted.
const NAMES: usize = 4;

/// The block for a terminal of this size, `now_ns` after the start.
pub(crate) fn block(model: &RunModel, (rows, columns): (u16, u16), now_ns: u64, paint: Paint) -> Vec<String> {
    if model.members.is_empty() {
        return Vec::new();
    }
    // The last column stays free, so that no terminal wraps.
    let width = usize::from(columns).max(20) - 1;
    let rows = usize::from(rows);
    let room = rows.saturating_sub(if rows > 2 * LOG { LOG } else { LOG / 2 }).max(1);
    let waits = waits::lines(model, (room / 2).max(2), width, now_ns, paint);
    let mut shown: Vec<&Member> = model.members.iter().collect();
    let room = room.saturating_sub(waits.lines.len()).max(1);
    if shown.len() > room {
        // Of those that wait in a call that stands above, that is all there is to say.
        shown.retain(|member| {
            waits.missing.contains(&member.info.sub_id) || !waits.waiting.contains(&member.info.sub_id)
        });
    }
    if shown.len() > room {
        // Who still runs is more interesting, and most of all whom others wait for; the order stays.
        let finished = |member: &Member| member.state == MemberState::Finished;
        let key =
            |member: &&Member| (finished(member), !waits.missing.contains(&member.info.sub_id), member.info.sub_id);
        shown.sort_by_key(key);
        shown.truncate(room - 1);
        shown.sort_by_key(|member| member.info.sub_id);
    }
    let column = |text: &dyn Fn(&Member) -> String, most: usize| {
        shown.iter().map(|member| console::measure_text_width(&text(member))).max().unwrap_or(0).min(most)
    };
    let labels = column(&|member| member.label.clone(), 20);
    let devices = if width < NARROW { 0 } else { column(&device, 16) };
    let stages = column(&stage, 14);
    let mut lines = vec![title(model, now_ns, width, paint)];
    lines.extend(waits.lines);
    for member in &shown {
        let label = paint.member(member.info.sub_id, &pad(&cut(&member.label, labels), labels));
        let device = if devices == 0 { String::new() } else { pad(&cut(&device(member), devices), devices + 2) };
        let device = paint.dim(&device);
        let stage = pad(&cut(&stage(member), stages), stages);
        let stage = match member.health {
            Some(Health::Complete) => paint.good(&stage),
            Some(_) => paint.bad(&stage),
            None => stage,
        };
        let line = format!("{label}  {device}{stage}  {}", step(model, member, now_ns, paint));
        lines.push(cut(line.trim_end(), width));
    }
    if shown.len() < model.members.len() {
        lines.push(cut(&paint.dim(&rest(model, &shown)), width));
    }
    lines
}

fn title(model: &RunModel, now_ns: u64, width: usize, paint: Paint) -> String {
    let seconds = now_ns / 1_000_000_000;
    let kind = if model.rehearsal { "rehearsal, " } else { "" };
    let mut parts = vec![format!("{kind}{:02}:{:02}", seconds / 60, seconds % 60)];
    let counts = counts(model.test_counts(), paint);
    if !counts.is_empty() {
        parts.push(counts);
    }
    if let Some((id, _)) = &model.stopped {
        parts.push(paint.odd(&format!("stopped at {}", safe(id))));
    }
    if model.canceling.is_some() {
        parts.push(paint.bad("cancelling"));
    } else if !model.probably_stuck.is_empty() {
        parts.push(paint.odd("probably stuck"));
    }
    let tail = parts.join(" ── ");
    let space = width.saturating_sub(console::measure_text_width(&tail) + 9);
    let name = cut(&safe(&model.job_name), space.max(8));
    let text = format!("── {} ── {tail} ", paint.bold(&name));
    let fill = width.saturating_sub(console::measure_text_width(&text));
    cut(&format!("{text}{}", "─".repeat(fill)), width)
}

/// `3 pass, 1 fail`; zeros are left out.
pub(crate) fn counts(counts: Counts, paint: Paint) -> String {
    let mut parts = Vec::new();
    let mut part = |number: usize, word: &str, bad: Option<bool>| {
        if number > 0 {
            let text = format!("{number} {word}");
            parts.push(match bad {
                Some(true) => paint.bad(&text),
                Some(false) => paint.good(&text),
                None => paint.odd(&text),
            });
        }
    };
    part(counts.pass, "pass", Some(false));
    part(counts.fail, "fail", Some(true));
    part(counts.skip, "skip", None);
    part(counts.unknown, "unknown", None);
    parts.join(", ")
}

fn device(member: &Member) -> String {
    member.device.clone().unwrap_or_else(|| member.info.device_type.clone())
}

fn stage(member: &Member) -> String {
    match (member.health, &member.stage) {
        (Some(health), _) => health.as_str().to_owned(),
        (None, Some(stage)) => stage.describe(),
        (None, None) => "allocated".into(),
    }
}

fn step(model: &RunModel, member: &Member, now_ns: u64, paint: Paint) -> String {
    if member.health.is_some() {
        let mut parts = vec![counts(member.test_counts(), paint)];
        parts.extend(member.failure.as_ref().map(|failure| safe(&named(model, &failure.message)).into_owned()));
        parts.retain(|part| !part.is_empty());
        return parts.join(": ");
    }
    if let Some(call) = member.waits() {
        let waited = model.waiting_time(now_ns).saturating_sub(call.since_ns) / 1_000_000_000;
        let mut names: Vec<String> = call.missing.iter().take(NAMES).map(|id| model.label(*id)).collect();
        if call.missing.len() > NAMES {
            names.push(format!("{} more", call.missing.len() - NAMES));
        }
        // A wait is satisfied by the first message, every other call needs all of them.
        let any = if call.call == "wait" && names.len() > 1 { "any of " } else { "" };
        let whom = if names.is_empty() { String::new() } else { format!(", for {any}{}", names.join(", ")) };
        return paint.odd(&format!("waits {waited} s: {}{whom}", safe(&call.command())));
    }
    let testing = matches!(member.stage, Some(Stage::Test(_)));
    let Some(suite) = member.suite.as_ref().filter(|_| testing) else {
        return member.actions.last().map(|(_, name)| name.clone()).unwrap_or_default();
    };
    let mut parts = vec![safe(suite)];
    parts.extend(member.case.as_deref().map(safe));
    // Of a case that the shell runs the name stands there already.
    let command = member.step.as_deref().map(|step| match (&member.case, step.split_once(" --shell ")) {
        (Some(case), Some((before, command))) if before == format!("lava-test-case {case}") => command,
        _ => step,
    });
    parts.extend(command.map(safe));
    parts.join(": ")
}

/// `and 30 more: 12 running, 16 waiting, 2 ended`
fn rest(model: &RunModel, shown: &[&Member]) -> String {
    let hidden = model.members.iter().filter(|m| !shown.iter().any(|s| s.info.sub_id == m.info.sub_id));
    let (mut running, mut waiting, mut ended, mut failed) = (0, 0, 0, 0);
    for member in hidden {
        match member.health {
            Some(Health::Complete) => ended += 1,
            Some(_) => failed += 1,
            None if member.waits().is_some() => waiting += 1,
            None => running += 1,
        }
    }
    let kinds = [(running, "running"), (waiting, "waiting"), (ended, "complete"), (failed, "failed")];
    let kinds: Vec<_> = kinds.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
    format!("and {} more: {}", running + waiting + ended + failed, kinds.join(", "))
}
