//! From a document to a checked job: every finding at once (job-definition.md §2–§9, §11.2).
//!
//! Every rule that needs no device, database or user is checked here. A [`Job`] comes out only when there is no error;
//! warnings do not keep it back. No text makes this panic; documents are bounded by [`Limits`].

mod actions;
mod block;
mod boot;
mod consoles;
mod context;
mod copies;
mod cross;
mod cursor;
mod definition;
mod deploy;
mod environment;
mod guests;
mod hints;
mod inline;
mod left;
mod member;
mod monitor;
mod notify;
mod requests;
mod role_graph;
mod roles;
mod script;
mod tables;
mod test;
mod timeout;
mod top;

pub use context::context_key;
use serde_json::Value;

use crate::diagnostic::Diagnostic;
use crate::job::{Group, Job, JobAction, JobKind, Role, RoleKind};
use crate::kind::Kind;
use crate::member::Block;
use crate::node::Node;
use crate::source::Source;
use crate::yaml::{self, Limits};
use actions::{DraftAction, Scope};
use cursor::{At, Findings};
use roles::{DraftGroup, DraftRole};

/// Findings that are listed; a broken generator can give one for every line.
const MOST_FINDINGS: usize = 1000;

/// How to read a job.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Bounds on the document.
    pub limits: Limits,
    /// Context variables this instance allows besides LAVA's (§2.2).
    pub context_keys: Vec<String>,
}

/// What came of reading a job.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The job, when there is no error.
    pub job: Option<Job>,
    /// Everything found, in document order.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads and checks a job from YAML.
pub fn read(source: &Source, options: &Options) -> Checked {
    let (root, diagnostics) = yaml::parse(source, options.limits);
    if let Some(kind) = Kind::of(source, root.as_ref()).filter(|kind| *kind != Kind::Job) {
        return Checked { job: None, diagnostics: vec![kind.instead_of(Kind::Job, source, root.as_ref())] };
    }
    match root {
        Some(root) => check(&root, diagnostics, options),
        None => Checked { job: None, diagnostics },
    }
}

/// Checks a job read from whatever syntax. `diagnostics` are those of reading.
pub fn check(root: &Node, diagnostics: Vec<Diagnostic>, options: &Options) -> Checked {
    let mut findings = Findings(diagnostics);
    let job = job(root, options, &mut findings);
    let mut diagnostics = findings.0;
    diagnostics.sort_by_key(|finding| finding.labels.first().map(|label| label.span));
    let sound = !diagnostics.iter().any(Diagnostic::is_error);
    if diagnostics.len() > MOST_FINDINGS {
        let more = diagnostics.len() - MOST_FINDINGS;
        // Errors are worth more than warnings; each part stays in document order.
        diagnostics.sort_by_key(|finding| !finding.is_error());
        diagnostics.truncate(MOST_FINDINGS);
        let finding =
            Diagnostic::warning("findings.cut", "", root.span, format!("{more} more findings are not listed"));
        diagnostics.push(finding.help("mend the first ones, they often bring about the others"));
    }
    Checked { job: job.filter(|_| sound), diagnostics }
}

/// The blocks of one member's definition, checked as those of a job.
fn member_blocks(root: &Node, multinode: bool, findings: &mut Findings) -> Vec<Block> {
    let at = At::root(root);
    let Some(actions_at) = at.get("actions") else {
        let finding = at.error_at_name("schema.missing", "`actions` is required");
        let finding = Diagnostic { path: "actions".into(), ..finding };
        findings.push(finding.help("add the list of deploy, boot and test blocks"));
        return Vec::new();
    };
    let scope = Scope { multinode, roles: None, job_limit: None };
    let drafts = actions::actions(&actions_at, &scope, findings);
    cross::job(&drafts, None, findings);
    if actions_at.node.as_list().map(<[_]>::len) == Some(drafts.len()) {
        consoles::consoles(&drafts, None, findings);
    }
    drafts.into_iter().map(|draft| draft.block).collect()
}

fn job(root: &Node, options: &Options, findings: &mut Findings) -> Option<Job> {
    let at = At::root(root);
    if let Some(finding) = top::already_split(&at) {
        findings.push(finding);
        return None;
    }
    let multinode_at = at.get("protocols").and_then(|protocols| protocols.get("lava-multinode"));
    let multinode = multinode_at.is_some();
    top::keys(&at, multinode, findings);
    let top = top::top(&at, findings);
    let group = multinode_at.and_then(|at| roles::group(&at, root.span.end, &options.context_keys, findings));
    let wanted = if multinode { None } else { top::single(&at, &options.context_keys, findings) };
    let names: Option<Vec<&str>> =
        group.as_ref().map(|group| group.roles.iter().map(|role| role.name.as_str()).collect());
    let scope = Scope { multinode, roles: names.as_deref(), job_limit: top.timeouts.job };
    let actions = at.get("actions").map(|at| actions::actions(&at, &scope, findings)).unwrap_or_default();
    cross::job(&actions, group.as_ref().map(|group| group.roles.as_slice()), findings);
    let given = at.get("actions").and_then(|at| at.node.as_list().map(<[_]>::len));
    let complete = given == Some(actions.len());
    if let Some(group) = group.as_ref().filter(|_| at.get("actions").is_some()) {
        cross::group(group, &actions, top.timeouts.job, complete, findings);
        copies::check(group, &actions, findings);
    }
    if complete && (group.is_some() || !multinode) {
        consoles::consoles(&actions, group.as_ref().map(|group| group.roles.as_slice()), findings);
    }
    if findings.0.iter().any(Diagnostic::is_error) {
        return None;
    }
    let document = match root.to_value() {
        Value::Object(document) => document,
        _ => return None,
    };
    let role_names: Vec<_> = group.iter().flat_map(|group| &group.roles).map(|role| role.name.clone()).collect();
    let actions = actions.into_iter().map(|draft| finished_action(draft, &role_names)).collect();
    let kind = match group {
        Some(group) => JobKind::Group(finished_group(group)?),
        None => JobKind::Single(wanted?),
    };
    Some(Job {
        name: top.name?,
        visibility: top.visibility?,
        priority: top.priority,
        timeouts: top.timeouts,
        secrets: top.secrets,
        kind,
        actions,
        document,
    })
}

fn finished_action(draft: DraftAction<'_>, roles: &[crate::RoleName]) -> JobAction {
    JobAction {
        roles: actions::in_role_order(&draft, roles),
        span: draft.at.node.span,
        path: draft.at.path,
        block: draft.block,
    }
}

fn finished_group(group: DraftGroup<'_>) -> Option<Group> {
    let roles = group.roles.into_iter().map(finished_role).collect::<Option<_>>()?;
    Some(Group { roles, timeout: group.timeout, member_names: group.member_names })
}

fn finished_role(draft: DraftRole<'_>) -> Option<Role> {
    let kind = match draft.guest? {
        true => RoleKind::Guest { host_role: draft.host_role? },
        false => RoleKind::Device(draft.wanted?),
    };
    Some(Role {
        name: crate::job::Spanned { value: draft.name, span: draft.at.name },
        count: draft.count?,
        kind,
        essential: draft.essential,
        timeout: draft.timeout,
        expect_role: draft.expect_role,
        delayed_start: draft.delayed_start,
    })
}
