//! The blocks of a member in order: the requests of their actions, and what their tests do.

use std::sync::Arc;
use std::time::Duration;

use convoke_group::CallKind;
use convoke_job::job::{JobAction, Role};
use convoke_job::member::{BlockKind, OnSyncTimeout, Request, RequestCall, TestKind};
use convoke_job::pipeline::{self, DeviceLimits, PlannedAction};
use convoke_job::{Job, MemberJob, Node, Source, Span};

use super::checkout::LoadedFiles;
use super::places::Document;
use super::{interactive, tests_block};
use crate::follow::Naming;
use crate::model::{Block, Call, Origin, Repeat, Step, Text, Unknown, Why};
use crate::repositories::Repositories;

/// A delayed start whose role gives no limit (job-definition.md §3.5).
const GROUP_START: Duration = Duration::from_secs(90);
/// A call when the job gives no limit (job-definition.md §3.5).
const PROTOCOL_DEFAULT: Duration = Duration::from_secs(30);
/// A block that is to be repeated more often is not written out.
const MOST_REPEATS: u32 = 20;
/// The actions in which a test happens.
const SHELLS: [&str; 6] = [
    "multinode-test",
    "lava-test-shell",
    "lava-multinode-docker-test-shell",
    "lava-docker-test-shell",
    "lava-test-interactive",
    "lava-test-monitor",
];

/// What the programmes of a job are read from.
pub(super) struct Scene<'a> {
    pub(super) job: &'a Job,
    pub(super) document: &'a Document,
    pub(super) repositories: &'a Repositories,
    pub(super) texts: &'a mut Vec<Source>,
    pub(super) loaded: LoadedFiles,
}

/// What a member does, and whether it depends on which member of its role it is.
pub(super) struct Programme {
    pub(super) steps: Vec<Step>,
    pub(super) is_own: bool,
}

/// The blocks of a job for one device, which makes no calls.
pub(super) fn single(job: &Job, member: &MemberJob, document: &Document) -> Vec<Step> {
    let planned = pipeline::pipeline(member, &DeviceLimits::default());
    job.actions
        .iter()
        .zip(&planned)
        .map(|(action, planned)| Step::Block(block(action, planned, document, Vec::new())))
        .collect()
}

fn block(action: &JobAction, planned: &PlannedAction, document: &Document, body: Vec<Step>) -> Block {
    let kind = match action.block.kind {
        BlockKind::Deploy { .. } => "deploy",
        BlockKind::Boot { .. } => "boot",
        BlockKind::Test(_) => "test",
        BlockKind::Command { .. } => "command",
    };
    Block { kind, path: action.path.clone(), place: document.place(action.span), limit: planned.limit, body }
}

impl Scene<'_> {
    /// What a member of a role does; `member` is the first of them, `naming` says which one it is.
    pub(super) fn programme(&mut self, role: &Role, member: &MemberJob, naming: &Naming) -> Programme {
        let mut is_own = false;
        let mut steps = Vec::new();
        steps.extend(self.delayed_start(role, member).map(Step::Call));
        let planned = pipeline::pipeline(member, &DeviceLimits::default());
        let job = self.job;
        let actions = job.actions.iter().filter(|action| action.roles.contains(&role.name.value));
        for (action, planned) in actions.zip(&planned) {
            let mut block = BlockReader {
                node: self.document.block(&action.path),
                requests: action.block.common.requests.iter().cloned().map(Some).collect(),
                action,
                member,
                naming,
                scene: self,
                is_own: false,
            };
            let mut body = Vec::new();
            block.walk(planned, &mut body);
            is_own |= block.is_own;
            steps.push(Step::Block(self::block(action, planned, self.document, body)));
        }
        Programme { steps, is_own }
    }

    /// The wait for `lava_start` of a role that starts later (§6.5).
    fn delayed_start(&self, role: &Role, member: &MemberJob) -> Option<Call> {
        let expect = role.expect_role.as_ref().filter(|_| role.delayed_start)?;
        let keys = ["protocols", "lava-multinode", "roles", role.name.value.as_str(), "request"];
        Some(Call {
            kind: CallKind::WaitAll,
            id: known("lava_start"),
            role: Some(known(expect.value.as_str())),
            data: Vec::new(),
            origin: Origin::DelayedStart,
            limit: member.group.as_ref().and_then(|group| group.timeout).unwrap_or(GROUP_START),
            after: Arc::default(),
            place: self.document.place_of(self.document.at(&keys), role.name.span),
        })
    }
}

