//! Guests and their hosts: the key, the prompt, the address (rules 43–44a of job-definition.md §11.2).

use super::actions::DraftAction;
use super::cursor::Findings;
use super::roles::{DraftGroup, DraftRole};
use crate::diagnostic::Diagnostic;
use crate::member::{BlockKind, Request, RequestCall};

/// Rule 44.
pub(crate) fn authorized(
    guest: &DraftRole<'_>,
    host: &DraftRole<'_>,
    hosts: &[&DraftAction<'_>],
    findings: &mut Findings,
) {
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

/// Packages that guests install: all of them at once, on one system.
pub(crate) fn packages(guest: &DraftRole<'_>, mine: &[&DraftAction<'_>], findings: &mut Findings) {
    for action in mine {
        let Some(definitions) = action.at.get("definitions") else { continue };
        for definition in definitions.items() {
            let install = definition.get("repository").and_then(|repository| repository.get("install"));
            let Some(deps) = install.and_then(|install| install.get("deps")) else { continue };
            if deps.node.as_list().is_none_or(<[_]>::is_empty) {
                continue;
            }
            let message =
                format!("guests of role {:?} install packages on the system of their host", guest.name.as_str());
            let finding = deps.warning_at_name("guest.install", message);
            if !findings.0.iter().any(|known| known.code == "guest.install" && known.path == finding.path) {
                findings.push(finding.help("name them under `install: deps` of the host's test definition"));
            }
        }
    }
}

/// Rule 44a: a guest's shell is its host's shell.
pub(crate) fn same_prompts(mine: &[&DraftAction<'_>], hosts: &[&DraftAction<'_>], findings: &mut Findings) {
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
pub(crate) fn addresses(group: &DraftGroup<'_>, actions: &[DraftAction<'_>], findings: &mut Findings) {
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

fn address(boot: &DraftAction<'_>, request: &Request) -> Option<Diagnostic> {
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
