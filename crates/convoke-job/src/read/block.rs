//! One block: the keys common to all, and what its kind adds (job-definition.md §5; rules 36, 38, 40, 41).

use std::time::Duration;

use serde_json::{Map, Value};

use super::actions::Scope;
use super::cursor::{At, Findings};
use super::hints::{closest, did_you_mean};
use super::requests::{self, Known};
use super::{boot, deploy, tables, test, timeout};
use crate::member::{Block, BlockKind, COMMON_NAMESPACE, Common};
use crate::methods::{self, TreeContext};

pub(super) fn block(kind: &str, at: &At<'_>, scope: &Scope<'_>, findings: &mut Findings) -> Option<Block> {
    let parameters = match at.node.to_value() {
        Value::Object(parameters) => parameters,
        _ => Map::new(),
    };
    let mut common = common(at, scope, findings);
    let kind = match kind {
        "deploy" => deploy::deploy(at, findings)?,
        "boot" => boot::boot(at, findings)?,
        "test" => BlockKind::Test(test::test(at, scope, findings)?),
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
    let again = ["failure_retry", "repeat"].into_iter().find_map(|key| at.get(key).map(|at| (key, at)));
    if timeouts_at.is_none() && protocols.is_none() && again.is_none() {
        return;
    }
    let fetches = ["inline-repo-action", "git-repo-action", "url-repo-action"];
    let context =
        TreeContext { multinode: scope.multinode, shell: true, definitions: fetches.map(|fetch| (0, fetch)).to_vec() };
    let method = methods::action_tree(block, &context);
    let mut actions = Vec::new();
    for name in method.tree.names() {
        if !actions.contains(&name) {
            actions.push(name);
        }
    }
    if let Some((key, at)) = again.filter(|_| method.listed && !method.tree.can_retry()) {
        let finding =
            at.warning_at_name("action.retry", format!("nothing in this block can be run again, `{key}` is not used"));
        findings.push(finding.help("remove it"));
    }
    if let Some(timeouts_at) = timeouts_at {
        let all = methods::all_names();
        common.timeouts =
            timeout::named(&timeouts_at, if method.listed { &actions } else { &all }, scope.job_limit, findings);
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
            let meant = known.iter().find(|key| closest(key, &[required]).is_some());
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
