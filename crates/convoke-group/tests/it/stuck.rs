//! The rule of the stuck group: certain, likely, and neither.

use convoke_group::{Output, Quiet, Refusal};

use crate::stage::Stage;

#[track_caller]
fn all_waiting(s: &Stage, wait: convoke_group::WaitId) {
    let refusal = s.refusal(wait);
    assert!(matches!(refusal, Refusal::AllWaiting { .. }), "{refusal}");
}

/// How many waits each `ProbablyStuck` named.
fn said(s: &Stage) -> Vec<usize> {
    let outputs = s.log.iter().flat_map(|(_, _, outputs)| outputs);
    outputs.filter_map(|o| if let Output::ProbablyStuck { waits } = o { Some(waits.len()) } else { None }).collect()
}

#[test]
fn the_wait_whose_limit_passes_first_is_refused_and_no_other() {
    let mut s = Stage::of(&["a", "b", "c"]).certain();
    let a = s.limit(60).wait("a", "x");
    let b = s.limit(30).wait("b", "y");
    let c = s.limit(90).sync("c", "z");
    all_waiting(&s, b);
    s.is_parked(a);
    s.is_parked(c);
    // `lava-wait y || lava-send x`
    s.send("b", "x");
    s.is_done(a);
    assert!(said(&s).is_empty());
}

#[test]
fn a_lost_group_comes_apart_one_by_one() {
    let mut s = Stage::of(&["a", "b"]).certain();
    let (a, b) = (s.limit(60).wait("a", "x"), s.limit(30).wait("b", "y"));
    all_waiting(&s, b);
    let again = s.limit(120).wait("b", "y");
    all_waiting(&s, a);
    s.leave("a");
    assert!(matches!(s.refusal(again), Refusal::MembersLeft { .. }));
}

#[test]
fn of_equal_limits_the_first_to_park_and_no_limit_is_last() {
    let mut s = Stage::of(&["a", "b", "c"]).certain();
    let a = s.wait("a", "x");
    let b = s.limit(30).wait("b", "x");
    let c = s.limit(30).wait("c", "x");
    all_waiting(&s, b);
    s.leave("b");
    all_waiting(&s, c);
    s.is_parked(a);
}

#[test]
fn without_limits_the_first_to_park_is_refused() {
    let mut s = Stage::of(&["a", "b"]).certain();
    let (a, b) = (s.wait("a", "x"), s.wait("b", "y"));
    all_waiting(&s, a);
    s.is_parked(b);
}

#[test]
fn a_member_that_has_not_registered_can_still_come() {
    let mut s = Stage::empty(3).certain();
    s.join("a");
    s.join("b");
    let (a, b) = (s.wait("a", "x"), s.wait("b", "x"));
    s.is_parked(a);
    s.is_parked(b);
    assert!(said(&s).is_empty());
    s.join("c");
    s.is_parked(a);
    s.wait("c", "x");
    all_waiting(&s, a);
}

#[test]
fn one_active_member_keeps_all_hope() {
    let mut s = Stage::of(&["a", "b", "c"]).certain();
    let (a, b) = (s.wait("a", "x"), s.sync("b", "go"));
    s.is_parked(a);
    s.is_parked(b);
    assert!(said(&s).is_empty());
}

/// `( sleep 1; lava-send go ) & lava-wait back` is a good job.
#[test]
fn what_is_only_likely_is_said_once_and_not_acted_on() {
    let mut s = Stage::of(&["a", "b"]);
    let a = s.wait("a", "back");
    s.quiet = Quiet::Certain;
    let b = s.wait("b", "go");
    assert_eq!(said(&s), [2]);
    s.tick(5);
    s.tick(6);
    assert_eq!(said(&s), [2], "said once");
    s.is_parked(a);
    s.is_parked(b);
    s.send("a", "go");
    s.is_done(b);
    s.send("b", "back");
    s.is_done(a);
}

#[test]
fn a_new_likely_state_is_said_again() {
    let mut s = Stage::of(&["a", "b"]);
    s.limit(10);
    s.wait("a", "x");
    s.wait("b", "y");
    s.tick(10);
    s.wait("a", "x");
    s.wait("b", "y");
    assert_eq!(said(&s), [2], "the same waits without anything in between are no news");
    s.send("a", "z");
    assert_eq!(said(&s), [2, 2]);
}

#[test]
fn a_further_call_disproves_that_a_member_is_quiet() {
    let mut s = Stage::of(&["a", "b"]).certain();
    let a = s.wait("a", "x");
    s.send("a", "something");
    let b = s.wait("b", "y");
    s.is_parked(a);
    s.is_parked(b);
    assert_eq!(said(&s), [2]);
}

#[test]
fn the_latest_call_speaks_for_a_member() {
    // `timeout 5 lava-wait x; lava-wait y`: nobody tells the group that the first caller was killed.
    let mut s = Stage::of(&["a", "b"]);
    let killed = s.limit(60).wait("a", "x");
    s.quiet = Quiet::Certain;
    let a = s.limit(30).wait("a", "y");
    let b = s.limit(90).wait("b", "z");
    all_waiting(&s, a);
    s.is_parked(killed);
    s.is_parked(b);
}

#[test]
fn a_refused_caller_may_be_alive_after_all() {
    let mut s = Stage::of(&["a", "b"]);
    let killed = s.limit(10).wait("a", "x");
    s.quiet = Quiet::Certain;
    let a = s.limit(30).wait("a", "y");
    let b = s.limit(90).wait("b", "z");
    all_waiting(&s, killed);
    s.is_parked(a);
    s.is_parked(b);
    assert_eq!(said(&s), [2]);
}

#[test]
fn a_single_member_can_be_stuck() {
    let mut s = Stage::of(&["a"]).certain();
    let wait = s.wait("a", "x");
    all_waiting(&s, wait);
    let sync = s.sync("a", "go");
    s.is_done(sync);
}

#[test]
fn a_withdrawal_may_leave_the_others_stuck_no_more() {
    let mut s = Stage::of(&["a", "b"]);
    let a = s.wait("a", "x");
    s.withdraw(a);
    s.quiet = Quiet::Certain;
    let b = s.wait("b", "x");
    s.is_parked(b);
    assert!(said(&s).is_empty());
}
