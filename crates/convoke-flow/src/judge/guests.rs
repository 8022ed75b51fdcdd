//! A guest lives on its host's device: when the host has ended, the guest is gone.
//!
//! This is the one end that is not monotone: it takes something away. A call of a guest is safe when the host cannot
//! have ended before it is over, that is, when something of the guest that the host waits for comes after it or is it:
//! the call itself (a sync of both) or a later one. Else it is a race, and whoever wins it decides: the job may end, and
//! may not.

use std::collections::HashSet;

use convoke_group::CallKind;

use crate::judge::Judgement;
use crate::judge::program::Attempts;
use crate::judge::reason::{Cause, Reason, Verdict, Waiting};
use crate::model::{Flow, Origin, Step, Text};
use crate::played::{Met, Played, PlayedCall};
use crate::walk;

/// Adds the races of guests with their hosts; with one, it is not certain that the job can end.
pub(crate) fn judge<'a>(flow: &Flow, mut judgement: Judgement<'a>, attempts: Attempts) -> Judgement<'a> {
    if judgement.verdict == Verdict::CannotEnd {
        return judgement;
    }
    let races = races(flow, &judgement.played, judgement.verdict == Verdict::CanEnd, attempts);
    if !races.is_empty() {
        judgement.verdict = Verdict::Unknown;
        judgement.reasons.extend(races);
    }
    judgement
}

/// `proved` otherwise, every call counts that may be made; else only what is certain is worth a word.
fn races<'a>(flow: &Flow, played: &Played<'a>, proved: bool, attempts: Attempts) -> Vec<Reason<'a>> {
    let mut races = Vec::new();
    for (guest, member) in flow.members.iter().enumerate().filter(|(guest, _)| played.played_by[*guest] == *guest) {
        let Some(host) = member.host else { continue };
        // A host whose steps are not known may well wait.
        let before = over_before(flow, played, played.played_by[host], attempts);
        let calls = played.calls.iter().enumerate().filter(|(index, call)| {
            // Of a job that can end, what is lost has failed, and was made.
            let made = matches!(call.met, Met::Satisfied(_)) || proved;
            call.member == guest && made && !before.contains(index)
        });
        // What it does in its shell says more than that it started.
        let late = calls.min_by_key(|(index, call)| {
            (matches!(call.call.origin, Origin::DelayedStart | Origin::Request { .. }), *index)
        });
        if let Some((_, late)) = late
            && !opaque(flow, host)
        {
            let members = (0..flow.members.len()).filter(|other| played.played_by[*other] == guest).collect();
            let waits = vec![Waiting { members, call: late.call, only_if: late.only_if.clone() }];
            races.push(Reason { cause: Cause::HostMayEnd { host }, waits, behind: Vec::new(), provided: false });
        }
    }
    races
}

/// The calls that are over before this member can have ended, in every order of events: its own, and whatever those
/// needed.
pub(crate) fn before_end(flow: &Flow, played: &Played, member: usize) -> HashSet<usize> {
    over_before(flow, played, member, Attempts::Succeed)
}

fn over_before(flow: &Flow, played: &Played, member: usize, attempts: Attempts) -> HashSet<usize> {
    let mut before = HashSet::new();
    let own = played.calls.iter().enumerate().filter(|(_, call)| call.member == member && call.only_if.is_empty());
    let mut open: Vec<usize> = own.map(|(index, _)| index).collect();
    while let Some(index) = open.pop() {
        if !before.insert(index) {
            continue;
        }
        let call = &played.calls[index];
        let Met::Satisfied(by) = &call.met else { continue };
        if attempts != Attempts::Succeed && call.call.is_tested() {
            // It may have failed, without waiting for anything.
            continue;
        }
        if call.call.kind == CallKind::Wait && senders(played, &call.call.id) > 1 {
            // Any of them may have been the first.
            continue;
        }
        for needed in by.iter() {
            let maker = played.calls[*needed].member;
            // What runs beside is in no order with the rest.
            let beside = walk::any(&flow.members[maker].steps, &|step| matches!(step, Step::Beside(_)));
            open.push(*needed);
            if !beside {
                open.extend((0..*needed).filter(|index| played.calls[*index].member == maker));
            }
        }
    }
    before
}

fn senders(played: &Played, id: &Text) -> usize {
    let sends = |call: &&PlayedCall| {
        call.call.kind == CallKind::Send && (call.call.id == *id || call.call.id.known().is_none())
    };
    // One is played for all that do the same.
    let members = |call: &PlayedCall| played.played_by.iter().filter(|by| **by == call.member).count();
    played.calls.iter().filter(sends).map(members).sum()
}

fn opaque(flow: &Flow, member: usize) -> bool {
    walk::any(&flow.members[member].steps, &|step| matches!(step, Step::Opaque(_)))
}
