//! When calls come: bounds that a run in time keeps, exact where everything is known.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;
use std::time::Duration;

use convoke_flow::{Call, Flow, Pause, Sleep, Step, judge, times};
use convoke_group::CallKind;
use proptest::prelude::*;

use crate::build::{block, definition, either, flow, maybe, nowhere, repeat, role, send, start, sync, wait, wait_role};

/// A step before which one sleeps.
pub(crate) fn after(seconds: u64, mut step: Step) -> Step {
    if let Step::Call(call) = &mut step {
        let sleep = Sleep { time: Duration::from_secs(seconds), place: nowhere() };
        call.after = Arc::new(Pause { sleeps: [sleep].into(), is_exact: true, ..Pause::default() });
    }
    step
}

/// `role call: earliest–latest` in seconds, in the order of the play.
#[track_caller]
fn check(flow: &Flow, expected: &[&str]) {
    let judgement = judge(flow);
    let times = times::times(flow, &judgement.played);
    let told: Vec<String> = judgement
        .played
        .calls
        .iter()
        .enumerate()
        .map(|(index, call)| {
            let latest = times.latest[index].map(|latest| latest.as_secs().to_string()).unwrap_or_default();
            let earliest = times.earliest[index].as_secs();
            format!("{} {}: {earliest}–{latest}", flow.members[call.member].role, call.call.id.shown())
        })
        .collect();
    let mut told: Vec<&str> = told.iter().map(String::as_str).collect();
    told.sort_unstable();
    assert_eq!(told, expected);
}

#[test]
fn sleeps_of_others_count_along_the_play() {
    let flow = flow(vec![
        role("a", vec![block("test", 10, vec![sync("start"), after(60, send("x"))])]),
        role("b", vec![block("test", 20, vec![sync("start"), wait("x"), after(5, send("y"))])]),
        role("c", vec![block("boot", 1, vec![]), block("test", 30, vec![sync("start"), wait("y")])]),
    ]);
    check(
        &flow,
        &[
            "a start: 0–600",
            "a x: 60–600",
            "b start: 0–600",
            "b x: 60–1200",
            "b y: 65–1200",
            "c start: 0–600",
            "c y: 65–1860",
        ],
    );
}

#[test]
fn a_choice_takes_its_shorter_way_and_a_loop_its_least_rounds() {
    let flow = flow(vec![role(
        "a",
        vec![
            either(vec![vec![after(10, send("p"))], vec![after(4, send("q"))]]),
            send("r"),
            maybe(vec![after(7, send("s"))]),
            send("t"),
            repeat(1, vec![after(3, send("u"))]),
            repeat(0, vec![after(9, send("v"))]),
            send("w"),
        ],
    )]);
    check(&flow, &["a p: 10–", "a q: 4–", "a r: 4–", "a s: 11–", "a t: 4–", "a u: 7–", "a v: 16–", "a w: 7–"]);
}

#[test]
fn any_of_several_messages_may_be_the_first() {
    let flow = flow(vec![
        role("a", vec![after(30, send("x"))]),
        role("b", vec![after(20, send("x"))]),
        role("c", vec![wait("x")]),
        role("d", vec![wait_role("x", "a")]),
    ]);
    check(&flow, &["a x: 30–", "b x: 20–", "c x: 20–", "d x: 30–"]);
}

#[test]
fn what_is_slept_at_the_end_of_a_definition_counts_for_the_next() {
    let mut first = definition("first", vec![send("x")]);
    if let Step::Definition(definition) = &mut first {
        definition.rest.sleeps = [Sleep { time: Duration::from_secs(8), place: nowhere() }].into();
    }
    check(&flow(vec![role("a", vec![first, send("y")])]), &["a x: 0–", "a y: 8–"]);
}

#[test]
fn a_guest_starts_when_it_is_started() {
    let flow = flow(vec![
        role("host", vec![block("test", 10, vec![after(45, send("lava_start")), sync("end")])]),
        role("guest", vec![start("host"), block("test", 5, vec![sync("end")])]).on("host"),
    ]);
    check(&flow, &["guest end: 45–480", "guest lava_start: 45–180", "host end: 45–480", "host lava_start: 45–180"]);
}

fn calls() -> impl Strategy<Value = Vec<Step>> {
    let id = || prop_oneof![3 => Just("x"), 2 => Just("y"), 1 => Just("z")];
    let call = prop_oneof![
        4 => id().prop_map(send),
        3 => id().prop_map(wait),
        2 => id().prop_map(|id| wait_role(id, "a")),
        2 => id().prop_map(sync),
    ];
    let call = (call, prop_oneof![Just(0u64), 1..50u64]).prop_map(|(call, seconds)| after(seconds, call));
    proptest::collection::vec(call, 0..=6)
}

