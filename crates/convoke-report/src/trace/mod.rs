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
//! A message is a flow from its send to an instant at the end of the wait that took it. Times are nanoseconds since the
//! run started.

mod events;
mod schema;
mod wire;

use convoke_journal::ResultValue;

use crate::story::{Call, Lane, Story};
use events::Events;

/// The trace, `perfetto.protos.Trace`.
pub fn render(story: &Story) -> Vec<u8> {
    let mut events = Events::new();
    let group = events.process(&format!("group {}", story.run.group));
    let syncs = events.track(group, "syncs");
    for barrier in &story.barriers {
        let from = barrier.calls.first().map_or(0, |call| story.calls[*call].made_ns);
        // Rounds of different IDs may overlap; slices of one track may not.
        let name = format!("lava-sync {}", barrier.message_id);
        match barrier.released_ns {
            Some(at) => events.instant(syncs, at, &name, &[("first arrival", &seconds(from))], &[]),
            None => events.instant(syncs, story.end_ns, &format!("{name}: never complete"), &[], &[]),
        }
    }
    let trouble = events.track(group, "group");
    for stuck in &story.stuck {
        events.begin(trouble, stuck.from_ns, "probably stuck", &[("waits", &stuck.waits.join("; "))], &[]);
        events.end(trouble, stuck.to_ns);
    }
    let stops = events.track(group, "stops");
    for stop in &story.stops {
        events.begin(stops, stop.from_ns, &format!("stopped at {}", stop.message_id), &[], &[]);
        events.end(stops, stop.to_ns);
    }
    if let Some(at) = story.canceled_ns {
        events.instant(trouble, at, "cancelled", &[("why", story.run.canceling.as_deref().unwrap_or_default())], &[]);
    }
    for lane in &story.lanes {
        member(story, lane, &mut events);
    }
    events.encode()
}

fn member(story: &Story, lane: &Lane, events: &mut Events) {
    let process = events.process(&story.label(lane.sub_id));
    let stages = events.track(process, "stages");
    for stage in &lane.stages {
        events.begin(stages, stage.from_ns, &stage.stage.describe(), &[], &[]);
        events.end(stages, stage.to_ns);
    }
    let info = story.run.member(lane.sub_id);
    if let Some((member, at)) = info.and_then(|member| Some((member, member.failed_ns?))) {
        let message = member.failure.as_ref().map_or("", |failure| failure.message.as_str());
        events.instant(stages, at, "failed", &[("error", message)], &[]);
    }
    calls(story, lane, process, events);
    let actions = events.track(process, "actions");
    let mut open: Vec<u64> = Vec::new();
    for action in &lane.actions {
        while open.len() > action.depth {
            events.end(actions, open.pop().unwrap_or_default());
        }
        let failure = action.failure.as_ref().map_or("", |failure| failure.message.as_str());
        let mut notes = vec![("level", action.level.as_str())];
        if !failure.is_empty() {
            notes.push(("error", failure));
        }
        events.begin(actions, action.from_ns, &action.name, &notes, &[]);
        open.push(action.to_ns);
    }
    while let Some(at) = open.pop() {
        events.end(actions, at);
    }
    let suites = events.track(process, "suites");
    for suite in &lane.suites {
        events.begin(suites, suite.from_ns, &suite.name, &[], &[]);
        events.end(suites, suite.to_ns);
    }
    let results = events.track(process, "results");
    for case in &lane.cases {
        let record = &case.record;
        let mark = match record.result {
            ResultValue::Pass => "✓",
            ResultValue::Fail => "✗",
            ResultValue::Skip => "–",
            ResultValue::Unknown => "?",
        };
        let measured = [record.measurement.as_deref(), record.units.as_deref()]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" ");
        let mut notes = vec![("suite", record.definition.as_str()), ("result", record.result.as_str())];
        if !measured.is_empty() {
            notes.push(("measurement", measured.as_str()));
        }
        events.instant(results, case.at_ns, &format!("{mark} {}", record.case), &notes, &[]);
    }
}

fn calls(story: &Story, lane: &Lane, process: u64, events: &mut Events) {
    // Calls at once: each on the first track that is free.
    let mut tracks: Vec<(u64, u64)> = Vec::new();
    for (index, call) in story.calls.iter().enumerate().filter(|(_, call)| call.member == lane.sub_id) {
        let until = call.made_ns + call.took_ns(story.end_ns);
        let place = tracks.iter().position(|(_, busy)| *busy <= call.made_ns).unwrap_or_else(|| {
            tracks.push((events.track(process, "calls"), 0));
            tracks.len() - 1
        });
        tracks[place].1 = until;
        self::call(story, index, call, tracks[place].0, until, events);
    }
}

fn call(story: &Story, index: usize, call: &Call, track: u64, until: u64, events: &mut Events) {
    let reason = call.end.as_ref().and_then(|end| end.reason.as_deref());
    let ended = match &call.end {
        None => "never answered",
        Some(end) if end.ok => "done",
        Some(_) => "failed",
    };
    let mut notes: Vec<(&str, &str)> = vec![("from", call.from.as_str()), ("ended", ended)];
    notes.extend(reason.map(|reason| ("reason", reason)));
    notes.extend(call.data.iter().map(|(key, value)| (key.as_str(), value.as_str())));
    let sent: Vec<u64> = flows(story, |message| message.send == Some(index));
    events.begin(track, call.made_ns, &call.command(), &notes, &sent);
    for (place, part) in call.waited_for.iter().enumerate() {
        let to = call.waited_for.get(place + 1).map_or(until, |next| next.since_ns);
        let whom: Vec<String> = part.members.iter().map(|member| story.label(*member)).collect();
        events.begin(track, part.since_ns, &format!("for {}", whom.join(", ")), &[], &[]);
        events.end(track, to);
    }
    for (flow, message) in story.messages.iter().enumerate().filter(|(_, message)| message.wait == index) {
        let sender = message.send.map_or(message.sender.clone(), |send| story.label(story.calls[send].member));
        let name = format!("{} from {sender}", call.message_id);
        let ids = if message.send.is_some() { vec![flow_id(flow)] } else { Vec::new() };
        events.arrival(track, until, &name, &ids);
    }
    events.end(track, until);
}

fn flows(story: &Story, wanted: impl Fn(&crate::story::Message) -> bool) -> Vec<u64> {
    let all = story.messages.iter().enumerate();
    all.filter(|(_, message)| wanted(message)).map(|(flow, _)| flow_id(flow)).collect()
}

/// Zero names no flow.
fn flow_id(message: usize) -> u64 {
    message as u64 + 1
}

fn seconds(ns: u64) -> String {
    format!("{:.6} s", ns as f64 / 1e9)
}
