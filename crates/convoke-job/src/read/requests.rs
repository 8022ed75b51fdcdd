//! MultiNode calls by actions of a block: `protocols.lava-multinode` in it (job-definition.md §6; rule 42).

use super::cursor::{At, Findings, scalar_text};
use super::hints::{did_you_mean, listing};
use super::timeout;
use crate::diagnostic::Diagnostic;
use crate::ids::RoleName;
use crate::member::{Request, RequestCall};

const KEYS: [&str; 6] = ["action", "request", "messageID", "message", "role", "timeout"];

/// What requests are checked against.
pub(crate) struct Known<'a> {
    /// Actions of the block, when they are all known.
    pub(crate) actions: Option<&'a [&'static str]>,
    /// `a docker deploy`.
    pub(crate) what: &'a str,
    /// Roles of the group, when they are known.
    pub(crate) roles: Option<&'a [&'a str]>,
}

/// Reads the requests of a block; `at` is `protocols` in it.
pub(crate) fn requests(at: &At<'_>, known: &Known<'_>, findings: &mut Findings) -> Vec<Request> {
    if !findings.is_mapping(at, "request.form") {
        return Vec::new();
    }
    let Some(at) = at.get("lava-multinode") else { return Vec::new() };
    if at.node.as_map().is_some() {
        let finding = at.warning_at_name("request.form", "a list of requests is expected, this is one request");
        findings.push(finding.help("put `- ` before its first key"));
        return request(&at, known, findings).into_iter().collect();
    }
    if !findings.is_list(&at, "request.form") {
        return Vec::new();
    }
    at.items().filter_map(|item| request(&item, known, findings)).collect()
}

fn request(at: &At<'_>, known: &Known<'_>, findings: &mut Findings) -> Option<Request> {
    if !findings.is_mapping(at, "request.form") {
        return None;
    }
    for (key, value) in at.entries() {
        if !KEYS.contains(&key.text.as_str()) {
            let message = format!("unknown key `{}`{}", key.text, did_you_mean(&key.text, &KEYS));
            findings
                .push(value.warning_at_name("request.key", message).help(format!("known here: {}", KEYS.join(", "))));
        }
    }
    let message_id = required(at, "messageID", "request.messageID", findings).and_then(|id| {
        let text = findings.filled_text(&id, "request.messageID")?;
        if text.contains(char::is_whitespace) {
            findings.push(id.error("request.messageID", "must not contain blanks").help("use `-` or `_` instead"));
        }
        Some(text)
    });
    let action = required(at, "action", "request.action", findings).and_then(|action| {
        let text = findings.filled_text(&action, "request.action")?;
        if let Some(actions) = known.actions.filter(|actions| !actions.contains(&text.as_str())) {
            let message = format!(
                "no action {text:?} in {}{} (available: {})",
                known.what,
                did_you_mean(&text, actions),
                listing(actions)
            );
            findings.push(
                action.error("request.action", message).help("name the action that makes the call when it starts"),
            );
        }
        Some(text)
    });
    let call =
        required(at, "request", "request.request", findings).and_then(|request| call(at, &request, known, findings));
    let message = at.get("message").map(|message| self::message(&message, call.as_ref(), findings)).unwrap_or_default();
    let timeout = at.get("timeout").and_then(|at| timeout::timeout(&at, findings).0);
    Some(Request { action: action?, call: call?, message_id: message_id?, message, timeout })
}

fn required<'a>(at: &At<'a>, key: &'static str, code: &'static str, findings: &mut Findings) -> Option<At<'a>> {
    let found = at.get(key);
    if found.is_none() {
        let finding = at.error_at_name(code, format!("{key} is required"));
        findings.push(finding.help(match key {
            "messageID" => "add `messageID: NAME`, the name that senders and waiters share",
            "action" => "add `action: NAME`, the action that makes the call when it starts",
            _ => "add `request:` with lava-send, lava-wait, lava-wait-all or lava-sync",
        }));
    }
    found
}

