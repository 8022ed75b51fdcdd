//! The 2014 document, checked: roles, and actions with the roles that run them (legacy-json.md §1, §9).

use crate::diagnostic::Diagnostic;
use crate::legacy::commands::Command;
use crate::legacy::{LegacyOptions, Notes};
use crate::node::{Node, NodeKind};
use crate::source::Span;

/// A document that can be converted, errors aside that were noted.
pub(crate) struct Document<'a> {
    pub(crate) timeout: u64,
    pub(crate) job_name: Option<String>,
    pub(crate) logging_level: Option<String>,
    pub(crate) priority: Option<String>,
    pub(crate) roles: Vec<Role>,
    /// A single-device job: its only role has no name.
    pub(crate) single: bool,
    pub(crate) actions: Vec<Action<'a>>,
}

/// An entry of `device_group`.
pub(crate) struct Role {
    pub(crate) name: String,
    pub(crate) count: u64,
    pub(crate) device_type: String,
    pub(crate) device: Option<String>,
    pub(crate) tags: Vec<String>,
    pub(crate) slave: bool,
    pub(crate) span: Span,
}

/// An entry of `actions`.
pub(crate) struct Action<'a> {
    pub(crate) path: String,
    pub(crate) span: Span,
    pub(crate) command: Command,
    pub(crate) name: String,
    /// Places in `Document::roles`, in their order.
    pub(crate) roles: Vec<usize>,
    pub(crate) parameters: Option<&'a Node>,
    pub(crate) timeout: Option<u64>,
    pub(crate) repeat: u64,
    pub(crate) metadata: Option<&'a Node>,
}

impl<'a> Action<'a> {
    pub(crate) fn parameter(&self, name: &str) -> Option<&'a Node> {
        self.parameters?.get(name)
    }

    /// The text of a parameter, where it is text.
    pub(crate) fn text(&self, name: &str) -> Option<&'a str> {
        self.parameter(name)?.as_text()
    }
}

/// How many roles, and how many actions with their repetitions, a document may have.
pub(crate) const MOST: usize = 1000;

/// Commands that V1 had and that are not converted.
const OBSOLETE: [&str; 2] = ["lava_test_install", "lava_test_run"];

const TOP: [&str; 13] = [
    "timeout",
    "job_name",
    "logging_level",
    "priority",
    "device_group",
    "device_type",
    "device",
    "target",
    "tags",
    "actions",
    "vm_group",
    "health_check",
    "lmp_module",
];

pub(crate) fn read<'a>(root: &'a Node, options: &LegacyOptions, notes: &mut Notes) -> Option<Document<'a>> {
    let Some(entries) = root.as_map() else {
        let message = format!("a job is a JSON object; this is {}", root.describe());
        notes.add(Diagnostic::error("legacy.value", "", root.span, message));
        return None;
    };
    let start = Span::new(root.span.start, root.span.start + 1);
    for (key, _) in entries {
        let dropped = matches!(key.text.as_str(), "health_check" | "lmp_module");
        if dropped || !TOP.contains(&key.text.as_str()) {
            let message = format!("\"{}\" has no counterpart and is dropped", key.text);
            notes.add(Diagnostic::warning("legacy.dropped-key", key.text.clone(), key.span, message));
        }
    }
    if let Some((key, _)) = root.entry("vm_group") {
        let message = "virtual machines that are started on a host device cannot be converted";
        let help = "write secondary connections: a role with `connection: ssh`, `host_role` and `expect_role`";
        notes.add(Diagnostic::error("legacy.vm-group", "vm_group", key.span, message).help(help));
        return None;
    }
    let timeout = timeout(root, start, notes);
    let word = |name: &str, allowed: &[&str], notes: &mut Notes| word(root, name, allowed, notes);
    let job_name = text(root, "job_name", "", notes);
    let logging_level = word("logging_level", &["CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG"], notes);
    let priority = word("priority", &["high", "medium", "low"], notes);
    let single = root.get("device_group").is_none();
    if !bounded(root, notes) {
        return None;
    }
    let roles = if single { vec![alone(root, start, options, notes)] } else { roles(root, options, notes) };
    let actions = actions(root, start, &roles, single, notes);
    Some(Document { timeout: timeout?, job_name, logging_level, priority, roles, single, actions })
}

/// A job of the size that this format was for; what follows may then be quadratic.
fn bounded(root: &Node, notes: &mut Notes) -> bool {
    for name in ["device_group", "actions"] {
        let Some(node) = root.get(name) else { continue };
        let length = node.as_list().map_or(0, <[Node]>::len);
        if length > MOST {
            let message = format!("\"{name}\" has {length} entries; at most {MOST} are converted");
            notes.add(Diagnostic::error("legacy.size", name, node.span, message));
            return false;
        }
    }
    true
}

