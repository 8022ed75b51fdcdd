//! The test shell: starts the runner, then scans the console until the runner's EXIT (device-side.md §3, §4).
//!
//! ```text
//! `#` ─→ prompt ─→ export SHELL, environment, runner ─→ ┌ bytes ─→ scanner ─→ suites ─→ journal
//!                                                       │               └──→ requests ─→ group
//!                                                       └ answer ─→ reply typed, result recorded
//! ```
//!
//! | module | is about |
//! |---|---|
//! | [`shell`] | the loop |
//! | [`signals`] | what each signal does |
//! | `line` | the checked link |
//! | [`suites`] | which suite is open, what it reported, how it ends |
//! | [`requests`] | MultiNode requests, each on its own |
//! | [`reboot`] | a device that boots while a suite is open |
//! | `visit` | somebody who wants to look at the device while its test waits |
//!
//! It fails with the action's limit, the stop of the member, the end of the console, a test's own raise, a reboot, or a
//! definition whose installation failed. However it ends, an open suite is closed as failed first.

mod line;
pub(crate) mod reboot;
pub(crate) mod requests;
mod shell;
mod signals;
pub(crate) mod suites;
mod visit;

use convoke_job::pipeline::PlannedAction;
use convoke_overlay::scanner::Scanner;
use serde_json::Map;
use tokio::time::Instant;

use crate::actions::Outcome;
use crate::context::Context;
use crate::desk::Visiting;
use crate::error::ActionError;
use crate::limits::Deadline;
use line::Line;
use reboot::RebootWatch;
use requests::Requests;
use shell::Shell;
use suites::{SuitePlan, Suites};

/// Runs the definitions of the action's block.
pub(crate) async fn run(ctx: &mut Context, action: &PlannedAction, deadline: &Deadline) -> Outcome {
    let Some((number, plans)) = suite_plans(ctx, action) else {
        return Err(ActionError::job(format!("{}: the block has no definitions", action.name)));
    };
    if ctx.console(action).is_none() || !ctx.deployed {
        if ctx.console(action).is_some() && ctx.transfer.contains_key(&action.namespace) {
            let what = "nothing brings its overlay onto the device: add `transfer_overlay` to the boot block";
            return Err(ActionError::job(format!("{}: {what} of namespace {}", action.name, action.namespace)));
        }
        let lacks = if ctx.deployed { "boot" } else { "deploy" };
        return Err(ActionError::job(format!(
            "{}: no {lacks} block comes before this test: add one for namespace {}",
            action.name, action.namespace
        )));
    }
    let again = !ctx.started.insert(number);
    let lines = if std::mem::replace(&mut ctx.prepared, true) { Vec::new() } else { ctx.before_test.clone() };
    let ctx = &*ctx;
    let Some(link) = ctx.console(action) else { return Ok(None) };
    let attached = link.attach();
    let mut shell = Shell {
        ctx,
        action,
        deadline,
        link,
        beside: ctx.consoles.beside(ctx.connection(action)),
        scanner: scanner(&plans)?,
        unfinished: None,
        suites: Suites::new(plans, &action.namespace),
        requests: Requests::new(ctx.caller()),
        line: Line::new(link.current_pace()),
        reboot: (ctx.kernel_console && !link.tells_resets()).then(RebootWatch::default),
        began: Instant::now(),
        members: ctx.members().iter().map(|member| member.name.clone()).collect(),
        number,
        again,
        failed_install: None,
        exited: false,
        stopped: None,
    };
    let early = tokio::select! {
        biased;
        () = ctx.cancel.cancelled() => return Err(ctx.stopped()),
        early = shell.prompt(&attached) => early?,
    };
    for line in &lines {
        tokio::select! {
            biased;
            () = ctx.cancel.cancelled() => return Err(ctx.stopped()),
            done = shell.prepare(&attached, line) => done?,
        }
    }
    if let Some(link) = shell.beside {
        link.forget_trouble();
    }
    shell.start();
    shell.early(&early);
    link.visiting().send_replace(Visiting::Ready);
    let result = shell.scan(&attached).await;
    link.visiting().send_replace(Visiting::Nobody);
    shell.finish(result)
}

/// A scanner for these suites.
fn scanner(plans: &[SuitePlan]) -> Result<Scanner, ActionError> {
    let mut scanner = Scanner::new(plans.iter().map(|plan| (plan.suite.clone(), plan.uuid.clone())).collect());
    for plan in plans {
        if let Some(pattern) = &plan.parse {
            let wrong = |error| ActionError::job(format!("test definition {}: {error}", plan.suite));
            scanner.add_pattern(&plan.suite, pattern).map_err(wrong)?;
        }
    }
    Ok(scanner)
}

/// The suites of the action's block as the fetched definitions say.
fn suite_plans(ctx: &Context, action: &PlannedAction) -> Option<(usize, Vec<SuitePlan>)> {
    let (number, stage) = ctx.stages.of_block(action.block?)?;
    let plans = stage.definitions.iter().map(|plan| {
        let fetched = plan.fetched.as_ref();
        let mut facts = Map::new();
        facts.insert("path".into(), plan.entry.path.clone().into());
        if let Some(staged) = fetched {
            let source = crate::actions::overlay::source(&plan.entry, &staged.document);
            facts.extend(source);
            if let Some(commit) = &staged.commit {
                facts.insert("commit_id".into(), commit.clone().into());
            }
        }
        let expected = plan.entry.expected.clone();
        SuitePlan {
            suite: plan.suite(),
            uuid: fetched.map(|staged| staged.uuid.clone()).unwrap_or_default(),
            expected: expected.or_else(|| fetched.and_then(|staged| staged.definition.expected.clone())),
            parse: fetched.and_then(|staged| staged.definition.parse.clone()),
            facts,
        }
    });
    Some((number, plans.collect()))
}
