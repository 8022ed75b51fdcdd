//! The run as a trace for [Perfetto](https://perfetto.dev): `convoke report --trace FILE`.
//!
//! | track | holds |
//! |---|---|
//! | a process for each member | its tracks below |
//! | `stages` | deploy, boot, test, … |
//! | `actions` | pipeline actions, nested |
//! | `calls` | MultiNode calls, with a slice within for each set of members it waited for; calls at once have tracks of their own |
//! | `suites`, `results` | suites as slices, results as instants |
//! | a process for the group | rounds of syncs, times in which it was stopped or probably stuck |
//!
//! A message is a flow from its send to an instant at the end of the wait that took it: an arrow to the wait itself would
//! point at its beginning, back in time. Times are nanoseconds since the run started; the trace says which time of day that
//! was. What a slice is about is its category: `stage`, `action`, `call`, `wait`, `message`, `sync`, `group`, `suite`,
//! `result`.

mod events;
mod schema;
mod wire;

use convoke_journal::ResultValue;

use crate::story::{Call, Lane, Story};
use events::{Events, Notes, What};

/// The trace, `perfetto.protos.Trace`.
pub fn render(story: &Story) -> Vec<u8> {
    let began = story.run.started.and_then(|at| u64::try_from(at.as_nanosecond()).ok());
    let mut events = Events::new(began);
    let group = events.process(&format!("group {}", story.run.group), None);
    syncs(story, group, &mut events);
    let trouble = events.track(group, "group");
    for stuck in &story.stuck {
        let waits = Notes::default().text("waits", &stuck.waits.join("; "));
        events.begin(trouble, stuck.from_ns, What::new("group", "probably stuck").noting(waits), &[]);
        events.end(trouble, stuck.to_ns);
    }
    let stops = events.track(group, "stops");
    for stop in &story.stops {
        let name = format!("stopped at {}", stop.message_id);
        events.begin(stops, stop.from_ns, What::new("group", &name), &[]);
        events.end(stops, stop.to_ns);
    }
    if let Some(at) = story.canceled_ns {
        let why = Notes::default().some("why", story.run.canceling.as_deref());
        events.instant(trouble, at, What::new("group", "cancelled").noting(why));
    }
    let flows = Flows::of(story);
    for lane in &story.lanes {
        member(story, lane, &flows, &mut events);
    }
    events.encode()
}

/// Tracks of one name: slices of one track may not overlap, so each goes to the first that is free.
struct Free<'a> {
    parent: u64,
    name: &'a str,
    tracks: Vec<(u64, u64)>,
}

impl<'a> Free<'a> {
    fn new(parent: u64, name: &'a str) -> Self {
        Free { parent, name, tracks: Vec::new() }
    }

    fn take(&mut self, from: u64, until: u64, events: &mut Events) -> u64 {
        let place = self.tracks.iter().position(|(_, busy)| *busy <= from).unwrap_or_else(|| {
            self.tracks.push((events.track(self.parent, self.name), 0));
            self.tracks.len() - 1
        });
        self.tracks[place].1 = until;
        self.tracks[place].0
    }
}

/// The rounds of the syncs, each from its first arrival until all were let go.
fn syncs(story: &Story, group: u64, events: &mut Events) {
    let mut tracks = Free::new(group, "syncs");
    for barrier in &story.barriers {
        let calls = || barrier.calls.iter().map(|call| &story.calls[*call]);
        let from = calls().next().map_or(0, |call| call.made_ns);
        let end = barrier.last_released_ns;
        let until = end.unwrap_or(story.end_ns).max(from);
        let last = calls().next_back().map(|call| story.label(call.member));
        let mut notes = Notes::default().text("ended", if end.is_some() { "done" } else { "never complete" });
        notes = notes.some("last to come", last.as_deref()).seconds("waited_s", until - from);
        let track = tracks.take(from, until, events);
        let name = format!("lava-sync {}", barrier.message_id);
        events.begin(track, from, What::new("sync", &name).noting(notes), &[]);
        events.end(track, until);
    }
}

/// The messages of each call, by index in the story's messages: those that it sent, those that it took.
struct Flows {
    sent: Vec<Vec<usize>>,
    taken: Vec<Vec<usize>>,
}

impl Flows {
    fn of(story: &Story) -> Flows {
        let none = || vec![Vec::new(); story.calls.len()];
        let mut flows = Flows { sent: none(), taken: none() };
        for (index, message) in story.messages.iter().enumerate() {
            if let Some(send) = message.send {
                flows.sent[send].push(index);
            }
            flows.taken[message.wait].push(index);
        }
        flows
    }
}

/// Zero names no flow.
fn flow_id(message: usize) -> u64 {
    message as u64 + 1
}

