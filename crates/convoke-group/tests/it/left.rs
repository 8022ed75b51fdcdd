//! Members that leave: what they did stays, what they can no longer do fails those who need it, at once.

use convoke_group::{Input, Refusal};

use crate::stage::{Stage, name, names};

#[track_caller]
fn members_left(s: &Stage, wait: convoke_group::WaitId, gone: &[&str]) {
    let refusal = s.refusal(wait);
    assert!(matches!(refusal, Refusal::MembersLeft { .. }), "{refusal}");
    assert_eq!(refusal.missing_members(), names(gone));
}

#[test]
fn a_sync_fails_when_a_member_leaves_without_arriving() {
    let mut s = Stage::of(&["a", "b", "c"]);
    let a = s.sync("a", "go");
    s.leave("c");
    members_left(&s, a, &["c"]);
    let b = s.sync("b", "go");
    members_left(&s, b, &["c"]);
}

#[test]
fn a_sync_fails_even_before_the_group_is_full() {
    let mut s = Stage::empty(3);
    s.join("a");
    s.join("b");
    let a = s.sync("a", "go");
    s.leave("b");
    members_left(&s, a, &["b"]);
}

#[test]
fn who_arrived_and_left_is_not_missed() {
    let mut s = Stage::of(&["a", "b", "c"]);
    let b = s.sync("b", "go");
    let a = s.sync("a", "go");
    s.leave("b");
    assert!(matches!(s.refusal(b), Refusal::Invalid { .. }));
    s.is_parked(a);
    let c = s.sync("c", "go");
    s.is_done(a);
    s.is_done(c);
    // The next round needs it, and it is gone.
    let next = s.sync("a", "go");
    members_left(&s, next, &["b"]);
}

#[test]
fn wait_all_fails_when_a_member_leaves_without_sending() {
    let mut s = Stage::of(&["a/client", "b/server", "c/server"]);
    s.send("b", "x");
    let (all, servers) = (s.wait_all("a", "x"), s.wait_role("a", "x", "server"));
    let clients = s.wait_role("a", "x", "client");
    s.leave("b");
    s.is_parked(all);
    s.is_parked(servers);
    s.leave("c");
    members_left(&s, all, &["c"]);
    members_left(&s, servers, &["c"]);
    s.is_parked(clients);
    s.send("a", "x");
    s.is_done(clients);
}

#[test]
fn what_was_sent_stays() {
    let mut s = Stage::of(&["a", "b"]);
    s.send("b", "x");
    s.leave("b");
    let wait = s.wait("a", "x");
    s.is_done(wait);
}

#[test]
fn the_last_member_waits_in_vain_only_when_it_is_certain() {
    let mut s = Stage::of(&["a", "b"]);
    let unknown = s.wait("a", "x");
    s.leave("b");
    s.is_parked(unknown);
    // `( sleep 1; lava-send x ) & lava-wait x`
    s.send("a", "x");
    s.is_done(unknown);

    let mut s = Stage::of(&["a", "b"]).certain();
    let certain = s.wait("a", "x");
    s.leave("b");
    members_left(&s, certain, &["b"]);
}

#[test]
fn a_member_that_left_may_not_call() {
    let mut s = Stage::of(&["a", "b"]);
    s.leave("a");
    let call = s.wait("a", "x");
    assert_eq!(s.refusal(call).to_string(), "lava-wait x: a (peer) has left the group: its job ended");
}

/// D7: leaving twice counts once.
#[test]
fn leaving_twice_is_leaving_once() {
    let mut s = Stage::of(&["a", "b"]);
    s.leave("a");
    let before = s.group.clone();
    s.leave("a");
    s.apply(Input::Leave { member: name("a"), why: "another reason".to_owned() });
    s.apply(Input::Leave { member: name("nobody"), why: String::new() });
    assert_eq!(s.group, before);
    assert!(!s.group.is_over());
    let b = s.sync("b", "go");
    members_left(&s, b, &["a"]);
    s.leave("b");
    assert!(s.group.is_over());
}

#[test]
fn a_group_is_over_when_all_that_came_have_left() {
    let mut s = Stage::empty(2);
    assert!(!s.group.is_over());
    s.join("a");
    assert!(!s.group.is_over());
    s.leave("a");
    assert!(s.group.is_over());
    s.join("b");
    assert!(!s.group.is_over());
}
