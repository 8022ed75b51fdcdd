//! One MultiNode call: recorded, limited, and explained while it waits.
//!
//! Every call is a `CallMade` followed by exactly one `CallAnswered`, also when it is withdrawn. While it waits, a line
//! every [`PROGRESS`] says for what, since when, and who has not sent yet (device-side.md §10), as the coordinator tells
//! when asked. Its level is debug: where the group is observed, the views of the journal say it for everybody.

use std::sync::Arc;
use std::time::Duration;

use convoke_coordinator::{CallOptions, Clock, GroupClient};
use convoke_group::{Answer, Call, Quiet, Refusal};
use convoke_job::MemberJob;
use convoke_journal::Body;
use serde_json::Value;

use crate::error::{ActionError, ErrorClass};
use crate::limits::{CALL_GRACE, PROGRESS, PROTOCOL_DEFAULT, Seconds, TROUBLE};
use crate::log::Log;

/// Makes calls on behalf of one member. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Caller {
    client: Arc<dyn GroupClient>,
    log: Log,
    /// This member's name in the group.
    name: String,
}

/// How a call ended.
#[derive(Clone, Debug)]
pub(crate) struct Answered {
    pub(crate) answer: Answer,
    pub(crate) duration: Duration,
}

impl Caller {
    pub(crate) fn new(client: Arc<dyn GroupClient>, log: Log, job: &MemberJob) -> Self {
        Caller { client, log, name: member_name(job) }
    }

    /// Makes one call and waits for its answer. Dropping the future withdraws it.
    pub(crate) async fn call(&self, call: Call, limit: Duration, quiet: Quiet, from: &str) -> Answered {
        let clock = self.client.clock();
        let started = clock.now();
        let shown = Shown::of(&call);
        let mut record = Record { log: &self.log, id: self.log.next_call_id(), open: true };
        self.log.record(Body::CallMade {
            call_id: record.id,
            call: shown.kind.into(),
            message_id: shown.message_id.clone(),
            role: shown.role.clone(),
            data: shown.data.clone(),
            from: from.into(),
            limit_s: Some(limit.as_secs_f64()),
        });
        let what = shown.text();
        let answer = clock.timeout(
            limit.saturating_add(CALL_GRACE),
            self.client.call(call, CallOptions { limit: Some(limit), quiet, call_id: Some(record.id) }),
        );
        let answer = tokio::select! {
            biased;
            answer = answer => answer.unwrap_or_else(|| Answer::Refused {
                refusal: Refusal::Invalid { what: what.clone(), why: format!("no answer from the coordinator within {}", Seconds(limit)), hint: None },
            }),
            never = self.progress(&shown, &clock, limit) => match never {},
        };
        record.answered(&answer);
        Answered { answer, duration: clock.since(started) }
    }

    /// The clock on which limits count.
    pub(crate) fn clock(&self) -> Clock {
        self.client.clock()
    }

    /// The error of an action whose call was refused: the lab's, when the coordinator could not be asked.
    pub(crate) fn refused(&self, action: &str, refusal: &Refusal) -> ActionError {
        match self.client.trouble() {
            Some(trouble) if matches!(refusal, Refusal::TimedOut { .. }) => {
                ActionError::infrastructure(format!("{action}: {trouble}")).reason("coordinator.unreachable")
            }
            _ => refused(action, refusal),
        }
    }

    async fn progress(&self, shown: &Shown, clock: &Clock, limit: Duration) -> std::convert::Infallible {
        let started = clock.now();
        // A coordinator that cannot be asked is said soon, and again with the other lines.
        let mut pause = TROUBLE;
        loop {
            tokio::time::sleep(pause).await;
            let is_first = std::mem::replace(&mut pause, PROGRESS) == TROUBLE;
            if is_first {
                pause = PROGRESS.saturating_sub(TROUBLE);
            }
            if let Some(trouble) = self.client.trouble() {
                self.log.warning(format_args!("{}: {trouble}; it is tried again", shown.text()));
                continue;
            }
            if is_first {
                continue;
            }
            let waits = self.client.waits().await;
            let own = waits
                .iter()
                .find(|wait| wait.member.as_str() == self.name && wait.message_id.as_str() == shown.message_id);
            let missing = match own {
                Some(wait) if !wait.missing.is_empty() => {
                    let names: Vec<&str> = wait.missing.iter().map(|name| name.as_str()).collect();
                    format!("not yet sent by {}", names.join(", "))
                }
                _ => "the coordinator does not say by whom".into(),
            };
            self.log.debug(format_args!(
                "{} has waited for {} of {}: {missing}",
                shown.text(),
                Seconds(Duration::from_secs(clock.since(started).as_secs())),
                Seconds(limit)
            ));
        }
    }
}

