//! What is known to be wrong before anything runs: the step `validate`.

use std::sync::Arc;

use convoke_job::member::{Block, BlockKind, TestKind};
use convoke_job::pipeline::PlannedAction;

use crate::context::Context;
use crate::device::{DOWNLOADS, Refusal};
use crate::error::ActionError;
use crate::prompt::matcher;

/// Looks at every block. The first thing wrong is the error: the job was checked in whole when it was read.
pub(crate) fn validate(ctx: &mut Context, blocks: &[PlannedAction]) -> Result<(), ActionError> {
    ctx.log.debug(format_args!(
        "this job runs, in order: {}",
        blocks.iter().map(|block| block.name).collect::<Vec<_>>().join(", ")
    ));
    let job = Arc::clone(&ctx.job);
    for (number, block) in job.blocks.iter().enumerate() {
        match &block.kind {
            BlockKind::Deploy { to, .. } if DOWNLOADS.contains(&to.as_str()) => {}
            BlockKind::Deploy { .. } => here(ctx, number, block)?,
            BlockKind::Boot { prompts, auto_login, .. } => {
                here(ctx, number, block)?;
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

/// Whether the device can do it. A rehearsal replaces what it cannot.
fn here(ctx: &mut Context, number: usize, block: &Block) -> Result<(), ActionError> {
    if ctx.options.rehearsal {
        return Ok(());
    }
    match ctx.device().refusal(block) {
        None => Ok(()),
        Some(Refusal { message, help }) => {
            Err(at(number, ActionError::job(format!("device {}: {message}: {help}", ctx.info.name))))
        }
    }
}
