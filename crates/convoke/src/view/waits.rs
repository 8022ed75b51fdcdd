//! What is waited for, as lines of the live view: for each ID who has arrived, and where each missing member is.
//!
//! Pure, as the frame around it.

use convoke_journal::model::{Member, Position, Wait, ago};
use convoke_journal::{RunModel, Stage};

use super::Paint;
use super::style::{cut, pad, safe};

/// A wait that is over sooner is not shown: the block would jump.
const SHORT_NS: u64 = 1_000_000_000;
/// Missing members of one wait that are shown before the rest is only named.
const MISSING: usize = 6;
/// Members of a role that are named one by one.
const FEW: usize = 4;
/// Columns below which a member's place is left to its own line.
const NARROW: usize = 64;

/// Lines, who is missing in any wait, and who waits in one that is shown.
#[derive(Default)]
pub(super) struct Waits {
    pub(super) lines: Vec<String>,
    pub(super) missing: Vec<u32>,
    pub(super) waiting: Vec<u32>,
}

/// At most `room` lines, none wider than `width`.
pub(super) fn lines(model: &RunModel, room: usize, width: usize, now_ns: u64, paint: Paint) -> Waits {
    let time = model.waiting_time(now_ns);
    let shown = |wait: &Wait| model.stopped.is_some() || wait.lasted_ns(time) >= SHORT_NS;
    let waits: Vec<Wait> = model.waits().into_iter().filter(shown).collect();
    let missing = waits.iter().flat_map(|wait| wait.missing.clone()).collect();
    let mut out = Waits { missing, ..Waits::default() };
    // First a line for each wait, then the missing members share what is left.
    let mut left = room.saturating_sub(waits.len());
    for (index, wait) in waits.iter().enumerate() {
        if out.lines.len() + 1 >= room && index + 1 < waits.len() {
            let rest: Vec<_> = waits[index..].iter().map(|wait| wait.command.as_str()).collect();
            let rest = format!("and {} more waits: {}", rest.len(), rest.join(", "));
            out.lines.push(cut(&paint.dim(&safe(&rest)), width));
            break;
        }
        let head = if width < NARROW { short(wait, time, paint) } else { head(model, wait, time, paint) };
        out.lines.push(cut(&head, width));
        out.waiting.extend(&wait.waiting);
        let mut missing: Vec<&Member> = wait.missing.iter().filter_map(|id| model.member(*id)).collect();
        let count = missing.len().min(MISSING).min(left);
        left -= count;
        let hidden = missing.split_off(count);
        let labels = missing.iter().map(|member| console::measure_text_width(&member.label)).max().unwrap_or(0).min(20);
        for (at, member) in missing.iter().enumerate() {
            let more = if at + 1 == count { hidden.len() } else { 0 };
            out.lines.push(cut(&line(member, labels, more, width, now_ns, paint), width));
        }
    }
    out
}

/// `lava-sync end  12 s of 60 s  2 of 3 arrived: server, client.1`
fn head(model: &RunModel, wait: &Wait, time: u64, paint: Paint) -> String {
    let labels = |members: &[u32]| labels(model, members);
    let mut text = format!("{}  {}  {}", paint.odd(&safe(&wait.command)), wait.lasted(time), paint.bold(&wait.count()));
    match wait.call.as_str() {
        "wait" => {
            let verb = if wait.waiting.len() == 1 { "waits" } else { "wait" };
            text.push_str(&format!("; {} {verb}", labels(&wait.waiting)));
        }
        _ if !wait.arrived.is_empty() => text.push_str(&format!(": {}", labels(&wait.arrived))),
        _ => {}
    }
    text
}

/// Names of members in their order; of a role whose members are all there, its name.
fn labels(model: &RunModel, members: &[u32]) -> String {
    let mut names: Vec<String> = Vec::new();
    for member in model.members.iter().filter(|member| members.contains(&member.info.sub_id)) {
        let of_role = || model.members.iter().filter(|other| other.info.role == member.info.role);
        let all = of_role().all(|other| members.contains(&other.info.sub_id));
        let name = match of_role().count() {
            count @ FEW.. if all => format!("{} (all {count})", member.info.role),
            _ => member.label.clone(),
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.join(", ")
}

/// `sync end  2 of 3  12 s`, where there is no room for more.
fn short(wait: &Wait, time: u64, paint: Paint) -> String {
    let command = wait.command.strip_prefix("lava-").unwrap_or(&wait.command);
    let arrived = wait.arrived.len();
    let count =
        if wait.call == "wait" { String::new() } else { format!("{arrived} of {}  ", arrived + wait.missing.len()) };
    format!("{}  {}{}", paint.odd(&safe(command)), paint.bold(&count), ago(wait.lasted_ns(time)))
}

/// `  server  0_serve: after bind pass  9 s ago: Serving HTTP on 0.0.0.0`
fn line(member: &Member, labels: usize, more: usize, width: usize, now_ns: u64, paint: Paint) -> String {
    let position = member.position();
    let label = paint.member(member.info.sub_id, &pad(&cut(&member.label, labels), labels));
    let console = match (&position.line, position.health) {
        (_, Some(_)) => String::new(),
        (Some((text, at)), None) => {
            let age = format!("{} ago:", ago(now_ns.saturating_sub(*at)));
            format!("{} {}", paint.dim(&age), safe(text))
        }
        (None, None) => paint.dim("nothing on its console yet"),
    };
    let more = if more == 0 { String::new() } else { paint.dim(&format!("  (and {more} more missing)")) };
    if width < NARROW {
        return format!("  {label}  {console}{more}");
    }
    let place = place(member, &position);
    let room = (width / 3).min(48);
    let place = if console::measure_text_width(&place) > room { cut(&place, room) } else { place };
    // What is said last must not be lost to a long line of the console.
    let used = 2 + labels + 2 + console::measure_text_width(&place) + 2 + console::measure_text_width(&more);
    format!("  {label}  {place}  {}{more}", cut(&console, width.saturating_sub(used)))
}

/// `0_serve: after bind pass`, `boot: auto-login-action`.
fn place(member: &Member, position: &Position) -> String {
    if position.health.is_some() {
        return position.doing();
    }
    let testing = matches!(member.stage, Some(Stage::Test(_)));
    let Some(suite) = position.suite.as_ref().filter(|_| testing) else {
        let stage = position.stage.clone().unwrap_or_else(|| "not begun".into());
        return match &position.action {
            Some(action) => format!("{stage}: {action}"),
            None => stage,
        };
    };
    let what = match (&position.waits, &position.case, &position.last_result) {
        (Some(call), _, _) => format!(": in {call}"),
        (None, Some(case), _) => format!(": in {case}"),
        (None, None, Some((case, result))) => format!(": after {case} {}", result.as_str()),
        (None, None, None) => String::new(),
    };
    safe(&format!("{suite}{what}")).into_owned()
}
