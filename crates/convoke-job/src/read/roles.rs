//! `protocols.lava-multinode`: the group and its roles (job-definition.md §4; rules 4–19 of §11.2).

use std::time::Duration;

use super::cursor::{At, Findings};
use super::hints::{closest, did_you_mean};
use super::{context, environment, role_graph, timeout};
use crate::diagnostic::Diagnostic;
use crate::ids::{DeviceName, DeviceType, RoleName, Tag};
use crate::job::{MemberNames, Spanned, Wanted};
use crate::node::Key;

/// More than any lab has devices.
const MOST_MEMBERS: u64 = 10_000;
/// Every role is compared with every action: bytes of the document times roles may not be more. What the copies of members
/// weigh is looked at when their actions are known.
const MOST_BYTES: u64 = 128 << 20;

const ROLE_KEYS: [&str; 12] = [
    "device_type",
    "count",
    "context",
    "device",
    "worker",
    "tags",
    "environment",
    "essential",
    "timeout",
    "connection",
    "host_role",
    "expect_role",
];
pub(crate) const ON_SYNC_TIMEOUT: [&str; 3] = ["continue", "stop-definition", "fail-job"];
const GROUP_KEYS: [&str; 4] = ["roles", "timeout", "member-names", "on-sync-timeout"];

/// The group as far as it could be read.
pub(crate) struct DraftGroup<'a> {
    pub(crate) roles: Vec<DraftRole<'a>>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) timeout_at: Option<At<'a>>,
    pub(crate) member_names: MemberNames,
}

/// A role as far as it could be read.
pub(crate) struct DraftRole<'a> {
    pub(crate) at: At<'a>,
    pub(crate) name: RoleName,
    pub(crate) count: Option<Spanned<u32>>,
    /// `None` when it is neither or both.
    pub(crate) guest: Option<bool>,
    pub(crate) wanted: Option<Wanted>,
    pub(crate) host_role: Option<Spanned<RoleName>>,
    pub(crate) expect_role: Option<Spanned<RoleName>>,
    pub(crate) delayed_start: bool,
    pub(crate) essential: bool,
    pub(crate) timeout: Option<Duration>,
}

impl DraftRole<'_> {
    pub(crate) fn is_guest(&self) -> bool {
        self.guest == Some(true)
    }

    pub(crate) fn wants_members(&self) -> bool {
        self.count.as_ref().is_none_or(|count| count.value > 0)
    }
}

/// Reads the group. `at` is `protocols.lava-multinode`, `document` the length of the text.
pub(crate) fn group<'a>(
    at: &At<'a>,
    document: usize,
    extra_context: &[String],
    findings: &mut Findings,
) -> Option<DraftGroup<'a>> {
    if at.node.as_map().is_none() {
        let message = format!("a mapping with `roles` expected, got {}", at.node.describe());
        findings.push(at.error("multinode.roles-missing", message).help("write `lava-multinode: {roles: {…}}`"));
        return None;
    }
    for (key, value) in at.entries() {
        if !GROUP_KEYS.contains(&key.text.as_str()) {
            let message = format!("unknown key `{}`{}", key.text, did_you_mean(&key.text, &GROUP_KEYS));
            findings.push(
                value
                    .warning_at_name("schema.unknown-key", message)
                    .help(format!("known here: {}; it is copied to every member", GROUP_KEYS.join(", "))),
            );
        }
    }
    let timeout_at = at.get("timeout");
    let group_timeout = timeout_at.as_ref().and_then(|at| timeout::timeout(at, findings).0);
    let member_names = at
        .get("member-names")
        .and_then(|at| findings.word(&at, "multinode.member-names", &["job-id", "hostname"]))
        .map_or(MemberNames::JobId, |word| if word == "hostname" { MemberNames::Hostname } else { MemberNames::JobId });
    if let Some(at) = at.get("on-sync-timeout") {
        findings.word(&at, "multinode.on-sync-timeout", &ON_SYNC_TIMEOUT);
    }
    let Some(roles_at) = at.get("roles") else {
        findings.push(
            Diagnostic {
                path: at.path_of("roles"),
                ..at.error_at_name("multinode.roles-missing", "`roles` is required")
            }
            .help("add the roles of the group, for example `roles: {client: {device_type: sandbox, count: 2}}`"),
        );
        return None;
    };
    if roles_at.node.as_map().is_none() {
        let message = format!("a mapping from role names to roles expected, got {}", roles_at.node.describe());
        findings.push(
            roles_at
                .error("multinode.roles-missing", message)
                .help("write `roles: {NAME: {device_type: …, count: …}}`"),
        );
        return None;
    }
    // Paths of findings in roles leave out the protocol: `roles.client.count`.
    let roles_at = At { path: "roles".into(), ..roles_at };
    let most = (MOST_BYTES / (document as u64).max(1)).min(MOST_MEMBERS);
    if too_many(at, roles_at.node.as_map().map_or(0, <[_]>::len) as u64, "roles", most, findings) {
        return None;
    }
    let roles: Vec<_> = roles_at.entries().map(|(key, at)| role(key, at, extra_context, findings)).collect();
    let members: u64 = roles.iter().filter_map(|role| role.count.as_ref()).map(|count| u64::from(count.value)).sum();
    let all_counted = roles.iter().all(|role| role.count.is_some());
    if roles_at.node.as_map().is_some_and(<[_]>::is_empty) {
        findings.push(roles_at.error_at_name("multinode.empty", "there are no roles").help("add at least one role"));
    } else if members == 0 && all_counted && !roles.is_empty() {
        let finding = roles_at.error_at_name("multinode.empty", "every role has count 0, there is nothing to run");
        findings.push(finding.help("raise the count of one role"));
    }
    too_many(&roles_at, members, "members", MOST_MEMBERS, findings);
    role_graph::check(&roles, findings);
    Some(DraftGroup { roles, timeout: group_timeout, timeout_at, member_names })
}

