//! What a refused call is told.

use crate::stage::Stage;

#[track_caller]
fn check(s: &Stage, wait: convoke_group::WaitId, expected: &str) {
    assert_eq!(s.refusal(wait).to_string(), expected);
}

fn lab() -> Stage {
    let mut s = Stage::of(&["s1/server", "s2/server", "c1/client"]);
    s.limit(10);
    s
}

#[test]
fn a_time_out_names_the_missing() {
    let mut s = lab();
    let (all, role, sync) = (s.wait_all("c1", "m"), s.wait_role("c1", "m", "server"), s.sync("c1", "go"));
    s.send("s2", "m");
    let any = s.wait("c1", "nothing at all");
    s.tick(10);
    check(&s, all, "lava-wait-all m of c1 (client) timed out; missing: s1 (server), c1 (client)");
    check(&s, role, "lava-wait-all m server of c1 (client) timed out; missing: s1 (server)");
    check(&s, sync, "lava-sync go of c1 (client) timed out; missing: s1 (server), s2 (server)");
    check(&s, any, "lava-wait \"nothing at all\" of c1 (client) timed out; missing: s1 (server), s2 (server)");
}

#[test]
fn a_time_out_counts_the_unregistered() {
    let mut s = Stage::empty(4);
    s.limit(10);
    s.join("a");
    s.join("b");
    let (assemble, sync) = (s.assemble("a"), s.sync("a", "go"));
    s.tick(10);
    check(&s, assemble, "assembling the group of a (peer) timed out; missing: 2 members that have not registered");
    check(&s, sync, "lava-sync go of a (peer) timed out; missing: b (peer), 2 members that have not registered");
}

#[test]
fn a_time_out_of_the_last_member_says_so() {
    let mut s = lab();
    let wait = s.wait("c1", "m");
    s.leave("s1");
    s.leave("s2");
    s.tick(10);
    check(&s, wait, "lava-wait m of c1 (client) timed out; nobody was left to send it");
}

#[test]
fn members_that_left_are_named_with_their_reason() {
    let mut s = lab().certain();
    let role = s.wait_role("c1", "m", "server");
    s.leave("s1");
    s.leave("s2");
    check(
        &s,
        role,
        "lava-wait-all m server of c1 (client) can no longer be satisfied: \
         s1 (server) left without sending: its job ended",
    );
    let any = s.wait("c1", "another");
    check(
        &s,
        any,
        "lava-wait another of c1 (client) can no longer be satisfied: s1 (server) left without sending: its job ended; \
         s2 (server) left without sending: its job ended",
    );
}

#[test]
fn a_stuck_group_is_named_whole() {
    let mut s = lab().certain();
    s.send("s1", "m");
    let (a, _, _) = (s.wait_role("c1", "m", "server"), s.wait("s2", "go"), s.sync("s1", "fin"));
    check(
        &s,
        a,
        "lava-wait-all m server of c1 (client) can no longer be satisfied: every member that could still act is \
         waiting: c1 (client) waits in lava-wait-all m server for s2 (server); s2 (server) waits in lava-wait go, which \
         nobody has sent; s1 (server) waits in lava-sync fin for s2 (server), c1 (client)",
    );
}

#[test]
fn a_stuck_group_names_those_who_left() {
    let mut s = lab().certain();
    s.leave("s1");
    let (a, _) = (s.wait("c1", "ready"), s.wait("s2", "ready"));
    check(
        &s,
        a,
        "lava-wait ready of c1 (client) can no longer be satisfied: every member that could still act is waiting: \
         c1 (client) waits in lava-wait ready, which nobody has sent; s2 (server) waits in lava-wait ready, which \
         nobody has sent; s1 (server) left: its job ended",
    );
}

#[test]
fn a_near_miss_is_named() {
    let mut s = lab();
    s.send("s1", "Server_Ready");
    s.send("s2", "round-1");
    let (any, all, round) = (s.wait("c1", "server-ready"), s.wait_all("c1", "server-redy"), s.wait("c1", "round-2"));
    s.tick(10);
    check(
        &s,
        any,
        "lava-wait server-ready of c1 (client) timed out; missing: s1 (server), s2 (server); \
         did anyone mean \"Server_Ready\"? s1 sent that",
    );
    check(
        &s,
        all,
        "lava-wait-all server-redy of c1 (client) timed out; missing: s1 (server), s2 (server), c1 (client); \
         did anyone mean \"Server_Ready\"? s1 sent that",
    );
    check(&s, round, "lava-wait round-2 of c1 (client) timed out; missing: s1 (server), s2 (server)");
}

#[test]
fn a_near_miss_of_somebody_who_is_not_missing_says_nothing() {
    let mut s = lab();
    s.send("s1", "ready");
    s.send("s1", "Ready");
    let wait = s.wait_role("c1", "ready", "server");
    s.tick(10);
    check(&s, wait, "lava-wait-all ready server of c1 (client) timed out; missing: s2 (server)");
}

#[test]
fn a_sync_taken_for_a_message_is_named() {
    let mut s = lab();
    s.send("s1", "ready");
    let sync = s.sync("c1", "ready");
    let other = s.sync("c1", "begin");
    s.sync("s2", "Begin");
    let wait = s.wait("s1", "Begin");
    s.tick(10);
    check(
        &s,
        sync,
        "lava-sync ready of c1 (client) timed out; missing: s1 (server), s2 (server); \
         s1 sent ready as a message, but a sync waits for syncs only",
    );
    check(
        &s,
        other,
        "lava-sync begin of c1 (client) timed out; missing: s1 (server), s2 (server); \
         did anyone mean \"Begin\"? s2 is in that sync",
    );
    check(
        &s,
        wait,
        "lava-wait Begin of s1 (server) timed out; missing: s2 (server), c1 (client); \
         s2 called lava-sync Begin, but a wait waits for messages only",
    );
}

#[test]
fn a_long_list_is_cut() {
    let members: Vec<String> = (0..40).map(|n| format!("m{n}")).collect();
    let members: Vec<&str> = members.iter().map(String::as_str).collect();
    let mut s = Stage::of(&members);
    s.limit(10);
    let wait = s.sync("m0", "go");
    s.tick(10);
    assert_eq!(s.refusal(wait).missing_members().len(), 39);
    let text = s.refusal(wait).to_string();
    assert!(text.ends_with("m20 (peer), and 19 more"), "{text}");
}
