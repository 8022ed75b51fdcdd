//! What only the whole job shows: namespaces, guests and their hosts, waits longer than their block (rules 24, 37, 38,
//! 43–44a).

use std::time::Duration;

use super::actions::DraftAction;
use super::cursor::{At, Findings};
use super::definition;
use super::roles::{DraftGroup, DraftRole};
use crate::member::{BlockKind, DefinitionFrom, RequestCall, TestKind};

/// Checks of any job; `roles` is `None` for a single-device job or one member.
pub(crate) fn job(actions: &[DraftAction<'_>], roles: Option<&[DraftRole<'_>]>, findings: &mut Findings) {
    fetches(actions, findings);
    namespaces(actions, roles, findings);
    unused_images(actions, roles, findings);
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
        if let Some(host) = role.host_role.as_ref().filter(|_| role.is_guest())
            && let Some(host) = group.roles.iter().find(|other| other.name == host.value && !other.is_guest())
        {
            let hosts: Vec<_> = actions.iter().filter(|action| action.runs_for(host.name.as_str())).collect();
            host_authorizes(role, host, &hosts, findings);
            same_prompts(&mine, &hosts, findings);
        }
    }
    if complete {
        guest_addresses(group, actions, findings);
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

/// Rule 44.
fn host_authorizes(guest: &DraftRole<'_>, host: &DraftRole<'_>, hosts: &[&DraftAction<'_>], findings: &mut Findings) {
    let deploys: Vec<_> = hosts
        .iter()
        .filter_map(|action| match &action.block.kind {
            BlockKind::Deploy { to, .. } => Some((action, to.as_str())),
            _ => None,
        })
        .collect();
    let open = deploys.iter().any(|(action, to)| {
        matches!(*to, "ssh" | "docker" | "sandbox") || action.block.parameters.contains_key("authorize")
    });
    if let (false, Some((action, _))) = (open, deploys.first()) {
        let message =
            format!("guests of role {:?} log in here, but the lab's key is not put on the device", guest.name.as_str());
        let finding = action.at.warning_at_name("guest.authorize", message);
        if !findings.0.iter().any(|known| known.code == "guest.authorize" && known.path == finding.path) {
            findings.push(
                finding
                    .also(guest.at.name, format!("guests of {:?}", host.name.as_str()))
                    .help("add `authorize: ssh` to the deploy"),
            );
        }
    }
}

/// Rule 44a: a guest's shell is its host's shell.
fn same_prompts(mine: &[&DraftAction<'_>], hosts: &[&DraftAction<'_>], findings: &mut Findings) {
    let prompts = |action: &DraftAction<'_>| match &action.block.kind {
        BlockKind::Boot { prompts, .. } => prompts.clone(),
        _ => Vec::new(),
    };
    let Some(host) = hosts.iter().find(|action| !prompts(action).is_empty()) else { return };
    let expected: Vec<String> = hosts.iter().flat_map(|action| prompts(action)).collect();
    for boot in mine.iter().filter(|action| !prompts(action).is_empty()) {
        if prompts(boot).iter().any(|prompt| expected.contains(prompt)) {
            continue;
        }
        let Some(at) = boot.at.get("prompts") else { continue };
        if findings.0.iter().any(|known| known.code == "guest.prompts" && known.path == at.path) {
            continue;
        }
        let mut finding =
            at.warning("guest.prompts", "the guest logs in to its host's system but expects another prompt");
        if let Some(at) = host.at.get("prompts") {
            finding = finding.also(at.node.span, "the host's prompt");
        }
        findings.push(finding.help(format!("write the host's prompt: {:?}", expected[0])));
    }
}

/// Rule 43: the request on `prepare-scp-overlay` gives the address that the boot names.
fn guest_addresses(group: &DraftGroup<'_>, actions: &[DraftAction<'_>], findings: &mut Findings) {
    let guests: Vec<_> = group.roles.iter().filter(|role| role.is_guest() && role.wants_members()).collect();
    let ssh = |action: &&DraftAction<'_>| match &action.block.kind {
        BlockKind::Deploy { to, .. } => to == "ssh",
        BlockKind::Boot { method, .. } => method == "ssh",
        _ => false,
    };
    let mut told: Vec<String> = Vec::new();
    for guest in guests {
        let mine: Vec<_> = actions.iter().filter(|action| action.runs_for(guest.name.as_str())).filter(ssh).collect();
        let (deploys, boots): (Vec<_>, Vec<_>) =
            mine.into_iter().partition(|action| matches!(action.block.kind, BlockKind::Deploy { .. }));
        let Some(deploy) = deploys.first() else {
            if actions.iter().any(|action| action.runs_for(guest.name.as_str())) {
                let finding = guest.at.error_at_name(
                    "guest.address",
                    "a guest needs a `deploy: {to: ssh}` that waits for the host's address",
                );
                findings.push(finding.help("add it, with a lava-wait request on `prepare-scp-overlay`"));
            }
            continue;
        };
        if boots.is_empty() {
            let finding = guest
                .at
                .error_at_name("guest.address", "a guest needs a `boot: {method: ssh}` that logs in to the host");
            findings.push(finding.help("add it, with `parameters: {hostID: MESSAGE-ID, host_key: KEY}`"));
        }
        let requests: Vec<_> = deploy
            .block
            .common
            .requests
            .iter()
            .filter(|request| request.action == "prepare-scp-overlay")
            .filter(|request| {
                matches!(request.call, RequestCall::Wait | RequestCall::WaitAll(_)) && !request.message.is_empty()
            })
            .collect();
        let [request] = requests.as_slice() else {
            let told_here = !told.contains(&deploy.at.path);
            // A request that could not be read has been reported itself.
            let unread = deploy.at.get("protocols").is_some() && deploy.block.common.requests.is_empty();
            if told_here && !unread {
                told.push(deploy.at.path.clone());
                let message = format!(
                    "exactly one lava-wait with a `message` on prepare-scp-overlay must give the host's address, there are {}",
                    requests.len()
                );
                let finding = deploy.at.error_at_name("guest.address", message);
                findings.push(finding.help(
                    "add below `protocols: lava-multinode:` `- {action: prepare-scp-overlay, request: lava-wait, messageID: ipv4, message: {ipaddr: $ipaddr}}`",
                ));
            }
            continue;
        };
        for boot in boots.iter().filter(|boot| !told.contains(&boot.at.path)).collect::<Vec<_>>() {
            let finding = address(boot, request);
            if let Some(finding) = finding {
                told.push(boot.at.path.clone());
                let finding = match deploy.at.get("protocols").and_then(|at| at.get("lava-multinode")) {
                    Some(at) => finding.also(at.node.span, "the request that gives the address"),
                    None => finding,
                };
                findings.push(finding);
            }
        }
    }
}

