//! A flow as text: what each member calls, and where.

use std::fmt::Write as _;

use convoke_flow::{Call, Flow, Origin, Pause, Place, Sleep, Step, Unknown, Why};
use convoke_group::CallKind;

/// One paragraph for each programme, headed by the members that run it.
pub(crate) fn flow(flow: &Flow) -> String {
    let mut out = String::new();
    let mut at = 0;
    while let Some(member) = flow.members.get(at) {
        let same = flow.members[at..].iter().take_while(|other| std::sync::Arc::ptr_eq(&other.steps, &member.steps));
        let last = at + same.count() - 1;
        let numbers = if last > at { format!("{at}–{last}") } else { at.to_string() };
        let host = member.host.map(|host| format!(", guest of {host}")).unwrap_or_default();
        let which = if last > at { String::new() } else { format!(" {} of", member.number) };
        writeln!(out, "{numbers} {}{which} {}{host}", member.role, member.of).unwrap();
        steps(flow, &member.steps, 1, &mut out);
        at = last + 1;
    }
    out
}

/// Steps, one a line.
pub(crate) fn steps(flow: &Flow, list: &[Step], level: usize, out: &mut String) {
    for step in list {
        let pad = "  ".repeat(level);
        match step {
            Step::Block(block) => {
                writeln!(out, "{pad}{} ({} s)", block.path, block.limit.as_secs()).unwrap();
                steps(flow, &block.body, level + 1, out);
            }
            Step::Definition(definition) => {
                writeln!(out, "{pad}{}", definition.name).unwrap();
                steps(flow, &definition.body, level + 1, out);
                if !definition.rest.sleeps.is_empty() {
                    writeln!(out, "{pad}  ends{}", pause(flow, &definition.rest)).unwrap();
                }
            }
            Step::Call(call) => {
                let after = pause(flow, &call.after);
                writeln!(out, "{pad}{} @{}{after}", self::call(call), place(flow, &call.place)).unwrap();
            }
            Step::Choice(choice) => {
                writeln!(out, "{pad}one of, {}", unknown(flow, &choice.unknown)).unwrap();
                for way in &choice.ways {
                    writeln!(out, "{pad}-").unwrap();
                    steps(flow, way, level + 1, out);
                }
            }
            Step::Repeat(repeat) => {
                writeln!(out, "{pad}{} times or more, {}", repeat.least, unknown(flow, &repeat.unknown)).unwrap();
                steps(flow, &repeat.body, level + 1, out);
            }
            Step::Beside(body) => {
                writeln!(out, "{pad}beside").unwrap();
                steps(flow, body, level + 1, out);
            }
            Step::Join => writeln!(out, "{pad}joins").unwrap(),
            Step::Read(read) => {
                let key = read.key.as_deref().unwrap_or("?");
                writeln!(out, "{pad}reads {key} @{}", place(flow, &read.place)).unwrap();
            }
            Step::Stop(at) => writeln!(out, "{pad}stop @{}", place(flow, at)).unwrap(),
            Step::Opaque(why) => writeln!(out, "{pad}anything, {}", unknown(flow, why)).unwrap(),
        }
    }
}

/// What is slept, and where.
fn pause(flow: &Flow, pause: &Pause) -> String {
    let sleep = |sleep: &Sleep| format!("{} s @{}", sleep.time.as_secs_f64(), place(flow, &sleep.place));
    let sleeps: Vec<String> = pause.sleeps.iter().map(sleep).collect();
    match sleeps.as_slice() {
        [] => String::new(),
        sleeps => format!(", {} {}", if pause.is_exact { "exactly after" } else { "after" }, sleeps.join(", ")),
    }
}

/// A call as one would type it.
pub(crate) fn call(call: &Call) -> String {
    let name = match call.kind {
        CallKind::Send => "send",
        CallKind::Wait => "wait",
        CallKind::WaitAll => "wait-all",
        CallKind::Sync => "sync",
        CallKind::Assemble => "assemble",
    };
    let mut out = format!("{name} {}", text(&call.id));
    if let Some(role) = &call.role {
        write!(out, " of {}", text(role)).unwrap();
    }
    for (key, value) in &call.data {
        write!(out, " {}={}", text(key), text(value)).unwrap();
    }
    write!(out, " ({} s", call.limit.as_secs()).unwrap();
    match &call.origin {
        Origin::Helper { wrapped: None, .. } => {}
        Origin::Helper { wrapped: Some(_), .. } => out.push_str(", in a test case"),
        Origin::Request { action, wanted } => write!(out, ", {action}, wants {wanted:?}").unwrap(),
        Origin::DelayedStart => out.push_str(", delayed start"),
        Origin::Interactive => out.push_str(", interactive"),
    }
    out.push(')');
    out
}

fn text(text: &convoke_flow::Text) -> String {
    match text {
        convoke_flow::Text::Known(text) => text.to_string(),
        convoke_flow::Text::Unknown { shown, unknown } => format!("⟨{shown}: {}⟩", why(&unknown.why)),
    }
}

fn unknown(flow: &Flow, unknown: &Unknown) -> String {
    format!("{} @{}", why(&unknown.why), place(flow, &unknown.place))
}

fn why(why: &Why) -> String {
    match why {
        Why::Command(what) => format!("by what {what} does"),
        Why::Outcome { call, failed: false } => format!("by the success of {call}"),
        Why::Outcome { call, failed: true } => format!("by the failure of {call}"),
        Why::Variable(what) => format!("by variable {what}"),
        Why::Received(what) => format!("by what {what} brings"),
        Why::Assignment(what) => format!("by assignment: {what}"),
        Why::Elsewhere(what) => format!("elsewhere: {what}"),
        Why::Unreadable(what) => format!("unreadable: {what}"),
        Why::TooMuch(what) => format!("too much: {what}"),
    }
}

/// Line, column and text of a place.
fn place(flow: &Flow, place: &Place) -> String {
    let source = &flow.texts[place.text];
    let position = source.position(place.span.start);
    let text = source.text().get(place.span.start..place.span.end).unwrap_or("?!");
    let text = text.lines().next().unwrap_or_default();
    let file = if place.text == 0 { String::new() } else { format!("{}:", source.name()) };
    let from = place.from.as_ref().map(|from| format!(" from {}", self::place(flow, from))).unwrap_or_default();
    format!("{file}{}:{} {text}{from}", position.line, position.column)
}
