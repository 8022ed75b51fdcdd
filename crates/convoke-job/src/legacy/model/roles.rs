//! `device_group`, or the one device of a single-device job.

use super::{Role, join, text};
use crate::diagnostic::Diagnostic;
use crate::legacy::{LegacyOptions, Notes};
use crate::node::{Node, NodeKind};
use crate::source::Span;

/// The role of a single-device job.
pub(super) fn alone(root: &Node, start: Span, options: &LegacyOptions, notes: &mut Notes) -> Role {
    let device = text(root, "target", "", notes).or_else(|| text(root, "device", "", notes));
    let device_type = device_type(root, "", device.as_deref(), start, options, notes);
    let tags = tags(root, "", notes);
    Role { name: String::new(), count: 1, device_type, device, tags, slave: false, span: start }
}

pub(super) fn roles(root: &Node, options: &LegacyOptions, notes: &mut Notes) -> Vec<Role> {
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
