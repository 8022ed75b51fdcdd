//! The list of actions and who runs them (job-definition.md §5; rules 22, 23, 25, 39).

use std::time::Duration;

use super::block::block;
use super::cursor::{At, Findings};
use super::hints::{did_you_mean, listing};
use crate::ids::RoleName;
use crate::member::Block;
use crate::node::NodeKind;

const KINDS: [&str; 4] = ["deploy", "boot", "test", "command"];

/// More than any job has; actions are compared with each other.
const MOST_ACTIONS: usize = 1000;

/// What blocks are checked against.
pub(crate) struct Scope<'a> {
    /// Whether the job has a group.
    pub(crate) multinode: bool,
    /// The roles of the group; `None` when they are not known (one member's definition, or a broken group).
    pub(crate) roles: Option<&'a [&'a str]>,
    /// `timeouts.job`.
    pub(crate) job_limit: Option<Duration>,
}

/// A block as far as it could be read.
pub(crate) struct DraftAction<'a> {
    /// The block, below its kind: `actions[2].test`.
    pub(crate) at: At<'a>,
    /// Position in the list.
    pub(crate) index: usize,
    /// Roles that run it; `None` = all.
    pub(crate) roles: Option<Vec<String>>,
    pub(crate) block: Block,
}

impl DraftAction<'_> {
    pub(crate) fn runs_for(&self, role: &str) -> bool {
        self.roles.as_ref().is_none_or(|roles| roles.iter().any(|name| name == role))
    }
}

/// Reads the list; `at` is `actions`.
pub(crate) fn actions<'a>(at: &At<'a>, scope: &Scope<'_>, findings: &mut Findings) -> Vec<DraftAction<'a>> {
    if !findings.is_list(at, "schema.type") {
        return Vec::new();
    }
    if at.items().next().is_none() {
        findings
            .push(at.error_at_name("schema.missing", "there are no actions").help("add deploy, boot and test blocks"));
    }
    let count = at.node.as_list().map_or(0, <[_]>::len);
    if count > MOST_ACTIONS {
        let finding = at.error_at_name(
            "action.count",
            format!("{count} actions are too many, at most {MOST_ACTIONS} are possible"),
        );
        findings.push(finding.help("use `repeat`, or put more into one test"));
        return Vec::new();
    }
    at.items().enumerate().filter_map(|(index, item)| action(index, &item, scope, findings)).collect()
}

fn action<'a>(index: usize, item: &At<'a>, scope: &Scope<'_>, findings: &mut Findings) -> Option<DraftAction<'a>> {
    let entries = match item.node.as_map() {
        Some(entries) if !entries.is_empty() => entries,
        _ => {
            let message = format!("an action is a mapping with one key, got {}", item.node.describe());
            findings.push(item.error("action.one-key", message).help("write `- deploy: {…}`"));
            return None;
        }
    };
    if entries.len() > 1 {
        let names: Vec<&str> = entries.iter().map(|(key, _)| key.text.as_str()).collect();
        let known = names.iter().filter(|name| KINDS.contains(name)).count();
        let mut finding = item
            .error_at_name("action.one-key", format!("an action has one key, this one has {}", listing(&names)))
            .help(if known > 1 {
                "start each block with a `- ` of its own"
            } else {
                "check the indentation: the keys of a block stand further right than its name"
            });
        for (key, _) in entries.iter().skip(1).take(3) {
            finding = finding.also(key.span, "another key");
        }
        findings.push(finding);
    }
    let (kind, at) = item.entries().find(|(key, _)| KINDS.contains(&key.text.as_str())).or_else(|| {
        let (key, at) = item.entries().next()?;
        let message = format!("unknown action `{}`{}", key.text, did_you_mean(&key.text, &KINDS));
        findings.push(at.error_at_name("action.method", message).help(format!("use one of {}", KINDS.join(", "))));
        None
    })?;
    let kind = kind.text.as_str();
    if at.node.as_map().is_none() && !(kind == "test" && at.node.kind == NodeKind::Null) {
        let message = format!("the keys of the {kind} expected, got {}", at.node.describe());
        findings.push(at.error_at_name("action.key", message).help("indent the keys of the block below its name"));
        return None;
    }
    let roles = roles(&at, scope, findings);
    let block = block(kind, &at, scope, findings)?;
    Some(DraftAction { at, index, roles, block })
}

/// `role`: a list, one name, or absent for all (rules 22, 23, 25).
fn roles(at: &At<'_>, scope: &Scope<'_>, findings: &mut Findings) -> Option<Vec<String>> {
    let role_at = at.get("role")?;
    if !scope.multinode {
        let finding = role_at.error_at_name("action.unknown-role", "this job has no roles");
        findings.push(finding.help("remove `role`, or add `protocols.lava-multinode.roles` to the job"));
        return None;
    }
    let items: Vec<At<'_>> = match role_at.node.kind {
        NodeKind::List(_) => role_at.items().collect(),
        _ => vec![role_at.clone()],
    };
    let mut out: Vec<String> = Vec::new();
    for item in items {
        let Some(name) = findings.filled_text(&item, "action.unknown-role") else { continue };
        if let Some(known) = scope.roles.filter(|known| !known.contains(&name.as_str())) {
            let message = format!("no role {name:?}{}", did_you_mean(&name, known));
            findings.push(item.error("action.unknown-role", message).help(format!("roles: {}", listing(known))));
            continue;
        }
        if !out.contains(&name) {
            out.push(name);
        }
    }
    Some(out)
}

/// The role names of a block in the order of the group.
pub(crate) fn in_role_order(action: &DraftAction<'_>, all: &[RoleName]) -> Vec<RoleName> {
    all.iter().filter(|role| action.runs_for(role.as_str())).cloned().collect()
}
