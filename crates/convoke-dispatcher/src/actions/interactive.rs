//! Interactive scripts: commands typed on a console, and what they must bring about (job-definition.md §9.3, device-side.md
//! §9.6).
//!
//! ```text
//! step ─┬─ command typed ─→ echo left out ─→ success │ failure │ prompt ─→ its case ─→ prompt ─→ next step
//!       └─ call of the group ─→ its case; what was received stands for {KEY} in later steps
//! ```
//!
//! What came before a command was typed is not its output. In a rehearsal the calls are made, so that partners do not hang,
//! and the commands are left out: a sandbox is no boot loader.

use convoke_group::{Answer, Call, MessageId, RoleName};
use convoke_job::console_test::{CallStep, CommandStep, FailureMessage, Script, Step, StepException};
use convoke_job::member::{BlockKind, RequestCall, TestKind};
use convoke_job::pipeline::PlannedAction;
use convoke_journal::{ResultRecord, ResultValue};
use serde_json::{Map, Value};
use tokio::time::Instant;

use crate::actions::cases::Cases;
use crate::actions::talk::{Seen, Talk};
use crate::actions::variables::Variables;
use crate::actions::{Outcome, Recorded, requests};
use crate::calls;
use crate::context::Context;
use crate::error::{ActionError, ErrorClass};
use crate::limits::Deadline;

/// Runs the scripts of the action's block.
pub(crate) async fn run(ctx: &mut Context, action: &PlannedAction, deadline: &Deadline) -> Outcome {
    let Some(BlockKind::Test(TestKind::Interactive(scripts))) =
        action.block.map(|block| ctx.job.blocks[block].kind.clone())
    else {
        return Ok(None);
    };
    let ctx = &*ctx;
    let link = ctx.console(action).filter(|_| !ctx.options.rehearsal);
    match link {
        None if ctx.options.rehearsal => ctx
            .log
            .warning("commands of interactive scripts are skipped in a rehearsal; their MultiNode steps are made"),
        None => return Err(ActionError::job(format!("{}: no boot block comes before this test", action.name))),
        Some(_) => {}
    }
    let mut running = Running {
        ctx,
        action,
        deadline,
        talk: link.map(|link| Talk::new(ctx, link, action, deadline)),
        variables: Variables::of(ctx),
    };
    let mut result = Ok(());
    for script in &scripts {
        let mut cases = Cases::new(&ctx.log, &script.name, script.expected.as_deref());
        if result.is_ok() {
            cases.begin();
            result = running.script(script, &mut cases).await;
        }
        // Nothing can be expected of what is left out.
        if running.talk.is_some() {
            cases.end();
        } else {
            cases.leave();
        }
    }
    match result {
        Ok(()) if ctx.options.rehearsal => Ok(None),
        Ok(()) => Ok(Some(Recorded::pass(Map::new()))),
        Err(error) => {
            ctx.log.count_failure();
            Err(error)
        }
    }
}

struct Running<'a> {
    ctx: &'a Context,
    action: &'a PlannedAction,
    deadline: &'a Deadline,
    /// None in a rehearsal.
    talk: Option<Talk<'a>>,
    variables: Variables,
}

/// What a step has come to.
struct Came {
    result: ResultValue,
    why: Option<String>,
    /// Ends the script.
    error: Option<ActionError>,
    /// A prompt was seen.
    ready: bool,
}

