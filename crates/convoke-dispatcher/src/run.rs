//! One member from group assembly to its last result.
//!
//! ```text
//! validate ─→ assemble ─→ delayed start ─→ blocks … ─→ finalize ─→ result `job` ─→ leave the group
//!                │               │             │            ▲
//!                └───────────────┴── error ────┴────────────┘
//! ```
//!
//! Invariant: whatever happens (error, cancel, panic), finalize runs, the device is off, the result `job` is recorded
//! and the group is left exactly once. [`run_member`] never panics and never returns early.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use convoke_coordinator::GroupClient;
use convoke_group::Messages;
use convoke_job::member::{BlockKind, GroupMember};
use convoke_job::pipeline::{DeviceLimits, PlannedAction, pipeline as planned};
use convoke_job::{MemberJob, RoleName, SubId};
use convoke_journal::{ErrorClass, Failure, Health, LogLevel, MemberState, Recorder, ResultRecord, ResultValue, Stage};
use futures_util::FutureExt;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::actions::{command, requests};
use crate::checks;
use crate::context::Context;
use crate::desk::Desk;
use crate::device::Device;
use crate::error::ActionError;
use crate::limits::{Deadline, GROUP_START, GUESTS_OUT, JOB_DEFAULT};
use crate::log::Log;
use crate::pipeline;
use crate::verdict::{ENDED, Ended, conclude};

/// Everything one member needs.
pub struct MemberRun {
    /// The member's job.
    pub job: MemberJob,
    /// Its device, allocated and not yet booted. Powered off and dropped at the end.
    pub device: Box<dyn Device>,
    /// Its connection to the group; `None` for a single-device job.
    pub client: Option<Arc<dyn GroupClient>>,
    /// Where everything is recorded, under the job's `sub_id`. The last event is `MemberEnded`; `RunStarted`,
    /// `DeviceAllocated`, `Definition`, `Waiting`, `ProbablyStuck` and `RunEnded` are the caller's.
    pub recorder: Recorder,
    /// Ends the member early; what is reported then is [`DispatchOptions::stop`].
    pub cancel: CancellationToken,
    /// How.
    pub options: DispatchOptions,
}

/// How a member is run.
#[derive(Clone, Debug)]
pub struct DispatchOptions {
    /// A sandbox stands for the device: deploy and boot are replaced, protocol requests are still made.
    pub rehearsal: bool,
    /// An existing directory where fetched definitions are staged; what is put there is removed again.
    pub scratch: PathBuf,
    /// What relative paths of the job are relative to.
    pub base: PathBuf,
    /// `convoke 0.1.0`, for the log.
    pub program: String,
    /// The public key, one line, that `authorize: ssh` in a deploy block puts onto the device.
    pub authorized_key: Option<String>,
    /// What to report when `cancel` fires, set before firing it. Unset: class Canceled, `cancelled by the user`. A
    /// failure of class Canceled gives [`Health::Canceled`], any other [`Health::Incomplete`] (for example reason
    /// `host-gone`).
    pub stop: Arc<OnceLock<Failure>>,
    /// Where others find the member's console.
    pub desk: Desk,
    /// Of a member that hosts others: fires when the last of them has ended. Before that its device is not powered off
    /// for a while, so that they can log out.
    pub guests: Option<CancellationToken>,
}

impl DispatchOptions {
    /// Options with the defaults: no rehearsal, no reason to stop.
    pub fn new(scratch: impl Into<PathBuf>, program: impl Into<String>) -> Self {
        DispatchOptions {
            rehearsal: false,
            scratch: scratch.into(),
            base: PathBuf::from("."),
            program: program.into(),
            authorized_key: None,
            stop: Arc::new(OnceLock::new()),
            desk: Desk::default(),
            guests: None,
        }
    }
}