/// This member's name in the MultiNode API.
pub(crate) fn member_name(job: &MemberJob) -> String {
    job.group
        .as_ref()
        .and_then(|group| group.members.iter().find(|member| member.sub_id == job.sub_id))
        .map_or_else(|| job.job_id.to_string(), |member| member.name.clone())
}

/// The limit of a call: its own, else the protocol's, never beyond what the action has left.
pub(crate) fn limit(own: Option<Duration>, job: &MemberJob, left: Duration) -> Duration {
    let protocol = job.group.as_ref().and_then(|group| group.timeout);
    own.or(protocol).unwrap_or(PROTOCOL_DEFAULT).min(left)
}

/// The error of an action whose call was refused (job-definition.md §3.4, §6.3).
pub(crate) fn refused(action: &str, refusal: &Refusal) -> ActionError {
    let message = format!("{action}: {refusal}");
    match refusal {
        Refusal::TimedOut { .. } => ActionError::new(ErrorClass::MultinodeTimeout, message).reason("sync-timeout"),
        Refusal::MembersLeft { .. } => ActionError::job(message).reason("group.member-lost").consequence(),
        Refusal::AllWaiting { .. } | Refusal::Invalid { .. } => ActionError::job(message),
    }
}

/// Whom a refused call lacked, for results.
pub(crate) fn missing(refusal: &Refusal) -> &[String] {
    match refusal {
        Refusal::TimedOut { missing, .. } => missing,
        Refusal::MembersLeft { gone, .. } => gone,
        Refusal::AllWaiting { waits, .. } => waits,
        Refusal::Invalid { .. } => &[],
    }
}

/// What is shown of a call.
struct Shown {
    kind: &'static str,
    message_id: String,
    role: Option<String>,
    data: Vec<(String, String)>,
}

impl Shown {
    fn of(call: &Call) -> Self {
        let (kind, message_id, role, data) = match call {
            Call::Send { message_id, message } => ("send", Some(message_id), None, pairs(message)),
            Call::Wait { message_id } => ("wait", Some(message_id), None, Vec::new()),
            Call::WaitAll { message_id, role } => ("wait_all", Some(message_id), role.as_ref(), Vec::new()),
            Call::Sync { message_id } => ("sync", Some(message_id), None, Vec::new()),
            Call::Assemble => ("group_data", None, None, Vec::new()),
        };
        Shown {
            kind,
            message_id: message_id.map(|id| id.as_str().to_owned()).unwrap_or_default(),
            role: role.map(|role| role.as_str().to_owned()),
            data,
        }
    }

    /// As a person would type it.
    fn text(&self) -> String {
        let name = match self.kind {
            "send" => "lava-send",
            "wait" => "lava-wait",
            "wait_all" => "lava-wait-all",
            "sync" => "lava-sync",
            _ => return "group assembly".into(),
        };
        let role = self.role.as_ref().map(|role| format!(" {role}")).unwrap_or_default();
        format!("{name} {}{role}", self.message_id)
    }
}

/// Keys and values of a message, values as text.
pub(crate) fn pairs(message: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    message
        .as_object()
        .map(|map| map.iter().map(|(key, value)| (key.clone(), text(value))).collect())
        .unwrap_or_default()
}

/// Sees to it that a call that was made is answered in the journal.
struct Record<'a> {
    log: &'a Log,
    id: u64,
    open: bool,
}

impl Record<'_> {
    fn answered(&mut self, answer: &Answer) {
        let (ok, reason, messages) = match answer {
            Answer::Done { messages } => {
                let messages = messages.iter().map(|(name, data)| (name.as_str().to_owned(), data.clone())).collect();
                (true, None, messages)
            }
            Answer::Refused { refusal } => (false, Some(refusal.to_string()), Vec::new()),
        };
        self.write(ok, reason, messages);
    }

    fn write(&mut self, ok: bool, reason: Option<String>, messages: Vec<(String, Value)>) {
        self.open = false;
        self.log.record(Body::CallAnswered { call_id: self.id, ok, reason, messages });
    }
}

impl Drop for Record<'_> {
    fn drop(&mut self) {
        if self.open {
            self.write(false, Some("withdrawn: the caller has ended".into()), Vec::new());
        }
    }
}