fn member(story: &Story, lane: &Lane, flows: &Flows, events: &mut Events) {
    let info = story.run.member(lane.sub_id);
    let device = info.and_then(|member| member.device.as_deref());
    let process = events.process(&story.label(lane.sub_id), device);
    let stages = events.track(process, "stages");
    for stage in &lane.stages {
        events.begin(stages, stage.from_ns, What::new("stage", &stage.stage.describe()), &[]);
        events.end(stages, stage.to_ns);
    }
    if let Some((member, at)) = info.and_then(|member| Some((member, member.failed_ns?))) {
        let message = member.failure.as_ref().map(|failure| failure.message.as_str());
        events.instant(stages, at, What::new("stage", "failed").noting(Notes::default().some("error", message)));
    }
    calls(story, lane, flows, process, events);
    let actions = events.track(process, "actions");
    let mut open: Vec<u64> = Vec::new();
    for action in &lane.actions {
        while open.len() > action.depth {
            events.end(actions, open.pop().unwrap_or_default());
        }
        let failure = action.failure.as_ref().map(|failure| failure.message.as_str());
        let notes = Notes::default().text("level", &action.level).some("error", failure);
        events.begin(actions, action.from_ns, What::new("action", &action.name).noting(notes), &[]);
        open.push(action.to_ns);
    }
    while let Some(at) = open.pop() {
        events.end(actions, at);
    }
    let suites = events.track(process, "suites");
    for suite in &lane.suites {
        events.begin(suites, suite.from_ns, What::new("suite", &suite.name), &[]);
        events.end(suites, suite.to_ns);
    }
    results(lane, process, events);
}

fn results(lane: &Lane, process: u64, events: &mut Events) {
    let track = events.track(process, "results");
    for case in &lane.cases {
        let record = &case.record;
        let mark = match record.result {
            ResultValue::Pass => "✓",
            ResultValue::Fail => "✗",
            ResultValue::Skip => "–",
            ResultValue::Unknown => "?",
        };
        let measured: Vec<&str> =
            [record.measurement.as_deref(), record.units.as_deref()].into_iter().flatten().collect();
        let notes = Notes::default()
            .text("suite", &record.definition)
            .text("result", record.result.as_str())
            .some("measurement", Some(&measured.join(" ")));
        let name = format!("{mark} {}", record.case);
        events.instant(track, case.at_ns, What::new("result", &name).noting(notes));
    }
}

fn calls(story: &Story, lane: &Lane, flows: &Flows, process: u64, events: &mut Events) {
    let mut tracks = Free::new(process, "calls");
    for (index, call) in story.calls.iter().enumerate().filter(|(_, call)| call.member == lane.sub_id) {
        let until = call.made_ns + call.took_ns(story.end_ns);
        let track = tracks.take(call.made_ns, until, events);
        self::call(story, call, (&flows.sent[index], &flows.taken[index]), track, until, events);
    }
}

/// A call with the messages that it sent and that it took.
fn call(story: &Story, call: &Call, (sent, taken): (&[usize], &[usize]), track: u64, until: u64, events: &mut Events) {
    let reason = call.end.as_ref().and_then(|end| end.reason.as_deref());
    let ended = match &call.end {
        None => "never answered",
        Some(end) if end.ok => "done",
        Some(_) => "failed",
    };
    let whom = |members: &[u32]| members.iter().map(|member| story.label(*member)).collect::<Vec<_>>().join(", ");
    let mut notes = Notes::default().text("from", &call.from).text("ended", ended).some("reason", reason);
    if !call.waited_for.is_empty() {
        notes = notes.seconds("waited_s", until - call.made_ns).text("waited for", &whom(story.waited_for(call)));
    }
    let notes = notes.data("data", &call.data);
    let sent: Vec<u64> = sent.iter().map(|message| flow_id(*message)).collect();
    events.begin(track, call.made_ns, What::new("call", &call.command()).noting(notes), &sent);
    for (place, part) in call.waited_for.iter().enumerate() {
        let to = call.waited_for.get(place + 1).map_or(until, |next| next.since_ns);
        events.begin(track, part.since_ns, What::new("wait", &format!("for {}", whom(&part.members))), &[]);
        events.end(track, to);
    }
    for flow in taken {
        let message = &story.messages[*flow];
        let send = message.send.map(|send| &story.calls[send]);
        let sender = send.map_or(message.sender.clone(), |send| story.label(send.member));
        let data = send.map_or(&[][..], |send| &send.data);
        let name = format!("{} from {sender}", call.message_id);
        let ids = if send.is_some() { vec![flow_id(*flow)] } else { Vec::new() };
        let what = What::new("message", &name).noting(Notes::default().data("data", data));
        events.arrival(track, until, what, &ids);
    }
    events.end(track, until);
}
