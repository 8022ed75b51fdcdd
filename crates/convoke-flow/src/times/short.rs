//! Waits whose limit is shorter than what has to happen before them.

use std::sync::Arc;
use std::time::Duration;

use convoke_group::CallKind;
use convoke_job::Diagnostic;

use super::earliest::{Earliest, earliest};
use super::{Allowed, times};
use crate::model::{Block, Flow, Sleep, Step};
use crate::played::{Met, Played, PlayedCall};
use crate::walk;
use crate::words::{Labels, and, block_of, place, verb, what, who};

/// Waits that are too short, at most one of a member: for certain (`timeout.too-late`), or when others take the time that
/// they are allowed (`timeout.wait`).
///
/// A wait counts from when its member comes to it, at the latest: blocks that both have to go through cancel out. Blocks
/// seldom all take their limits, so a wait that covers three quarters of the sum is let pass; and one that is limited by
/// its block alone has no limit of its own to raise. Nor is anything said of one whose status the script looks at: that it
/// may not come in time has been thought of.
pub fn too_short(flow: &Flow, played: &Played<'_>) -> Vec<Diagnostic> {
    let times = times(flow, played);
    let late = Late::of(flow, played);
    let mut found = Vec::new();
    let mut told: Vec<usize> = Vec::new();
    for (index, call) in played.calls.iter().enumerate() {
        if call.call.kind == CallKind::Send || told.contains(&call.member) {
            continue;
        }
        if let Some(finding) = late.finding(index) {
            told.push(call.member);
            found.push(finding);
            continue;
        }
        let (reached, over) = (&times.reached[index], &times.over[index]);
        let needs = over.at.saturating_sub(reached.at);
        if call.call.is_tested() || needs.saturating_mul(3) <= call.call.limit.saturating_mul(4) {
            continue;
        }
        let block = block_of(flow, call.member, call.call);
        if block.is_some_and(|block| block.limit <= call.call.limit) {
            continue;
        }
        told.push(call.member);
        found.push(allowed(flow, played, index, reached, over, block));
    }
    found
}

/// Those who do the same as this member.
fn alike(flow: &Flow, played: &Played<'_>, member: usize) -> Vec<usize> {
    (0..flow.members.len()).filter(|other| played.played_by[*other] == member).collect()
}

fn path(flow: &Flow, call: &PlayedCall<'_>, block: Option<&Block>) -> String {
    block.map_or_else(|| format!("roles.{}", flow.members[call.member].role), |block| block.path.clone())
}

/// A wait that is shorter than what others are allowed to take.
fn allowed(
    flow: &Flow,
    played: &Played<'_>,
    index: usize,
    reached: &Allowed,
    over: &Allowed,
    block: Option<&Block>,
) -> Diagnostic {
    let call = &played.calls[index];
    let members = alike(flow, played, call.member);
    let waiter = who(flow, &members);
    let message = format!(
        "{waiter} {} {} in `{}`, but {} before",
        verb(flow, &members, "waits", "wait"),
        words(call.call.limit),
        what(call.call),
        sum(flow, played, over)
    );
    let own =
        if reached.terms.is_empty() { String::new() } else { format!("; until there {}", sum(flow, played, reached)) };
    let needed = over.at.saturating_sub(reached.at);
    let mut labels = Labels::default();
    labels.add(flow, &call.call.place, format!("waits at most {}", words(call.call.limit)));
    labels.warning("timeout.wait", path(flow, call, block), message).help(format!(
        "allow the wait ({}) {} or more{own}",
        place(flow, &call.call.place),
        words(needed)
    ))
}

/// `server may take deploy 12 min + boot 5 min = 17 min`; of several members who takes what.
fn sum(flow: &Flow, played: &Played<'_>, allowed: &Allowed) -> String {
    let mut shares: Vec<(usize, Vec<String>)> = Vec::new();
    for term in allowed.terms.iter() {
        let words = format!("{} {}", term.kind, words(term.limit));
        match shares.last_mut().filter(|(member, _)| *member == term.member) {
            Some((_, share)) => share.push(words),
            None => shares.push((term.member, vec![words])),
        }
    }
    let total = if allowed.terms.len() > 1 { format!(" = {}", words(allowed.at)) } else { String::new() };
    let share = |(member, share): &(usize, Vec<String>)| {
        format!("{} may take {}", who(flow, &alike(flow, played, *member)), share.join(" + "))
    };
    let shares: Vec<String> = shares.iter().map(share).collect();
    format!("{}{total}", shares.join(", then "))
}

/// Waits that are over before what they wait for can come.
///
/// That is certain only of a wait which its member comes to at a known moment: a sync, and after it nothing but sleeps and
/// sends. What the others sleep after that sync is too much then.
struct Late<'a, 'p> {
    flow: &'a Flow,
    played: &'p Played<'a>,
    earliest: Earliest<'a>,
    /// The call before, of the same member; none of those which do things side by side.
    before: Vec<Option<usize>>,
}