/// The limit of a call (§3.5): its own, else the protocol's, never beyond the action's.
pub(super) fn limit(own: Option<Duration>, member: &MemberJob, action: Duration) -> Duration {
    let protocol = member.group.as_ref().and_then(|group| group.timeout);
    own.or(protocol).unwrap_or(PROTOCOL_DEFAULT).min(action)
}

pub(super) fn known(text: &str) -> Text {
    Text::Known(Arc::from(text))
}

/// One block while its pipeline is walked.
struct BlockReader<'a, 'b> {
    node: Option<&'a Node>,
    /// Those of the block; one that has been placed is gone.
    requests: Vec<Option<Request>>,
    action: &'a JobAction,
    member: &'a MemberJob,
    naming: &'a Naming,
    scene: &'a mut Scene<'b>,
    is_own: bool,
}

impl BlockReader<'_, '_> {
    fn walk(&mut self, planned: &PlannedAction, out: &mut Vec<Step>) {
        let mut round = Vec::new();
        for request in &planned.requests {
            let place = self.request_span(request);
            round.push(Step::Call(self.request(request, planned, place)));
        }
        if SHELLS.contains(&planned.name) {
            round.extend(self.test(planned));
        }
        for child in &planned.children {
            self.walk(child, &mut round);
        }
        if planned.repeat <= MOST_REPEATS || round.is_empty() {
            for _ in 1..planned.repeat.min(MOST_REPEATS) {
                out.extend_from_slice(&round);
            }
            out.append(&mut round);
        } else {
            let place = self.scene.document.place_of(self.node.and_then(|node| node.get("repeat")), self.action.span);
            let why = Why::TooMuch(format!("the block is repeated {} times", planned.repeat));
            out.push(Step::Repeat(Repeat { body: round, least: planned.repeat, unknown: Unknown { why, place } }));
        }
    }

    /// Where a request stands: the pipeline carries copies, in the order of the block.
    fn request_span(&mut self, request: &Request) -> Span {
        let index = self.requests.iter().position(|open| open.as_ref() == Some(request));
        if let Some(index) = index {
            self.requests[index] = None;
        }
        let list = self.node.and_then(|node| node.get("protocols")?.get("lava-multinode"));
        let node = index.zip(list).and_then(|(index, list)| match list.as_list() {
            Some(items) => items.get(index),
            None => Some(list),
        });
        let node = node.map(|node| node.get("messageID").unwrap_or(node));
        node.map_or(self.action.span, |node| node.span)
    }

    fn request(&self, request: &Request, planned: &PlannedAction, span: Span) -> Call {
        let (kind, role) = match &request.call {
            RequestCall::Send => (CallKind::Send, None),
            RequestCall::Wait => (CallKind::Wait, None),
            RequestCall::WaitAll(role) => (CallKind::WaitAll, role.as_ref().map(|role| known(role.as_str()))),
            RequestCall::Sync => (CallKind::Sync, None),
        };
        let mut data = Vec::new();
        let mut wanted = Vec::new();
        if kind == CallKind::Send {
            data = request.message.iter().map(|(key, value)| (known(key), known(value))).collect();
        } else {
            let replaceable = request.message.iter().filter(|(_, value)| value.starts_with('$'));
            wanted = replaceable.map(|(key, _)| key.clone()).collect();
        }
        Call {
            kind,
            id: known(&request.message_id),
            role,
            data,
            origin: Origin::Request { action: request.action.clone(), wanted },
            limit: limit(request.timeout, self.member, planned.limit),
            after: Arc::default(),
            place: self.scene.document.place(span),
        }
    }

    fn test(&mut self, planned: &PlannedAction) -> Vec<Step> {
        match &self.action.block.kind {
            BlockKind::Test(TestKind::Definitions(definitions)) => {
                let limit = limit(None, self.member, planned.limit);
                let nodes = self.node.and_then(|node| node.get("definitions")?.as_list()).unwrap_or_default();
                let (member, naming, span) = (self.member, self.naming, self.action.span);
                let goes_on =
                    member.group.as_ref().is_none_or(|group| group.on_sync_timeout == OnSyncTimeout::Continue);
                let mut reader =
                    tests_block::Reader { scene: self.scene, member, naming, limit, goes_on, is_own: false };
                let definition = |(at, given)| Step::Definition(reader.definition(given, nodes.get(at), span));
                let steps = definitions.iter().enumerate().map(definition).collect();
                self.is_own |= reader.is_own;
                steps
            }
            BlockKind::Test(TestKind::Interactive(_)) => self
                .node
                .and_then(|node| node.get("interactive"))
                .map(|scripts| interactive::scripts(scripts, planned.limit, self.scene.document))
                .unwrap_or_default(),
            _ => Vec::new(),
        }
    }
}
