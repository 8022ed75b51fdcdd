//! Top-level keys (job-definition.md §2; rules 2, 3, 20, 21, 33).

use super::cursor::{At, Findings};
use super::hints::did_you_mean;
use super::{context, environment, notify, roles, timeout};
use crate::diagnostic::Diagnostic;
use crate::job::{Spanned, Visibility, Wanted};
use crate::member::Timeouts;
use crate::node::NodeKind;

const KEYS: &[&str] = &[
    "job_name",
    "visibility",
    "timeouts",
    "actions",
    "device_type",
    "device",
    "worker",
    "tags",
    "context",
    "environment",
    "priority",
    "metadata",
    "secrets",
    "notify",
    "protocols",
    "reboot_to_fastboot",
];
/// Those that belong to a role in a multinode job: the splitter would lose them.
const OF_ROLES: &[&str] = &["device_type", "device", "worker", "tags", "context", "environment"];

/// The top-level keys that every job has.
pub(crate) struct Top {
    pub(crate) name: Option<String>,
    pub(crate) visibility: Option<Visibility>,
    pub(crate) priority: u8,
    pub(crate) timeouts: Timeouts,
    pub(crate) secrets: Vec<(String, String)>,
}

/// A member's definition submitted as a job (b24).
pub(crate) fn already_split(at: &At<'_>) -> Option<Diagnostic> {
    let protocol = at.get("protocols").and_then(|protocols| protocols.get("lava-multinode"))?;
    let given: Vec<&str> = ["target_group", "role", "sub_id", "group_size"]
        .into_iter()
        .filter(|key| protocol.get(key).is_some())
        .collect();
    // A group with a stray key still has its roles as mappings.
    let roles =
        protocol.get("roles").is_some_and(|roles| roles.entries().any(|(_, role)| role.node.as_map().is_some()));
    if given.is_empty() || roles {
        return None;
    }
    let shown: Vec<&str> = given.into_iter().filter(|key| *key != "group_size").collect();
    let message = format!(
        "this is the definition of one member ({} present); submit the original group definition",
        shown.join(", ")
    );
    Some(protocol.error_at_name("schema.already-split", message).help("use the job file this member was split from"))
}

/// Which keys are there (rules 2, 3, 20).
pub(crate) fn keys(at: &At<'_>, multinode: bool, findings: &mut Findings) {
    for (key, value) in at.entries() {
        let name = key.text.as_str();
        if multinode && OF_ROLES.contains(&name) {
            let message = "belongs into a role in a multinode job (same for context, tags, environment)";
            let finding = value.error_at_name("multinode.top-level", message);
            findings.push(finding.help(format!("move `{name}` into the roles that need it")));
        } else if !KEYS.contains(&name) {
            let (hint, help) = match name {
                "target" | "device_group" | "timeout" | "logging_level" => (
                    String::new(),
                    "this key is of the 2014 JSON format: run `convoke convert` on the original file".to_owned(),
                ),
                "connection" | "host_role" | "role" | "target_group" => (
                    String::new(),
                    "this key is of one member's definition: submit the original group definition".to_owned(),
                ),
                _ => (did_you_mean(name, KEYS), format!("known at the top level: {}", KEYS.join(", "))),
            };
            let finding = value.error_at_name("schema.unknown-key", format!("unknown key `{name}`{hint}")).help(help);
            findings.push(finding);
        }
    }
    let single = (!multinode).then_some(("device_type", "required unless protocols.lava-multinode is given"));
    let required = [
        ("job_name", "`job_name` is required"),
        ("visibility", "`visibility` is required"),
        ("timeouts", "`timeouts` is required"),
        ("actions", "`actions` is required"),
    ];
    for (key, message) in required.into_iter().chain(single) {
        if at.get(key).is_none() {
            let finding = Diagnostic { path: key.into(), ..at.error_at_name("schema.missing", message) };
            findings.push(finding.help(match key {
                "job_name" => "add `job_name:` with a short description",
                "visibility" => "add `visibility: public`",
                "timeouts" => "add `timeouts: {job: {minutes: 30}, action: {minutes: 5}}`",
                "actions" => "add the list of deploy, boot and test blocks",
                _ => "add for example `device_type: sandbox`",
            }));
        }
    }
}