/// How a member ended.
#[derive(Clone, Debug, PartialEq)]
pub struct MemberOutcome {
    /// Verdict.
    pub health: Health,
    /// What ended it, when not Complete.
    pub failure: Option<Failure>,
    /// Whether any test case (outside suite `lava`) or test suite failed.
    pub failed_cases: bool,
}

/// Runs one member to its end.
pub async fn run_member(run: MemberRun) -> MemberOutcome {
    let MemberRun { job, device, client, recorder, cancel, options } = run;
    recorder.mask(job.secrets.iter().map(|(_, value)| value.clone()).collect());
    let log = Log::new(recorder, job.sub_id.0);
    let mut ctx = Context::new(job, device, client, log, cancel, options);
    let limits =
        DeviceLimits { actions: ctx.info.action_timeouts.clone(), connections: ctx.info.connection_timeouts.clone() };
    let plan = planned(&ctx.job, &limits);
    let result = without_panic(main(&mut ctx, &plan)).await;
    if result.is_ok() {
        wait_for_guests(&ctx).await;
    }
    let ended = without_panic(finalize(&mut ctx, &plan)).await;
    conclude(ctx, result, ended)
}

/// Turns a panic into our bug.
async fn without_panic<T>(work: impl Future<Output = Result<T, Ended>>) -> Result<T, Ended> {
    match AssertUnwindSafe(work).catch_unwind().await {
        Ok(result) => result,
        Err(panic) => {
            let text = panic.downcast_ref::<&str>().map(ToString::to_string);
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
            Err(Ended::new(
                "its dispatcher failed",
                ActionError::new(ErrorClass::Bug, format!("the dispatcher panicked: {text}")),
            ))
        }
    }
}

async fn main(ctx: &mut Context, plan: &[PlannedAction]) -> Result<(), Ended> {
    ctx.log.info(format_args!("{}, job {}", ctx.options.program, ctx.job.job_id));
    validate(ctx, plan).map_err(|error| Ended::new("its job is wrong", error))?;
    ctx.log.state(MemberState::Starting, Stage::Assembling);
    group(ctx).await.map_err(|error| Ended::new("it could not start", error))?;
    let deadline = Deadline::job(ctx.clock(), ctx.job.timeouts.job.unwrap_or(JOB_DEFAULT));
    for planned in plan {
        if let Some(number) = planned.block {
            block(ctx, number, planned, &deadline).await?;
        }
    }
    Ok(())
}

/// Everything that can be known to be wrong before anything runs.
fn validate(ctx: &mut Context, plan: &[PlannedAction]) -> Result<(), ActionError> {
    let started = Instant::now();
    ctx.log.info("start: 0 validate");
    let result = checks::validate(ctx, plan);
    ctx.log.info(format_args!("validate duration: {:.2}", started.elapsed().as_secs_f64()));
    if let Err(error) = &result {
        ctx.log.line(LogLevel::Exception, &error.message);
    }
    ctx.log.result(ResultRecord {
        definition: "lava".into(),
        case: "validate".into(),
        result: if result.is_ok() { ResultValue::Pass } else { ResultValue::Fail },
        ..ResultRecord::default()
    });
    result
}

/// Group assembly and delayed start, outside the job's deadline (job-definition.md §3.3, §6.5).
async fn group(ctx: &mut Context) -> Result<(), ActionError> {
    let Some(caller) = ctx.caller() else { return Ok(()) };
    let Some(membership) = ctx.job.group.clone() else { return Ok(()) };
    let cancel = ctx.cancel.clone();
    let start = async {
        ctx.log.debug(format_args!("waiting for the {} members of the group", membership.size));
        let told = requests::assemble(&caller).await?;
        if membership.delayed_start
            && let Some(expect) = &membership.expect_role
        {
            ctx.log.state(MemberState::Starting, Stage::DelayedStart);
            ctx.log.info(format_args!("waiting for lava_start from role {expect}"));
            requests::delayed_start(&caller, expect.as_str(), membership.timeout.unwrap_or(GROUP_START)).await?;
        }
        Ok(told)
    };
    let result = tokio::select! {
        biased;
        () = cancel.cancelled() => Err(ctx.stopped()),
        result = start => result,
    };
    if let Err(error) = &result {
        ctx.log.line(LogLevel::Exception, &error.message);
    }
    introduce(ctx, &result?);
    Ok(())
}