fn too_many(at: &At<'_>, count: u64, what: &str, most: u64, findings: &mut Findings) -> bool {
    if count > most {
        let message = format!("{count} {what} are too many, a job of this size may have {most}");
        findings.push(at.error_at_name("multinode.size", message).help("lower the counts, or make the file smaller"));
    }
    count > most
}

fn role<'a>(key: &'a Key, at: At<'a>, extra_context: &[String], findings: &mut Findings) -> DraftRole<'a> {
    if findings.key_is_text(key, &at, "role.name") {
        let fits = key.text.len() <= 64
            && key.text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
            && key.text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'));
        if !fits {
            let message = format!("{:?} is no role name", key.text);
            let finding = at.error_at_name("role.name", message);
            findings
                .push(finding.help("use letters, digits, `_`, `.` and `-`, at most 64, not starting with `.` or `-`"));
        }
    }
    if !findings.is_mapping(&at, "role.kind") {
        // Its name is known all the same.
        return DraftRole {
            name: RoleName::new(key.text.clone()),
            at,
            count: None,
            guest: None,
            wanted: None,
            host_role: None,
            expect_role: None,
            delayed_start: false,
            essential: false,
            timeout: None,
        };
    }
    let count = count(&at, findings);
    let guest = kind(&at, findings);
    let spanned_text = |key: &str, code, findings: &mut Findings| {
        let at = at.get(key)?;
        Some(Spanned { value: findings.filled_text(&at, code)?, span: at.node.span })
    };
    let wanted = wanted(&at, findings);
    let connection = spanned_text("connection", "role.connection", findings);
    if let Some(connection) = connection.filter(|connection| connection.value != "ssh") {
        let message = format!("there is no connection {:?} for guests", connection.value);
        let finding = Diagnostic::error("role.connection", at.path_of("connection"), connection.span, message);
        findings.push(finding.help("write `connection: ssh`"));
    }
    if let Some(context_at) = at.get("context") {
        context::context(&context_at, extra_context, findings);
    }
    if let Some(environment) = at.get("environment") {
        environment::environment(&environment, "role.environment", findings);
    }
    let to_role = |text: Spanned<String>| Spanned { value: RoleName::new(text.value), span: text.span };
    let host_role = spanned_text("host_role", "role.unknown-host", findings).map(to_role);
    let expect_role = spanned_text("expect_role", "role.unknown-expect", findings).map(to_role);
    let essential = at.get("essential").and_then(|at| findings.boolean(&at, "role.essential")).unwrap_or(false);
    let role_timeout = at.get("timeout").and_then(|at| timeout::timeout(&at, findings).0);
    let delayed_start = request(&at, findings);
    for (key, value) in at.entries() {
        let known = ROLE_KEYS.contains(&key.text.as_str()) || key.text == "request";
        // A misspelt device_type or connection is named by the error about its absence.
        let named = guest.is_none() && closest(&key.text, &["device_type", "connection"]).is_some();
        if !known && !named {
            let message = format!("unknown key `{}`{}", key.text, did_you_mean(&key.text, &ROLE_KEYS));
            findings.push(
                value.warning_at_name("role.key", message).help("remove it; it is copied to the members of this role"),
            );
        }
    }
    DraftRole {
        name: RoleName::new(key.text.clone()),
        at,
        count,
        guest,
        wanted,
        host_role,
        expect_role,
        delayed_start,
        essential,
        timeout: role_timeout,
    }
}

