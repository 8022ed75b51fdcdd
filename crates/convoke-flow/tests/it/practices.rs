//! What is found besides the verdict: practices, and waits that are too short.

use std::time::Duration;

use convoke_flow::{Call, Failing, Flow, Origin, Read, Step, Text, Unknown, Why, judge, lint, times};

use crate::build::{Role, block, definition, either, flow, known, nowhere, repeat, role, send, start, sync, wait};
use crate::times::after;

fn told(flow: &Flow) -> String {
    let judgement = judge(flow);
    let mut told = format!("{}--\n{}\n", flow.texts[0].text(), judgement.verdict.as_str());
    let found = lint(flow, &judgement);
    for finding in found.iter().chain(&times::too_short(flow, &judgement.played)) {
        told.push_str(&format!("\n{}: {}\n", finding.code, finding.message));
        told.push_str(&format!("    {}\n", finding.help.clone().unwrap_or_default()));
        for label in &finding.labels {
            let line = flow.texts[0].position(label.span.start).line;
            told.push_str(&format!("    @{line} {}\n", label.text));
        }
    }
    told
}

#[track_caller]
fn check(name: &str, roles: Vec<Role>) {
    insta::assert_snapshot!(name, told(&flow(roles)));
}

pub(crate) fn change(step: Step, with: impl Fn(&mut Call)) -> Step {
    match step {
        Step::Call(mut call) => {
            with(&mut call);
            Step::Call(call)
        }
        other => other,
    }
}

pub(crate) fn data(step: Step, key: &str) -> Step {
    change(step, |call| call.data.push((known(key), known("1"))))
}

fn shown(value: &str) -> Text {
    let why = Why::Command(value.to_owned());
    Text::Unknown { shown: value.into(), unknown: Unknown { why, place: nowhere() } }
}

fn unknown(step: Step, key: &str) -> Step {
    change(step, |call| call.data.push((known(key), shown("$n"))))
}

pub(crate) fn codes(flow: &Flow) -> Vec<&'static str> {
    lint(flow, &judge(flow)).iter().map(|finding| finding.code).collect()
}

fn limit(minutes: u64, step: Step) -> Step {
    change(step, |call| call.limit = Duration::from_secs(60 * minutes))
}

pub(crate) fn read(key: &str) -> Step {
    Step::Read(Read { key: Some(key.into()), place: nowhere() })
}

#[test]
fn a_call_in_a_test_case() {
    let wrapped = change(wait("ready"), |call| {
        call.origin = Origin::Helper { wrapped: Some(nowhere()), failing: Failing::Ends, timed: false }
    });
    check("wrapped", vec![role("server", vec![send("ready")]), role("client", vec![wrapped])]);
}

#[test]
fn ids_that_differ_by_a_dash() {
    check(
        "similar_ids",
        vec![
            role("server", vec![send("server-ready"), send("server_ready")]),
            role("client", vec![wait("server-ready"), wait("server_ready")]),
        ],
    );
}

#[test]
fn ids_that_are_one_result() {
    check(
        "collision",
        vec![role("server", vec![send("Ready"), send("ready")]), role("client", vec![wait("ready"), wait("Ready")])],
    );
}

#[test]
fn a_key_that_does_not_survive() {
    check(
        "key_name",
        vec![role("server", vec![data(data(send("ready"), "free-space"), "ok")]), role("client", vec![wait("ready")])],
    );
}

#[test]
fn data_that_the_next_wait_has_replaced() {
    check(
        "stale_cache",
        vec![
            role("server", vec![data(send("address"), "ip"), data(send("ready"), "size"), sync("end")]),
            role("client", vec![wait("address"), wait("ready"), read("size"), read("ip"), sync("end")]),
            role("careful", vec![wait("address"), read("ip"), wait("ready"), sync("end")]),
        ],
    );
}

#[test]
fn a_key_that_nobody_sends() {
    let server = || role("server", vec![data(send("ready"), "size"), data(send("bare"), "x"), sync("end")]);
    check("key_never_sent", vec![server(), role("client", vec![wait("ready"), read("sise"), sync("end")])]);
    // A part of a key is a pattern; what is nothing like one is the name of a sender.
    for key in ["siz", "size", "panda-01"] {
        let flow = flow(vec![server(), role("client", vec![wait("ready"), read(key), sync("end")])]);
        assert!(codes(&flow).is_empty(), "{key}");
    }
}

#[test]
fn an_id_that_is_sent_again() {
    let rounds = || vec![wait("go"), sync("a"), wait("go")];
    check(
        "sent_again",
        vec![
            role("server", vec![send("go"), data(send("size"), "n"), sync("a"), send("go"), data(send("size"), "m")]),
            role("client", rounds()),
            role("looping", vec![repeat(0, vec![unknown(send("count"), "n")]), sync("a")]),
        ],
    );
    // The same again does no harm when nobody waits again, nor does one of two ways.
    check(
        "sent_once",
        vec![
            role(
                "server",
                vec![
                    send("go"),
                    sync("a"),
                    send("go"),
                    either(vec![vec![data(send("x"), "a")], vec![data(send("x"), "b")]]),
                ],
            ),
            role("client", vec![wait("go"), sync("a"), repeat(0, vec![data(send("same"), "k")])]),
        ],
    );
}

#[test]
fn work_in_a_call() {
    let sends = |value: &str| change(send("ready"), |call| call.data.push((known("k"), shown(value))));
    for work in ["$(df / | tail -n 1)", "`./space.sh`", "a$(cd /tmp; ls)", "$(python3 space.py)"] {
        let flow = flow(vec![role("server", vec![sends(work)]), role("client", vec![wait("ready")])]);
        assert_eq!(codes(&flow), ["flow.work-in-call"], "{work}");
    }
    for plain in
        ["$(lava-echo-ipv4 eth0)", "$SPACE", "$(cat /etc/hostname)", "$(test -e x && echo yes || echo no)", "a|b"]
    {
        let flow = flow(vec![role("server", vec![sends(plain)]), role("client", vec![wait("ready")])]);
        assert!(codes(&flow).is_empty(), "{plain}");
    }
}