/// A definition that was split and never assigned does not say who is in the group; a coordinator elsewhere does.
fn introduce(ctx: &mut Context, told: &Messages) {
    let own = crate::calls::member_name(&ctx.job);
    let job = Arc::make_mut(&mut ctx.job);
    let Some(group) = job.group.as_mut().filter(|group| group.members.is_empty()) else { return };
    let mut others = (0..).filter(|number| *number != job.sub_id.0);
    group.members = told
        .iter()
        .filter_map(|(name, role)| {
            let name = name.as_str().to_owned();
            let sub_id = if name == own { job.sub_id } else { SubId(others.next()?) };
            let role = RoleName::new(role.as_str()?);
            Some(GroupMember { name, role, sub_id, guest: false, device: None })
        })
        .collect();
}

async fn block(ctx: &mut Context, number: usize, planned: &PlannedAction, deadline: &Deadline) -> Result<(), Ended> {
    let job = Arc::clone(&ctx.job);
    let block = &job.blocks[number];
    let (stage, what) = match &block.kind {
        BlockKind::Deploy { .. } => (Stage::Deploy, "its deploy failed"),
        BlockKind::Boot { .. } => (Stage::Boot, "its boot failed"),
        BlockKind::Test(_) => {
            let tests = job.blocks[..number].iter().filter(|block| matches!(block.kind, BlockKind::Test(_))).count();
            (Stage::Test(u32::try_from(tests).unwrap_or(u32::MAX)), "its test failed")
        }
        BlockKind::Command { .. } => (Stage::Command, "its user command failed"),
    };
    ctx.log.state(MemberState::Running, stage);
    if matches!(block.kind, BlockKind::Boot { .. }) {
        ctx.booted = false;
    }
    match pipeline::run(ctx, planned, deadline).await {
        Err(error) if error.class == ErrorClass::LAVATimeout && block.common.skip => {
            ctx.log.warning(format_args!("{}: the job goes on, as `skip` says", error.message));
            Ok(())
        }
        Err(mut error) => {
            if error.class == ErrorClass::LAVATimeout {
                error.class = ErrorClass::Test;
            }
            Err(Ended::new(what, error))
        }
        Ok(()) => Ok(()),
    }
}

/// Gives guests that are in their last steps the time to log out: after a last sync of both the host has nothing left to
/// do, and is often the faster one.
async fn wait_for_guests(ctx: &Context) {
    let Some(guests) = ctx.options.guests.as_ref().filter(|guests| !guests.is_cancelled()) else { return };
    // Who waits for a call of this member waits in vain, and is to know at once.
    if let Some(client) = &ctx.client {
        client.leave(ENDED);
    }
    ctx.log.debug("waiting for its guests to log out");
    tokio::select! {
        () = guests.cancelled() => {}
        () = ctx.cancel.cancelled() => {}
        () = tokio::time::sleep(GUESTS_OUT) => ctx.log.warning("its guests have not ended; it ends with them"),
    }
}

async fn finalize(ctx: &mut Context, plan: &[PlannedAction]) -> Result<(), Ended> {
    ctx.log.state(MemberState::Ending, Stage::Finalize);
    // What stopped the member must not stop its cleaning up.
    ctx.cancel = CancellationToken::new();
    let deadline = Deadline::cleanup();
    let undone = command::undo(ctx, &deadline).await;
    for planned in plan.iter().filter(|planned| planned.block.is_none()) {
        let result = pipeline::run(ctx, planned, &deadline).await;
        result.map_err(|error| Ended::new("its device could not be powered off", error))?;
    }
    undone.map_err(|error| Ended::new("what a user command did could not be undone", error))
}
