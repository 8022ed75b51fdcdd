//! Booting, logging in, the first prompt (job-definition.md §8, device-side.md §3).

use convoke_job::member::{AutoLogin, BlockKind, Place};
use convoke_job::pipeline::PlannedAction;
use convoke_journal::{ResultRecord, ResultValue};
use serde_json::{Map, Value, json};

use crate::actions::{Outcome, Recorded};
use crate::console::{Attached, ConsoleLink};
use crate::context::Context;
use crate::device::{BootRequest, DeviceLog};
use crate::error::{ActionError, ErrorClass};
use crate::faults::{Fault, Kind};
use crate::limits::{Deadline, Nature};
use crate::prompt::{self, Wait};

/// Actions in which a device starts. A block without any of them starts it where the console is first needed.
pub(crate) const STARTERS: [&str; 5] =
    ["start-sandbox", "execute-qemu", "docker-run", "connect-device", "ssh-connection"];

/// Boots the device, once in an attempt of a boot block, and takes its console over.
pub(crate) async fn start(ctx: &mut Context, action: &PlannedAction, deadline: &Deadline) -> Result<(), ActionError> {
    if ctx.booted {
        return Ok(());
    }
    ctx.console = None;
    if let Some(BlockKind::Boot { prompts, .. }) = action.block.map(|block| &ctx.job.blocks[block].kind) {
        ctx.prompts = if ctx.options.rehearsal { Vec::new() } else { prompts.clone() };
    }
    let request = request(ctx, action);
    let work = async |ctx: &mut Context| ctx.device().boot(request).await;
    let console = ctx.guard(action.name, Nature::Lab, deadline, work).await;
    let console = console.map_err(|error| doing(ctx, deadline, error)).map_err(|error| unreachable(ctx, error))?;
    ctx.log.debug(format_args!("{} is up, its console is open", ctx.info.name));
    let link = ConsoleLink::open(console, ctx.kernel_console, &ctx.log);
    ctx.options.desk.put(link.line());
    ctx.console = Some(link);
    ctx.booted = true;
    ctx.prepared = false;
    Ok(())
}

/// Switches the device's power off and on again, once it is connected.
pub(crate) async fn reset(ctx: &mut Context, action: &PlannedAction, deadline: &Deadline) -> Result<(), ActionError> {
    start(ctx, action, deadline).await?;
    let request = request(ctx, action);
    let work = async |ctx: &mut Context| ctx.device().reset(request).await;
    ctx.guard(action.name, Nature::Lab, deadline, work).await.map_err(|error| doing(ctx, deadline, error))
}

/// Adds what the device was doing when a limit passed.
pub(crate) fn doing(ctx: &mut Context, deadline: &Deadline, mut error: ActionError) -> ActionError {
    if deadline.remaining().is_zero()
        && let Some(doing) = ctx.device().doing()
    {
        error.message = format!("{}; {doing}", error.message);
    }
    error
}

/// What the action's block asks of the device.
fn request(ctx: &Context, action: &PlannedAction) -> BootRequest {
    let block = action.block.map(|block| &ctx.job.blocks[block]);
    let method = match block.map(|block| &block.kind) {
        Some(BlockKind::Boot { method, .. }) => method.clone(),
        _ => "sandbox".to_owned(),
    };
    BootRequest {
        method,
        parameters: block.map(|block| block.parameters.clone()).unwrap_or_default(),
        context: ctx.job.context.clone(),
        prompts: ctx.prompts.clone(),
        host_address: host_address(ctx, action),
        log: DeviceLog(ctx.log.clone()),
    }
}

/// Sees to it that a guest's address has come (device-side.md §9.3).
pub(crate) fn guest_address(ctx: &Context, action: &PlannedAction) -> Result<(), ActionError> {
    let Some(BlockKind::Boot { host_address: Some((id, key)), .. }) =
        action.block.map(|block| &ctx.job.blocks[block].kind)
    else {
        return Ok(());
    };
    match host_address(ctx, action) {
        Some(address) => {
            ctx.log.info(format_args!("the host's address is {address}"));
            Ok(())
        }
        None => Err(ActionError::job(format!(
            "Unable to retrieve {id} - missing ssh deploy? no request of the deploy block has stored key {key} under \
             hostID {id}"
        ))
        .reason("guest.unreachable")),
    }
}

/// The address that a request has stored under the block's `hostID` and `host_key`.
fn host_address(ctx: &Context, action: &PlannedAction) -> Option<String> {
    let BlockKind::Boot { host_address: Some((id, key)), .. } = &ctx.job.blocks[action.block?].kind else {
        return None;
    };
    let address = ctx.stored.get(&action.namespace)?.get(id)?.get(key)?;
    Some(address.as_str().map_or_else(|| address.to_string(), str::to_owned))
}

