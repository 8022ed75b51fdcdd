//! What is known to be wrong before anything runs: the step `validate`.

use convoke_job::member::{BlockKind, TestKind};
use convoke_job::pipeline::PlannedAction;

use crate::context::Context;
use crate::error::ActionError;
use crate::prompt::matcher;

/// Looks at every block. The first thing wrong is the error: the job was checked in whole when it was read.
pub(crate) fn validate(ctx: &Context, blocks: &[PlannedAction]) -> Result<(), ActionError> {
    ctx.log.debug(format_args!(
        "this job runs, in order: {}",
        blocks.iter().map(|block| block.name).collect::<Vec<_>>().join(", ")
    ));
    for (number, block) in ctx.job.blocks.iter().enumerate() {
        match &block.kind {
            BlockKind::Deploy { to, .. } => here(ctx, "deploy to", to)?,
            BlockKind::Boot { method, prompts, auto_login, .. } => {
                here(ctx, "boot method", method)?;
                matcher(prompts).map_err(|error| at(number, error))?;
                if let Some(login) = auto_login {
                    matcher(std::slice::from_ref(&login.login_prompt)).map_err(|error| at(number, error))?;
                }
            }
            BlockKind::Test(TestKind::Definitions(list)) if list.is_empty() => {
                return Err(at(number, ActionError::job("the test block has no definitions")));
            }
            BlockKind::Test(_) | BlockKind::Command { .. } => {}
        }
    }
    Ok(())
}

fn at(number: usize, error: ActionError) -> ActionError {
    ActionError { message: format!("actions[{number}]: {}", error.message), ..error }
}

/// Whether this dispatcher has the method.
fn here(ctx: &Context, what: &str, method: &str) -> Result<(), ActionError> {
    if method == "sandbox" || ctx.options.rehearsal {
        return Ok(());
    }
    Err(ActionError::job(format!(
        "{what} {method} is not there for device {} (type {}): use --rehearse to try the job on a sandbox",
        ctx.info.name, ctx.info.device_type
    )))
}
