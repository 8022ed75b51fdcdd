//! One of `interactive` (job-definition.md §9.3).

use std::time::Duration;

use super::actions::Scope;
use super::cursor::{At, Findings};
use super::definition;
use super::hints::{did_you_mean, listing};
use crate::console_test::{CallStep, CommandStep, FailureMessage, Script, Step, StepException};
use crate::ids::RoleName;
use crate::member::RequestCall;
use crate::node::NodeKind;

const KEYS: &[&str] = &["name", "prompts", "echo", "expected", "script"];
const CALLS: [&str; 4] = ["lava-send", "lava-sync", "lava-wait", "lava-wait-all"];
const COMMAND: [&str; 6] = ["command", "delay", "name", "wait_for_prompt", "successes", "failures"];

pub(super) fn script(at: &At<'_>, scope: &Scope<'_>, findings: &mut Findings) -> Option<Script> {
    if !findings.is_mapping(at, "action.key") {
        return None;
    }
    findings.unknown_keys(at, KEYS);
    let name = findings.required(at, "name").and_then(|at| definition::name(&at, findings));
    let prompts = findings.required(at, "prompts").map(|at| {
        let prompts = findings.texts(&at, "action.key");
        findings.patterns(&at, "action.key");
        if at.node.as_list().is_some_and(<[_]>::is_empty) {
            let finding = at.error_at_name("action.key", "there is no prompt");
            findings.push(finding.help("add a regular expression that matches what the device shows when it is ready"));
        }
        prompts
    });
    let discard_echo = at.get("echo").is_some_and(|at| findings.word(&at, "action.key", &["discard"]).is_some());
    let expected = at.get("expected").map(|at| findings.texts(&at, "test.expected"));
    let steps = findings.required(at, "script").filter(|at| findings.is_list(at, "action.key"))?;
    let given = steps.items().count();
    let steps: Vec<Step> = steps.items().filter_map(|item| step(&item, scope, findings)).collect();
    let complete = steps.len() == given;
    let script = Script { name: name?, prompts: prompts?, discard_echo, expected, steps };
    if complete {
        unexpected(at, &script, findings);
    }
    Some(script)
}

/// What is expected and cannot come, and what comes and is not expected: both fail for certain.
fn unexpected(at: &At<'_>, script: &Script, findings: &mut Findings) {
    let (Some(expected), Some(place)) = (&script.expected, at.get("expected")) else { return };
    let named: Vec<&str> = script
        .steps
        .iter()
        .filter_map(|step| match step {
            Step::Command(step) => step.name.as_deref(),
            Step::Call(_) => None,
        })
        .collect();
    for case in expected.iter().filter(|case| !named.contains(&case.as_str())) {
        let message = format!("no step has the name {case:?}{}: the case will fail", did_you_mean(case, &named));
        findings.push(place.warning("test.expected", message).help("name a step so, or remove it here"));
    }
    for name in named.iter().filter(|name| !expected.iter().any(|case| case == *name)) {
        let message = format!("the step {name:?} is not expected: its case will fail");
        findings.push(place.warning("test.expected", message).help("add it here, or leave the step without a name"));
    }
}

fn step(at: &At<'_>, scope: &Scope<'_>, findings: &mut Findings) -> Option<Step> {
    if !findings.is_mapping(at, "action.key") {
        return None;
    }
    let known: Vec<&str> = COMMAND.into_iter().chain(CALLS).collect();
    findings.unknown_keys(at, &known);
    let given: Vec<&str> = CALLS.into_iter().filter(|call| at.get(call).is_some()).collect();
    match given.as_slice() {
        [] => command(at, findings).map(Step::Command),
        [call] => {
            let besides: Vec<&str> = COMMAND.into_iter().filter(|key| at.get(key).is_some()).collect();
            if !besides.is_empty() {
                let message = format!("a step with {call} has nothing else, this one has {}", listing(&besides));
                findings.push(at.error_at_name("test.interactive", message).help("write a step of its own for it"));
            }
            let place = at.get(call)?;
            self::call(&place, call, scope, findings).map(Step::Call)
        }
        several => {
            let message = format!("a step makes one call, this one has {}", listing(several));
            findings.push(at.error_at_name("test.interactive", message).help("write a step for each"));
            None
        }
    }
}

