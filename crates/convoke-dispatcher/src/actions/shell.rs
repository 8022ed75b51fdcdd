//! What a rehearsal makes of test blocks other than plain definitions.
//!
//! A rehearsal runs the definitions of a docker test shell in the sandbox's own shell. What needs a real device
//! (monitors, services, user commands) is skipped with a warning, so that the rest of the job can be tried; without
//! `--rehearse` it is the job's error.

use convoke_job::member::{BlockKind, TestKind};
use convoke_job::pipeline::PlannedAction;
use convoke_journal::{ResultRecord, ResultValue};
use serde_json::{Map, Value};

use crate::actions::{Outcome, boot, overlay};
use crate::context::Context;
use crate::error::ActionError;
use crate::limits::Deadline;

/// Actions that run definitions in a container's shell.
pub(crate) const DOCKER: [&str; 2] = ["lava-multinode-docker-test-shell", "lava-docker-test-shell"];

/// A docker test shell, rehearsed: the sandbox is the container, booted when no boot block came before.
pub(crate) async fn docker(ctx: &mut Context, action: &PlannedAction, deadline: &Deadline) -> Outcome {
    if !ctx.options.rehearsal {
        return Err(unsupported(action, "docker test shells"));
    }
    ctx.log.info("the definitions run in the sandbox's own shell instead of a container");
    overlay::hand_over(ctx, action, deadline).await?;
    // A container starts afresh; so does the sandbox that stands for it.
    ctx.booted = false;
    boot::start(ctx, action, deadline).await?;
    crate::testshell::run(ctx, action, deadline).await
}

/// Services run beside a lab's dispatcher.
pub(crate) fn services(ctx: &Context, action: &PlannedAction) -> Outcome {
    let kind = action.block.map(|block| &ctx.job.blocks[block].kind);
    if matches!(kind, Some(BlockKind::Test(TestKind::Services(_)))) {
        return skipped(ctx, action, "services run beside a lab's dispatcher");
    }
    Ok(None)
}

/// Leaves the block out in a rehearsal, with a result for everything that it names.
pub(crate) fn skipped(ctx: &Context, action: &PlannedAction, why: &str) -> Outcome {
    if !ctx.options.rehearsal {
        return Err(unsupported(action, "this kind of block"));
    }
    ctx.log.warning(format_args!("{} is skipped in a rehearsal: {why}", action.name));
    for name in names(ctx, action) {
        ctx.log.result(ResultRecord {
            definition: "lava".into(),
            case: name,
            result: ResultValue::Skip,
            namespace: Some(action.namespace.clone()),
            extra: Map::from_iter([("rehearsed".to_owned(), Value::from(true))]),
            ..ResultRecord::default()
        });
    }
    Ok(None)
}

/// The names the block gives to what it would have run.
fn names(ctx: &Context, action: &PlannedAction) -> Vec<String> {
    let of = |items: &[Value]| {
        items.iter().filter_map(|item| item.get("name").and_then(Value::as_str)).map(str::to_owned).collect()
    };
    match action.block.map(|block| &ctx.job.blocks[block].kind) {
        Some(BlockKind::Test(TestKind::Monitors(monitors))) => {
            monitors.iter().map(|monitor| monitor.name.clone()).collect()
        }
        Some(BlockKind::Test(TestKind::Services(items))) => of(items),
        Some(BlockKind::Command { name }) => vec![name.clone()],
        _ => Vec::new(),
    }
}

fn unsupported(action: &PlannedAction, what: &str) -> ActionError {
    ActionError::job(format!(
        "{}: {what} cannot run on a device of type sandbox; try the job with --rehearse, which skips what it cannot run",
        action.name
    ))
}
