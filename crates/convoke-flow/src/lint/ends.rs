//! Members that end while others still need them: a host without a last sync with its guests, a server that hands out its
//! address and goes.

use convoke_group::CallKind;
use convoke_job::Diagnostic;

use crate::judge::Judgement;
use crate::judge::reason::{Cause, Verdict};
use crate::judge::{before_end, no_final_sync};
use crate::lint::{played, same};
use crate::model::{Flow, Origin, Place, Step};
use crate::played::{Met, PlayedCall};
use crate::walk;
use crate::words::{Labels, block_of, verb, what, who};

pub(super) fn find(flow: &Flow, judgement: &Judgement<'_>) -> Vec<Diagnostic> {
    // Of a job that cannot end it is not the end that is wrong.
    if judgement.verdict == Verdict::CannotEnd {
        return Vec::new();
    }
    let mut found = guests(flow, judgement);
    found.extend(servers(flow, judgement));
    found
}

fn is_known(steps: &[Step]) -> bool {
    !walk::any(steps, &|step| matches!(step, Step::Opaque(_)))
}

fn guests(flow: &Flow, judgement: &Judgement<'_>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (guest, steps) in played(flow, judgement) {
        let Some(host) = flow.members[guest].host else { continue };
        let told = judgement.reasons.iter().any(|reason| {
            matches!(reason.cause, Cause::HostMayEnd { .. })
                && reason.waits.iter().any(|wait| wait.members.contains(&guest))
        });
        let Some(works) = works(steps) else { continue };
        if told || !is_known(steps) || !is_known(&flow.members[host].steps) {
            continue;
        }
        let before = before_end(flow, &judgement.played, judgement.played.played_by[host]);
        let in_shell = |call: &PlayedCall| {
            call.member == guest && matches!(call.call.origin, Origin::Helper { .. } | Origin::Interactive)
        };
        if before.iter().any(|index| in_shell(&judgement.played.calls[*index])) {
            continue;
        }
        let members = same(judgement, guest);
        let (message, help) = no_final_sync(flow, host, &members);
        let mut labels = Labels::default();
        let works_here = format!("{} {} here", who(flow, &members), verb(flow, &members, "works", "work"));
        labels.add(flow, works, works_here);
        let path = format!("roles.{}", flow.members[guest].role);
        found.push(labels.warning("flow.no-final-sync", path, message).help(help));
    }
    found
}

/// Where a member does something in a test shell.
fn works(steps: &[Step]) -> Option<&Place> {
    steps.iter().find_map(|step| match step {
        Step::Definition(definition) => Some(&definition.place),
        _ => walk::within(step).into_iter().find_map(works),
    })
}

/// A message with an address is taken, and its sender does not wait for anything that the taker does with it.
fn servers(flow: &Flow, judgement: &Judgement<'_>) -> Vec<Diagnostic> {
    let calls = &judgement.played.calls;
    let mut found: Vec<Diagnostic> = Vec::new();
    let mut told: Vec<usize> = Vec::new();
    for (index, send) in calls.iter().enumerate() {
        let addresses = send.call.data.iter().any(|(key, _)| key.known().is_some_and(is_address));
        let in_shell = |call: &PlayedCall| matches!(call.call.origin, Origin::Helper { .. } | Origin::Interactive);
        let known = send.call.kind == CallKind::Send && in_shell(send) && addresses && !told.contains(&send.member);
        if !known || !is_known(&flow.members[send.member].steps) || flow.members[send.member].host.is_some() {
            continue;
        }
        let taken = calls.iter().enumerate().find(|(_, call)| {
            call.member != send.member
                && call.only_if.is_empty()
                && in_shell(call)
                && flow.members[call.member].host.is_none()
                && is_known(&flow.members[call.member].steps)
                && matches!(&call.met, Met::Satisfied(by) if by.contains(&index))
        });
        let Some((taken, taker)) = taken else { continue };
        let before = before_end(flow, &judgement.played, send.member);
        // Something that the taker does later is waited for.
        if before.iter().any(|index| *index > taken && calls[*index].member == taker.member) {
            continue;
        }
        told.push(send.member);
        let (server, client) = (who(flow, &same(judgement, send.member)), who(flow, &same(judgement, taker.member)));
        let mut labels = Labels::default();
        labels.add(flow, &send.call.place, format!("{server} tells where it is"));
        labels.add(flow, &taker.call.place, format!("{client} goes on from here"));
        let message = format!("{server} may end while {client} still uses what `{}` told", what(send.call));
        let help = format!(
            "let {server} wait until {client} is done: a lava-sync of both at the end, or lava-send from {client} and lava-wait in {server}"
        );
        let path = block_of(flow, send.member, send.call).map(|block| block.path.clone()).unwrap_or_default();
        found.push(labels.warning("flow.ends-while-needed", path, message).help(help));
    }
    found
}

/// Whether a key names where something is reached.
fn is_address(key: &str) -> bool {
    let key = key.to_lowercase();
    let words = ["ip", "ipv4", "ipv6", "addr", "address", "ipaddr", "url", "port"];
    key.split(['_', '-', '.']).any(|part| words.contains(&part))
}
