//! What the coordinator answers to unchanged clients: coordinator-protocol.md §4 and §7.1, row by row.

use crate::harness::*;

const PAIR: &[(&str, &str)] = &[("a", "client"), ("b", "server")];
const SERVERS: &[(&str, &str)] = &[("a", "client"), ("b", "server"), ("c", "server")];

/// Members of the group, then steps: who, which request, its further fields, and the reply.
#[track_caller]
fn check(members: &[(&str, &str)], steps: &[(&str, &str, &str, &str)]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let coordinator = Coordinator::start();
        coordinator.assemble(members).await;
        for (place, (member, request, more, expected)) in steps.iter().enumerate() {
            let reply = coordinator.ask(member, request, more).await;
            assert_eq!(reply, *expected, "step {place}: {member} {request} {more}");
        }
        coordinator.end().await;
    });
}

const M: &str = r#", "messageID": "m""#;
const ONE: &str = r#", "messageID": "m", "message": {"one": "1"}"#;
const OF_SERVER: &str = r#", "messageID": "m", "waitrole": "server""#;
const S: &str = r#", "messageID": "s""#;
const RELEASED: &str = r#"{"response": "ack", "message": "s"}"#;
const EMPTY_A: &str = r#"{"response": "ack", "message": {"a": {}}}"#;