#[test]
fn a_host_that_does_not_wait_for_its_guest() {
    check(
        "no_final_sync",
        vec![
            role("host", vec![definition("h", vec![wait("connected")])]),
            role(
                "guest",
                vec![
                    change(send("connected"), |call| {
                        call.origin = Origin::Request { action: "prepare-scp-overlay".into(), wanted: Vec::new() };
                    }),
                    definition("g", vec![]),
                ],
            )
            .on("host"),
        ],
    );
}

#[test]
fn a_server_that_goes_when_it_has_told_its_address() {
    let server = |last: Vec<Step>| role("server", [vec![data(send("ready"), "server_ip")], last].concat());
    check("ends_while_needed", vec![server(vec![]), role("client", vec![wait("ready")])]);
    check("ends_when_done", vec![server(vec![wait("done")]), role("client", vec![wait("ready"), send("done")])]);
}

#[test]
fn a_wait_that_is_shorter_than_what_comes_before() {
    let server = || {
        role(
            "server",
            vec![block("deploy", 5, vec![]), block("boot", 10, vec![]), block("test", 20, vec![send("ready")])],
        )
    };
    let client = |minutes| {
        role("client", vec![block("boot", 2, vec![]), block("test", 20, vec![limit(minutes, wait("ready"))])])
    };
    check("too_short", vec![server(), client(5)]);
    check("long_enough", vec![server(), client(13)]);
}

#[test]
fn a_sum_over_several_members_says_whose_each_term_is() {
    let server = vec![block("deploy", 5, vec![]), block("boot", 10, vec![]), block("test", 20, vec![send("ready")])];
    let relay = vec![block("test", 30, vec![wait("ready")]), block("test", 20, vec![send("done")])];
    let client = vec![block("boot", 2, vec![]), block("test", 60, vec![limit(5, wait("done"))])];
    check("too_short_chain", vec![role("server", server), role("relay", relay), role("client", client)]);
}

#[test]
fn a_wait_that_is_over_before_what_it_waits_for_can_come() {
    let server = || role("server", vec![sync("start"), after(150, send("warm"))]);
    let relay = || role("relay", vec![sync("start"), wait("warm"), after(60, send("done"))]);
    let client = |slept| role("client", vec![sync("start"), after(slept, limit(3, wait("done")))]);
    check("too_late", vec![server(), relay(), client(5)]);
    // It sleeps itself.
    check("late_enough", vec![server(), relay(), client(30)]);
    // Something else is run between the sync and the wait: it may well take as long.
    let mut busy = client(5);
    if let Some(Step::Call(call)) = busy.steps.get_mut(1) {
        std::sync::Arc::make_mut(&mut call.after).is_exact = false;
    }
    check("may_be_late_enough", vec![server(), relay(), busy]);
}

#[test]
fn a_wait_that_the_script_expects_to_fail_is_not_said_to_be_short() {
    let server = role("server", vec![block("deploy", 50, vec![]), block("test", 20, vec![send("ready")])]);
    let tested = change(limit(1, wait("ready")), |call| {
        call.origin = Origin::Helper { wrapped: None, failing: Failing::GoesOn, timed: false };
    });
    check("tested_wait", vec![server, role("client", vec![block("test", 60, vec![tested])])]);
}

#[test]
fn a_delayed_start_moves_what_comes_after_it() {
    let flow = flow(vec![
        role("host", vec![block("deploy", 12, vec![]), block("test", 20, vec![send("lava_start"), sync("end")])]),
        role("guest", vec![start("host"), block("deploy", 3, vec![]), block("test", 5, vec![sync("end")])]).on("host"),
    ]);
    let judgement = judge(&flow);
    let times = times::times(&flow, &judgement.played);
    let last = times.reached.iter().map(|time| time.at.as_secs() / 60).max();
    assert_eq!(last, Some(15));
}

#[test]
fn blocks_that_both_have_to_go_through_cancel_out() {
    let blocks = |call: Step| vec![block("deploy", 30, vec![]), block("test", 20, vec![sync("start"), call])];
    check("same_blocks", vec![role("server", blocks(send("ready"))), role("client", blocks(limit(3, wait("ready"))))]);
}

#[test]
fn latest_times_are_sums_of_limits() {
    let flow = flow(vec![
        role("server", vec![block("deploy", 5, vec![]), block("test", 20, vec![sync("start"), send("ready")])]),
        role(
            "client",
            vec![
                block("deploy", 9, vec![]),
                block("test", 30, vec![sync("start")]),
                block("test", 7, vec![wait("ready")]),
            ],
        ),
    ]);
    let judgement = judge(&flow);
    let times = times::times(&flow, &judgement.played);
    let minutes: Vec<(String, u64, u64)> = judgement
        .played
        .calls
        .iter()
        .enumerate()
        .map(|(index, call)| {
            let name = format!("{} {}", flow.members[call.member].role, call.call.id.shown());
            (name, times.reached[index].at.as_secs() / 60, times.over[index].at.as_secs() / 60)
        })
        .collect();
    let expected = [("server start", 5, 9), ("client start", 9, 9), ("server ready", 9, 9), ("client ready", 39, 39)];
    let expected: Vec<_> = expected.iter().map(|(name, reached, over)| ((*name).to_owned(), *reached, *over)).collect();
    let (mut minutes, mut expected) = (minutes, expected);
    minutes.sort();
    expected.sort();
    assert_eq!(minutes, expected);
}
