//! Runs a planned action tree: one executor for all actions (job-definition.md §3.3, §5, §6.2).
//!
//! ```text
//! start ─→ requests ─→ ┌ own work ─→ children ─→ closing work ┐ ─→ end, result
//!                      └──────── next attempt ←───────────────┘
//! ```
//!
//! Invariants: every action that starts ends in the journal; an action never outlives its parent; only the innermost
//! work is ever cut off, so whatever encloses it still says how it ended. Errors travel upwards unchanged; what may be
//! retried is retried by the outermost action that can.

use std::future::Future;
use std::pin::Pin;

use convoke_job::member::BlockKind;
use convoke_job::pipeline::PlannedAction;
use convoke_journal::{Body, ErrorClass, Failure, LogLevel, ResultRecord, ResultValue};
use serde_json::{Map, Value};
use tokio::time::Instant;

use crate::actions::{self, Outcome, Recorded, requests};
use crate::context::Context;
use crate::error::ActionError;
use crate::limits::{Deadline, Seconds};

/// Runs `action` and what it runs, below the deadline of its parent.
pub(crate) fn run<'a>(
    ctx: &'a mut Context,
    action: &'a PlannedAction,
    parent: &'a Deadline,
) -> Pin<Box<dyn Future<Output = Result<(), ActionError>> + Send + 'a>> {
    Box::pin(async move {
        let deadline = parent.action(action.name, action.limit);
        let started = Instant::now();
        ctx.log.record(Body::ActionStarted {
            level: action.level.clone(),
            name: action.name.into(),
            // The clock has moved on since; a limit of a minute is shown as one.
            timeout_s: (deadline.remaining().as_secs_f64() * 1e3).round() / 1e3,
            namespace: action.namespace.clone(),
        });
        let result = match requests::make(ctx, action, &deadline).await {
            Ok(()) => attempts(ctx, action, &deadline).await,
            Err(error) => Err(said(ctx, error)),
        };
        let block = action.block.filter(|_| !action.level.contains('.')).map(|block| &ctx.job.blocks[block].kind);
        match block {
            Some(BlockKind::Boot { .. }) => actions::boot::kernel_messages(ctx, action, true),
            Some(BlockKind::Test(_)) => actions::boot::kernel_messages(ctx, action, false),
            _ => {}
        }
        let duration = started.elapsed().as_secs_f64();
        ctx.log.record(Body::ActionEnded {
            level: action.level.clone(),
            name: action.name.into(),
            duration_s: duration,
            namespace: action.namespace.clone(),
            failure: result.as_ref().err().map(failure),
        });
        let recorded = match &result {
            Ok(recorded) => recorded.clone(),
            Err(error) => Some(Recorded {
                result: ResultValue::Fail,
                extra: Map::from_iter([("fail".to_owned(), Value::from(error.message.clone()))]),
            }),
        };
        if let Some(Recorded { result, extra }) = recorded {
            ctx.log.result(ResultRecord {
                definition: "lava".into(),
                case: action.name.into(),
                result,
                duration: Some(duration),
                level: Some(action.level.clone()),
                namespace: Some(action.namespace.clone()),
                extra,
                ..ResultRecord::default()
            });
        }
        result.map(drop)
    })
}

/// The error of an action for the journal and for people.
pub(crate) fn failure(error: &ActionError) -> Failure {
    Failure {
        class: error.class,
        message: error.message.clone(),
        reason: error.reason.clone(),
        consequence: error.consequence,
    }
}

async fn attempts(ctx: &mut Context, action: &PlannedAction, deadline: &Deadline) -> Outcome {
    let rounds = action.attempts.max(action.repeat);
    let always = action.repeat > 1;
    let mut number = 1;
    loop {
        let failures = ctx.log.failed();
        let result = once(ctx, action, deadline).await;
        if rounds == 1 {
            return result;
        }
        if let Err(error) = &result {
            ctx.log.error(format_args!("{} failed: {number} of {} attempts: {}", action.name, rounds, error.message));
        }
        let wanted = match &result {
            Ok(_) => always,
            Err(error) => retried(error.class),
        };
        if !wanted || number >= rounds {
            return result;
        }
        if deadline.remaining() <= action.interval {
            ctx.log.warning(format_args!(
                "{}: no time is left for another attempt after a pause of {}",
                action.name,
                Seconds(action.interval)
            ));
            return result;
        }
        if result.is_err() {
            ctx.log.forget_failures(failures);
            let (level, name) = (action.level.clone(), action.name.to_owned());
            ctx.log.record(Body::AttemptFailed { level, name, attempt: number });
        }
        clean_up(ctx);
        tokio::select! {
            biased;
            () = ctx.cancel.cancelled() => return Err(said(ctx, ctx.stopped())),
            () = tokio::time::sleep(action.interval) => {}
        }
        number += 1;
    }
}

/// Which errors are worth another attempt (job-definition.md §16).
fn retried(class: ErrorClass) -> bool {
    matches!(class, ErrorClass::Infrastructure | ErrorClass::Job | ErrorClass::Test)
}

/// Takes back what a failed or repeated attempt has left: the next one boots again and makes its own overlay.
fn clean_up(ctx: &mut Context) {
    ctx.booted = false;
    ctx.overlay = None;
    ctx.images.clear();
}

async fn once(ctx: &mut Context, action: &PlannedAction, deadline: &Deadline) -> Outcome {
    let before = actions::before(ctx, action, deadline).await.map_err(|error| said(ctx, error))?;
    for child in &action.children {
        run(ctx, child, deadline).await?;
    }
    let after = actions::after(ctx, action, deadline).await.map_err(|error| said(ctx, error))?;
    Ok(before.or(after))
}

/// Puts an error into the log where it arises.
fn said(ctx: &Context, error: ActionError) -> ActionError {
    ctx.log.line(LogLevel::Exception, &error.message);
    error
}
