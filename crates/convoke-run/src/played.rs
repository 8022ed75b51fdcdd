//! Members that are played: nothing runs for them, and their calls are made from an earlier run, or as the real members
//! need them and with the values that the user gives.
//!
//! A played member is a member of the group like any other: the rules answer it, and the journal has its calls.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use convoke_coordinator::{CallOptions, Clock, GroupClient};
use convoke_group::{Answer, Call, CallKind, MessageId, Quiet, RoleName};
use convoke_journal::{Body, Health, LogLevel, Recorder};
use serde_json::{Map, Value};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::plan::PlayedMember;
use crate::replay::{PlayedCall, Replay, Step};
use crate::script::{Said, Script};

/// How the members are played that have no device.
#[derive(Debug)]
pub enum Play {
    /// As in an earlier run.
    Replay(Replay),
    /// As the real members need it: these values by message ID, and for other IDs whoever is asked.
    Improvise {
        /// What the job says that they send.
        script: Script,
        /// Values by message ID; they go before those of the job.
        answers: BTreeMap<String, Vec<(String, String)>>,
        /// Who is asked for the values of other IDs; without anybody they are sent without values.
        ask: Option<mpsc::UnboundedSender<Ask>>,
    },
}

/// A question for the values of a message.
#[derive(Debug)]
pub struct Ask {
    /// Its ID.
    pub message_id: String,
    /// The values that the job says.
    pub known: Vec<(String, String)>,
    /// Keys whose values the job does not say, and how they are written there.
    pub wanted: Vec<(String, String)>,
    /// Who waits for it, and who is to send it: `1002 (client)`.
    pub waiter: String,
    /// Who is to send it.
    pub sender: String,
    /// Takes the answer; dropped, the message is sent without values.
    pub reply: oneshot::Sender<Vec<(String, String)>>,
}

/// Someone waits for what a played member has to do.
#[derive(Debug)]
pub(crate) struct Want {
    pub(crate) kind: CallKind,
    pub(crate) message_id: MessageId,
    /// The calls that wait: who made each, and its number.
    pub(crate) calls: Vec<(String, u64)>,
    /// Who waits first, as messages call it.
    pub(crate) waiter: String,
    /// Who is missing, by name.
    pub(crate) missing: Vec<String>,
}

/// A played member with its connection to the group.
#[derive(Clone)]
pub(crate) struct Player {
    pub(crate) sub_id: u32,
    pub(crate) name: String,
    pub(crate) label: String,
    client: Arc<dyn GroupClient>,
    recorder: Recorder,
}

impl Player {
    pub(crate) fn new(member: &PlayedMember, client: Arc<dyn GroupClient>, recorder: Recorder) -> Player {
        Player { sub_id: member.job.sub_id.0, name: member.name.clone(), label: member.label.clone(), client, recorder }
    }

    /// Makes one call and has it recorded.
    async fn call(&self, call: Call, limit: Option<std::time::Duration>, quiet: Quiet) -> Answer {
        let call_id = self.recorder.next_call_id();
        let role = |role: &Option<RoleName>| role.as_ref().map(|role| role.as_str().to_owned());
        let (kind, role, data) = match &call {
            Call::Send { message, .. } => ("send", None, pairs(message)),
            Call::Wait { .. } => ("wait", None, Vec::new()),
            Call::WaitAll { role: wanted, .. } => ("wait_all", role(wanted), Vec::new()),
            Call::Sync { .. } => ("sync", None, Vec::new()),
            Call::Assemble => ("group_data", None, Vec::new()),
        };
        self.recorder.member(
            self.sub_id,
            Body::CallMade {
                call_id,
                call: kind.into(),
                message_id: call.message_id().as_str().to_owned(),
                role,
                data,
                from: "played".into(),
                limit_s: limit.map(|limit| limit.as_secs_f64()),
            },
        );
        let options = CallOptions { limit, quiet, call_id: Some(call_id) };
        let answer = self.client.call(call, options).await;
        let (ok, reason, messages) = match &answer {
            Answer::Done { messages } => {
                let messages = messages.iter().map(|(name, data)| (name.as_str().to_owned(), data.clone()));
                (true, None, messages.collect())
            }
            Answer::Refused { refusal } => (false, Some(refusal.to_string()), Vec::new()),
        };
        self.recorder.member(self.sub_id, Body::CallAnswered { call_id, ok, reason, messages });
        answer
    }

    fn end(&self, why: &str) {
        self.client.leave(why);
        self.recorder.member(self.sub_id, Body::MemberEnded { health: Health::Complete, failure: None });
    }

    /// Makes the calls of an earlier run.
    pub(crate) async fn replay(self, steps: Vec<Step>, cancel: CancellationToken) {
        let work = async {
            let mut open: BTreeMap<u64, tokio::task::AbortHandle> = BTreeMap::new();
            let mut running: JoinSet<(u64, bool)> = JoinSet::new();
            let mut done: HashSet<u64> = HashSet::new();
            let mut steps = steps.into_iter().peekable();
            while let Some(step) = steps.next() {
                match step {
                    Step::Make(PlayedCall { number, call, limit }) => {
                        let player = self.clone();
                        // Who waits for this answer next, and for no other, does nothing else.
                        let alone = open.keys().all(|number| done.contains(number));
                        let quiet = match steps.peek() {
                            Some(Step::Await(next)) if *next == number && alone => Quiet::Certain,
                            _ => Quiet::Unknown,
                        };
                        let is_send = matches!(call, Call::Send { .. });
                        let task = async move {
                            (number, matches!(player.call(call, limit, quiet).await, Answer::Done { .. }))
                        };
                        if is_send {
                            // A later call must not overtake it.
                            task.await;
                            done.insert(number);
                        } else {
                            open.insert(number, running.spawn(task));
                        }
                    }
                    Step::Await(number) => {
                        while !done.contains(&number) && open.contains_key(&number) {
                            match running.join_next().await {
                                Some(Ok((number, true))) => drop(done.insert(number)),
                                Some(Ok((_, false))) => return "one of its waits of the earlier run was refused",
                                Some(Err(_)) | None => return "it was ended",
                            }
                        }
                    }
                }
            }
            // What was never answered then may be now.
            while running.join_next().await.is_some() {}
            "its part in the earlier run has ended"
        };
        let why = tokio::select! {
            () = cancel.cancelled() => "the members that run have ended",
            why = work => why,
        };
        self.end(why);
    }
}

