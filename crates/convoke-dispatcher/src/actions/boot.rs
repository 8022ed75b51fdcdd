//! Booting, logging in, the first prompt (job-definition.md §8, device-side.md §3).

use convoke_job::member::{AutoLogin, Block, BlockKind, Place};
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
pub(crate) const STARTERS: [&str; 6] =
    ["start-sandbox", "execute-qemu", "docker-run", "connect-device", "ssh-connection", "open-connection"];

/// The boot method that opens a further connection.
const NEW_CONNECTION: &str = "new_connection";

/// Boots the device, once in an attempt of a boot block, and takes its console over.
pub(crate) async fn start(ctx: &mut Context, action: &PlannedAction, deadline: &Deadline) -> Result<(), ActionError> {
    if ctx.booted {
        return Ok(());
    }
    let namespace = ctx.connection(action).to_owned();
    if let Some(BlockKind::Boot { prompts, .. }) = action.block.map(|block| &ctx.job.blocks[block].kind) {
        let prompts = if ctx.options.rehearsal { Vec::new() } else { prompts.clone() };
        ctx.consoles.set_prompts(&namespace, prompts);
    }
    let further = further(ctx, action);
    // The one console of a sandbox stands for all connections of a device that it stands for.
    if ctx.options.rehearsal && further.is_some() && ctx.consoles.main().is_some() {
        ctx.booted = true;
        return Ok(());
    }
    if let Some(name) = further.filter(|_| !ctx.options.rehearsal) {
        ctx.consoles.close(&namespace);
        let log = DeviceLog(ctx.log.clone());
        let work = async |ctx: &mut Context| ctx.device().connect(&name, log).await;
        let console = ctx.guard(action.name, Nature::Lab, deadline, work).await;
        let console = console.map_err(|error| doing(ctx, deadline, error))?;
        ctx.log.debug(format_args!("the connection {name} of {} is open", ctx.info.name));
        let link = ConsoleLink::open(console, ctx.kernel_console, Some(&namespace), &ctx.log);
        ctx.consoles.opened(&namespace, link);
        ctx.booted = true;
        return Ok(());
    }
    let open = ctx.consoles.main().is_some_and(|link| !link.is_closed());
    if open && soft_reboot(ctx, action).is_some() {
        // It is rebooted by what is typed there.
        ctx.booted = true;
        return Ok(());
    }
    ctx.consoles.close_main(&namespace);
    let request = request(ctx, action);
    let work = async |ctx: &mut Context| ctx.device().boot(request).await;
    let console = ctx.guard(action.name, Nature::Lab, deadline, work).await;
    let console = console.map_err(|error| doing(ctx, deadline, error)).map_err(|error| unreachable(ctx, error))?;
    ctx.log.debug(format_args!("{} is up, its console is open", ctx.info.name));
    let link = ConsoleLink::open(console, ctx.kernel_console, None, &ctx.log);
    ctx.options.desk.put(link.line());
    ctx.consoles.booted(link);
    ctx.booted = true;
    ctx.prepared = false;
    Ok(())
}

/// The further connection that a boot block opens.
fn further(ctx: &Context, action: &PlannedAction) -> Option<String> {
    let block = &ctx.job.blocks[action.block?];
    let opens = matches!(&block.kind, BlockKind::Boot { method, .. } if method == NEW_CONNECTION);
    opens.then(|| block.parameters.get("connection").and_then(Value::as_str).unwrap_or_default().to_owned())
}

/// The commands that reboot the device in its own shell: those of the block, else those of a device whose power nobody can
/// switch.
fn soft_reboot(ctx: &Context, action: &PlannedAction) -> Option<Vec<String>> {
    let block = &ctx.job.blocks[action.block?].parameters;
    let commands = &ctx.info.configuration.commands;
    match block.get("soft_reboot") {
        Some(Value::String(command)) => Some(vec![command.clone()]),
        Some(Value::Array(commands)) => Some(commands.iter().filter_map(Value::as_str).map(str::to_owned).collect()),
        _ if !commands.hard_reset.is_empty() || !commands.power_on.is_empty() => None,
        _ => Some(commands.soft_reboot.clone()).filter(|commands| !commands.is_empty()),
    }
}

/// Switches the device's power off and on again, once it is connected.
pub(crate) async fn reset(ctx: &mut Context, action: &PlannedAction, deadline: &Deadline) -> Result<(), ActionError> {
    start(ctx, action, deadline).await?;
    if let Some(commands) = soft_reboot(ctx, action).filter(|_| !ctx.options.rehearsal) {
        let work = async |ctx: &mut Context| reboot(ctx, action, deadline, &commands).await;
        ctx.guard(action.name, Nature::Lab, deadline, work).await?;
        ctx.prepared = false;
        return Ok(());
    }
    let request = request(ctx, action);
    let work = async |ctx: &mut Context| ctx.device().reset(request).await;
    ctx.guard(action.name, Nature::Lab, deadline, work).await.map_err(|error| doing(ctx, deadline, error))
}

/// What a system prints on its way down, when neither job nor device says it.
const SHUTDOWN: &str = "Restarting system|The system is going down";