fn call(at: &At<'_>, request: &At<'_>, known: &Known<'_>, findings: &mut Findings) -> Option<RequestCall> {
    let text = findings.filled_text(request, "request.request")?;
    let call = match text.replace('_', "-").as_str() {
        "lava-send" => RequestCall::Send,
        "lava-wait" => RequestCall::Wait,
        "lava-wait-all" => RequestCall::WaitAll(None),
        "lava-sync" => RequestCall::Sync,
        other => {
            let calls = ["lava-send", "lava-wait", "lava-wait-all", "lava-sync"];
            let finding =
                request.error("request.request", format!("no request {text:?}{}", did_you_mean(other, &calls)));
            findings.push(finding.help(format!("use one of {}", calls.join(", "))));
            return None;
        }
    };
    let Some(role_at) = at.get("role") else { return Some(call) };
    let role = findings.filled_text(&role_at, "request.role")?;
    if call != RequestCall::WaitAll(None) {
        let finding = role_at.error_at_name("request.role", format!("`role` has no meaning for {text}"));
        findings.push(finding.help("remove it, or use lava-wait-all"));
        return Some(call);
    }
    if let Some(roles) = known.roles.filter(|roles| !roles.contains(&role.as_str())) {
        let message = format!("no role {role:?}{}", did_you_mean(&role, roles));
        findings.push(role_at.error("request.role", message).help(format!("roles: {}", listing(roles))));
    }
    Some(RequestCall::WaitAll(Some(RoleName::new(role))))
}

/// For a send the data, for a wait the template (§6.3).
fn message(at: &At<'_>, call: Option<&RequestCall>, findings: &mut Findings) -> Vec<(String, String)> {
    if !findings.is_mapping(at, "request.message") {
        return Vec::new();
    }
    let mut out = Vec::new();
    for (key, value) in at.entries() {
        if !findings.key_is_text(key, &value, "request.message") {
            continue;
        }
        if key.text.is_empty() || key.text.contains(|c: char| c.is_whitespace() || c == '=') {
            let finding = value.error_at_name("request.message", format!("{:?} is no key of a message", key.text));
            findings.push(finding.help("a key has no blanks and no `=`"));
        }
        match scalar_text(value.node) {
            Some(text) => out.push((key.text.clone(), text.unwrap_or_default())),
            None => {
                let message = format!("text or number expected, got {}", value.node.describe());
                findings.push(value.error("request.message", message).help("write one value here"));
            }
        }
    }
    match call {
        Some(RequestCall::Wait | RequestCall::WaitAll(_))
            if !out.is_empty() && !out.iter().any(|(_, value)| value.starts_with('$')) =>
        {
            let finding =
                at.error("request.message", "no value starts with `$`, so nothing would be taken from the message");
            let key = &out[0].0;
            findings.push(finding.help(format!("write `{key}: ${key}`, or remove `message` to wait only")));
        }
        Some(RequestCall::Send) => {
            for (key, value) in out.iter().filter(|(_, value)| value.starts_with('$')) {
                let finding = at
                    .get(key)
                    .unwrap_or_else(|| at.clone())
                    .warning("request.message", format!("{value:?} is sent as it is written"));
                findings.push(finding.help("write the value itself: a request knows no variables"));
            }
        }
        Some(RequestCall::Sync) => {
            let finding = at.warning_at_name("request.message", "a sync carries no data, `message` is not used");
            findings.push(finding.help("remove it"));
        }
        Some(RequestCall::Wait | RequestCall::WaitAll(_)) | None => {}
    }
    out
}

/// Requests in a job without a group are never made.
pub(crate) fn without_group(at: &At<'_>) -> Option<Diagnostic> {
    let requests = at.get("lava-multinode")?;
    let finding = requests.warning_at_name("request.form", "this job has no group, so these requests are never made");
    Some(finding.help("remove them, or add `protocols.lava-multinode.roles` to the job"))
}
