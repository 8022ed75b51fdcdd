//! What the scripts read: the story and the log as JSON. Times are whole microseconds since the run started; members are
//! places in the list of members.

use std::borrow::Cow;
use std::collections::HashMap;

use convoke_journal::{Failure, RunModel};
use serde::Serialize;
use serde_json::{Value, json};

use super::html;
use crate::story::{Lane, Line, Story};

/// The story.
pub(super) fn story(story: &Story, lines: &[Cow<'_, Line>]) -> String {
    let place = |sub_id: u32| story.lanes.iter().position(|lane| lane.sub_id == sub_id);
    let mut sets = Sets::default();
    let calls: Vec<Value> = story
        .calls
        .iter()
        .map(|call| {
            let end = call.end.as_ref();
            let waited: Vec<(u64, usize)> = call
                .waited_for
                .iter()
                .map(|part| (us(part.since_ns), sets.place(part.members.iter().filter_map(|id| place(*id)).collect())))
                .collect();
            json!({
                "m": place(call.member), "kind": call.call, "id": call.message_id, "say": call.command(),
                "data": call.data, "from": call.from, "limit": call.limit_s, "at": us(call.made_ns),
                "end": end.map(|end| us(end.at_ns)), "ok": end.map(|end| end.ok),
                "why": end.and_then(|end| end.reason.as_deref()).map(|why| story.said(why)), "for": waited,
                "by": story.sender(call).and_then(place),
            })
        })
        .collect();
    let failure = story.first_failure.as_ref();
    let others = |list: &[(u32, Failure)]| list.iter().filter_map(|(id, _)| place(*id)).collect::<Vec<_>>();
    html::json(&json!({
        "started": story.run.started.map(|at| at.as_millisecond()),
        "end": us(story.end_ns),
        "cut": story.run.ended.is_none(),
        "members": story.lanes.iter().map(|lane| member(story, lane, lines)).collect::<Vec<_>>(),
        "calls": calls,
        "sets": sets.list,
        "messages": story.messages.iter().map(|message| {
            json!([message.send, message.wait, message.sender, message.ended_it])
        }).collect::<Vec<_>>(),
        "barriers": story.barriers.iter().map(|barrier| json!({
            "id": barrier.message_id, "round": barrier.round, "calls": barrier.calls,
            "complete": barrier.complete_ns.map(us), "released": barrier.released_ns.map(us),
        })).collect::<Vec<_>>(),
        "stuck": story.stuck.iter().map(|stuck| json!([us(stuck.from_ns), us(stuck.to_ns), stuck.waits])).collect::<Vec<_>>(),
        "stops": story.stops.iter().map(|stop| json!([us(stop.from_ns), us(stop.to_ns), stop.message_id])).collect::<Vec<_>>(),
        "canceled": story.canceled_ns.map(us),
        "first": failure.and_then(|first| Some(json!({
            "m": place(first.member)?, "at": first.at_ns.map(us), "after": others(&first.consequences), "others": others(&first.others),
        }))),
        "lines": story.log.total(),
    }))
}

fn member(story: &Story, lane: &Lane, lines: &[Cow<'_, Line>]) -> Value {
    let member = story.run.member(lane.sub_id);
    let failure = member.and_then(|member| member.failure.as_ref());
    json!({
        "id": lane.sub_id,
        "label": story.label(lane.sub_id),
        "role": member.map(|member| member.info.role.as_str()),
        "device": member.and_then(|member| member.device.as_deref()),
        "health": member.and_then(|member| member.health).map(|health| health.as_str()),
        "failure": failure.map(|failure| json!({
            "class": failure.class.as_str(), "text": story.said(&failure.message), "caused": failure.consequence,
        })),
        "failed": member.and_then(|member| member.failed_ns).map(us),
        "stages": lane.stages.iter().map(|span| {
            json!([span.stage.describe(), us(span.from_ns), us(span.to_ns)])
        }).collect::<Vec<_>>(),
        "actions": lane.actions.iter().map(|span| {
            let failure = span.failure.as_ref().map(|failure| failure.message.as_str());
            json!([format!("{} {}", span.level, span.name), us(span.from_ns), us(span.to_ns), span.depth, failure])
        }).collect::<Vec<_>>(),
        "suites": lane.suites.iter().map(|span| json!([span.name, us(span.from_ns), us(span.to_ns)])).collect::<Vec<_>>(),
        "cases": lane.cases.iter().map(|case| {
            let record = &case.record;
            let line = lines.partition_point(|line| line.number < case.line);
            let measured = record.measurement.as_ref().map(|value| match &record.units {
                Some(units) => format!("{value} {units}"),
                None => value.clone(),
            });
            json!([record.definition, record.case, record.result.as_str(), case.from_ns.map(us), us(case.at_ns), line, measured])
        }).collect::<Vec<_>>(),
    })
}

/// Sets of members, each once.
#[derive(Default)]
struct Sets {
    list: Vec<Vec<usize>>,
    places: HashMap<Vec<usize>, usize>,
}

impl Sets {
    fn place(&mut self, set: Vec<usize>) -> usize {
        let list = &mut self.list;
        *self.places.entry(set).or_insert_with_key(|set| {
            list.push(set.clone());
            list.len() - 1
        })
    }
}

/// The log as columns: times since the line before, members, a letter a level, texts.
pub(super) fn log(lines: &[Cow<'_, Line>], run: &RunModel) -> String {
    #[derive(Serialize)]
    struct Columns<'a> {
        t: Vec<i64>,
        m: Vec<Option<usize>>,
        l: String,
        x: Vec<&'a str>,
    }
    let places: HashMap<u32, usize> =
        run.members.iter().enumerate().map(|(place, member)| (member.info.sub_id, place)).collect();
    let mut before = 0;
    let since = |line: &Cow<'_, Line>| {
        let now = i64::try_from(us(line.at_ns)).unwrap_or(i64::MAX);
        now - std::mem::replace(&mut before, now)
    };
    html::json(&Columns {
        t: lines.iter().map(since).collect(),
        m: lines.iter().map(|line| line.member.and_then(|member| places.get(&member).copied())).collect(),
        l: lines.iter().map(|line| if is_signal(line) { 'p' } else { letter(line.level) }).collect(),
        x: lines.iter().map(|line| line.text.as_str()).collect(),
    })
}

/// What the helpers and the dispatcher say to each other over the console (device-side.md, links and signals): few want to read it.
fn is_signal(line: &Line) -> bool {
    matches!(line.level, "target" | "input")
        && ["<LAVA2 ", "<LAVA_SIGNAL_"].iter().any(|start| line.text.starts_with(start))
}

/// The scripts know the same letters.
fn letter(level: &str) -> char {
    match level {
        "debug" => 'd',
        "info" => 'i',
        "warning" => 'w',
        "error" => 'e',
        "exception" => 'x',
        "event" => 'v',
        "feedback" => 'f',
        "input" => 'n',
        "results" => 'r',
        "gap" => 'g',
        _ => 't',
    }
}

fn us(ns: u64) -> u64 {
    ns / 1000
}
