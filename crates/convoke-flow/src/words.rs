//! The words of findings: who, which call, where, and what is unknown.

use std::collections::BTreeMap;

use convoke_group::CallKind;
use convoke_job::{Diagnostic, Span};

use crate::model::{Block, Call, Flow, Place, Step, Text, Unknown, Why};
use crate::walk;

/// Names listed before the rest is only counted.
const NAMED: usize = 6;

/// Members as roles, or as numbers of a role when it is not all of it: `server`, `client 2 and 3`.
pub(crate) fn who(flow: &Flow, members: &[usize]) -> String {
    let mut roles: Vec<(&str, Vec<u32>, u32)> = Vec::new();
    for member in members.iter().filter_map(|member| flow.members.get(*member)) {
        match roles.iter_mut().find(|(role, ..)| *role == member.role.as_str()) {
            Some((_, numbers, _)) => numbers.push(member.number),
            None => roles.push((member.role.as_str(), vec![member.number], member.of)),
        }
    }
    let words = |(role, mut numbers, of): (&str, Vec<u32>, u32)| {
        numbers.sort_unstable();
        numbers.dedup();
        if numbers.len() == of as usize {
            return role.to_owned();
        }
        let numbers: Vec<String> = numbers.iter().map(u32::to_string).collect();
        format!("{role} {}", and(&numbers))
    };
    and(&roles.into_iter().map(words).collect::<Vec<_>>())
}

/// The verb for members that are named by [`who`]: a role is one.
pub(crate) fn verb<'w>(flow: &Flow, members: &[usize], one: &'w str, many: &'w str) -> &'w str {
    let mut roles = members.iter().filter_map(|member| flow.members.get(*member)).map(|member| &member.role);
    let first = roles.next();
    if roles.all(|role| Some(role) == first) { one } else { many }
}

/// `a`, `a and b`, `a, b and c`, `a, b and 7 more`.
pub(crate) fn and(items: &[String]) -> String {
    match items {
        [] => "nobody".to_owned(),
        [one] => one.clone(),
        [items @ .., last] if items.len() < NAMED => format!("{} and {last}", items.join(", ")),
        items => format!("{} and {} more", items[..NAMED].join(", "), items.len() - NAMED),
    }
}

/// The call as one would type it.
pub(crate) fn what(call: &Call) -> String {
    let helper = match call.kind {
        CallKind::Send => "lava-send",
        CallKind::Wait => "lava-wait",
        CallKind::WaitAll => "lava-wait-all",
        CallKind::Sync | CallKind::Assemble => "lava-sync",
    };
    let role = call.role.as_ref().map(|role| format!(" {}", role.shown())).unwrap_or_default();
    format!("{helper} {}{role}", call.id.shown())
}

/// An ID in a sentence.
pub(crate) fn id(text: &Text) -> String {
    format!("\"{}\"", text.shown())
}

/// `line 12`, or `run-server.sh:3` for a place in a file of a repository.
pub(crate) fn place(flow: &Flow, place: &Place) -> String {
    let Some(source) = flow.texts.get(place.text) else { return String::new() };
    let line = source.position(place.span.start).line;
    if place.text == 0 { format!("line {line}") } else { format!("{}:{line}", source.name()) }
}

/// Where in the job this is, or what led to it.
pub(crate) fn in_job(place: &Place) -> Option<Span> {
    let mut place = place;
    while place.text != 0 {
        place = place.from.as_deref()?;
    }
    Some(place.span)
}

/// What is unknown, and where.
pub(crate) fn unknown(flow: &Flow, unknown: &Unknown) -> String {
    unknowns(flow, &[unknown])
}

/// What is unknown, and where: places of one reason together.
pub(crate) fn unknowns(flow: &Flow, all: &[&Unknown]) -> String {
    let mut reasons: Vec<(&Why, Vec<&Unknown>)> = Vec::new();
    for unknown in all {
        match reasons.iter_mut().find(|(why, _)| **why == unknown.why) {
            Some((_, places)) => places.push(unknown),
            None => reasons.push((&unknown.why, vec![unknown])),
        }
    }
    let words = |(why, mut places): (&Why, Vec<&Unknown>)| {
        places.sort_by_key(|unknown| (unknown.place.text, unknown.place.span));
        let mut places: Vec<String> = places.iter().map(|unknown| place(flow, &unknown.place)).collect();
        places.dedup();
        format!("{} ({})", self::why(why), and(&places))
    };
    and(&reasons.into_iter().map(words).collect::<Vec<_>>())
}

/// On what something depends.
pub(crate) fn why(why: &Why) -> String {
    match why {
        Why::Command(command) => format!("what `{command}` does on the device"),
        Why::Outcome { call, .. } => format!("whether `{call}` succeeds"),
        Why::Variable(variable) => format!("the value of ${}", variable.trim_start_matches('$')),
        Why::Received(what) => format!("data that another member sends ({what})"),
        Why::Assignment(what) => format!("which devices are given ({what})"),
        Why::Elsewhere(what) => format!("{what}, which is not at hand"),
        Why::Unreadable(what) => format!("a script that cannot be read ({what})"),
        Why::TooMuch(what) => format!("a script that is too much to follow ({what})"),
    }
}

/// The block in which a member makes a call.
pub(crate) fn block_of<'a>(flow: &'a Flow, member: usize, call: &Call) -> Option<&'a Block> {
    let steps = &flow.members.get(member)?.steps;
    let is_it = |step: &Step| matches!(step, Step::Call(other) if std::ptr::eq(other, call));
    steps.iter().find_map(|step| match step {
        Step::Block(block) if walk::any(&block.body, &is_it) => Some(block),
        _ => None,
    })
}

/// Labels of a finding, in the job: one a span, with all that is to be said of it. Places in scripts are shown at the
/// command that runs them.
#[derive(Default)]
pub(crate) struct Labels(Vec<(Span, String)>);

impl Labels {
    pub(crate) fn add(&mut self, flow: &Flow, place: &Place, text: impl Into<String>) {
        let text = text.into();
        let Some(span) = in_job(place) else { return };
        let text = if place.text == 0 { text } else { format!("{}: {text}", self::place(flow, place)) };
        match self.0.iter_mut().find(|(known, _)| *known == span) {
            Some((_, known)) if known.contains(&text) => {}
            Some((_, known)) => known.push_str(&format!("; {text}")),
            None => self.0.push((span, text)),
        }
    }

    /// A warning with these labels, the first of them primary.
    pub(crate) fn warning(self, code: &'static str, path: String, message: String) -> Diagnostic {
        let mut labels = self.0.into_iter();
        let Some((span, text)) = labels.next() else {
            let mut finding = Diagnostic::warning(code, path, Span::default(), message);
            finding.labels.clear();
            return finding;
        };
        let first = Diagnostic::warning(code, path, span, message).at(text);
        labels.fold(first, |finding, (span, text)| finding.also(span, text))
    }
}

/// Roles without repetition, in order.
pub(crate) fn roles(names: &[convoke_group::RoleName]) -> String {
    let mut seen: BTreeMap<&str, ()> = BTreeMap::new();
    let names: Vec<String> =
        names.iter().filter(|name| seen.insert(name.as_str(), ()).is_none()).map(ToString::to_string).collect();
    and(&names)
}