fn timeout(root: &Node, start: Span, notes: &mut Notes) -> Option<u64> {
    let help = "give the limit of each action in seconds: \"timeout\": 900";
    let Some(node) = root.get("timeout") else {
        notes.add(Diagnostic::error("legacy.no-timeout", "timeout", start, "\"timeout\" is missing").help(help));
        return None;
    };
    let seconds = node.as_int().and_then(|seconds| u64::try_from(seconds).ok()).filter(|seconds| in_range(*seconds));
    if seconds.is_none() {
        let message = format!("\"timeout\" is a whole number of seconds from 1, not {}", node.describe());
        notes.add(Diagnostic::error("legacy.no-timeout", "timeout", node.span, message).help(help));
    }
    seconds
}

/// From a second to ten years: sums of limits stay far from overflow.
fn in_range(seconds: u64) -> bool {
    (1..=315_360_000).contains(&seconds)
}

/// The role of a single-device job.
fn alone(root: &Node, start: Span, options: &LegacyOptions, notes: &mut Notes) -> Role {
    let device = text(root, "target", "", notes).or_else(|| text(root, "device", "", notes));
    let device_type = device_type(root, "", device.as_deref(), start, options, notes);
    let tags = tags(root, "", notes);
    Role { name: String::new(), count: 1, device_type, device, tags, slave: false, span: start }
}

fn roles(root: &Node, options: &LegacyOptions, notes: &mut Notes) -> Vec<Role> {
    let Some((key, list)) = root.entry("device_group") else { return Vec::new() };
    let Some(items) = list.as_list() else {
        let message = format!("\"device_group\" is a list of roles, not {}", list.describe());
        notes.add(Diagnostic::error("legacy.value", "device_group", list.span, message));
        return Vec::new();
    };
    for other in ["device_type", "device", "target", "tags"] {
        if let Some((other_key, _)) = root.entry(other) {
            let message = format!("\"{other}\" beside \"device_group\" is not used");
            notes.add(Diagnostic::warning("legacy.dropped-key", other, other_key.span, message));
        }
    }
    let errors_before = notes.diagnostics.iter().filter(|finding| finding.is_error()).count();
    let mut roles: Vec<Role> = Vec::new();
    for (place, item) in items.iter().enumerate() {
        let Some(role) = role(item, &format!("device_group[{place}]"), options, notes) else { continue };
        if let Some(first) = roles.iter().find(|known| known.name == role.name) {
            let message = format!("role {} is listed twice", role.name);
            let finding =
                Diagnostic::error("legacy.duplicate-role", format!("device_group[{place}]"), role.span, message);
            notes.add(finding.also(first.span, "listed here first").help("raise the first one's count, or rename one"));
            continue;
        }
        roles.push(role);
    }
    let total: u64 = roles.iter().map(|role| role.count).sum();
    let sound = errors_before == notes.diagnostics.iter().filter(|finding| finding.is_error()).count();
    if total <= 1 && sound {
        let message = format!("a group has at least two devices; this one asks for {total}");
        let help = "raise a count, or write a single-device job with \"device_type\" and no \"device_group\"";
        notes.add(Diagnostic::error("legacy.group-size", "device_group", key.span, message).help(help));
    }
    let slaves: Vec<&Role> = roles.iter().filter(|role| role.slave).collect();
    if let Some(slave) = slaves.first() {
        if slaves.len() == roles.len() {
            let message = format!("role {} is a slave, but no other role could boot it", slave.name);
            let help = "add a role without \"is_slave\" whose test boots the slave";
            notes.add(Diagnostic::error("legacy.slave-alone", "device_group", slave.span, message).help(help));
        } else if slaves.iter().map(|role| role.count).sum::<u64>() > 1 {
            let message = "several slaves use the same message IDs; the master cannot tell them apart";
            notes.add(Diagnostic::warning("legacy.slaves", "device_group", slave.span, message));
        }
    }
    roles
}

fn role(item: &Node, path: &str, options: &LegacyOptions, notes: &mut Notes) -> Option<Role> {
    let Some(entries) = item.as_map() else {
        let message = format!("an entry of \"device_group\" is an object, not {}", item.describe());
        notes.add(Diagnostic::error("legacy.value", path, item.span, message));
        return None;
    };
    let start = Span::new(item.span.start, item.span.start + 1);
    for (key, _) in entries {
        if !["role", "count", "device_type", "device", "tags", "is_slave"].contains(&key.text.as_str()) {
            let message = format!("\"{}\" of a role has no counterpart and is dropped", key.text);
            notes.add(Diagnostic::warning("legacy.dropped-key", format!("{path}.{}", key.text), key.span, message));
        }
    }
    let name = text(item, "role", path, notes);
    if name.is_none() && item.get("role").is_none() {
        let message = "\"role\" is missing";
        notes.add(Diagnostic::error("legacy.role", format!("{path}.role"), start, message).help("name the role"));
    }
    let span = item.get("role").map_or(start, |node| node.span);
    let valid = |name: &String| {
        name.len() <= 64
            && name.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
    };
    if let Some(bad) = name.as_ref().filter(|name| !valid(name)) {
        let message = format!("{bad:?} is no role name");
        let help = "use letters, digits, `_`, `.` and `-`, at most 64, not beginning with `.` or `-`";
        notes.add(Diagnostic::error("legacy.role", format!("{path}.role"), span, message).help(help));
    }
    let device = text(item, "device", path, notes);
    let count = count(item, path, start, device.is_some(), notes);
    let device_type = device_type(item, path, device.as_deref(), start, options, notes);
    let tags = tags(item, path, notes);
    let slave = match item.get("is_slave").map(|node| (&node.kind, node)) {
        None => false,
        Some((NodeKind::Bool(value), _)) => *value,
        Some((NodeKind::Text(value), _)) if value == "true" || value == "false" => value == "true",
        Some((_, node)) => {
            let message = format!("\"is_slave\" is true or false, not {}", node.describe());
            notes.add(Diagnostic::error("legacy.value", format!("{path}.is_slave"), node.span, message));
            false
        }
    };
    Some(Role { name: name?, count: count?, device_type, device, tags, slave, span })
}