fn address(boot: &DraftAction<'_>, request: &crate::member::Request) -> Option<crate::Diagnostic> {
    let BlockKind::Boot { host_address, .. } = &boot.block.kind else { return None };
    let keys: Vec<&str> = request.message.iter().map(|(key, _)| key.as_str()).collect();
    let mend =
        format!("write `parameters: {{hostID: {}, host_key: {}}}`", request.message_id, keys.first().unwrap_or(&"KEY"));
    let Some((id, key)) = host_address else {
        let parameters = boot.at.get("parameters");
        if parameters.as_ref().is_some_and(|at| at.get("hostID").is_some() != at.get("host_key").is_some()) {
            return None;
        }
        let finding =
            boot.at.error_at_name("guest.address", "`parameters` with `hostID` and `host_key` is required for a guest");
        return Some(finding.help(mend));
    };
    let mut wrong = Vec::new();
    if *id != request.message_id {
        wrong.push(format!(
            "hostID {id:?} does not match the messageID {:?} of the prepare-scp-overlay request",
            request.message_id
        ));
    }
    if !keys.contains(&key.as_str()) {
        wrong.push(format!("host_key {key:?} is not a key of its message"));
    }
    if wrong.is_empty() {
        return None;
    }
    let at = boot.at.get("parameters")?;
    Some(at.error_at_name("guest.address", wrong.join("; ")).help(mend))
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
                let calls = definition::calls(value);
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