impl<'a, 'p> Late<'a, 'p> {
    fn of(flow: &'a Flow, played: &'p Played<'a>) -> Self {
        let beside = |step: &Step| matches!(step, Step::Beside(_));
        let alone: Vec<bool> = flow.members.iter().map(|member| !walk::any(&member.steps, &beside)).collect();
        let mut last: Vec<Option<usize>> = vec![None; flow.members.len()];
        let before = played.calls.iter().enumerate().map(|(index, call)| last[call.member].replace(index));
        let before: Vec<Option<usize>> = before.collect();
        let before = before.into_iter().zip(&played.calls).map(|(before, call)| before.filter(|_| alone[call.member]));
        Self { flow, played, earliest: earliest(flow, played), before: before.collect() }
    }

    /// The sync after which its member comes to a call, and how long after.
    fn start(&self, mut index: usize) -> Option<(usize, Duration)> {
        let mut own = Duration::ZERO;
        loop {
            let call = &self.played.calls[index];
            if !call.call.after.is_exact || !call.only_if.is_empty() {
                return None;
            }
            own = own.saturating_add(call.call.after.time());
            index = self.before[index]?;
            let before = &self.played.calls[index];
            match before.call.kind {
                CallKind::Send => {}
                CallKind::Sync if matches!(before.met, Met::Satisfied(_)) && before.only_if.is_empty() => {
                    return Some((index, own));
                }
                _ => return None,
            }
        }
    }

    /// Who sleeps after that sync, one after the other, before a call can be over.
    fn sleeps(&self, index: usize, start: usize) -> Option<Vec<(usize, &'a Sleep)>> {
        let same = |one: usize, other: usize| match (&self.played.calls[one].met, &self.played.calls[other].met) {
            (Met::Satisfied(one), Met::Satisfied(other)) => Arc::ptr_eq(one, other),
            _ => false,
        };
        let mut sleeps = Vec::new();
        for stretch in self.earliest.path(self.earliest.path[index]) {
            match stretch.pause {
                Some(pause) => {
                    let member = self.played.calls[stretch.call].member;
                    sleeps.extend(pause.sleeps.iter().rev().map(|sleep| (member, sleep)));
                }
                None if same(stretch.call, start) => {
                    sleeps.reverse();
                    return Some(sleeps);
                }
                None => {}
            }
        }
        None
    }

    fn finding(&self, index: usize) -> Option<Diagnostic> {
        let (start, own) = self.start(index)?;
        let sleeps = self.sleeps(index, start)?;
        let needs = sleeps.iter().fold(Duration::ZERO, |time, (_, sleep)| time.saturating_add(sleep.time));
        let call = &self.played.calls[index];
        if needs <= own.saturating_add(call.call.limit) {
            return None;
        }
        let (flow, played) = (self.flow, self.played);
        let members = alike(flow, played, call.member);
        let waiter = who(flow, &members);
        let mut shares: Vec<(usize, Vec<String>)> = Vec::new();
        for (member, sleep) in &sleeps {
            match shares.last_mut().filter(|(other, _)| other == member) {
                Some((_, share)) => share.push(words(sleep.time)),
                None => shares.push((*member, vec![words(sleep.time)])),
            }
        }
        let share = |(member, share): &(usize, Vec<String>)| {
            format!("{} sleeps {}", who(flow, &alike(flow, played, *member)), share.join(" + "))
        };
        let total = if sleeps.len() > 1 { format!(" = {}", words(needs)) } else { String::new() };
        let message = format!(
            "{waiter} {} {} in `{}`, and that is over too soon: after `{}` {}{total} first",
            verb(flow, &members, "waits", "wait"),
            words(call.call.limit),
            what(call.call),
            what(played.calls[start].call),
            shares.iter().map(share).collect::<Vec<_>>().join(", then "),
        );
        let mut labels = Labels::default();
        labels.add(flow, &call.call.place, format!("waits at most {}", words(call.call.limit)));
        for (member, sleep) in &sleeps {
            labels.add(
                flow,
                &sleep.place,
                format!("{} sleeps {}", who(flow, &alike(flow, played, *member)), words(sleep.time)),
            );
        }
        let block = block_of(flow, call.member, call.call);
        let at: Vec<String> = sleeps.iter().map(|(_, sleep)| place(flow, &sleep.place)).collect();
        Some(labels.warning("timeout.too-late", path(flow, call, block), message).help(format!(
            "allow the wait ({}) more than {}, or sleep less ({})",
            place(flow, &call.call.place),
            words(needs.saturating_sub(own)),
            and(&at)
        )))
    }
}

/// `15 min`, `90 s`, `1 h 5 min`.
fn words(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let parts = [(hours, "h"), (minutes, "min"), (rest, "s")];
    let parts: Vec<String> =
        parts.iter().filter(|(number, _)| *number > 0).map(|(number, unit)| format!("{number} {unit}")).collect();
    match parts.as_slice() {
        [] if time.is_zero() => "no time".to_owned(),
        [] => format!("{} ms", time.as_millis()),
        parts => parts.join(" "),
    }
}
