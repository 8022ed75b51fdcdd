//! The pipeline of one member as data: every action with its level, limits and requests, printable before it runs.
//!
//! Limits are those of job-definition.md §3.3 with its `[R]` rules: an action never has more than its parent, and only
//! the outermost action of a block that can be run again is. Nothing here fails: what a member job does not give has a
//! default.

use std::fmt::Write as _;
use std::time::Duration;

use crate::member::{Block, MemberJob, Request, RequestCall};
use crate::methods::{self, ActionTree, TreeContext};

/// Limit of an action or a connection that nothing gives (§3.1).
pub const DEFAULT_LIMIT: Duration = Duration::from_secs(30);

/// Limits from the device's configuration (§3.3 step 3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceLimits {
    /// Limits of actions by name.
    pub actions: Vec<(String, Duration)>,
    /// Limits of connections by action name.
    pub connections: Vec<(String, Duration)>,
}

/// One action instance of a pipeline.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedAction {
    /// Its place in the pipeline, for example `1.1.3.2`.
    pub level: String,
    /// LAVA's name.
    pub name: &'static str,
    /// It has failed when it runs longer; at most the parent's.
    pub limit: Duration,
    /// Longest silence in one exchange with the device.
    pub connection_limit: Duration,
    /// How often it is tried until it succeeds, at least 1 (`failure_retry`).
    pub attempts: u32,
    /// How often it is run whatever comes of it, at least 1 (`repeat`).
    pub repeat: u32,
    /// Pause between attempts.
    pub interval: Duration,
    /// Index into [`MemberJob::blocks`]; `None` for `finalize`.
    pub block: Option<usize>,
    /// Requests made when it starts, in order (§6.2).
    pub requests: Vec<Request>,
    /// Namespace of its block.
    pub namespace: String,
    /// For the parts of `test-definition`: number of the definition in the namespace.
    pub definition: Option<usize>,
    /// For the actions that download something: its label in the block.
    pub image: Option<String>,
    /// What it runs, in order.
    pub children: Vec<PlannedAction>,
}

/// The pipeline of a member on a device with these limits.
pub fn pipeline(member: &MemberJob, device_limits: &DeviceLimits) -> Vec<PlannedAction> {
    let multinode = member.group.is_some();
    let mut planned = Vec::with_capacity(member.blocks.len() + 1);
    for (index, block) in member.blocks.iter().enumerate() {
        let tree = methods::action_tree(block, &TreeContext::of(&member.blocks, index, multinode)).tree;
        let mut planner = Planner {
            member,
            device_limits,
            block: Some((index, block)),
            requests: block.common.requests.clone(),
            namespace: block.namespace(),
        };
        planned.push(planner.plan(&tree, (index + 1).to_string(), None, false));
    }
    let mut last = Planner {
        member,
        device_limits,
        block: None,
        requests: Vec::new(),
        namespace: crate::member::COMMON_NAMESPACE,
    };
    planned.push(last.plan(&methods::finalize(), (member.blocks.len() + 1).to_string(), None, false));
    planned
}

struct Planner<'a> {
    member: &'a MemberJob,
    device_limits: &'a DeviceLimits,
    block: Option<(usize, &'a Block)>,
    /// Those not yet given to an action: the first action of a name makes them.
    requests: Vec<Request>,
    namespace: &'a str,
}

/// What an action inherits.
#[derive(Clone, Copy)]
struct Parent {
    limit: Duration,
    rounds: u32,
}