fn pairs(message: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let pairs = message.as_object().into_iter().flatten();
    pairs.map(|(key, value)| (key.clone(), text(value))).collect()
}

/// Plays all members as the real ones need it, until these have ended.
pub(crate) async fn improvise(
    players: Vec<Player>,
    mut wants: mpsc::UnboundedReceiver<Want>,
    (script, mut answers): (Script, BTreeMap<String, Vec<(String, String)>>),
    ask: Option<mpsc::UnboundedSender<Ask>>,
    clock: Clock,
    cancel: CancellationToken,
) {
    let mut sent: HashSet<(u32, String)> = HashSet::new();
    let mut syncs: JoinSet<()> = JoinSet::new();
    // A played member arrives once for each round of an ID, and a round is the n-th sync of it that a real member makes.
    let (mut seen, mut rounds, mut arrived) = (HashSet::new(), BTreeMap::new(), HashSet::new());
    loop {
        let want = tokio::select! {
            biased;
            () = cancel.cancelled() => break,
            Some(_) = syncs.join_next() => continue,
            want = wants.recv() => match want {
                Some(want) => want,
                None => break,
            },
        };
        let Want { mut calls, .. } = want;
        calls.retain(|(member, _)| players.iter().all(|player| player.name != *member));
        if calls.is_empty() {
            // Only played members wait, for one another.
            continue;
        }
        let want = Want { calls, ..want };
        let id = want.message_id.as_str().to_owned();
        let missing: Vec<&Player> = players.iter().filter(|player| want.missing.contains(&player.name)).collect();
        match want.kind {
            CallKind::Sync => {
                for (waiter, _) in want.calls.iter().filter(|(_, number)| seen.insert(*number)) {
                    let round = rounds.entry((waiter.clone(), id.clone())).or_insert(0u32);
                    *round += 1;
                    for player in &players {
                        if arrived.insert((player.sub_id, id.clone(), *round)) {
                            let (player, message_id) = (player.clone(), want.message_id.clone());
                            syncs.spawn(async move {
                                drop(player.call(Call::Sync { message_id }, None, Quiet::Unknown).await)
                            });
                        }
                    }
                }
            }
            CallKind::Wait | CallKind::WaitAll => {
                let senders = match want.kind {
                    CallKind::Wait => script.sender(&missing, &id).into_iter().collect(),
                    _ => missing,
                };
                for player in senders {
                    if !sent.insert((player.sub_id, id.clone())) {
                        continue;
                    }
                    let said = script.said(player.sub_id, &id);
                    if !answers.contains_key(&id) && said.is_none_or(|said| !said.wanted.is_empty()) {
                        let values = tokio::select! {
                            () = cancel.cancelled() => break,
                            values = asked(ask.as_ref(), &want, player, said, &clock) => values,
                        };
                        answers.insert(id.clone(), values);
                    }
                    let known = said.into_iter().flat_map(|said| &said.known);
                    let given = answers.get(&id).into_iter().flatten();
                    let message: Map<String, Value> =
                        known.chain(given).map(|(key, value)| (key.clone(), value.clone().into())).collect();
                    let message = Value::Object(message);
                    player
                        .call(Call::Send { message_id: want.message_id.clone(), message }, None, Quiet::Unknown)
                        .await;
                }
            }
            CallKind::Send | CallKind::Assemble => {}
        }
    }
    syncs.shutdown().await;
    for player in &players {
        player.end("the members that run have ended");
    }
}

/// The values of a message; while the user thinks, no limit runs.
async fn asked(
    ask: Option<&mpsc::UnboundedSender<Ask>>,
    want: &Want,
    player: &Player,
    said: Option<&Said>,
    clock: &Clock,
) -> Vec<(String, String)> {
    let message_id = want.message_id.as_str().to_owned();
    let (known, wanted) = said.map(|said| (said.known.clone(), said.wanted.clone())).unwrap_or_default();
    let Some(ask) = ask else {
        let keys: Vec<&str> = wanted.iter().map(|(key, _)| key.as_str()).collect();
        let (lacks, key) = match keys[..] {
            [] => ("values".to_owned(), "KEY"),
            [first, ..] => (format!("a value of {}", keys.join(", ")), first),
        };
        let text = format!("{message_id} is sent without {lacks}; --answer {message_id}:{key}=VALUE gives it one");
        player.recorder.member(player.sub_id, Body::Log { level: LogLevel::Warning, text });
        return Vec::new();
    };
    let (reply, answer) = oneshot::channel();
    let (waiter, sender) = (want.waiter.clone(), player.label.clone());
    clock.stop();
    // Whether or not anybody is there to answer, the clock goes on.
    let _ = ask.send(Ask { message_id, known, wanted, waiter, sender, reply });
    let values = answer.await.unwrap_or_default();
    clock.go_on();
    values
}
