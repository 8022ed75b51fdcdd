//! Calls whose scripts go on when they fail: what can end, what `run` refuses (what cannot), and what is not known.

use convoke_flow::{Step, Verdict, judge};

use crate::build::{attempt, flow, role, send, stop, sync, wait};

/// One step, whose script goes on.
fn tried(id: &str, done: Vec<Step>, failed: Vec<Step>) -> Vec<Step> {
    attempt(wait(id), false, done, failed)
}

fn timed(id: &str, done: Vec<Step>, failed: Vec<Step>) -> Vec<Step> {
    attempt(wait(id), true, done, failed)
}

#[track_caller]
fn check(server: Vec<Step>, client: Vec<Step>, expected: Verdict) {
    let flow = flow(vec![role("server", server), role("client", client)]);
    let judgement = judge(&flow);
    let reasons: Vec<String> = judgement.reasons.iter().map(|reason| reason.message(&flow)).collect();
    assert_eq!(judgement.verdict, expected, "{reasons:?}");
}

#[test]
fn a_call_that_is_satisfied_takes_the_way_of_success() {
    check(
        vec![send("x"), sync("end")],
        [tried("x", vec![], vec![stop()]), vec![sync("end")]].concat(),
        Verdict::CanEnd,
    );
    check(vec![send("x"), wait("no")], tried("x", vec![], vec![send("no")]), Verdict::CannotEnd);
}

#[test]
fn what_nobody_sends_takes_the_way_of_failure() {
    check(vec![send("y")], [tried("x", vec![], vec![]), vec![wait("y")]].concat(), Verdict::CanEnd);
    check(vec![], tried("x", vec![wait("never")], vec![send("y")]), Verdict::CanEnd);
    check(vec![], tried("x", vec![], vec![wait("never")]), Verdict::CannotEnd);
    check(vec![sync("end")], [tried("x", vec![], vec![stop()]), vec![sync("end")]].concat(), Verdict::CannotEnd);
}

#[test]
fn who_gives_up_first_is_not_known() {
    check(vec![sync("end")], [tried("x", vec![], vec![]), vec![sync("end")]].concat(), Verdict::Unknown);
    // The server may give up before the client does, or be rescued by it.
    check(vec![wait("y")], tried("x", vec![], vec![send("y")]), Verdict::Unknown);
    let rescued = |id, other| tried(id, vec![], vec![send(other)]);
    check(rescued("x", "y"), rescued("y", "x"), Verdict::CanEnd);
}

#[test]
fn a_call_with_a_time_of_its_own_may_be_late() {
    check(vec![send("x"), wait("y")], timed("x", vec![send("y")], vec![send("y")]), Verdict::CanEnd);
    check(vec![send("x"), wait("y")], timed("x", vec![send("y")], vec![send("z")]), Verdict::Unknown);
    check(vec![wait("y")], timed("x", vec![], vec![send("y")]), Verdict::Unknown);
    // To end the script is what any failure does.
    check(vec![send("x"), wait("y")], [timed("x", vec![], vec![stop()]), vec![send("y")]].concat(), Verdict::CanEnd);
}

#[test]
fn what_a_script_provides_for_is_a_mistake_all_the_same() {
    let flow = flow(vec![role("server", vec![send("ready")]), role("client", tried("raedy", vec![], vec![]))]);
    let judgement = judge(&flow);
    assert_eq!(judgement.verdict, Verdict::CanEnd);
    let [reason] = judgement.reasons.as_slice() else { panic!("{:?}", judgement.reasons) };
    assert_eq!(reason.code(), "flow.never-sent");
    let help = reason.help(&flow).unwrap();
    assert!(help.contains("ready") && help.ends_with("the script goes on"), "{help}");
}