/// Records what the kernel has said of itself since it was asked last: LAVA's result `kernel-messages`.
pub(crate) fn kernel_messages(ctx: &Context, action: &PlannedAction, always: bool) {
    let Some(link) = ctx.console.as_ref().filter(|_| ctx.kernel_console) else { return };
    let faults = link.take_faults();
    if faults.is_empty() && !always {
        return;
    }
    let bad = faults.iter().any(|fault| fault.kind != Kind::Warning);
    let listed = faults.iter().map(|Fault { kind, line }| json!({"kind": kind.name(), "message": line})).collect();
    ctx.log.result(ResultRecord {
        definition: "lava".into(),
        case: "kernel-messages".into(),
        result: if bad { ResultValue::Fail } else { ResultValue::Pass },
        level: Some(action.level.clone()),
        namespace: Some(action.namespace.clone()),
        extra: Map::from_iter([("extra".to_owned(), Value::Array(listed))]),
        ..ResultRecord::default()
    });
}

/// Logs in, when the job says how. A sandbox has nobody to ask.
pub(crate) async fn login(ctx: &mut Context, action: &PlannedAction, deadline: &Deadline) -> Outcome {
    start(ctx, action, deadline).await?;
    let Some(BlockKind::Boot { auto_login: Some(login), .. }) = action.block.map(|block| &ctx.job.blocks[block].kind)
    else {
        ctx.log.debug("no login prompt set");
        return Ok(None);
    };
    if ctx.options.rehearsal {
        ctx.log.debug("auto_login is left out: a sandbox is logged in from the start");
        return Ok(None);
    }
    let login = login.clone();
    let work = async |ctx: &mut Context| exchange(ctx, action, deadline, &login).await;
    ctx.guard(action.name, Nature::Job, deadline, work).await?;
    Ok(Some(Recorded::pass(Map::new())))
}

/// Texts that end a login.
const REFUSALS: [&str; 2] = ["Login incorrect", "Login timed out"];

async fn exchange(
    ctx: &Context,
    action: &PlannedAction,
    deadline: &Deadline,
    login: &AutoLogin,
) -> Result<(), ActionError> {
    let Some(link) = &ctx.console else { return Ok(()) };
    let attached = link.attach();
    let talk = Talk { ctx, link, attached: &attached, action, deadline };
    let block = action.block.map(|block| &ctx.job.blocks[block].parameters);
    let login_prompt = std::slice::from_ref(&login.login_prompt);
    if block.is_some_and(|block| block.get("reset") == Some(&Value::Bool(false))) {
        // It has been up for long and says nothing by itself; somebody may be logged in.
        let prompts: Vec<String> = login_prompt.iter().chain(ctx.wanted_prompts()).cloned().collect();
        if talk.wait(&prompts, Some("")).await? > 0 {
            return Ok(());
        }
    } else {
        talk.until(login_prompt).await?;
    }
    link.type_line(&login.username);
    if let Some((prompt, password)) = &login.password {
        talk.until(std::slice::from_ref(prompt)).await?;
        link.type_hidden(password);
    }
    let prompts: Vec<String> =
        ctx.wanted_prompts().iter().cloned().chain(REFUSALS.iter().map(ToString::to_string)).collect();
    let index = talk.until(&prompts).await?;
    if let Some(refusal) = index.checked_sub(prompts.len() - REFUSALS.len()) {
        return Err(ActionError::job(format!(
            "{}: login as {} failed: {}",
            action.name, login.username, REFUSALS[refusal]
        )));
    }
    for command in &login.login_commands {
        link.type_line(command);
        talk.until(ctx.wanted_prompts()).await?;
    }
    Ok(())
}

struct Talk<'a> {
    ctx: &'a Context,
    link: &'a ConsoleLink,
    attached: &'a Attached<'a>,
    action: &'a PlannedAction,
    deadline: &'a Deadline,
}

impl Talk<'_> {
    async fn until(&self, prompts: &[String]) -> Result<usize, ActionError> {
        self.wait(prompts, None).await
    }

    async fn wait(&self, prompts: &[String], check: Option<&str>) -> Result<usize, ActionError> {
        let wait = Wait {
            name: self.action.name,
            prompts,
            check,
            cut_off: false,
            connection: self.action.connection_limit,
            deadline: self.deadline,
            nature: Nature::Job,
        };
        prompt::wait(&self.ctx.log, self.link, self.attached, wait).await.map(|seen| seen.index)
    }
}

/// Forces a prompt and waits for it.
pub(crate) async fn expect_shell(ctx: &mut Context, action: &PlannedAction, deadline: &Deadline) -> Outcome {
    start(ctx, action, deadline).await?;
    let work = async |ctx: &mut Context| {
        let Some(link) = &ctx.console else { return Ok(()) };
        let attached = link.attach();
        let talk = Talk { ctx, link, attached: &attached, action, deadline };
        ctx.log.debug(format_args!("forcing a shell prompt, looking for {:?}", ctx.wanted_prompts()));
        talk.wait(ctx.wanted_prompts(), Some("")).await.map(drop)
    };
    ctx.guard(action.name, Nature::Job, deadline, work).await.map_err(|error| unreachable(ctx, error))?;
    Ok(None)
}

/// A guest that cannot be reached is never held against its host's device (job-definition.md §13).
fn unreachable(ctx: &Context, error: ActionError) -> ActionError {
    if error.class == ErrorClass::Infrastructure && matches!(ctx.job.place, Place::Guest { .. }) {
        return ActionError { class: ErrorClass::Job, ..error.reason("guest.unreachable") };
    }
    error
}