#[test]
fn group_data_tells_every_role_when_the_group_is_full() {
    let all = r#"{"response": "group_data", "roles": {"a": "peer", "b": "peer"}}"#;
    let size = r#", "group_size": 2"#;
    check(
        &[],
        &[
            ("a", "group_data", size, WAIT),
            ("a", "group_data", r#", "group_size": 9"#, WAIT),
            ("b", "group_data", "", all),
            ("a", "group_data", "", all),
            ("c", "group_data", size, NACK),
            ("c", "lava_send", M, NACK),
            ("a", "group_data", "", all),
        ],
    );
}

#[test]
fn roles_come_in_the_order_of_registration() {
    let roles = r#"{"response": "group_data", "roles": {"x": "server", "z": "server", "y": "client"}}"#;
    check(&[("x", "server"), ("y", "client"), ("z", "server")], &[("y", "group_data", "", roles)]);
}

#[test]
fn a_group_needs_a_positive_size() {
    for size in ["-1", "0", "1.5", "null", "[2]", "{}", "\"two\"", "\"\"", "true", "99999999999999999999999"] {
        let more = format!(r#", "group_size": {size}"#);
        check(&[], &[("a", "group_data", &more, NACK), ("a", "group_data", "", NACK)]);
    }
    check(&[], &[("a", "lava_send", r#", "messageID": "m", "group_size": "2""#, ACK), ("a", "lava_wait", M, EMPTY_A)]);
}

#[test]
fn a_message_is_for_everybody_and_for_ever() {
    check(
        PAIR,
        &[
            ("a", "lava_wait", M, WAIT),
            ("a", "lava_send", ONE, ACK),
            ("a", "lava_wait", M, r#"{"response": "ack", "message": {"a": {"one": "1"}}}"#),
            ("b", "lava_wait", M, r#"{"response": "ack", "message": {"a": {"one": "1"}}}"#),
            ("b", "lava_send", M, ACK),
            ("a", "lava_send", r#", "messageID": "m", "message": null"#, ACK),
            ("b", "lava_wait", M, r#"{"response": "ack", "message": {"a": {}, "b": {}}}"#),
        ],
    );
    // Also for those who come later (D10).
    let size = r#", "group_size": 2, "messageID": "m""#;
    check(&[], &[("a", "lava_send", size, ACK), ("b", "lava_wait", M, EMPTY_A)]);
}

#[test]
fn values_come_back_as_they_were_sent() {
    for (sent, back) in [
        (r#"{"z":1,"a":{},"m":[1,2]}"#, r#"{"z": 1, "a": {}, "m": [1, 2]}"#),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
        ("1.50", "1.50"),
        ("1e400", "1e400"),
        (r#""a\u00e9\ud83d\ude00\u007f\/""#, "\"a\\u00e9\\ud83d\\ude00\u{7f}/\""),
        ("\"é😀\"", r#""\u00e9\ud83d\ude00""#),
        (r#"{"k": 1, "l": 2, "k": 3}"#, r#"{"k": 3, "l": 2}"#),
        ("[]", "[]"),
        ("true", "true"),
    ] {
        let more = format!(r#", "messageID": "m", "message": {sent}"#);
        let back = ack_with(&format!(r#"{{"a": {back}}}"#));
        check(PAIR, &[("a", "lava_send", &more, ACK), ("b", "lava_wait", M, &back)]);
    }
}

#[test]
fn ids_are_exact() {
    for odd in ["", " ", "nack", "M", "data", "é"] {
        check(
            PAIR,
            &[("a", "lava_send", &id(odd), ACK), ("b", "lava_wait", M, WAIT), ("b", "lava_wait", &id(odd), EMPTY_A)],
        );
    }
}

#[test]
fn wait_all_waits_for_every_member_of_the_group() {
    let all = r#"{"response": "ack", "message": {"b": {}, "a": {}}}"#;
    // D8: nobody has sent is no reason for a nack.
    check(
        PAIR,
        &[
            ("a", "lava_wait_all", M, WAIT),
            ("b", "lava_send", M, ACK),
            ("a", "lava_wait_all", M, WAIT),
            ("a", "lava_send", M, ACK),
            ("a", "lava_wait_all", M, all),
            ("b", "lava_wait_all", M, all),
        ],
    );
    // D9: those who have not registered are members too.
    let first = r#", "messageID": "m", "group_size": 3"#;
    check(&[], &[("a", "lava_send", first, ACK), ("b", "lava_send", M, ACK), ("a", "lava_wait_all", M, WAIT)]);
}

#[test]
fn wait_all_with_a_role_waits_for_all_of_that_role_only() {
    let both = r#"{"response": "ack", "message": {"b": {}, "c": {}}}"#;
    // D1 and D2.
    check(
        SERVERS,
        &[
            ("b", "lava_send", M, ACK),
            ("a", "lava_wait_all", OF_SERVER, WAIT),
            ("c", "lava_send", M, ACK),
            ("a", "lava_wait_all", OF_SERVER, both),
            ("b", "lava_wait_all", OF_SERVER, both),
            ("b", "lava_wait_all", r#", "messageID": "m", "waitrole": "client""#, WAIT),
        ],
    );
    check(SERVERS, &[("a", "lava_wait_all", r#", "messageID": "m", "waitrole": "servre""#, NACK)]);
    let early = r#", "messageID": "m", "waitrole": "server", "group_size": 2"#;
    check(&[], &[("a", "lava_wait_all", early, WAIT)]);
}

#[test]
fn a_sync_releases_when_all_have_arrived() {
    check(
        PAIR,
        &[
            ("a", "lava_sync", S, WAIT),
            ("a", "lava_sync", S, WAIT),
            ("b", "lava_sync", S, RELEASED),
            // D6: the fast one is held in the next round.
            ("b", "lava_sync", S, WAIT),
            ("a", "lava_sync", S, RELEASED),
            ("a", "lava_sync", S, RELEASED),
            ("b", "lava_sync", S, RELEASED),
        ],
    );
}

#[test]
fn a_sync_and_a_message_of_one_id_have_nothing_to_do_with_each_other() {
    check(
        PAIR,
        &[
            ("a", "lava_send", ONE, ACK),
            ("a", "lava_sync", M, WAIT),
            ("b", "lava_sync", M, r#"{"response": "ack", "message": "m"}"#),
            ("b", "lava_send", M, ACK),
            ("a", "lava_wait", M, r#"{"response": "ack", "message": {"a": {"one": "1"}, "b": {}}}"#),
            (
                "a",
                "lava_sync",
                r#", "messageID": "m", "message": {"k": 1}"#,
                r#"{"response": "ack", "message": {"k": 1}}"#,
            ),
        ],
    );
}

#[test]
fn a_group_ends_when_every_member_has_cleared() {
    check(
        PAIR,
        &[
            ("a", "lava_send", M, ACK),
            // D7: one client clears twice, and goes on.
            ("a", "clear_group", r#", "group_size": 2"#, ACK),
            ("a", "clear_group", r#", "group_size": 2"#, ACK),
            ("b", "lava_wait", M, EMPTY_A),
            ("a", "lava_wait", M, EMPTY_A),
            ("b", "clear_group", "", ACK),
            ("a", "lava_wait", M, EMPTY_A),
            ("a", "clear_group", "", ACK),
            ("a", "lava_wait", M, NACK),
            ("b", "clear_group", "", NACK),
            ("b", "clear_group", r#", "group_size": 2"#, ACK),
            ("b", "lava_wait", r#", "messageID": "m", "group_size": 2"#, WAIT),
        ],
    );
    // All who are there clear before the group is full.
    let early = r#", "group_size": 3, "messageID": "m""#;
    check(
        &[],
        &[
            ("a", "lava_send", early, ACK),
            ("b", "lava_send", M, ACK),
            ("b", "clear_group", "", ACK),
            ("a", "clear_group", "", ACK),
            ("a", "lava_wait", M, NACK),
        ],
    );
    // A finished member still belongs to the group: nobody is refused because of it.
    check(PAIR, &[("a", "clear_group", "", ACK), ("b", "lava_sync", S, WAIT), ("b", "lava_wait_all", M, WAIT)]);
}

#[test]
fn bundles_are_collected_after_two_more_waits() {
    let mine = r#", "sub_id": "1.0", "bundle": {"a": 1}"#;
    let all = r#"{"response": "ack", "message": {"bundle": {"a": {"a": 1}, "b": [2]}}}"#;
    check(
        PAIR,
        &[
            ("a", "aggregate", mine, WAIT),
            ("b", "aggregate", r#", "sub_id": "1.1", "bundle": [2]"#, ACK),
            ("a", "aggregate", mine, WAIT),
            ("a", "aggregate", mine, WAIT),
            ("a", "aggregate", mine, all),
            ("a", "aggregate", mine, WAIT),
            ("a", "aggregate", r#", "sub_id": null, "bundle": 1"#, NACK),
            ("a", "aggregate", r#", "sub_id": "1.0""#, NACK),
        ],
    );
}

#[test]
fn complete_is_closed_without_a_reply_and_unknown_words_are_refused() {
    check(
        PAIR,
        &[("a", "complete", "", ""), ("a", "lava-send", M, NACK), ("a", "", "", NACK), ("a", "lava_wait", M, WAIT)],
    );
}
