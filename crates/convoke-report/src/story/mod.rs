//! What happened: members, what they did and when, whom they waited for, who answered them, what failed first.
//!
//! | module | is about |
//! |---|---|
//! | [`lane`] | one member: stages, actions, suites, cases |
//! | [`calls`] | every MultiNode call: made, for whom it waited, answered |
//! | [`messages`] | which send reached which wait |
//! | [`barriers`] | the rounds of the syncs |
//! | [`flow`] | the calls as a table, in the order in which they depended on each other |
//! | [`log`] | the merged log, in bounded memory |
//! | `words` | what the group said, with labels for names; whom a call waited for, as is known afterwards |
//!
//! Times are nanoseconds since the run started. What had not ended when the journal did ends with it, and says so.

pub mod barriers;
pub mod calls;
pub mod flow;
pub mod lane;
pub mod log;
pub mod messages;
mod words;

use std::collections::HashMap;

use convoke_journal::model::FirstFailure;
use convoke_journal::{Body, Event, RunModel};
use serde_json::Value;

pub use barriers::Barrier;
pub use calls::{Call, End};
pub use flow::Flow;
pub use lane::Lane;
pub use log::{Line, Log};
pub use messages::Message;

/// A run, told to its end.
#[derive(Debug)]
pub struct Story {
    /// Names, verdict and counts, as all views show them.
    pub run: RunModel,
    /// Time of the last event.
    pub end_ns: u64,
    /// Secret values that may occur as `[MASKED]`.
    pub secrets: usize,
    /// Members in order.
    pub lanes: Vec<Lane>,
    /// Calls in the order they were made.
    pub calls: Vec<Call>,
    /// Messages in the order they arrived.
    pub messages: Vec<Message>,
    /// Rounds of syncs, in the order of their first arrivals.
    pub barriers: Vec<Barrier>,
    /// When the group was probably stuck, and who waited for what then.
    pub stuck: Vec<Stuck>,
    /// When the user had the group stopped (`--break`).
    pub stops: Vec<Stop>,
    /// When the group began to be cancelled.
    pub canceled_ns: Option<u64>,
    /// What failed first, with its consequences.
    pub first_failure: Option<FirstFailure>,
    /// The flow as it was planned, when the journal has it.
    pub planned: Option<Value>,
    /// The merged log.
    pub log: Log,
    /// Who ended each satisfied `lava-wait`, by number of the call.
    senders: HashMap<u64, u32>,
}

/// A time in which everybody who could act seemed to wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// From here.
    pub from_ns: u64,
    /// Until the next answer, or the end.
    pub to_ns: u64,
    /// One line a waiting member.
    pub waits: Vec<String>,
}

/// A time in which no call was answered, because the user wanted to look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// From here.
    pub from_ns: u64,
    /// Until it went on, or the end.
    pub to_ns: u64,
    /// ID of the wait that was satisfied then.
    pub message_id: String,
}

/// Puts a story together, event by event.
#[derive(Debug, Default)]
pub struct Teller {
    run: RunModel,
    secrets: usize,
    lanes: Vec<Lane>,
    calls: calls::Calls,
    stuck: Vec<Stuck>,
    is_stuck: bool,
    stops: Vec<Stop>,
    is_stopped: bool,
    canceled_ns: Option<u64>,
    planned: Option<Value>,
    log: Log,
}

impl Teller {
    /// A teller whose log keeps about `limit` bytes; of more, the middle of the longest consoles is left out.
    pub fn with_log_limit(limit: usize) -> Self {
        Teller { log: Log::with_limit(limit), ..Teller::default() }
    }

    /// Takes the next event of the journal.
    pub fn event(&mut self, event: &Event) {
        for line in self.run.apply(event) {
            self.log.push(line);
        }
        let now = event.elapsed_ns;
        if let Some(sub_id) = event.member {
            let next_line = self.log.next();
            self.lane(sub_id).event(now, &event.body, next_line);
            self.calls.event(sub_id, now, &event.body);
            if matches!(event.body, Body::CallAnswered { .. }) {
                self.unstick(now);
            }
            return;
        }
        match &event.body {
            Body::RunStarted { members, secrets, .. } => {
                self.secrets = *secrets;
                self.lanes = members.iter().map(|info| Lane::new(info.sub_id)).collect();
            }
            Body::ProbablyStuck { waits } => {
                self.unstick(now);
                self.is_stuck = true;
                self.stuck.push(Stuck { from_ns: now, to_ns: now, waits: waits.clone() });
            }
            Body::Stopped { message_id } => {
                self.is_stopped = true;
                self.stops.push(Stop { from_ns: now, to_ns: now, message_id: message_id.clone() });
            }
            Body::WentOn { .. } => self.go_on(now),
            Body::Canceling { .. } => {
                self.canceled_ns.get_or_insert(now);
            }
            Body::Planned { flow } => self.planned = Some(flow.clone()),
            _ => {}
        }
    }

    fn unstick(&mut self, now: u64) {
        if let (true, Some(stuck)) = (std::mem::take(&mut self.is_stuck), self.stuck.last_mut()) {
            stuck.to_ns = now;
        }
    }

    fn go_on(&mut self, now: u64) {
        if let (true, Some(stop)) = (std::mem::take(&mut self.is_stopped), self.stops.last_mut()) {
            stop.to_ns = now;
        }
    }

    fn lane(&mut self, sub_id: u32) -> &mut Lane {
        let place = match self.lanes.iter().position(|lane| lane.sub_id == sub_id) {
            Some(place) => place,
            None => {
                // A member nobody announced: shown rather than lost.
                self.lanes.push(Lane::new(sub_id));
                self.lanes.sort_by_key(|lane| lane.sub_id);
                self.lanes.iter().position(|lane| lane.sub_id == sub_id).unwrap_or_default()
            }
        };
        &mut self.lanes[place]
    }

    /// The journal has no more events.
    pub fn end(mut self) -> Story {
        for line in self.run.finish() {
            self.log.push(line);
        }
        let end_ns = self.run.elapsed_ns;
        self.unstick(end_ns);
        self.go_on(end_ns);
        for lane in &mut self.lanes {
            lane.end(end_ns);
        }
        let calls = self.calls.end();
        let names: Vec<(&str, u32)> =
            self.run.members.iter().map(|member| (member.info.name.as_str(), member.info.sub_id)).collect();
        let messages = messages::of(&calls, &names);
        let ended = messages.iter().filter(|message| message.ended_it && calls[message.wait].call == "wait");
        let senders = ended.filter_map(|message| Some((calls[message.wait].call_id, calls[message.send?].member)));
        Story {
            senders: senders.collect(),
            messages,
            barriers: barriers::of(&calls),
            first_failure: self.run.first_failure(),
            run: self.run,
            end_ns,
            secrets: self.secrets,
            lanes: self.lanes,
            calls,
            stuck: self.stuck,
            stops: self.stops,
            canceled_ns: self.canceled_ns,
            planned: self.planned,
            log: self.log,
        }
    }
}

impl Story {
    /// The story of these events.
    pub fn of<'a>(events: impl IntoIterator<Item = &'a Event>) -> Story {
        let mut teller = Teller::default();
        events.into_iter().for_each(|event| teller.event(event));
        teller.end()
    }

    /// The flow as it happened.
    pub fn flow(&self) -> Flow {
        flow::of(self)
    }

    /// How views call a member: `client.2`.
    pub fn label(&self, sub_id: u32) -> String {
        self.run.label(sub_id)
    }
}
