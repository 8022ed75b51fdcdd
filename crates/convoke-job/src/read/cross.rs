//! What only the whole job shows: namespaces, waits longer than their block, what nobody runs (rules 24, 37, 38).

use std::time::Duration;

use super::actions::DraftAction;
use super::cursor::{At, Findings};
use super::roles::{DraftGroup, DraftRole};
use super::{guests, inline, left};
use crate::member::{BlockKind, DefinitionFrom, TestKind};

/// Checks of any job; `roles` is `None` for a single-device job or one member.
pub(crate) fn job(actions: &[DraftAction<'_>], roles: Option<&[DraftRole<'_>]>, findings: &mut Findings) {
    fetches(actions, findings);
    namespaces(actions, roles, findings);
    unused_images(actions, roles, findings);
    left::check(actions, roles, findings);
}

/// Every deploy prepares the definitions of all tests that follow from it: their product is what a pipeline holds.
fn fetches(actions: &[DraftAction<'_>], findings: &mut Findings) {
    const MOST: usize = 20_000;
    let deploys = actions.iter().filter(|action| matches!(action.block.kind, BlockKind::Deploy { .. })).count();
    let definitions: usize = actions
        .iter()
        .map(|action| match &action.block.kind {
            BlockKind::Test(TestKind::Definitions(definitions)) => definitions.len(),
            _ => 0,
        })
        .sum();
    if let (true, Some(first)) = (deploys * definitions > MOST, actions.first()) {
        let message = format!("{deploys} deploys of {definitions} test definitions are too many");
        findings.push(first.at.error_at_name("action.count", message).help("deploy less often, or split the job"));
    }
}

/// Whether two blocks run on a common member.
fn share_role(a: &DraftAction<'_>, b: &DraftAction<'_>) -> bool {
    match (&a.roles, &b.roles) {
        (Some(a), Some(b)) => a.iter().any(|role| b.contains(role)),
        _ => true,
    }
}

/// Rule 38: the blocks of one member all name a namespace, or none does.
fn namespaces(actions: &[DraftAction<'_>], roles: Option<&[DraftRole<'_>]>, findings: &mut Findings) {
    let counted = |action: &&DraftAction<'_>| !matches!(action.block.kind, BlockKind::Command { .. });
    let all = [None];
    let named: Vec<Option<&str>> =
        roles.map(|roles| roles.iter().map(|role| Some(role.name.as_str())).collect()).unwrap_or_default();
    let members = if named.is_empty() { &all[..] } else { &named[..] };
    let mut reported: Vec<usize> = Vec::new();
    for role in members {
        let mine: Vec<_> =
            actions.iter().filter(counted).filter(|action| role.is_none_or(|role| action.runs_for(role))).collect();
        let Some(with) = mine.iter().find(|action| action.block.common.namespace.is_some()) else { continue };
        let without: Vec<_> = mine.iter().filter(|action| action.block.common.namespace.is_none()).collect();
        let Some(first) = without.first().filter(|first| !reported.contains(&first.index)) else { continue };
        reported.push(first.index);
        let places: Vec<String> = without
            .iter()
            .enumerate()
            .map(
                |(at, action)| {
                    if at == 0 { format!("actions[{}]", action.index) } else { format!("[{}]", action.index) }
                },
            )
            .collect();
        let listed = match places.as_slice() {
            [one] => format!("{one} has"),
            [rest @ .., last] => format!("{} and {last} have", rest.join(", ")),
            [] => continue,
        };
        let namespace = with.block.common.namespace.as_deref().unwrap_or_default();
        let message = format!("actions[{}] has namespace {namespace:?}, {listed} none", with.index);
        let mut finding = first.at.error_at_name("namespace.partial", message);
        if let Some(at) = with.at.get("namespace") {
            finding = finding.also(at.node.span, "namespaces are used here");
        }
        findings
            .push(finding.help(format!("add `namespace: {namespace}`, or another one, to every action of the device")));
    }
}

/// An image that qemu is not told of is downloaded for nothing (§7.1).
fn unused_images(actions: &[DraftAction<'_>], _roles: Option<&[DraftRole<'_>]>, findings: &mut Findings) {
    for deploy in actions {
        let to_tmpfs = matches!(&deploy.block.kind, BlockKind::Deploy { to, .. } if to == "tmpfs");
        let boots_qemu = to_tmpfs
            && actions.iter().any(|boot| {
                matches!(&boot.block.kind, BlockKind::Boot { method, .. } if method == "qemu")
                    && boot.block.namespace() == deploy.block.namespace()
                    && share_role(deploy, boot)
            });
        if !boots_qemu {
            continue;
        }
        for (key, image) in deploy.at.get("images").into_iter().flat_map(|images| images.entries()) {
            if image.node.as_map().is_some() && image.get("image_arg").is_none() {
                let message = format!("the image `{}` has no `image_arg`, qemu will not use it", key.text);
                let finding = image.warning_at_name("deploy.image-arg", message);
                findings.push(
                    finding.help(format!("add for example `image_arg: -drive format=raw,file={{{}}}`", key.text)),
                );
            }
        }
    }
}

/// Checks of a group. Without `complete` some actions could not be read, so that nothing is said to be missing.
pub(crate) fn group(
    group: &DraftGroup<'_>,
    actions: &[DraftAction<'_>],
    job_limit: Option<Duration>,
    complete: bool,
    findings: &mut Findings,
) {
    for role in &group.roles {
        let mine: Vec<_> = actions.iter().filter(|action| action.runs_for(role.name.as_str())).collect();
        if mine.is_empty() && role.wants_members() {
            if let Some(count) = role.count.as_ref().filter(|_| complete) {
                let message = format!("count is {} but no action lists this role", count.value);
                let finding = role.at.error_at_name("role.no-actions", message);
                findings.push(
                    finding.help(format!("add `{}` to the `role` of its actions, or write `count: 0`", role.name)),
                );
            }
            continue;
        }
        protocol_timeout(group, role, &mine, job_limit, findings);
        if let Some(host) = role.host_role.as_ref().filter(|_| role.is_guest() && role.wants_members())
            && let Some(host) = group.roles.iter().find(|other| other.name == host.value && !other.is_guest())
        {
            let hosts: Vec<_> = actions.iter().filter(|action| action.runs_for(host.name.as_str())).collect();
            guests::authorized(role, host, &hosts, findings);
            guests::same_prompts(&mine, &hosts, findings);
            guests::packages(role, &mine, findings);
        }
    }
    if complete {
        guests::addresses(group, actions, findings);
    }
    replays(actions, findings);
}

/// Rule 37. A delayed role's timeout also limits its start and may well be longer than a block.
fn protocol_timeout(
    group: &DraftGroup<'_>,
    role: &DraftRole<'_>,
    mine: &[&DraftAction<'_>],
    job_limit: Option<Duration>,
    findings: &mut Findings,
) {
    let (limit, at) = match (role.timeout, group.timeout) {
        (Some(limit), _) => (limit, role.at.get("timeout")),
        (None, Some(limit)) => (limit, group.timeout_at.clone()),
        (None, None) => return,
    };
    let Some(at) = at else { return };
    let mut warn = |message: String, other: Option<At<'_>>| {
        let mut finding = at.warning("timeout.protocol", message);
        if let Some(other) = other {
            finding = finding.also(other.node.span, "the limit that ends the wait first");
        }
        // One group timeout serves many roles: say it once.
        if !findings.0.iter().any(|known| known.path == finding.path && known.code == finding.code) {
            findings.push(finding.help("a wait should end before what waits: shorten it, or lengthen the other limit"));
        }
    };
    if let Some(job) = job_limit.filter(|job| limit > *job) {
        warn(format!("a wait of {} s is longer than the job's {} s", limit.as_secs(), job.as_secs()), None);
        return;
    }
    let tests = mine.iter().filter(|action| matches!(action.block.kind, BlockKind::Test(_)));
    for action in tests.filter(|_| !role.delayed_start) {
        if let Some(block) = action.block.common.timeout.filter(|block| limit > *block) {
            let message = format!(
                "a wait of {} s is longer than the {} s of {}",
                limit.as_secs(),
                block.as_secs(),
                action.at.path
            );
            warn(message, action.at.get("timeout"));
        }
    }
}

/// A test that is run again syncs again, and its waits are answered at once (§5).
fn replays(actions: &[DraftAction<'_>], findings: &mut Findings) {
    for action in actions {
        let common = &action.block.common;
        let BlockKind::Test(TestKind::Definitions(definitions)) = &action.block.kind else { continue };
        if common.repeat.unwrap_or(1) <= 1 && common.failure_retry.unwrap_or(1) <= 1 {
            continue;
        }
        let replayed = definitions.iter().find_map(|one| match &one.from {
            DefinitionFrom::Inline(value) => {
                let calls = inline::calls(value);
                ["lava-sync", "lava-wait-all"].into_iter().find(|call| calls.contains_key(call))
            }
            _ => None,
        });
        if let Some(call) = replayed {
            let message = format!("the test may run again, but its {call} counts on running once");
            let finding = action.at.warning_at_name("retry.sync-replay", message);
            findings.push(finding.help("use lava-send and lava-wait in it, or move the call to a test that runs once"));
        }
    }
}
