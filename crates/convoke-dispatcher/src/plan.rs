//! The pipeline as data: LAVA's action names, levels, limits, attempts and requests, known before anything runs.

use std::time::Duration;

use convoke_job::MemberJob;
use convoke_job::member::{Block, BlockKind, DefinitionFrom, Request, TestKind};
use convoke_job::methods::{ActionTree, action_tree};

use crate::device::DeviceInfo;
use crate::limits::{JOB_DEFAULT, RETRY_INTERVAL};
use crate::stages::{Stages, namespace};

/// The plan of a member.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Limit of the job.
    pub(crate) limit: Duration,
    /// One tree a block.
    pub(crate) blocks: Vec<Planned>,
    /// `finalize`.
    pub(crate) finalize: Planned,
}

/// One action and those it runs.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    /// `1.3.2`
    pub(crate) level: String,
    /// LAVA's name.
    pub(crate) name: String,
    /// Namespace.
    pub(crate) namespace: String,
    /// Its own limit.
    pub(crate) limit: Duration,
    /// The longest silence in one exchange on the console.
    pub(crate) connection: Duration,
    /// How often it is tried.
    pub(crate) attempts: Attempts,
    /// Requests it makes at its start.
    pub(crate) requests: Vec<Request>,
    /// What it runs, in order.
    pub(crate) children: Vec<Planned>,
    /// Number of its block; `None` for finalize.
    pub(crate) block: Option<usize>,
    /// Stage and position of the definition it is about.
    pub(crate) definition: Option<(usize, usize)>,
}

/// How often an action is tried (job-definition.md §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attempts {
    /// At most so often; exactly so often when `always`.
    pub(crate) count: u32,
    /// Pause between two attempts.
    pub(crate) interval: Duration,
    /// `repeat`: go on after a success.
    pub(crate) always: bool,
}

impl Attempts {
    const ONCE: Self = Attempts { count: 1, interval: RETRY_INTERVAL, always: false };
}

/// Plans the whole pipeline of `job` on a device.
pub(crate) fn plan(job: &MemberJob, info: &DeviceInfo, stages: &Stages) -> Plan {
    let mut blocks = Vec::new();
    for (number, block) in job.blocks.iter().enumerate() {
        let definitions = stages.definitions(namespace(block)).map(|(stage, at, _)| (stage, at)).collect();
        let mut planner = Planner { job, info, stages, block: Some((number, block)), definitions, asked: Vec::new() };
        blocks.push(planner.action(&shape(block), (number + 1).to_string(), None, None));
    }
    let mut planner = Planner { job, info, stages, block: None, definitions: Vec::new(), asked: Vec::new() };
    let finalize = Shape::new("finalize", vec![Shape::leaf("power-off"), Shape::leaf("read-feedback")]);
    let finalize = planner.action(&finalize, (job.blocks.len() + 1).to_string(), None, None);
    Plan { limit: job.timeouts.job.unwrap_or(JOB_DEFAULT), blocks, finalize }
}

struct Shape {
    name: String,
    children: Vec<Shape>,
    retries: bool,
}

impl Shape {
    fn new(name: &str, children: Vec<Shape>) -> Self {
        Shape { name: name.into(), children, retries: false }
    }

    fn leaf(name: &str) -> Self {
        Self::new(name, Vec::new())
    }

    fn of(tree: &ActionTree) -> Self {
        Shape { name: tree.name.into(), children: tree.children.iter().map(Shape::of).collect(), retries: tree.retries }
    }
}

fn shape(block: &Block) -> Shape {
    let tree = action_tree(block);
    if tree.name != "finalize" {
        return Shape::of(&tree);
    }
    let overlay = Shape::new(
        "lava-overlay",
        vec![
            Shape::leaf("lava-multinode-overlay"),
            Shape::new("test-definition", vec![]),
            Shape::leaf("compress-overlay"),
        ],
    );
    match &block.kind {
        BlockKind::Deploy { .. } => Shape::new("deploy-sandbox", vec![overlay, Shape::leaf("deploy-device-env")]),
        BlockKind::Boot { .. } => Shape {
            retries: true,
            ..Shape::new("boot-sandbox", vec![Shape::leaf("expect-shell-connection"), Shape::leaf("export-device-env")])
        },
        BlockKind::Test(TestKind::Interactive(_)) => Shape::leaf("lava-test-interactive"),
        BlockKind::Test(TestKind::Monitors(_)) => Shape::leaf("lava-test-monitor"),
        BlockKind::Test(_) => Shape::leaf("multinode-test"),
        BlockKind::Command { .. } => Shape::leaf("user-command"),
    }
}

struct Planner<'a> {
    job: &'a MemberJob,
    info: &'a DeviceInfo,
    stages: &'a Stages,
    block: Option<(usize, &'a Block)>,
    /// Definitions that `test-definition` prepares.
    definitions: Vec<(usize, usize)>,
    /// Actions whose requests are already placed: the first of its name makes them.
    asked: Vec<String>,
}

