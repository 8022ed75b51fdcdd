//! Send, wait, wait-all, assemble (coordinator-protocol.md §4.1–4.5, §7.1).

use convoke_group::{Input, Output, Refusal, RoleName};
use serde_json::json;

use crate::stage::{Stage, name, names};

#[test]
fn a_wait_is_satisfied_by_anybody() {
    let mut s = Stage::of(&["a", "b"]);
    let wait = s.wait("a", "x");
    s.is_parked(wait);
    s.send_value("b", "x", json!({"k": "v"}));
    assert_eq!(s.data(wait), r#"[["b",{"k":"v"}]]"#);
}

#[test]
fn a_wait_is_satisfied_by_the_askers_own_message_and_again_and_again() {
    let mut s = Stage::of(&["a", "b"]);
    s.send("a", "x");
    for _ in 0..3 {
        let wait = s.wait("a", "x");
        assert_eq!(s.data(wait), r#"[["a",{}]]"#);
    }
}

#[test]
fn senders_come_in_order_of_their_first_send_and_keys_as_sent() {
    let mut s = Stage::of(&["a", "b", "c"]);
    s.send_value("c", "x", json!({"z": 1, "a": 2.5}));
    s.send_value("a", "x", json!({}));
    s.send_value("b", "x", json!({"m": "mm"}));
    s.send_value("c", "x", json!({"y": "new", "b": null}));
    let wait = s.wait("a", "x");
    assert_eq!(s.data(wait), r#"[["c",{"y":"new","b":null}],["a",{}],["b",{"m":"mm"}]]"#);
}

#[test]
fn any_value_is_kept_and_none_is_an_empty_message() {
    let mut s = Stage::of(&["a", "b", "c"]);
    s.send_value("a", "x", json!(null));
    s.send_value("b", "x", json!("text"));
    s.send_value("c", "x", json!([1, 2]));
    let wait = s.wait_all("a", "x");
    assert_eq!(s.data(wait), r#"[["a",{}],["b","text"],["c",[1,2]]]"#);
}

#[test]
fn ids_are_exact() {
    let mut s = Stage::of(&["a", "b"]);
    for sent in ["X", " x", "x ", "nack"] {
        s.send("b", sent);
    }
    let (plain, empty, nack) = (s.wait("a", "x"), s.wait("a", ""), s.wait("a", "nack"));
    s.is_parked(plain);
    s.is_parked(empty);
    s.is_done(nack);
    s.send("b", "");
    s.is_done(empty);
}

#[test]
fn wait_all_needs_every_member_of_the_group() {
    let mut s = Stage::of(&["a", "b", "c"]);
    s.send("a", "x");
    let wait = s.wait_all("a", "x");
    s.send("b", "x");
    s.is_parked(wait);
    assert_eq!(s.missing(wait), names(&["c"]));
    s.send("c", "x");
    assert_eq!(s.data(wait), r#"[["a",{}],["b",{}],["c",{}]]"#);
}

/// D8: asking before anybody has sent is not an error.
#[test]
fn wait_all_may_come_before_the_first_send() {
    let mut s = Stage::of(&["a", "b"]);
    let wait = s.wait_all("a", "x");
    s.is_parked(wait);
    assert_eq!(s.missing(wait), names(&["a", "b"]));
    s.send("b", "x");
    s.send("a", "x");
    s.is_done(wait);
}

/// D9: the size of the group counts, not who has registered so far.
#[test]
fn wait_all_counts_members_that_have_not_registered() {
    let mut s = Stage::empty(3);
    s.join("a");
    s.join("b");
    s.send("a", "x");
    s.send("b", "x");
    let wait = s.wait_all("a", "x");
    s.is_parked(wait);
    assert_eq!(s.group.waits()[0].unregistered, 1);
    s.join("c");
    s.is_parked(wait);
    s.send("c", "x");
    s.is_done(wait);
}

/// D1, D2: every member of the role has to send; what others send, the asker among them, does not count.
#[test]
fn wait_all_with_role_needs_every_member_of_the_role() {
    let mut s = Stage::of(&["c1/client", "s1/server", "s2/server"]);
    s.send("c1", "m");
    let wait = s.wait_role("c1", "m", "server");
    s.is_parked(wait);
    s.send("s2", "m");
    s.is_parked(wait);
    assert_eq!(s.missing(wait), names(&["s1"]));
    s.send("s1", "m");
    // All senders are in the data, of any role.
    assert_eq!(s.data(wait), r#"[["c1",{}],["s2",{}],["s1",{}]]"#);
}

#[test]
fn the_asker_counts_when_it_has_the_role() {
    let mut s = Stage::of(&["s1/server", "s2/server", "c1/client"]);
    s.send("s2", "m");
    let wait = s.wait_role("s1", "m", "server");
    assert_eq!(s.missing(wait), names(&["s1"]));
    s.send("s1", "m");
    s.is_done(wait);
}

#[test]
fn wait_all_with_role_waits_for_a_full_group() {
    let mut s = Stage::empty(3);
    s.join("c1/client");
    s.join("s1/server");
    s.send("s1", "m");
    let (server, nobody) = (s.wait_role("c1", "m", "server"), s.wait_role("c1", "m", "observer"));
    s.is_parked(server);
    s.is_parked(nobody);
    s.join("s2/server");
    s.is_parked(server);
    assert!(matches!(s.refusal(nobody), Refusal::Invalid { .. }));
    s.send("s2", "m");
    s.is_done(server);
}

#[test]
fn a_role_nobody_has_is_refused_at_once() {
    let mut s = Stage::of(&["c1/client", "s1/server"]);
    let wait = s.wait_role("c1", "m", "sever");
    assert_eq!(
        s.refusal(wait).to_string(),
        "lava-wait-all m sever: no member of the group has the role sever; its roles are client, server; did you mean server?"
    );
}

/// D10: a message is there for those who come later.
#[test]
fn a_message_sent_early_is_visible_to_late_members() {
    let mut s = Stage::empty(3);
    s.join("s1/server");
    s.send_value("s1", "m", json!({"ip": "10.0.0.1"}));
    s.join("c1/client");
    s.join("c2/client");
    let (any, role) = (s.wait("c1", "m"), s.wait_role("c2", "m", "server"));
    assert_eq!(s.data(any), r#"[["s1",{"ip":"10.0.0.1"}]]"#);
    s.is_done(role);
}

/// D11: a stranger to a full group is refused, and changes nothing.
#[test]
fn a_surplus_member_is_refused() {
    let mut s = Stage::of(&["a", "b"]);
    let before = s.group.clone();
    assert_eq!(s.join("c"), []);
    assert_eq!(s.group, before);
    let calls = [s.wait("c", "x"), s.sync("c", "x"), s.assemble("c"), s.wait_all("c", "x")];
    for call in calls {
        let why = "the group is complete with 2 members, and c is none of them";
        assert!(s.refusal(call).to_string().ends_with(why), "{}", s.refusal(call));
    }
    assert_eq!(s.group, before);
}

/// D12: no name is reserved.
#[test]
fn no_name_is_reserved() {
    let mut s = Stage::of(&["data", "roles"]);
    let wait = s.wait("roles", "x");
    s.is_parked(wait);
    s.send("data", "x");
    s.is_done(wait);
}

#[test]
fn a_nameless_member_leaves_no_trace() {
    let mut s = Stage::empty(1);
    s.join("/peer");
    assert_eq!(s.group.members(), []);
    let call = s.assemble("");
    assert!(matches!(s.refusal(call), Refusal::Invalid { .. }));
    assert!(!s.group.is_over());
}

#[test]
fn the_first_role_stands() {
    let mut s = Stage::empty(2);
    s.join("a/client");
    s.join("a/server");
    s.join("b/client");
    assert_eq!(s.group.members()[0].role, RoleName::new("client"));
    assert_eq!(s.group.members().len(), 2);
}

#[test]
fn who_has_not_registered_may_not_call() {
    let mut s = Stage::empty(2);
    let call = s.wait("a", "x");
    assert_eq!(s.refusal(call).to_string(), "lava-wait x: a has not registered with the group");
}

#[test]
fn assemble_waits_for_the_last_member() {
    let mut s = Stage::empty(2);
    s.join("a");
    let wait = s.assemble("a");
    s.is_parked(wait);
    s.join("b");
    assert_eq!(s.data(wait), "[]");
    let again = s.assemble("b");
    s.is_done(again);
}

#[test]
fn a_number_in_use_is_not_answered_twice() {
    let mut s = Stage::of(&["a", "b"]);
    let wait = s.wait("a", "x");
    let call = convoke_group::Call::Wait { message_id: crate::stage::id("y") };
    let input = Input::Call { wait, member: name("b"), call, deadline: None, quiet: s.quiet };
    assert_eq!(s.apply(input), []);
    s.send("b", "x");
    s.is_done(wait);
}

#[test]
fn a_withdrawn_call_is_forgotten() {
    let mut s = Stage::of(&["a", "b"]);
    s.limit(10);
    let wait = s.wait("a", "x");
    assert_eq!(s.withdraw(wait), []);
    assert_eq!(s.group.waits(), []);
    assert_eq!(s.group.next_deadline(), None);
    s.send("b", "x");
    s.tick(20);
    assert_eq!(s.answer(wait), None);
}

#[test]
fn limits_pass_in_order_and_with_any_input() {
    let mut s = Stage::of(&["a", "b", "c"]);
    let late = s.limit(20).wait("a", "x");
    let early = s.limit(10).wait("b", "x");
    assert_eq!(s.group.next_deadline(), Some(crate::stage::at(10)));
    s.tick(9);
    s.is_parked(early);
    s.tick(10);
    assert!(matches!(s.refusal(early), Refusal::TimedOut { .. }));
    s.is_parked(late);
    // A message that comes when the limit has passed is too late, even when nobody ticked.
    s.now = crate::stage::at(21);
    s.send("c", "x");
    assert!(matches!(s.refusal(late), Refusal::TimedOut { .. }));
}

#[test]
fn time_never_runs_backwards() {
    let mut s = Stage::of(&["a", "b"]);
    s.tick(100);
    s.now = crate::stage::at(50);
    s.limit(10);
    let wait = s.wait("a", "x");
    assert!(matches!(s.refusal(wait), Refusal::TimedOut { .. }), "its limit was at 60, and it is 100");
}

#[test]
fn a_limit_of_nothing_asks_without_waiting() {
    let mut s = Stage::of(&["a", "b"]);
    s.limit(0);
    let too_early = s.wait("a", "x");
    assert!(matches!(s.refusal(too_early), Refusal::TimedOut { .. }));
    s.send("b", "x");
    let there = s.wait("a", "x");
    s.is_done(there);
}

#[test]
fn those_who_wait_are_told_who_is_missing() {
    let mut s = Stage::of(&["a", "b", "c"]);
    let first = s.wait_all("a", "x");
    let told = |s: &Stage| -> Vec<(Vec<convoke_group::WaitId>, usize)> {
        let outputs = &s.log.last().unwrap().2;
        outputs
            .iter()
            .filter_map(|output| match output {
                Output::Waiting { waits, missing, .. } => Some((waits.clone(), missing.len())),
                _ => None,
            })
            .collect()
    };
    assert_eq!(told(&s), [(vec![first], 3)]);
    let second = s.wait_all("b", "x");
    assert_eq!(told(&s), [(vec![second], 3)], "nothing is new for the first");
    s.send("c", "x");
    assert_eq!(told(&s), [(vec![first, second], 2)]);
    s.send("c", "x");
    assert!(told(&s).is_empty(), "a message sent again changes nothing");
    let any = s.wait("b", "y");
    assert_eq!(told(&s), [(vec![any], 2)], "the asker is not missing to itself");
    s.leave("c");
    assert_eq!(told(&s), [(vec![any], 1)]);
}

#[test]
fn answers_come_in_the_order_of_parking() {
    let mut s = Stage::of(&["a", "b", "c"]);
    let waits = [s.sync("c", "go"), s.sync("a", "go"), s.sync("b", "go")];
    let answered: Vec<_> = s
        .log
        .last()
        .unwrap()
        .2
        .iter()
        .filter_map(|output| match output {
            Output::Answer { wait, .. } => Some(*wait),
            _ => None,
        })
        .collect();
    assert_eq!(answered, waits);
}