/// Reboots the device in its own shell, and waits until it says that it goes down: what looks like a prompt after that is
/// one of the new system.
async fn reboot(
    ctx: &mut Context,
    action: &PlannedAction,
    deadline: &Deadline,
    commands: &[String],
) -> Result<(), ActionError> {
    let block = action.block.map(|block| &ctx.job.blocks[block]);
    let said = block.and_then(|block| block.parameters.get("parameters")?.get("shutdown-message")?.as_str());
    let device =
        ctx.info.configuration.document.get("constants").and_then(|constants| constants.get("shutdown-message"));
    let message = said.or(device.and_then(Value::as_str)).unwrap_or(SHUTDOWN).to_owned();
    if let Some(BlockKind::Boot { auto_login: Some(login), .. }) = block.map(|block| &block.kind) {
        let login = login.clone();
        exchange(ctx, action, deadline, &login, true).await?;
    }
    let Some(link) = ctx.console(action) else { return Ok(()) };
    let attached = link.attach();
    let talk = Talk { ctx, link, attached: &attached, action, deadline };
    let prompts = ctx.wanted_prompts(action);
    for (number, command) in commands.iter().enumerate() {
        if !prompts.is_empty() {
            talk.wait(prompts, (number == 0).then_some("")).await?;
        }
        link.type_line(command);
    }
    talk.until(std::slice::from_ref(&message)).await.map(drop)
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
        prompts: ctx.consoles.prompts(ctx.connection(action)).to_vec(),
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
    let Some(link) = ctx.console(action).filter(|_| ctx.kernel_console) else { return };
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
        return first_prompt(ctx, action, deadline).await;
    };
    if ctx.options.rehearsal {
        ctx.log.debug("auto_login is left out: a sandbox is logged in from the start");
        return Ok(None);
    }
    let login = login.clone();
    let block = action.block.map(|block| &ctx.job.blocks[block].parameters);
    // It has been up for long and says nothing by itself; somebody may be logged in.
    let silent =
        block.is_some_and(|block| block.get("reset") == Some(&Value::Bool(false))) || further(ctx, action).is_some();
    let work = async |ctx: &mut Context| exchange(ctx, action, deadline, &login, silent).await;
    ctx.guard(action.name, Nature::Job, deadline, work).await?;
    Ok(Some(Recorded::pass(Map::new())))
}

/// Without a shell to come, nobody forces a prompt: it is waited for as it comes.
async fn first_prompt(ctx: &mut Context, action: &PlannedAction, deadline: &Deadline) -> Outcome {
    let blocks: Vec<&Block> = ctx.job.blocks.iter().collect();
    let wants_shell = action.block.is_none_or(|block| convoke_job::methods::wants_shell(&blocks, block));
    if wants_shell || ctx.options.rehearsal || ctx.consoles.prompts(ctx.connection(action)).is_empty() {
        return Ok(None);
    }
    let block = action.block.map(|block| &ctx.job.blocks[block].parameters);
    let silent =
        block.is_some_and(|block| block.get("reset") == Some(&Value::Bool(false))) || further(ctx, action).is_some();
    let work = async |ctx: &mut Context| {
        let Some(link) = ctx.console(action) else { return Ok(()) };
        let attached = link.attach();
        let talk = Talk { ctx, link, attached: &attached, action, deadline };
        talk.wait(ctx.wanted_prompts(action), silent.then_some("")).await.map(drop)
    };
    ctx.guard(action.name, Nature::Job, deadline, work).await?;
    Ok(None)
}

/// Texts that end a login.
const REFUSALS: [&str; 2] = ["Login incorrect", "Login timed out"];

async fn exchange(
    ctx: &Context,
    action: &PlannedAction,
    deadline: &Deadline,
    login: &AutoLogin,
    silent: bool,
) -> Result<(), ActionError> {
    let Some(link) = ctx.console(action) else { return Ok(()) };
    let attached = link.attach();
    let talk = Talk { ctx, link, attached: &attached, action, deadline };
    let login_prompt = std::slice::from_ref(&login.login_prompt);
    if silent {
        let prompts: Vec<String> = login_prompt.iter().chain(ctx.wanted_prompts(action)).cloned().collect();
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
        ctx.wanted_prompts(action).iter().cloned().chain(REFUSALS.iter().map(ToString::to_string)).collect();
    let index = talk.until(&prompts).await?;
    if let Some(refusal) = index.checked_sub(prompts.len() - REFUSALS.len()) {
        return Err(ActionError::job(format!(
            "{}: login as {} failed: {}",
            action.name, login.username, REFUSALS[refusal]
        )));
    }
    for command in &login.login_commands {
        link.type_line(command);
        talk.until(ctx.wanted_prompts(action)).await?;
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
        let Some(link) = ctx.console(action) else { return Ok(()) };
        let attached = link.attach();
        let talk = Talk { ctx, link, attached: &attached, action, deadline };
        ctx.log.debug(format_args!("forcing a shell prompt, looking for {:?}", ctx.wanted_prompts(action)));
        talk.wait(ctx.wanted_prompts(action), Some("")).await.map(drop)
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
