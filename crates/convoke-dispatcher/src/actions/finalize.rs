//! The end of every member: the console is left, the device is off (job-definition.md §6.4).

use convoke_job::pipeline::PlannedAction;

use crate::actions::{Outcome, boot};
use crate::context::Context;
use crate::limits::{Deadline, Nature};

/// Closes the console and powers the device off. Not ended by the member's stop, only by its own limit.
pub(crate) async fn power_off(ctx: &mut Context, action: &PlannedAction, deadline: &Deadline) -> Outcome {
    ctx.consoles.close_all();
    match deadline.bound(ctx.device().power_off()).await {
        Some(result) => result.map(|()| None),
        None => Err(boot::doing(ctx, deadline, deadline.passed(action.name, Nature::Lab))),
    }
}