fn command(at: &At<'_>, findings: &mut Findings) -> Option<CommandStep> {
    let command = match at.get("command") {
        Some(place) if place.node.kind == NodeKind::Null => None,
        Some(place) => Some(findings.text(&place, "action.key")?),
        None => {
            let finding = at.error_at_name("action.key", "the step has neither `command` nor a call of the group");
            findings.push(finding.help("add `command:`, with nothing behind it to wait without typing"));
            return None;
        }
    };
    if let Some(text) = command.as_ref().filter(|text| text.trim_end_matches('\n').contains('\n'))
        && let Some(place) = at.get("command")
    {
        let lines = text.trim_end_matches('\n').matches('\n').count() + 1;
        let finding = place.error("test.interactive", format!("one command has one line, this one has {lines}"));
        findings.push(finding.help("write a step for each line: a prompt comes after each"));
    }
    let name = at.get("name").and_then(|at| findings.filled_text(&at, "action.key"));
    let delay = at.get("delay").and_then(|at| findings.integer(&at, "action.key", 0)).unwrap_or(0);
    let wait = at.get("wait_for_prompt").and_then(|at| findings.boolean(&at, "action.key")).unwrap_or(true);
    let successes = messages(at, "successes", findings).into_iter().map(|(message, _)| message).collect();
    let failures = messages(at, "failures", findings).into_iter().map(|(message, at)| failure(message, &at, findings));
    Some(CommandStep {
        name,
        command: command.map(|text| text.trim_end_matches('\n').to_owned()),
        delay: Duration::from_secs(delay.into()),
        wait_for_prompt: wait,
        successes,
        failures: failures.collect(),
    })
}

/// The patterns of a list of `{message: …}`, each with its place.
fn messages<'a>(at: &At<'a>, key: &'static str, findings: &mut Findings) -> Vec<(String, At<'a>)> {
    let Some(list) = at.get(key).filter(|at| at.node.kind != NodeKind::Null) else { return Vec::new() };
    if !findings.is_list(&list, "action.key") {
        return Vec::new();
    }
    let known: &[&str] = if key == "failures" { &["message", "exception", "error"] } else { &["message"] };
    let mut found = Vec::new();
    for item in list.items() {
        if item.node.as_text().is_some() {
            let finding = item.error("action.key", "a mapping expected, got a text");
            findings.push(finding.help("write `message: ` in front of it"));
            continue;
        }
        if !findings.is_mapping(&item, "action.key") {
            continue;
        }
        findings.unknown_keys(&item, known);
        let Some(place) = findings.required(&item, "message") else { continue };
        let Some(text) = findings.filled_text(&place, "action.key") else { continue };
        if findings.pattern(&place, "action.key").is_some() {
            found.push((text, item));
        }
    }
    found
}

fn failure(message: String, at: &At<'_>, findings: &mut Findings) -> FailureMessage {
    let exception = at.get("exception").and_then(|at| findings.word(&at, "action.key", &StepException::NAMES));
    let error = at.get("error").and_then(|at| findings.filled_text(&at, "action.key"));
    if let (None, Some(place)) = (at.get("exception"), at.get("error")) {
        let finding = place.warning_at_name("test.interactive", "without `exception` nobody is told this `error`");
        findings.push(finding.help(format!("add `exception:` with one of {}", StepException::NAMES.join(", "))));
    }
    FailureMessage { message, exception: exception.and_then(|name| StepException::of(&name)), error }
}

/// A call of the group, as a person would type it behind its name.
fn call(at: &At<'_>, call: &str, scope: &Scope<'_>, findings: &mut Findings) -> Option<CallStep> {
    if !scope.multinode {
        let finding =
            at.error_at_name("test.interactive", format!("this job has no group, {call} would wait for nobody"));
        findings.push(finding.help("remove the step, or add `protocols.lava-multinode.roles` to the job"));
    }
    let text = findings.filled_text(at, "action.key")?;
    let text = text.trim();
    let (id, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let rest = rest.trim();
    let mut data = Vec::new();
    let kind = match call {
        "lava-send" => {
            data = pairs(rest, at, findings);
            RequestCall::Send
        }
        "lava-wait-all" if rest.is_empty() => RequestCall::WaitAll(None),
        "lava-wait-all" => {
            let role = rest.strip_prefix("role=").unwrap_or(rest);
            if let Some(roles) = scope.roles.filter(|roles| !roles.contains(&role)) {
                let message = format!("no role {role:?}{}", did_you_mean(role, roles));
                findings.push(at.error("request.role", message).help(format!("roles: {}", listing(roles))));
            }
            RequestCall::WaitAll(Some(RoleName::new(role)))
        }
        _ if !rest.is_empty() => {
            let message = format!("{call} takes a message ID and nothing else, got also {rest:?}");
            findings.push(at.error("test.interactive", message).help("remove what follows the ID"));
            return None;
        }
        "lava-wait" => RequestCall::Wait,
        _ => RequestCall::Sync,
    };
    Some(CallStep { call: kind, message_id: id.to_owned(), data })
}

/// The pairs of a message: a value may have blanks, and ends before the next `key=` (device-side.md §4.2).
fn pairs(text: &str, at: &At<'_>, findings: &mut Findings) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    for word in text.split_whitespace() {
        match (word.split_once('='), found.last_mut()) {
            (Some((key, value)), _) if is_key(key) => found.push((key.to_owned(), value.to_owned())),
            (_, Some((_, value))) => {
                value.push(' ');
                value.push_str(word);
            }
            (_, None) => {
                let finding = at.error("test.interactive", format!("{word:?} is no `key=value`"));
                findings.push(finding.help("write the message ID, then pairs: `lava-send: \"id key=value\"`"));
                return found;
            }
        }
    }
    found
}

fn is_key(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
}