impl Running<'_> {
    async fn script(&mut self, script: &Script, cases: &mut Cases<'_>) -> Result<(), ActionError> {
        for step in &script.steps {
            match step {
                Step::Call(step) => self.call(step, cases).await?,
                Step::Command(step) if self.talk.is_some() => self.command(script, step, cases).await?,
                Step::Command(CommandStep { name: Some(name), .. }) => cases.call(ResultRecord {
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

    async fn command(&mut self, script: &Script, step: &CommandStep, cases: &mut Cases<'_>) -> Result<(), ActionError> {
        let Some(talk) = &mut self.talk else { return Ok(()) };
        let began = Instant::now();
        if !step.delay.is_zero() {
            talk.pause(step.delay).await?;
        }
        let typed = step.command.as_ref().map(|command| {
            let (line, unknown) = self.variables.fill(command);
            for name in unknown {
                self.ctx
                    .log
                    .warning(format_args!("{}: nothing is known as {name}, it is typed as it stands", script.name));
            }
            line
        });
        if let Some(line) = &typed {
            talk.type_line(line);
        }
        let echo = typed.as_deref().filter(|line| script.discard_echo && !line.is_empty());
        let waited = wait(talk, script, step, echo, &mut self.variables).await;
        let Came { result, why, error, ready } = match waited {
            Ok(came) => came,
            Err(error) => {
                Came { result: ResultValue::Fail, why: Some(error.message.clone()), error: Some(error), ready: true }
            }
        };
        let shown = step.name.clone().or(typed).unwrap_or_else(|| "a step that types nothing".into());
        if let Some(why) = &why {
            self.ctx.log.warning(format_args!("{}: {shown:?}: {why}", script.name));
        }
        if let Some(name) = &step.name {
            let extra = why.map(|why| ("error_msg".to_owned(), Value::from(why)));
            cases.report(ResultRecord {
                case: name.clone(),
                result,
                duration: Some(began.elapsed().as_secs_f64()),
                extra: extra.into_iter().collect(),
                ..ResultRecord::default()
            });
        }
        if let Some(error) = error {
            return Err(error);
        }
        if step.wait_for_prompt && !ready {
            talk.until(&script.prompts).await?;
        }
        Ok(())
    }

    async fn call(&mut self, step: &CallStep, cases: &Cases<'_>) -> Result<(), ActionError> {
        let (kind, call) = self.call_of(step);
        let Some(caller) = self.ctx.caller() else {
            // Refused when the job was checked.
            let message = format!("{}: the script calls lava-{kind} but the job has no group", self.action.name);
            return Err(ActionError::job(message));
        };
        // Its limit is the action's (job-definition.md §3.5).
        let answered = tokio::select! {
            biased;
            () = self.ctx.cancel.cancelled() => return Err(self.ctx.stopped()),
            answered = caller.call(call, self.deadline.remaining(), requests::QUIET, self.action.name) => answered,
        };
        let error = match answered.answer {
            Answer::Done { messages } => {
                let first = match &step.call {
                    RequestCall::WaitAll(Some(role)) => vec![role.as_str().to_owned()],
                    _ => Vec::new(),
                };
                self.variables.received(&requests::in_order(&messages, &first, self.ctx.members()));
                None
            }
            // As in a test shell, a wait that fails is the test's failure.
            Answer::Refused { refusal } => {
                Some(ActionError { class: ErrorClass::Test, ..calls::refused(self.action.name, &refusal) })
            }
        };
        let why = error.as_ref().map(|error| ("error_msg".to_owned(), Value::from(error.message.clone())));
        cases.call(ResultRecord {
            case: format!("multinode-{kind}-{}", step.message_id).to_lowercase(),
            result: if error.is_some() { ResultValue::Fail } else { ResultValue::Pass },
            duration: Some(answered.duration.as_secs_f64()),
            extra: why.into_iter().collect(),
            ..ResultRecord::default()
        });
        error.map_or(Ok(()), Err)
    }

    fn call_of(&self, step: &CallStep) -> (&'static str, Call) {
        let message_id = MessageId::new(step.message_id.clone());
        match &step.call {
            RequestCall::Send => {
                let data = step.data.iter().map(|(key, value)| {
                    let (value, _) = self.variables.fill(value);
                    (key.clone(), Value::from(value))
                });
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
}

/// Waits until it is known what has come of a step.
async fn wait(
    talk: &mut Talk<'_>,
    script: &Script,
    step: &CommandStep,
    echo: Option<&str>,
    variables: &mut Variables,
) -> Result<Came, ActionError> {
    // A failure counts before a success, both before a prompt, where they match the same text.
    let failures = step.failures.iter().map(|failure| failure.message.clone());
    let patterns: Vec<String> =
        failures.chain(step.successes.iter().cloned()).chain(script.prompts.iter().cloned()).collect();
    let Seen { pattern, text, groups } = talk.first_of(echo, &patterns).await?;
    let (failing, passing) = (step.failures.len(), step.failures.len() + step.successes.len());
    variables.learn(groups);
    if let Some(FailureMessage { exception, error, message }) = step.failures.get(pattern) {
        let why = format!("the failure {message:?} came: {}", text.trim());
        let error = exception.map(|exception| {
            let class = match exception {
                StepException::Infrastructure => ErrorClass::Infrastructure,
                StepException::Job => ErrorClass::Job,
                StepException::Test => ErrorClass::Test,
            };
            ActionError::new(class, error.clone().unwrap_or_else(|| format!("{}: {why}", script.name)))
        });
        return Ok(Came { result: ResultValue::Fail, why: Some(why), error, ready: false });
    }
    if pattern < passing && pattern >= failing {
        return Ok(Came { result: ResultValue::Pass, why: None, error: None, ready: false });
    }
    let missed =
        (!step.successes.is_empty()).then(|| format!("a prompt came before any of the messages {:?}", step.successes));
    let result = if missed.is_some() { ResultValue::Fail } else { ResultValue::Pass };
    Ok(Came { result, why: missed, error: None, ready: true })
}