fn count(item: &Node, path: &str, start: Span, named: bool, notes: &mut Notes) -> Option<u64> {
    let path = format!("{path}.count");
    let Some(node) = item.get("count") else {
        if named {
            return Some(1);
        }
        let finding = Diagnostic::error("legacy.count", path, start, "\"count\" is missing");
        notes.add(finding.help("say how many devices have this role: \"count\": 2"));
        return None;
    };
    let count = node.as_int().and_then(|count| u64::try_from(count).ok()).filter(|count| *count <= 10_000);
    match count {
        None => {
            let message = format!("\"count\" is a whole number from 0 to 10000, not {}", node.describe());
            notes.add(Diagnostic::error("legacy.count", path, node.span, message));
            None
        }
        Some(count) if named && count != 1 => {
            let message = format!("a role with one \"device\" has \"count\" 1, not {count}");
            let finding = Diagnostic::error("legacy.count-with-device", path, node.span, message);
            notes.add(finding.help("set \"count\" to 1, or give \"device_type\" instead of \"device\""));
            Some(1)
        }
        Some(count) => Some(count),
    }
}

/// The type given, or the named device's.
fn device_type(
    item: &Node,
    path: &str,
    device: Option<&str>,
    start: Span,
    options: &LegacyOptions,
    notes: &mut Notes,
) -> String {
    if let Some(name) = text(item, "device_type", path, notes) {
        return name;
    }
    let path = join(path, "device_type");
    let known = device.and_then(|name| options.devices.get(name));
    match (known, device) {
        (Some(name), _) => return name.clone(),
        (None, Some(name)) if options.rehearse => {
            let message = format!("the type of device {name} is not known; a sandbox stands in for it");
            notes.add(Diagnostic::warning("legacy.device-type", path, start, message));
        }
        (None, Some(name)) => {
            let finding =
                Diagnostic::error("legacy.device-type", path, start, format!("the type of device {name} is not known"));
            notes.add(finding.help("add \"device_type\", or give a lab file that lists the device"));
        }
        (None, None) => {
            let finding = Diagnostic::error("legacy.device-type", path, start, "\"device_type\" is missing");
            notes.add(finding.help("say what kind of device is needed: \"device_type\": \"panda\""));
        }
    }
    "sandbox".to_owned()
}

fn tags(item: &Node, path: &str, notes: &mut Notes) -> Vec<String> {
    let Some(node) = item.get("tags") else { return Vec::new() };
    let mut tags = Vec::new();
    let sound = node
        .as_list()
        .is_some_and(|items| items.iter().all(|item| item.as_text().map(|tag| tags.push(tag.to_owned())).is_some()));
    if !sound {
        let message = format!("\"tags\" is a list of strings, not {}", node.describe());
        notes.add(Diagnostic::error("legacy.value", join(path, "tags"), node.span, message));
    }
    tags
}

fn actions<'a>(root: &'a Node, start: Span, roles: &[Role], single: bool, notes: &mut Notes) -> Vec<Action<'a>> {
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

/// The non-empty string under `name`; anything else there is an error.
fn text(item: &Node, name: &str, path: &str, notes: &mut Notes) -> Option<String> {
    let node = item.get(name)?;
    let text = node.as_text().filter(|text| !text.is_empty());
    if text.is_none() {
        let message = format!("\"{name}\" is a non-empty string, not {}", node.describe());
        notes.add(Diagnostic::error("legacy.value", join(path, name), node.span, message));
    }
    text.map(str::to_owned)
}

fn word(root: &Node, name: &str, allowed: &[&str], notes: &mut Notes) -> Option<String> {
    let word = text(root, name, "", notes)?;
    if !allowed.contains(&word.as_str()) {
        let span = root.get(name).map_or_else(Span::default, |node| node.span);
        let finding = Diagnostic::error("legacy.value", name, span, format!("{word:?} is no {name}"));
        notes.add(finding.help(format!("use one of {}", allowed.join(", "))));
    }
    Some(word)
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}
