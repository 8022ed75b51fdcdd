//! `actions`: commands, and the roles that run each of them.

use super::{Action, MOST, Role, in_range};
use crate::diagnostic::Diagnostic;
use crate::legacy::Notes;
use crate::legacy::commands::Command;
use crate::node::{Node, NodeKind};
use crate::source::Span;

/// Commands that V1 had and that are not converted.
const OBSOLETE: [&str; 2] = ["lava_test_install", "lava_test_run"];

pub(super) fn actions<'a>(
    root: &'a Node,
    start: Span,
    roles: &[Role],
    single: bool,
    notes: &mut Notes,
) -> Vec<Action<'a>> {
    let Some(list) = root.get("actions") else {
        let finding = Diagnostic::error("legacy.value", "actions", start, "\"actions\" is missing");
        notes.add(finding.help("give the list of commands: \"actions\": [{\"command\": …}]"));
        return Vec::new();
    };
    let Some(items) = list.as_list() else {
        let message = format!("\"actions\" is a list of commands, not {}", list.describe());
        notes.add(Diagnostic::error("legacy.value", "actions", list.span, message));
        return Vec::new();
    };
    let read = |(place, item)| action(item, format!("actions[{place}]"), roles, single, notes);
    let actions: Vec<Action<'_>> = items.iter().enumerate().filter_map(read).collect();
    let copies = actions.iter().fold(0_u64, |sum, action| sum.saturating_add(action.repeat));
    if copies > MOST as u64 {
        let message = format!("with their \"repeat\" the actions are {copies}; at most {MOST} are converted");
        notes.add(Diagnostic::error("legacy.size", "actions", list.span, message));
        return Vec::new();
    }
    actions
}

fn action<'a>(item: &'a Node, path: String, roles: &[Role], single: bool, notes: &mut Notes) -> Option<Action<'a>> {
    let Some(entries) = item.as_map() else {
        let message = format!("an action is an object with \"command\", not {}", item.describe());
        notes.add(Diagnostic::error("legacy.value", path, item.span, message));
        return None;
    };
    for (key, _) in entries {
        if !["command", "parameters", "metadata", "role"].contains(&key.text.as_str()) {
            let message = format!("\"{}\" of an action has no counterpart and is dropped", key.text);
            notes.add(Diagnostic::warning("legacy.dropped-key", format!("{path}.{}", key.text), key.span, message));
        }
    }
    let parameters = object(item, "parameters", &path, notes);
    let metadata = object(item, "metadata", &path, notes);
    let chosen = chosen_roles(item, parameters, &path, roles, single, notes);
    let number = |name: &str, notes: &mut Notes| {
        let node = parameters?.get(name)?;
        let number = node.as_int().and_then(|number| u64::try_from(number).ok()).filter(|number| in_range(*number));
        if number.is_none() {
            let message = format!("\"{name}\" is a whole number from 1, not {}", node.describe());
            notes.add(Diagnostic::error("legacy.value", format!("{path}.parameters.{name}"), node.span, message));
        }
        number
    };
    let timeout = number("timeout", notes);
    let repeat = number("repeat", notes).unwrap_or(1);
    let Some(node) = item.get("command") else {
        let start = Span::new(item.span.start, item.span.start + 1);
        let finding =
            Diagnostic::error("legacy.unknown-command", format!("{path}.command"), start, "\"command\" is missing");
        notes.add(finding.help("say what to do: \"command\": \"lava_test_shell\""));
        return None;
    };
    let name = node.as_text().unwrap_or_default().to_owned();
    let command = Command::named(&name);
    if command.is_none() {
        let message = match node.as_text() {
            Some(name) if OBSOLETE.contains(&name) || name.starts_with("lava_android_test_") => {
                format!("command {name} cannot be converted")
            }
            Some(name) => format!("unknown command {name}"),
            None => format!("\"command\" is a string, not {}", node.describe()),
        };
        let finding = Diagnostic::error("legacy.unknown-command", format!("{path}.command"), node.span, message);
        let near = Command::nearest(&name).map(|near| format!("did you mean {near}?"));
        notes.add(finding.help(near.unwrap_or_else(|| format!("known commands: {}", Command::names().join(", ")))));
    }
    Some(Action {
        path,
        span: node.span,
        command: command?,
        name,
        roles: chosen,
        parameters,
        timeout,
        repeat,
        metadata,
    })
}

/// The roles an action names, inside `parameters` or beside them; all roles when it names none.
fn chosen_roles(
    item: &Node,
    parameters: Option<&Node>,
    path: &str,
    roles: &[Role],
    single: bool,
    notes: &mut Notes,
) -> Vec<usize> {
    let all = (0..roles.len()).collect();
    let inside = parameters.and_then(|node| node.get("role"));
    let beside = item.entry("role");
    if let Some((key, _)) = beside {
        let message = "\"role\" stands beside \"parameters\"; V1 looked for it inside";
        let finding = Diagnostic::warning("legacy.role-position", format!("{path}.role"), key.span, message);
        notes.add(finding.help("move it into \"parameters\""));
    }
    let Some(node) = inside.or(beside.map(|(_, node)| node)) else { return all };
    let path = if inside.is_some() { format!("{path}.parameters.role") } else { format!("{path}.role") };
    if single {
        let message = "a job for one device has no roles; \"role\" is not used";
        notes.add(Diagnostic::warning("legacy.dropped-key", path, node.span, message));
        return all;
    }
    let named: Vec<&Node> = match &node.kind {
        NodeKind::List(items) => {
            let message = "V1 took one role an action; the list is understood as it is";
            notes.add(Diagnostic::warning("legacy.role-list", path.clone(), node.span, message));
            items.iter().collect()
        }
        _ => vec![node],
    };
    let mut chosen = Vec::new();
    for node in named {
        let place = node.as_text().and_then(|name| roles.iter().position(|role| role.name == name));
        let Some(place) = place else {
            let message = match node.as_text() {
                Some(name) => format!("role {name} is not in \"device_group\""),
                None => format!("a role is a string, not {}", node.describe()),
            };
            let known: Vec<&str> = roles.iter().map(|role| role.name.as_str()).collect();
            let help =
                if known.is_empty() { String::from("list it there") } else { format!("roles: {}", known.join(", ")) };
            notes.add(Diagnostic::error("legacy.unknown-role", path.clone(), node.span, message).help(help));
            continue;
        };
        if !chosen.contains(&place) {
            chosen.push(place);
        }
    }
    chosen.sort_unstable();
    chosen
}

fn object<'a>(item: &'a Node, name: &str, path: &str, notes: &mut Notes) -> Option<&'a Node> {
    let node = item.get(name)?;
    if node.as_map().is_none() && node.kind != NodeKind::Null {
        let message = format!("\"{name}\" is an object, not {}", node.describe());
        notes.add(Diagnostic::error("legacy.value", format!("{path}.{name}"), node.span, message));
    }
    node.as_map().map(|_| node)
}