/// Reads the keys every job has.
pub(crate) fn top(at: &At<'_>, findings: &mut Findings) -> Top {
    let name = at.get("job_name").and_then(|at| {
        let name = findings.filled_text(&at, "schema.type")?;
        if name.chars().count() > 200 {
            findings.push(at.error("schema.type", "must have at most 200 characters").help("shorten it"));
        }
        Some(name)
    });
    let visibility = at.get("visibility").and_then(|at| visibility(&at, findings));
    let priority = at.get("priority").and_then(|at| priority(&at, findings)).unwrap_or(50);
    let timeouts = at.get("timeouts").map(|at| timeout::timeouts(&at, findings)).unwrap_or_default();
    if let Some(metadata) = at.get("metadata")
        && findings.is_mapping(&metadata, "schema.type")
    {
        for (key, value) in metadata.entries() {
            findings.key_is_text(key, &value, "schema.type");
        }
    }
    let mut secrets = Vec::new();
    if let Some(secrets_at) = at.get("secrets")
        && findings.is_mapping(&secrets_at, "schema.type")
    {
        for (key, value) in secrets_at.entries() {
            findings.key_is_text(key, &value, "schema.type");
            if let Some(text) = findings.text(&value, "schema.type") {
                secrets.push((key.text.clone(), text));
            }
        }
    }
    if let Some(notify) = at.get("notify") {
        notify::notify(&notify, findings);
    }
    if let Some(flag) = at.get("reboot_to_fastboot") {
        findings.boolean(&flag, "schema.type");
    }
    if let Some(protocols) = at.get("protocols") {
        self::protocols(&protocols, findings);
    }
    Top { name, visibility, priority, timeouts, secrets }
}

/// The keys of a single-device job.
pub(crate) fn single(at: &At<'_>, extra_context: &[String], findings: &mut Findings) -> Option<Wanted> {
    if let Some(context_at) = at.get("context") {
        context::context(&context_at, extra_context, findings);
    }
    if let Some(environment) = at.get("environment") {
        environment::environment(&environment, "schema.type", findings);
    }
    roles::wanted(at, findings)
}

fn visibility(at: &At<'_>, findings: &mut Findings) -> Option<Visibility> {
    let help = "write `public`, `personal` or `{group: [NAME, …]}`";
    if let (NodeKind::Map(entries), Some(groups)) = (&at.node.kind, at.get("group")) {
        if entries.len() > 1 {
            findings.push(at.error("schema.visibility", "`group` is the only key here").help(help));
        }
        if !findings.is_list(&groups, "schema.visibility") {
            return None;
        }
        let names: Vec<_> = groups
            .items()
            .filter_map(|item| {
                Some(Spanned { value: findings.filled_text(&item, "schema.visibility")?, span: item.node.span })
            })
            .collect();
        if names.is_empty() {
            findings.push(groups.error_at_name("schema.visibility", "no group is named").help(help));
        }
        return Some(Visibility::Groups(names));
    }
    match at.node.as_text() {
        Some("public") => Some(Visibility::Public),
        Some("personal") => Some(Visibility::Personal),
        Some(text) => {
            let hint = did_you_mean(text, &["public", "personal"]);
            findings.push(at.error("schema.visibility", format!("there is no visibility {text:?}{hint}")).help(help));
            None
        }
        None => {
            let message = format!("public, personal or a list of groups expected, got {}", at.node.describe());
            findings.push(at.error("schema.visibility", message).help(help));
            None
        }
    }
}

/// Rule 33.
fn priority(at: &At<'_>, findings: &mut Findings) -> Option<u8> {
    let number = match &at.node.kind {
        NodeKind::Int(number) => u8::try_from(*number).ok().filter(|number| *number <= 100),
        NodeKind::Text(text) => match text.as_str() {
            "high" => Some(100),
            "medium" => Some(50),
            "low" => Some(0),
            _ => None,
        },
        _ => None,
    };
    if number.is_none() {
        let finding = at.error("schema.priority", format!("a priority expected, got {}", at.node.describe()));
        findings.push(finding.help("write high, medium, low, or a number from 0 to 100"));
    }
    number
}

fn protocols(at: &At<'_>, findings: &mut Findings) {
    const KNOWN: [&str; 2] = ["lava-multinode", "lava-xnbd"];
    if !findings.is_mapping(at, "schema.type") {
        return;
    }
    for (key, value) in at.entries() {
        if !KNOWN.contains(&key.text.as_str()) {
            let message = format!("unknown protocol `{}`{}", key.text, did_you_mean(&key.text, &KNOWN));
            findings.push(
                value.warning_at_name("schema.protocol", message).help("it is copied to the members and not used"),
            );
        }
    }
    let Some(xnbd) = at.get("lava-xnbd") else { return };
    if !findings.is_mapping(&xnbd, "schema.type") {
        return;
    }
    match xnbd.get("port") {
        Some(port) if port.node.as_text() == Some("auto") => {}
        Some(port) => {
            findings.integer(&port, "schema.type", 1);
        }
        None => findings.push(xnbd.error_at_name("schema.missing", "`port` is required").help("write `port: auto`")),
    }
    if let Some(at) = xnbd.get("timeout") {
        timeout::timeout(&at, findings);
    }
}