impl Planner<'_> {
    fn action(
        &mut self,
        shape: &Shape,
        level: String,
        parent: Option<(Duration, u32)>,
        of: Option<(usize, usize)>,
    ) -> Planned {
        let limit = self.limit(&shape.name, parent);
        let outermost = parent.is_none_or(|(_, attempts)| attempts == 0);
        let attempts = if shape.retries && outermost { self.attempts() } else { Attempts::ONCE };
        // Inner retry-capable actions do not retry once an outer one may (job-definition.md §3.3 [R]): attempts of the
        // enclosing actions are handed down, 0 while none of them could retry.
        let above = if shape.retries || !outermost { attempts.count.max(1) } else { 0 };
        let mut planned = Planned {
            name: shape.name.clone(),
            namespace: self.block.map_or("common", |(_, block)| namespace(block)).into(),
            limit,
            connection: self.connection(&shape.name),
            attempts,
            requests: self.requests(&shape.name),
            children: Vec::new(),
            block: self.block.map(|(number, _)| number),
            definition: of,
            level,
        };
        let mut children: Vec<(&Shape, Option<(usize, usize)>)> = Vec::new();
        let definitions: Vec<(Shape, (usize, usize))> =
            if shape.name == "test-definition" { self.definition_shapes() } else { Vec::new() };
        if definitions.is_empty() {
            children.extend(shape.children.iter().map(|child| (child, of)));
        } else {
            children.extend(definitions.iter().map(|(child, at)| (child, Some(*at))));
        }
        for (at, (child, of)) in children.into_iter().enumerate() {
            let level = format!("{}.{}", planned.level, at + 1);
            planned.children.push(self.action(child, level, Some((limit, above)), of));
        }
        planned
    }

    /// The four actions of each definition.
    fn definition_shapes(&self) -> Vec<(Shape, (usize, usize))> {
        let mut shapes = Vec::new();
        for at in &self.definitions {
            let repo = match &self.stages.list[at.0].definitions[at.1].entry.from {
                DefinitionFrom::Inline(_) => "inline-repo-action",
                DefinitionFrom::Git { .. } => "git-repo-action",
                DefinitionFrom::Url { .. } => "url-repo-action",
            };
            for name in [repo, "test-overlay", "test-install-overlay", "test-runscript-overlay"] {
                shapes.push((Shape::leaf(name), *at));
            }
        }
        shapes
    }

    /// The limit of an action, later rules win (job-definition.md §3.3).
    fn limit(&self, name: &str, parent: Option<(Duration, u32)>) -> Duration {
        let times = &self.job.timeouts;
        let mut limit = times.action.unwrap_or(Duration::from_secs(30));
        let named = |list: &[(String, Duration)]| list.iter().rfind(|(of, _)| of == name).map(|(_, limit)| *limit);
        limit = named(&self.info.action_timeouts).unwrap_or(limit);
        limit = self.block.and_then(|(_, block)| block.common.timeout).unwrap_or(limit);
        if let Some((parent, attempts)) = parent
            && attempts > 1
        {
            limit = Duration::from_secs((parent.as_secs() / u64::from(attempts)).max(1));
        }
        limit = named(&times.actions).unwrap_or(limit);
        self.block.and_then(|(_, block)| named(&block.common.timeouts)).unwrap_or(limit)
    }

    fn connection(&self, name: &str) -> Duration {
        let named = |list: &[(String, Duration)]| list.iter().rfind(|(of, _)| of == name).map(|(_, limit)| *limit);
        named(&self.job.timeouts.connections)
            .or_else(|| named(&self.info.connection_timeouts))
            .or(self.job.timeouts.connection)
            .unwrap_or(Duration::from_secs(30))
    }

    fn attempts(&self) -> Attempts {
        let Some((_, block)) = self.block else { return Attempts::ONCE };
        let interval = block.common.failure_retry_interval.unwrap_or(RETRY_INTERVAL);
        match (block.common.failure_retry, block.common.repeat) {
            (Some(count), _) => Attempts { count: count.max(1), interval, always: false },
            (None, Some(count)) => Attempts { count: count.max(1), interval, always: true },
            (None, None) => Attempts { interval, ..Attempts::ONCE },
        }
    }

    fn requests(&mut self, name: &str) -> Vec<Request> {
        let Some((_, block)) = self.block else { return Vec::new() };
        if self.asked.iter().any(|asked| asked == name) {
            return Vec::new();
        }
        let requests: Vec<Request> =
            block.common.requests.iter().filter(|request| request.action == name).cloned().collect();
        if !requests.is_empty() {
            self.asked.push(name.into());
        }
        requests
    }
}
