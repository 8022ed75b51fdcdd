//! One flow for each cause, and how it is told.

use convoke_flow::{Flow, Step, judge};

use crate::build::{
    Role, beside, definition, either, flow, maybe, opaque, repeat, role, send, start, stop, sync, wait, wait_all,
    wait_role,
};

/// The verdict and every reason, with places as lines of the flow's text.
fn told(flow: &Flow) -> String {
    let judgement = judge(flow);
    let mut told = format!("{}--\n{}\n", flow.texts[0].text(), judgement.verdict.as_str());
    for reason in &judgement.reasons {
        told.push_str(&format!("\n{}: {}\n", reason.code(), reason.message(flow)));
        for line in reason.help(flow).iter().flat_map(|help| help.lines()) {
            told.push_str(&format!("    {line}\n"));
        }
        for label in reason.diagnostic(flow).iter().flat_map(|finding| &finding.labels) {
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

#[test]
fn a_misspelt_id_is_named_with_the_nearest() {
    check(
        "never_sent",
        vec![role("server", vec![send("server-ready"), sync("end")]), role("client", vec![wait("server_ready")])],
    );
}

#[test]
fn a_sync_is_no_message() {
    check("sync_for_wait", vec![role("server", vec![sync("ready")]), role("client", vec![wait("ready")])]);
}

#[test]
fn one_finding_for_a_cause_and_the_rest_behind_it() {
    check(
        "behind",
        vec![
            role("server", vec![wait("go"), send("ready")]),
            role("client", vec![wait("ready"), send("done")]).times(3),
            role("observer", vec![wait_role("done", "client"), wait("ready")]),
        ],
    );
}

#[test]
fn a_sync_that_one_role_misses() {
    check(
        "sync_missed",
        vec![
            role("server", vec![sync("start"), sync("end")]),
            role("client", vec![sync("start"), definition("last", vec![send("result")])]).times(2),
        ],
    );
}

#[test]
fn a_sync_that_a_role_cannot_make() {
    check("sync_unreachable", vec![role("board", vec![sync("done")]), role("mcu", vec![])]);
}

#[test]
fn a_sync_made_more_often_by_one() {
    check(
        "sync_uneven",
        vec![
            role("server", vec![sync("step"), sync("step"), sync("step")]),
            role("client", vec![sync("step"), sync("step")]),
        ],
    );
}

#[test]
fn a_wait_all_of_a_role_that_does_not_send() {
    check(
        "wait_all_lacks",
        vec![
            role("server", vec![send("ready")]),
            role("client", vec![wait_all("ready"), send("done")]),
            role("observer", vec![send("ready"), wait_role("done", "observer")]),
        ],
    );
}

#[test]
fn a_wait_all_that_needs_the_waiters_own_send() {
    check("own_send", vec![role("server", vec![send("ready")]), role("client", vec![wait_all("ready")])]);
}

#[test]
fn a_wait_before_the_own_send() {
    check("own_send_later", vec![role("peer", vec![wait_all("here"), send("here")]).times(4)]);
}

#[test]
fn a_role_that_does_not_exist() {
    check("unknown_role", vec![role("server", vec![send("ready")]), role("client", vec![wait_role("ready", "sever")])]);
}

#[test]
fn a_cycle_is_drawn() {
    check(
        "cycle",
        vec![
            role("server", vec![wait("client-ready"), send("server-ready")]),
            role("client", vec![wait("server-ready"), send("client-ready")]),
            role("observer", vec![wait("server-ready")]),
        ],
    );
}

#[test]
fn a_cycle_of_three_through_a_sync() {
    check(
        "cycle_of_three",
        vec![
            role("a", vec![wait("b"), sync("go"), send("a")]),
            role("b", vec![wait("c"), send("b"), sync("go")]),
            role("c", vec![wait("a"), send("c"), sync("go")]),
        ],
    );
}

#[test]
fn a_start_that_never_comes() {
    check(
        "never_started",
        vec![
            role("host", vec![send("lava-start"), sync("end")]),
            role("guest", vec![start("host"), sync("end")]).on("host").times(2),
        ],
    );
}

#[test]
fn a_host_that_may_end_before_its_guest() {
    check(
        "host_may_end",
        vec![
            role("host", vec![send("lava_start"), send("address")]),
            role("guest", vec![start("host"), wait("address")]).on("host"),
        ],
    );
}

#[test]
fn a_host_that_waits_for_its_guest() {
    check(
        "host_waits",
        vec![
            role("host", vec![send("lava_start"), send("address"), sync("end")]),
            role("guest", vec![start("host"), wait("address"), sync("end")]).on("host"),
        ],
    );
}

#[test]
fn a_message_that_is_sent_only_in_one_branch() {
    check(
        "depends",
        vec![role("server", vec![maybe(vec![send("ready")])]), role("client", vec![wait_role("ready", "server")])],
    );
}

#[test]
fn a_message_after_a_possible_exit() {
    check(
        "after_exit",
        vec![
            role("server", vec![definition("d", vec![maybe(vec![stop()]), send("ready")]), sync("end")]),
            role("client", vec![wait("ready"), sync("end")]),
        ],
    );
}

#[test]
fn either_way_it_is_sent() {
    check(
        "either_way",
        vec![
            role("server", vec![either(vec![vec![send("a"), send("ready")], vec![send("ready"), send("b")]])]),
            role("client", vec![wait("ready")]),
        ],
    );
}

#[test]
fn either_way_it_hangs() {
    check(
        "neither_way",
        vec![
            role("server", vec![either(vec![vec![wait("one")], vec![wait("two")]])]),
            role("client", vec![either(vec![vec![send("three")], vec![send("ones")]])]),
        ],
    );
}

#[test]
fn what_is_not_at_hand_is_said_exactly() {
    check(
        "not_at_hand",
        vec![
            role("server", vec![definition("smoke", vec![opaque()]), send("ready")]),
            role("client", vec![wait("ready"), wait("smoked")]),
        ],
    );
}

#[test]
fn an_unknown_id_and_an_unknown_number_of_rounds() {
    check(
        "unknown_id",
        vec![
            role("server", vec![repeat(1, vec![sync("round")]), send("round-$n"), send("ready")]),
            role("client", vec![repeat(1, vec![sync("round")]), wait("round-1"), wait("ready-$n")]),
        ],
    );
}

#[test]
fn what_nobody_sends_is_never_sent_whatever_else_is_unknown() {
    check(
        "never_sent_for_sure",
        vec![
            role("server", vec![send("server-$n"), wait("client-ready")]),
            role("client", vec![wait("ready"), send("client-ready")]),
        ],
    );
}

#[test]
fn what_runs_beside_may_help() {
    let steps: Vec<Step> = vec![definition("d", vec![beside(vec![wait("go"), send("up")]), send("go"), wait("up")])];
    check("beside", vec![role("server", steps), role("client", vec![wait("up")])]);
}
