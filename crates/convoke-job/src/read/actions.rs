//! The list of actions and the keys common to every block (job-definition.md §5; rules 22, 23, 25, 36, 38–41).

use std::time::Duration;

use serde_json::{Map, Value};

use super::cursor::{At, Findings};
use super::hints::{did_you_mean, listing};
use super::requests::{self, Known};
use super::{boot, deploy, tables, test, timeout};
use crate::ids::RoleName;
use crate::member::{Block, BlockKind, COMMON_NAMESPACE, Common};
use crate::methods::{self, TreeContext};
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

fn block(kind: &str, at: &At<'_>, scope: &Scope<'_>, findings: &mut Findings) -> Option<Block> {
    let parameters = match at.node.to_value() {
        Value::Object(parameters) => parameters,
        _ => Map::new(),
    };
    let mut common = common(at, scope, findings);
    let kind = match kind {
        "deploy" => deploy::deploy(at, findings)?,
        "boot" => boot::boot(at, findings)?,
        "test" => BlockKind::Test(test::test(at, findings)?),
        _ => BlockKind::Command { name: command(at, findings)? },
    };
    let mut block = Block { common: Common::default(), kind, parameters };
    names(at, &block, scope, &mut common, findings);
    block.common = common;
    Some(block)
}

fn command(at: &At<'_>, findings: &mut Findings) -> Option<String> {
    let Some(name) = at.get("name") else {
        findings.push(at.error_at_name("action.key", "`name` is required").help("name a user command of the device"));
        return None;
    };
    findings.filled_text(&name, "action.key")
}

/// The common keys that need no knowledge of the block's actions.
fn common(at: &At<'_>, scope: &Scope<'_>, findings: &mut Findings) -> Common {
    let mut common = Common::default();
    if let Some(timeout_at) = at.get("timeout") {
        (common.timeout, common.skip) = timeout::timeout(&timeout_at, findings);
        if let (Some(limit), Some(job)) = (common.timeout, scope.job_limit)
            && limit > job
        {
            let message = format!("{} s > job {} s", limit.as_secs(), job.as_secs());
            let finding = timeout_at.error("timeout.exceeds-job", message);
            findings.push(finding.help("shorten it, or lengthen `timeouts.job`"));
        }
    }
    if let Some(namespace) = at.get("namespace")
        && let Some(name) = findings.filled_text(&namespace, "namespace.reserved")
    {
        if name == COMMON_NAMESPACE || name == "docker-test-shell" {
            let finding = namespace.error("namespace.reserved", format!("the namespace {name:?} is reserved"));
            findings.push(finding.help("choose another name"));
        }
        common.namespace = Some(name);
    }
    common.connection_namespace = at.get("connection-namespace").and_then(|at| findings.filled_text(&at, "action.key"));
    let mut number = |key: &str| at.get(key).and_then(|at| findings.integer(&at, "action.key", 1));
    common.failure_retry = number("failure_retry");
    common.failure_retry_interval = number("failure_retry_interval").map(|seconds| Duration::from_secs(seconds.into()));
    common.repeat = number("repeat");
    if at.get("failure_retry").is_some() && at.get("repeat").is_some() {
        let finding = at.error_at_name("action.retry-repeat", "`failure_retry` and `repeat` exclude each other");
        findings.push(finding.help("keep `failure_retry` to try until it works, `repeat` to run it that many times"));
    }
    common
}

/// The common keys that name actions of the block: `timeouts` and requests.
fn names(at: &At<'_>, block: &Block, scope: &Scope<'_>, common: &mut Common, findings: &mut Findings) {
    let (timeouts_at, protocols) = (at.get("timeouts"), at.get("protocols"));
    if timeouts_at.is_none() && protocols.is_none() {
        return;
    }
    let fetches = ["inline-repo-action", "git-repo-action", "url-repo-action"];
    let context = TreeContext { multinode: scope.multinode, definitions: fetches.map(|fetch| (0, fetch)).to_vec() };
    let method = methods::action_tree(block, &context);
    let mut actions = Vec::new();
    for name in method.tree.names() {
        if !actions.contains(&name) {
            actions.push(name);
        }
    }
    if let Some(timeouts_at) = timeouts_at {
        let all = methods::all_names();
        common.timeouts = timeout::named(&timeouts_at, if method.listed { &actions } else { &all }, findings);
        for (name, limit) in &common.timeouts {
            if let (Some(at), Some(job)) = (timeouts_at.get(name), scope.job_limit.filter(|job| limit > job)) {
                let message = format!("{} s > job {} s", limit.as_secs(), job.as_secs());
                let finding = at.warning("timeout.exceeds-job", message);
                findings.push(finding.help("the job ends first: shorten it, or lengthen `timeouts.job`"));
            }
        }
    }
    let Some(protocols) = protocols else { return };
    let what = match &block.kind {
        BlockKind::Deploy { to, .. } => format!("a {to} deploy"),
        BlockKind::Boot { method, .. } => format!("a {method} boot"),
        BlockKind::Test(_) => "this test".into(),
        BlockKind::Command { .. } => "a command".into(),
    };
    let known = Known { actions: method.listed.then_some(actions.as_slice()), what: &what, roles: scope.roles };
    if !scope.multinode {
        requests::without_group(&protocols).into_iter().for_each(|finding| findings.push(finding));
    }
    common.requests = requests::requests(&protocols, &known, findings);
    for request in common.requests.iter().filter(|request| request.timeout > common.timeout) {
        if let (Some(limit), Some(block_limit)) = (request.timeout, common.timeout) {
            let message = format!(
                "the {} s for {} are more than the {} s of the block",
                limit.as_secs(),
                request.message_id,
                block_limit.as_secs()
            );
            let place = protocols.get("lava-multinode").unwrap_or_else(|| protocols.clone());
            let finding = place.warning_at_name("timeout.protocol", message);
            findings.push(finding.help("the block ends first: shorten the request's timeout, or lengthen the block's"));
        }
    }
}

/// Warns about keys a method does not know, and reports those it needs.
pub(crate) fn check_keys(
    at: &At<'_>,
    common: &[&'static str],
    method: &tables::Keys,
    what: &str,
    findings: &mut Findings,
) {
    for required in method.required {
        if at.get(required).is_none() {
            let known: Vec<&str> = at.entries().map(|(key, _)| key.text.as_str()).collect();
            let meant = known.iter().find(|key| super::hints::closest(key, &[required]).is_some());
            let hint = meant.map(|key| format!(" (did you mean {required} instead of {key}?)")).unwrap_or_default();
            let finding = at.error_at_name("action.key", format!("`{required}` is required for {what}{hint}"));
            findings.push(finding.help(format!("add `{required}`")));
        }
    }
    let known: Vec<&str> =
        [tables::COMMON, common, method.required, method.optional].into_iter().flatten().copied().collect();
    for (key, value) in at.entries() {
        if known.contains(&key.text.as_str()) {
            continue;
        }
        let hint = did_you_mean(&key.text, &known);
        if !method.open || !hint.is_empty() && key.text.len() > 3 {
            let finding = value.warning_at_name("action.key", format!("{what} does not know `{}`{hint}", key.text));
            findings.push(finding.help("remove it, it has no effect"));
        }
    }
}

/// The role names of a block in the order of the group.
pub(crate) fn in_role_order(action: &DraftAction<'_>, all: &[RoleName]) -> Vec<RoleName> {
    all.iter().filter(|role| action.runs_for(role.as_str())).cloned().collect()
}