impl Planner<'_> {
    fn plan(&mut self, tree: &ActionTree, level: String, parent: Option<Parent>, again: bool) -> PlannedAction {
        let common = self.block.map(|(_, block)| &block.common);
        let may_run_again = tree.retries && !again;
        let attempts = common.and_then(|common| common.failure_retry).filter(|_| may_run_again).unwrap_or(1).max(1);
        let repeat = common.and_then(|common| common.repeat).filter(|_| may_run_again).unwrap_or(1).max(1);
        let limit = self.limit(tree.name, parent);
        let (requests, rest) =
            std::mem::take(&mut self.requests).into_iter().partition(|request| request.action == tree.name);
        self.requests = rest;
        let own = Parent { limit, rounds: attempts.max(repeat) };
        let children = tree
            .children
            .iter()
            .enumerate()
            .map(|(at, child)| self.plan(child, format!("{level}.{}", at + 1), Some(own), again || tree.retries))
            .collect();
        PlannedAction {
            level,
            name: tree.name,
            limit,
            connection_limit: self.connection_limit(tree.name),
            attempts,
            repeat,
            interval: common.and_then(|common| common.failure_retry_interval).unwrap_or(Duration::from_secs(1)),
            block: self.block.map(|(index, _)| index),
            requests,
            namespace: self.namespace.to_owned(),
            definition: tree.definition,
            image: tree.image.clone(),
            children,
        }
    }

    /// §3.3, later entries override earlier ones.
    fn limit(&self, name: &str, parent: Option<Parent>) -> Duration {
        let timeouts = &self.member.timeouts;
        let common = self.block.map(|(_, block)| &block.common);
        let limit = common
            .and_then(|common| named(&common.timeouts, name))
            .or_else(|| named(&timeouts.actions, name))
            .or_else(|| parent.filter(|parent| parent.rounds > 1).map(divided))
            .or_else(|| common.and_then(|common| common.timeout))
            .or_else(|| named(&self.device_limits.actions, name))
            .or(timeouts.action)
            .unwrap_or(DEFAULT_LIMIT);
        parent.map_or(limit, |parent| limit.min(parent.limit))
    }

    fn connection_limit(&self, name: &str) -> Duration {
        named(&self.member.timeouts.connections, name)
            .or_else(|| named(&self.device_limits.connections, name))
            .or(self.member.timeouts.connection)
            .unwrap_or(DEFAULT_LIMIT)
    }
}

/// Whole seconds, as LAVA divides; never zero.
fn divided(parent: Parent) -> Duration {
    Duration::from_secs((parent.limit.as_secs() / u64::from(parent.rounds)).max(1))
}

fn named(limits: &[(String, Duration)], name: &str) -> Option<Duration> {
    limits.iter().rev().find(|(action, _)| action == name).map(|(_, limit)| *limit)
}

impl PlannedAction {
    /// It and everything below it, parents first.
    pub fn walk(&self) -> Vec<&PlannedAction> {
        let mut all = vec![self];
        for child in &self.children {
            all.extend(child.walk());
        }
        all
    }
}

/// The pipeline as text, one line an action: level, name, limit and connection limit in seconds, namespace, and below
/// it the requests it makes.
pub fn to_text(pipeline: &[PlannedAction]) -> String {
    let mut text = String::new();
    for action in pipeline.iter().flat_map(PlannedAction::walk) {
        let indent = 2 * action.level.matches('.').count();
        let _ = write!(
            text,
            "{:indent$}{} {} {}/{} [{}]",
            "",
            action.level,
            action.name,
            action.limit.as_secs_f64(),
            action.connection_limit.as_secs_f64(),
            action.namespace,
        );
        if action.attempts > 1 {
            let _ = write!(text, ", {} attempts {} s apart", action.attempts, action.interval.as_secs_f64());
        }
        if action.repeat > 1 {
            let _ = write!(text, ", {} times", action.repeat);
        }
        if let Some(definition) = action.definition {
            let _ = write!(text, ", definition {definition}");
        }
        text.push('\n');
        for request in &action.requests {
            let _ = writeln!(text, "{:indent$}  > {request}", "");
        }
    }
    text
}

impl std::fmt::Display for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (call, role) = match &self.call {
            RequestCall::Send => ("lava-send", None),
            RequestCall::Wait => ("lava-wait", None),
            RequestCall::WaitAll(role) => ("lava-wait-all", role.as_ref()),
            RequestCall::Sync => ("lava-sync", None),
        };
        write!(f, "{call} {}", self.message_id)?;
        if let Some(role) = role {
            write!(f, " {role}")?;
        }
        for (key, value) in &self.message {
            write!(f, " {key}={value}")?;
        }
        match self.timeout {
            Some(timeout) => write!(f, " ({} s)", timeout.as_secs_f64()),
            None => Ok(()),
        }
    }
}