/// Rule 6.
fn count(at: &At<'_>, findings: &mut Findings) -> Option<Spanned<u32>> {
    let Some(count_at) = at.get("count") else {
        let finding = at.error_at_name("role.count", "`count` is required");
        findings.push(finding.help("add `count: 1`, or how many members the role has"));
        return None;
    };
    findings.integer(&count_at, "role.count", 0).map(|value| Spanned { value, span: count_at.node.span })
}

/// Rule 7: device or guest.
fn kind(at: &At<'_>, findings: &mut Findings) -> Option<bool> {
    match (at.get("device_type"), at.get("connection")) {
        (Some(_), None) => Some(false),
        (None, Some(_)) => Some(true),
        (Some(_), Some(connection)) => {
            let finding = at.error_at_name("role.kind", "`device_type` and `connection` exclude each other");
            findings.push(
                finding
                    .also(connection.name, "this makes it a guest")
                    .help("keep `device_type` for a role with a device, `connection` for guests of another role"),
            );
            None
        }
        (None, None) => {
            let meant = at.entries().find_map(|(key, value)| {
                closest(&key.text, &["device_type", "connection"]).map(|name| (key.text.clone(), value.name, name))
            });
            let mut message = "needs `device_type` or `connection`".to_owned();
            if let Some((given, span, name)) = meant {
                message += &format!(" (did you mean {name} instead of {given}?)");
                let finding = at.error_at_name("role.kind", message).also(span, "unknown key");
                findings.push(finding.help(format!("write `{name}`")));
            } else {
                let finding = at.error_at_name("role.kind", message);
                findings.push(finding.help("add the device type, or `connection: ssh` and `host_role` for guests"));
            }
            None
        }
    }
}

/// `device_type`, `device`, `worker` and `tags` of a role or of a single-device job; `None` without a device type.
pub(crate) fn wanted(at: &At<'_>, findings: &mut Findings) -> Option<Wanted> {
    let device_type = at.get("device_type").and_then(|at| {
        Some(Spanned { value: DeviceType::new(findings.filled_text(&at, "schema.type")?), span: at.node.span })
    });
    let Pins { device, worker, tags } = pins(at, findings);
    let device_type = device_type?;
    if device_type.value.as_str().chars().count() > 200 {
        let path = at.path_of("device_type");
        let finding = Diagnostic::error("schema.type", path, device_type.span, "must have at most 200 characters");
        findings.push(finding.help("shorten it"));
    }
    Some(Wanted { device_type, device, worker, tags })
}

/// What narrows the choice of a device.
pub(crate) struct Pins {
    pub(crate) device: Option<Spanned<DeviceName>>,
    pub(crate) worker: Option<Spanned<String>>,
    pub(crate) tags: Vec<Spanned<Tag>>,
}

pub(crate) fn pins(at: &At<'_>, findings: &mut Findings) -> Pins {
    let mut text = |key: &str| {
        let at = at.get(key)?;
        Some(Spanned { value: findings.filled_text(&at, "schema.type")?, span: at.node.span })
    };
    let device = text("device").map(|it| Spanned { value: DeviceName::new(it.value), span: it.span });
    let worker = text("worker");
    let tags = match at.get("tags") {
        Some(tags_at) if findings.is_list(&tags_at, "schema.type") => tags_at
            .items()
            .filter_map(|item| {
                let value = Tag::new(findings.filled_text(&item, "schema.type")?);
                Some(Spanned { value, span: item.node.span })
            })
            .collect(),
        _ => Vec::new(),
    };
    Pins { device, worker, tags }
}

/// Rule 16.
fn request(at: &At<'_>, findings: &mut Findings) -> bool {
    let Some(at) = at.get("request") else { return false };
    match findings.text(&at, "role.request").as_deref() {
        Some("lava-start" | "lava_start") => true,
        Some(other) => {
            let finding = at.error("role.request", format!("there is no request {other:?} for a role"));
            findings.push(finding.help("write `request: lava-start` for a delayed start, or remove it"));
            false
        }
        None => false,
    }
}
