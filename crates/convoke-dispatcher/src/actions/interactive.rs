//! Interactive scripts in a rehearsal: their MultiNode steps are made, so that partners do not hang; what would be typed
//! to a boot loader is skipped (job-definition.md §9.3, device-side.md §9.6).

use convoke_group::{Answer, Call, MessageId, RoleName};
use convoke_job::console_test::{CallStep, CommandStep, Script, Step};
use convoke_job::member::{BlockKind, RequestCall, TestKind};
use convoke_job::pipeline::PlannedAction;
use convoke_journal::{Body, ResultRecord, ResultValue};
use serde_json::{Map, Value};

use crate::actions::{Outcome, requests};
use crate::calls;
use crate::context::Context;
use crate::error::{ActionError, ErrorClass};
use crate::limits::{Deadline, Nature};

/// Runs the MultiNode steps of the block's scripts.
pub(crate) async fn run(ctx: &mut Context, action: &PlannedAction, deadline: &Deadline) -> Outcome {
    let Some(BlockKind::Test(TestKind::Interactive(scripts))) =
        action.block.map(|block| ctx.job.blocks[block].kind.clone())
    else {
        return Ok(None);
    };
    if !ctx.options.rehearsal {
        return Err(ActionError::job(format!(
            "{}: interactive scripts cannot run on a device of type sandbox; try the job with --rehearse",
            action.name
        )));
    }
    ctx.log.warning("commands of interactive scripts are skipped in a rehearsal; their MultiNode steps are made");
    for script in &scripts {
        let suite = script.name.clone();
        ctx.log.record(Body::SuiteStarted { suite: suite.clone() });
        let result = steps(ctx, action, deadline, script, &suite).await;
        ctx.log.record(Body::SuiteEnded { suite });
        result?;
    }
    Ok(None)
}

async fn steps(
    ctx: &mut Context,
    action: &PlannedAction,
    deadline: &Deadline,
    script: &Script,
    suite: &str,
) -> Result<(), ActionError> {
    for step in &script.steps {
        match step {
            Step::Call(step) => {
                let (kind, call) = call_of(step);
                let work = async |ctx: &mut Context| one(ctx, action, deadline, suite, kind, call).await;
                ctx.guard(action.name, Nature::Test, deadline, work).await?;
            }
            Step::Command(CommandStep { name: Some(name), .. }) => ctx.log.result(ResultRecord {
                definition: suite.into(),
                case: name.clone(),
                result: ResultValue::Skip,
                extra: Map::from_iter([("rehearsed".to_owned(), Value::from(true))]),
                ..ResultRecord::default()
            }),
            Step::Command(_) => {}
        }
    }
    Ok(())
}

async fn one(
    ctx: &Context,
    action: &PlannedAction,
    deadline: &Deadline,
    suite: &str,
    kind: &str,
    call: Call,
) -> Result<(), ActionError> {
    let Some(caller) = ctx.caller() else {
        return Err(ActionError::job(format!(
            "{}: the script calls lava-{kind} but the job has no group",
            action.name
        )));
    };
    let message_id = match &call {
        Call::Send { message_id, .. }
        | Call::Wait { message_id }
        | Call::WaitAll { message_id, .. }
        | Call::Sync { message_id } => message_id.as_str().to_owned(),
        Call::Assemble => String::new(),
    };
    // Its limit is the action's (job-definition.md §3.5).
    let answered = caller.call(call, deadline.remaining(), requests::QUIET, action.name).await;
    let error = match answered.answer {
        Answer::Done { .. } => None,
        // As in a test shell, a wait that fails is the test's failure.
        Answer::Refused { refusal } => {
            Some(ActionError { class: ErrorClass::Test, ..calls::refused(action.name, &refusal) })
        }
    };
    ctx.log.result(ResultRecord {
        definition: suite.into(),
        case: format!("multinode-{kind}-{message_id}").to_lowercase(),
        result: if error.is_some() { ResultValue::Fail } else { ResultValue::Pass },
        duration: Some(answered.duration.as_secs_f64()),
        ..ResultRecord::default()
    });
    error.map_or(Ok(()), Err)
}

/// The call of a step.
fn call_of(step: &CallStep) -> (&'static str, Call) {
    let message_id = MessageId::new(step.message_id.clone());
    match &step.call {
        RequestCall::Send => {
            let data = step.data.iter().map(|(key, value)| (key.clone(), Value::from(value.clone())));
            ("send", Call::Send { message_id, message: Value::Object(data.collect()) })
        }
        RequestCall::Wait => ("wait", Call::Wait { message_id }),
        RequestCall::WaitAll(role) => {
            let role = role.as_ref().map(|role| RoleName::new(role.as_str()));
            ("wait_all", Call::WaitAll { message_id, role })
        }
        RequestCall::Sync => ("sync", Call::Sync { message_id }),
    }
}