fn flows() -> impl Strategy<Value = Flow> {
    proptest::collection::vec(calls(), 2..=4).prop_map(|members| {
        let roles = members.into_iter().zip(["a", "b", "c", "d"]);
        flow(roles.map(|(steps, name)| role(name, vec![block("test", 60, steps)])).collect())
    })
}

/// When each call of each member is over in a run in which member `m` dawdles `dawdles[m]` seconds before each call.
/// Another way to the same: by the clock, event by event.
fn run(flow: &Flow, dawdles: &[u64]) -> BTreeMap<(usize, usize), u64> {
    let calls: Vec<Vec<&Call>> = flow
        .members
        .iter()
        .map(|member| {
            let Step::Block(block) = &member.steps[0] else { panic!("a block") };
            block.body.iter().map(|step| if let Step::Call(call) = step { call } else { panic!("a call") }).collect()
        })
        .collect();
    let reach =
        |member: usize, call: usize, now: u64| now + calls[member][call].after.time().as_secs() + dawdles[member];
    let mut queue: BinaryHeap<Reverse<(u64, usize, usize)>> = BinaryHeap::new();
    let mut waiting: Vec<(usize, usize)> = Vec::new();
    let mut sent: Vec<(String, usize)> = Vec::new();
    let mut over = BTreeMap::new();
    for member in (0..calls.len()).filter(|member| !calls[*member].is_empty()) {
        queue.push(Reverse((reach(member, 0, 0), member, 0)));
    }
    while let Some(Reverse((now, member, at))) = queue.pop() {
        waiting.push((member, at));
        loop {
            let done = |(member, at): &(usize, usize)| {
                let call = calls[*member][*at];
                let id = call.id.shown();
                match call.kind {
                    CallKind::Send => true,
                    CallKind::Wait => sent.iter().any(|(known, _)| known == id),
                    CallKind::WaitAll => sent.iter().any(|(known, by)| known == id && *by == 0),
                    CallKind::Sync => {
                        let there = |(other, at): &&(usize, usize)| {
                            calls[*other][*at].kind == CallKind::Sync && calls[*other][*at].id == call.id
                        };
                        waiting.iter().filter(there).count() == calls.len()
                    }
                    CallKind::Assemble => false,
                }
            };
            let ready: Vec<(usize, usize)> = waiting.iter().copied().filter(done).collect();
            if ready.is_empty() {
                break;
            }
            waiting.retain(|one| !ready.contains(one));
            for (member, at) in ready {
                if calls[member][at].kind == CallKind::Send {
                    sent.push((calls[member][at].id.shown().to_owned(), member));
                }
                over.insert((member, at), now);
                if at + 1 < calls[member].len() {
                    queue.push(Reverse((reach(member, at + 1, now), member, at + 1)));
                }
            }
        }
    }
    over
}

/// The earliest time of each call by member and number.
fn earliest(flow: &Flow) -> BTreeMap<(usize, usize), u64> {
    let judgement = judge(flow);
    let times = times::times(flow, &judgement.played);
    let mut found = BTreeMap::new();
    for (index, played) in judgement.played.calls.iter().enumerate() {
        let Step::Block(block) = &flow.members[played.member].steps[0] else { panic!("a block") };
        let at = block.body.iter().position(|step| matches!(step, Step::Call(call) if std::ptr::eq(call, played.call)));
        if matches!(played.met, convoke_flow::Met::Satisfied(_)) {
            found.insert((played.member, at.unwrap()), times.earliest[index].as_secs());
        }
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_earliest_times_are_those_of_a_run_that_does_nothing_but_sleep(flow in flows()) {
        prop_assert_eq!(earliest(&flow), run(&flow, &[0; 4]));
    }

    #[test]
    fn no_run_is_earlier(flow in flows(), dawdles in proptest::collection::vec(0u64..40, 4)) {
        let run = run(&flow, &dawdles);
        for (call, earliest) in earliest(&flow) {
            prop_assert!(run[&call] >= earliest);
        }
    }

    #[test]
    fn another_sleep_makes_nothing_earlier(flow in flows(), member in 0usize..4, at in 0usize..6) {
        let before = earliest(&flow);
        let mut slower = flow.clone();
        let member = member % slower.members.len();
        let mut steps = slower.members[member].steps.to_vec();
        if let Step::Block(block) = &mut steps[0]
            && let Some(step) = block.body.get_mut(at)
        {
            *step = after(100, step.clone());
        }
        slower.members[member].steps = steps.into();
        for (call, later) in earliest(&slower) {
            prop_assert!(later >= before[&call]);
        }
    }

    #[test]
    fn the_earliest_time_is_not_after_the_latest(flow in flows()) {
        let judgement = judge(&flow);
        let times = times::times(&flow, &judgement.played);
        for (earliest, latest) in times.earliest.iter().zip(&times.latest) {
            prop_assert!(latest.is_none_or(|latest| *earliest <= latest));
        }
    }
}
