//! Syncs in rounds (coordinator-protocol.md §4.6, §7.1 D5, D6).

use convoke_group::Refusal;
use serde_json::json;

use crate::stage::{Stage, names};

#[test]
fn a_sync_releases_everybody_when_the_last_arrives() {
    let mut s = Stage::of(&["a", "b", "c"]);
    let (a, b) = (s.sync("a", "go"), s.sync("b", "go"));
    s.is_parked(a);
    assert_eq!(s.missing(b), names(&["c"]));
    let c = s.sync("c", "go");
    for wait in [a, b, c] {
        assert_eq!(s.data(wait), "[]");
    }
}

/// D6: one ID again and again, and nobody runs a round ahead.
#[test]
fn nobody_runs_a_round_ahead() {
    let mut s = Stage::of(&["a", "b"]);
    for round in 0..5 {
        let a = s.sync("a", "go");
        s.is_parked(a);
        let b = s.sync("b", "go");
        s.is_done(a);
        s.is_done(b);
        // Who is fast waits for the next round, on either side.
        if round % 2 == 0 {
            let fast = s.sync("b", "go");
            s.is_parked(fast);
            let slow = s.sync("a", "go");
            s.is_done(fast);
            s.is_done(slow);
        }
    }
}

/// D5: messages and syncs do not touch each other.
#[test]
fn syncs_and_messages_are_apart() {
    let mut s = Stage::of(&["a", "b"]);
    s.send_value("a", "x", json!({"k": 1}));
    let a = s.sync("a", "x");
    s.is_parked(a);
    let b = s.sync("b", "x");
    s.is_done(b);
    let (any, all) = (s.wait("b", "x"), s.wait_all("b", "x"));
    assert_eq!(s.data(any), r#"[["a",{"k":1}]]"#);
    s.is_parked(all);
    s.send("b", "x");
    s.is_done(all);
}

#[test]
fn a_sync_needs_the_members_that_have_not_registered() {
    let mut s = Stage::empty(2);
    s.join("a");
    let a = s.sync("a", "go");
    s.is_parked(a);
    s.join("b");
    s.is_parked(a);
    s.sync("b", "go");
    s.is_done(a);
}

#[test]
fn a_sync_that_timed_out_goes_on_with_its_round() {
    let mut s = Stage::of(&["a", "b"]);
    s.limit(10);
    let first = s.sync("a", "go");
    s.tick(10);
    assert!(matches!(s.refusal(first), Refusal::TimedOut { .. }));
    // `lava-sync go || lava-sync go`
    let again = s.sync("a", "go");
    s.is_parked(again);
    let b = s.sync("b", "go");
    s.is_done(again);
    s.is_done(b);
}

#[test]
fn an_arrival_stays_when_its_call_is_gone() {
    let mut s = Stage::of(&["a", "b"]);
    let cut = s.sync("a", "go");
    s.withdraw(cut);
    let b = s.sync("b", "go");
    s.is_done(b);
    // The release is still owed to `a`; its next sync is that round, and the one after is the next.
    let owed = s.sync("a", "go");
    s.is_done(owed);
    let next = s.sync("a", "go");
    s.is_parked(next);
}

#[test]
fn a_release_that_was_not_delivered_is_given_again() {
    let mut s = Stage::of(&["a", "b"]);
    let a = s.sync("a", "go");
    s.sync("b", "go");
    s.is_done(a);
    s.withdraw(a);
    let fast = s.sync("b", "go");
    let again = s.sync("a", "go");
    s.is_done(again);
    s.is_parked(fast);
    s.sync("a", "go");
    s.is_done(fast);
}

#[test]
fn two_syncs_of_one_member_are_one_arrival() {
    let mut s = Stage::of(&["a", "b"]);
    let (one, two) = (s.sync("a", "go"), s.sync("a", "go"));
    s.is_parked(one);
    s.is_parked(two);
    let b = s.sync("b", "go");
    for wait in [one, two, b] {
        s.is_done(wait);
    }
    // One of the two answers is enough for the round to be over.
    s.withdraw(one);
    let next = s.sync("a", "go");
    s.is_parked(next);
    s.sync("b", "go");
    s.is_done(next);
}

#[test]
fn other_ids_do_not_matter() {
    let mut s = Stage::of(&["a", "b"]);
    let (a, b) = (s.sync("a", "x"), s.sync("b", "y"));
    s.is_parked(a);
    s.is_parked(b);
}
