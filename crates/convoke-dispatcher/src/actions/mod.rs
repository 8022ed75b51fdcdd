//! What each action of the pipeline does, by its name (job-definition.md §6.4).
//!
//! | module | is about |
//! |---|---|
//! | [`requests`] | `protocols:` requests, group assembly, delayed start |
//! | [`overlay`] | definitions fetched, the overlay made and handed to the device |
//! | [`images`] | what a deploy block downloads |
//! | [`boot`] | booting, logging in, the first prompt |
//! | [`command`] | user commands of the device |
//! | [`transfer`] | the overlay, fetched by the device itself |
//! | [`monitors`], [`interactive`] | tests that need a console and nothing else; [`cases`], [`talk`] and [`variables`] help |
//! | [`shell`] | what a rehearsal makes of other kinds of test |
//! | [`finalize`] | the end of every member |
//!
//! An action that would touch hardware or download something does nothing in a rehearsal; it is in the log, and has a
//! result `skip` where LAVA would have one.

pub(crate) mod boot;
pub(crate) mod cases;
pub(crate) mod command;
pub(crate) mod finalize;
pub(crate) mod images;
pub(crate) mod interactive;
pub(crate) mod monitors;
pub(crate) mod overlay;
pub(crate) mod requests;
pub(crate) mod shell;
pub(crate) mod talk;
pub(crate) mod transfer;
pub(crate) mod variables;

use convoke_job::member::BlockKind;
use convoke_job::pipeline::PlannedAction;
use convoke_journal::ResultValue;
use serde_json::{Map, Value};

use crate::context::Context;
use crate::error::ActionError;
use crate::limits::Deadline;

/// What an action's work gives: a result to be recorded, nothing, or the error that ends it.
pub(crate) type Outcome = Result<Option<Recorded>, ActionError>;

/// A result in suite `lava`.
#[derive(Clone, Debug)]
pub(crate) struct Recorded {
    pub(crate) result: ResultValue,
    pub(crate) extra: Map<String, Value>,
}

impl Recorded {
    /// A pass with further keys.
    pub(crate) fn pass(extra: Map<String, Value>) -> Self {
        Recorded { result: ResultValue::Pass, extra }
    }

    fn rehearsed() -> Self {
        Recorded { result: ResultValue::Skip, extra: Map::from_iter([("rehearsed".to_owned(), Value::from(true))]) }
    }
}

/// The work of `action` before those it runs.
pub(crate) async fn before(ctx: &mut Context, action: &PlannedAction, deadline: &Deadline) -> Outcome {
    set_pace(ctx, action);
    match action.name {
        "lava-overlay" => overlay::describe(ctx, action),
        "ssh-authorize" if !ctx.options.rehearsal => overlay::authorize(ctx, action),
        "inline-repo-action" | "git-repo-action" | "url-repo-action" => {
            overlay::fetch_definition(ctx, action, deadline).await
        }
        "test-overlay" | "test-install-overlay" | "test-runscript-overlay" => Ok(overlay::prepared(ctx, action)),
        "compress-overlay" => overlay::compress(ctx, action, deadline).await,
        "scp-deploy" => boot::guest_address(ctx, action).map(|()| rehearsed(ctx, action)),
        "overlay-unpack" => transfer::run(ctx, action, deadline).await,
        "login-action" => boot::login(ctx, action, deadline).await,
        "expect-shell-connection" => boot::expect_shell(ctx, action, deadline).await,
        name if boot::STARTERS.contains(&name) => {
            boot::start(ctx, action, deadline).await?;
            Ok(rehearsed(ctx, action).or_else(|| started(action)))
        }
        "reset-device" => boot::reset(ctx, action, deadline).await.map(|()| rehearsed(ctx, action)),
        "file-download" | "http-download" | "scp-download" | "rclone-download" | "pre-downloaded"
            if !ctx.options.rehearsal =>
        {
            images::download(ctx, action, deadline).await
        }
        "lava-test-shell" | "multinode-test" => crate::testshell::run(ctx, action, deadline).await,
        name if shell::DOCKER.contains(&name) => shell::docker(ctx, action, deadline).await,
        "lava-test-interactive" => interactive::run(ctx, action, deadline).await,
        "lava-test-monitor" => monitors::run(ctx, action, deadline).await,
        "command" => command::run(ctx, action, deadline).await,
        "power-off" => finalize::power_off(ctx, action, deadline).await,
        _ if action.children.is_empty() => other(ctx, action),
        _ => Ok(None),
    }
}

/// The device's delays say how slowly each kind of block types.
fn set_pace(ctx: &Context, action: &PlannedAction) {
    let (Some(console), Some(block)) = (ctx.console(action), action.block) else { return };
    let delays = ctx.info.configuration.character_delays;
    console.pace(match &ctx.job.blocks[block].kind {
        BlockKind::Deploy { .. } => delays.deploy,
        BlockKind::Boot { .. } => delays.boot,
        BlockKind::Test(_) | BlockKind::Command { .. } => delays.test,
    });
}

/// The work of `action` after those it runs: what makes a whole block come true.
pub(crate) async fn after(ctx: &mut Context, action: &PlannedAction, deadline: &Deadline) -> Outcome {
    let Some(block) = action.block.filter(|_| !action.level.contains('.')) else { return Ok(None) };
    match &ctx.job.blocks[block].kind {
        BlockKind::Deploy { .. } => overlay::hand_over(ctx, action, deadline).await,
        BlockKind::Boot { .. } => boot::start(ctx, action, deadline).await.map(|()| None),
        BlockKind::Test(_) | BlockKind::Command { .. } => Ok(None),
    }
}

/// A leaf without work of its own.
fn other(ctx: &mut Context, action: &PlannedAction) -> Outcome {
    match action.block.map(|block| &ctx.job.blocks[block].kind) {
        Some(BlockKind::Test(_)) => shell::services(ctx, action),
        Some(BlockKind::Deploy { .. } | BlockKind::Boot { .. }) => Ok(rehearsed(ctx, action)),
        Some(BlockKind::Command { .. }) | None => Ok(None),
    }
}

/// Actions that have a result in LAVA and touch something a rehearsal has not.
fn recorded_by_lava(name: &str) -> bool {
    const NAMES: [&str; 6] =
        ["execute-qemu", "docker-run", "scp-deploy", "reset-device", "pdu-reboot", "uboot-commands"];
    name.ends_with("-download") || NAMES.contains(&name)
}

/// LAVA records that a machine was started.
fn started(action: &PlannedAction) -> Option<Recorded> {
    recorded_by_lava(action.name).then(|| Recorded::pass(Map::new()))
}

fn rehearsed(ctx: &Context, action: &PlannedAction) -> Option<Recorded> {
    if !ctx.options.rehearsal || !recorded_by_lava(action.name) {
        return None;
    }
    ctx.log.debug(format_args!("{} is only rehearsed: a sandbox stands for the device", action.name));
    Some(Recorded::rehearsed())
}
