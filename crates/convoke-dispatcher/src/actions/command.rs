//! User commands of the device, run on this machine and undone at the end of the job (job-definition.md §10).
//!
//! What was started is undone, also when it failed or its limit passed: half a change is one, too.

use convoke_job::member::BlockKind;
use convoke_job::pipeline::PlannedAction;
use serde_json::{Map, Value};

use crate::actions::{Outcome, Recorded, boot, shell};
use crate::context::Context;
use crate::device::DeviceLog;
use crate::error::ActionError;
use crate::limits::{Deadline, Nature};

/// Runs the command of the action's block.
pub(crate) async fn run(ctx: &mut Context, action: &PlannedAction, deadline: &Deadline) -> Outcome {
    let Some(BlockKind::Command { name }) = action.block.map(|block| ctx.job.blocks[block].kind.clone()) else {
        return Ok(None);
    };
    if ctx.options.rehearsal {
        return shell::skipped(ctx, action, "user commands belong to the real device");
    }
    let users = &ctx.info.configuration.commands.users;
    let Some(user) = users.iter().find(|user| user.name == name).cloned() else {
        // Refused before anything ran.
        return Err(ActionError::job(format!("{}: the device has no user command {name}", action.name)));
    };
    let (what, log) = (format!("user command {name}"), DeviceLog(ctx.log.clone()));
    ctx.commands.push(user.clone());
    let work = async |ctx: &mut Context| ctx.device().command(&what, &user.run, log).await;
    let ran = ctx.guard(action.name, Nature::Lab, deadline, work).await;
    ran.map_err(|error| boot::doing(ctx, deadline, error))?;
    Ok(Some(Recorded::pass(Map::from_iter([("command".to_owned(), Value::from(name))]))))
}

/// Undoes what user commands have done, the last one first. All of them are tried; the first error is told.
pub(crate) async fn undo(ctx: &mut Context, deadline: &Deadline) -> Result<(), ActionError> {
    let mut first = Ok(());
    while let Some(user) = ctx.commands.pop() {
        let Some(undo) = user.undo else { continue };
        let (what, log) = (format!("undo of user command {}", user.name), DeviceLog(ctx.log.clone()));
        let work = async |ctx: &mut Context| ctx.device().command(&what, &undo, log).await;
        let undone = ctx.guard(&what, Nature::Lab, deadline, work).await;
        if let Err(error) = undone.map_err(|error| boot::doing(ctx, deadline, error)) {
            ctx.log.error(&error.message);
            first = first.and(Err(error));
        }
    }
    first
}
