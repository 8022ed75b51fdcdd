//! `transfer_overlay`: the device fetches the overlay itself, once it is logged in (device-side.md §2).
//!
//! The overlay is handed out for as long as the action lasts. Both commands are checked: what they end with is printed by
//! the line that runs them.

use convoke_artifact::HandOut;
use convoke_job::pipeline::PlannedAction;
use serde_json::Value;

use crate::actions::Outcome;
use crate::console::{Attached, ConsoleLink};
use crate::context::Context;
use crate::error::{ActionError, ErrorClass};
use crate::limits::{Deadline, Nature};
use crate::prompt::{self, Wait};

/// Hands the overlay out, and types what fetches and unpacks it.
pub(crate) async fn run(ctx: &mut Context, action: &PlannedAction, deadline: &Deadline) -> Outcome {
    if ctx.options.rehearsal {
        ctx.log.debug("transfer_overlay is left out: a sandbox has its overlay from the start");
        return Ok(None);
    }
    let block = action.block.map(|block| &ctx.job.blocks[block].parameters);
    let Some(keys) = block.and_then(|block| block.get("transfer_overlay")).cloned() else { return Ok(None) };
    let Some(overlay) = ctx.transfer.get(&action.namespace) else {
        return Err(ActionError::job(format!(
            "{}: there is no overlay to be transferred: add `deploy: {{to: overlay}}` before this boot block, for \
             namespace {}",
            action.name, action.namespace
        )));
    };
    let failed = |error: std::io::Error| ActionError::infrastructure(format!("{}: {error}", action.name));
    let (file, name) = (overlay.file.try_clone().map_err(failed)?, overlay.file_name.clone());
    let work = async |ctx: &mut Context| {
        let listener = ctx.device().listen().await?;
        let handed = HandOut::start(listener, file, &name)?;
        let url = handed.url_at(&ctx.info.dispatcher_ip);
        let Some(link) = ctx.console(action) else { return Ok(()) };
        let attached = link.attach();
        let checked = Checked { ctx, link, attached: &attached, action, deadline };
        link.type_line(&format!("rm -f {name}"));
        let text = |key: &str| keys.get(key).and_then(Value::as_str).unwrap_or_default().trim().to_owned();
        let fetched = checked.line(&format!("{} {url}", text("download_command"))).await;
        if let Err(mut error) = fetched {
            if error.class == ErrorClass::Job && !handed.taken() {
                error.message = format!("{}; nothing was fetched from {}", error.message, ctx.info.dispatcher_ip);
            }
            return Err(error);
        }
        checked.line(&format!("{} {name}", text("unpack_command"))).await
    };
    ctx.guard(action.name, Nature::Job, deadline, work).await?;
    ctx.before_test.clear();
    ctx.deployed = true;
    Ok(None)
}

struct Checked<'a> {
    ctx: &'a Context,
    link: &'a ConsoleLink,
    attached: &'a Attached<'a>,
    action: &'a PlannedAction,
    deadline: &'a Deadline,
}

impl Checked<'_> {
    /// Types a command and waits for its exit status; the spelling is LAVA's. The echo of the line has no digits.
    async fn line(&self, command: &str) -> Result<(), ActionError> {
        let prompts = ["0", "[0-9]+"].map(|status| format!("<LAVA_SIGNAL_RETRUNCODE {status}>"));
        self.link.type_line(&format!("{command} ; printf \"<LAVA_SIGNAL_RETRUNCODE $?>\\n\""));
        let wait = Wait {
            name: self.action.name,
            prompts: &prompts,
            check: None,
            cut_off: false,
            connection: self.action.connection_limit,
            deadline: self.deadline,
            nature: Nature::Job,
        };
        let seen = prompt::wait(&self.ctx.log, self.link, self.attached, wait).await?;
        if seen.index == 0 {
            return Ok(());
        }
        let last = self.link.last_lines();
        Err(ActionError::job(format!("{}: `{command}` failed on the device; its last lines: {last}", self.action.name)))
    }
}
