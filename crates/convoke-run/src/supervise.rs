//! Watches the members of a group while they run, and decides what the end of one means for the others.
//!
//! | a member ends | the others |
//! |---|---|
//! | Complete | go on; guests on its device are stopped, reason `host-gone` (they had their time to log out) |
//! | Incomplete | the same; when its role is essential all are cancelled, reason `essential-failed` |
//! | the user cancels | all are cancelled |

use std::sync::{Arc, OnceLock};

use convoke_dispatcher::{MemberOutcome, MemberRun, run_member};
use convoke_journal::{Body, ErrorClass, Failure, Health, Recorder};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// A member ready to run.
pub(crate) struct Ready {
    /// What the dispatcher needs. Its `cancel` and `options.stop` are fired from here.
    pub(crate) run: MemberRun,
    /// `1001 (server)`, for messages.
    pub(crate) label: String,
    /// Its incomplete end cancels the others.
    pub(crate) essential: bool,
    /// For a guest: index of the member on whose device it lives.
    pub(crate) host: Option<usize>,
}

/// How one member can be stopped from outside.
struct Handle {
    sub_id: u32,
    label: String,
    essential: bool,
    host: Option<usize>,
    cancel: CancellationToken,
    stop: Arc<OnceLock<Failure>>,
    /// Of a host: told when the last of its guests has ended.
    guests: Option<CancellationToken>,
    outcome: Option<MemberOutcome>,
}

impl Handle {
    fn stop(&self, failure: Failure) {
        if self.outcome.is_none() {
            // The first reason stands.
            let _ = self.stop.set(failure);
            self.cancel.cancel();
        }
    }
}

/// Runs all members to their ends. Firing `cancel` cancels them all; they still clean up.
pub(crate) async fn supervise(
    members: Vec<Ready>,
    recorder: &Recorder,
    cancel: CancellationToken,
) -> Vec<MemberOutcome> {
    let mut tasks = JoinSet::new();
    let mut handles = Vec::with_capacity(members.len());
    let hosts: Vec<usize> = members.iter().filter_map(|member| member.host).collect();
    for (index, mut member) in members.into_iter().enumerate() {
        let guests = hosts.contains(&index).then(CancellationToken::new);
        member.run.options.guests = guests.clone();
        handles.push(Handle {
            sub_id: member.run.job.sub_id.0,
            label: member.label,
            essential: member.essential,
            host: member.host,
            cancel: member.run.cancel.clone(),
            stop: Arc::clone(&member.run.options.stop),
            guests,
            outcome: None,
        });
        tasks.spawn(async move { (index, run_member(member.run).await) });
    }
    let mut cancelled = false;
    loop {
        let ended = tokio::select! {
            ended = tasks.join_next() => ended,
            () = cancel.cancelled(), if !cancelled => {
                cancelled = true;
                recorder.group(Body::Canceling { why: "cancelled by the user".into() });
                for handle in &handles {
                    handle.stop(canceled("cancelled by the user", None));
                }
                continue;
            }
        };
        match ended {
            None => break,
            Some(Ok((index, outcome))) => {
                handles[index].outcome = Some(outcome.clone());
                after(index, &outcome, &handles, recorder);
            }
            // `run_member` lets no panic out; a task that ends otherwise was torn down with the runtime.
            Some(Err(error)) => recorder.group(Body::Log {
                level: convoke_journal::LogLevel::Error,
                text: format!("a member's task ended without an outcome: {error}"),
            }),
        }
    }
    let mut outcomes = Vec::with_capacity(handles.len());
    for handle in handles {
        outcomes.push(handle.outcome.unwrap_or_else(|| {
            let outcome = lost();
            // Nobody else will say it, and everybody who waits for the last member's end waits for this.
            recorder
                .member(handle.sub_id, Body::MemberEnded { health: outcome.health, failure: outcome.failure.clone() });
            outcome
        }));
    }
    outcomes
}

/// What the end of one member means for the others.
fn after(index: usize, outcome: &MemberOutcome, handles: &[Handle], recorder: &Recorder) {
    let ended = &handles[index];
    if let Some(host) = ended.host {
        let mut fellows = handles.iter().filter(|other| other.host == Some(host));
        if let (Some(gone), true) = (&handles[host].guests, fellows.all(|guest| guest.outcome.is_some())) {
            gone.cancel();
        }
    }
    if ended.essential && outcome.health == Health::Incomplete {
        let why = match &outcome.failure {
            Some(failure) => format!("because essential member {} failed: {}", ended.label, failure.message),
            None => format!("because essential member {} failed", ended.label),
        };
        if handles.iter().any(|other| other.outcome.is_none()) {
            recorder.group(Body::Canceling { why: why.clone() });
        }
        for other in handles {
            other.stop(canceled(&format!("cancelled {why}"), Some("essential-failed")));
        }
    }
    for guest in handles.iter().filter(|other| other.host == Some(index)) {
        guest.stop(Failure {
            class: ErrorClass::Job,
            message: format!("its host {} ended first; a last lava-sync of both keeps the host alive", ended.label),
            reason: Some("host-gone".into()),
            consequence: outcome.health != Health::Complete,
        });
    }
}

fn canceled(message: &str, reason: Option<&str>) -> Failure {
    Failure {
        class: ErrorClass::Canceled,
        message: message.into(),
        reason: reason.map(Into::into),
        consequence: reason.is_some(),
    }
}

fn lost() -> MemberOutcome {
    MemberOutcome {
        health: Health::Incomplete,
        failure: Some(Failure {
            class: ErrorClass::Bug,
            message: "the member's task ended without an outcome".into(),
            reason: None,
            consequence: false,
        }),
        failed_cases: false,
    }
}
