//! The flow table as people see it.

use convoke_flow::table::{CallMade, Kind, Look, Outcome, Table, Taker, svg, text};

use crate::scene::{flow, play};

const LOOK: Look = Look { width: 110, unicode: true, colour: false };

fn planned(scene: &str) -> Table {
    let flow = flow(scene);
    Table::planned("example", &flow, &play(&flow), |_| Some("nobody sends it".into()))
}

const SEED: &str = "
server 2: deploy, boot, sync start, send ready, sync fin
client: deploy, boot, sync start, wait-all ready server, sync fin
observer: deploy, boot, sync start, sync fin
";

#[test]
fn the_table_of_the_documentation() {
    insta::assert_snapshot!(text(&planned(SEED), LOOK));
}

#[test]
fn without_more_than_ascii() {
    insta::assert_snapshot!(text(&planned(SEED), Look { unicode: false, ..LOOK }));
}

#[test]
fn on_a_narrow_terminal() {
    insta::assert_snapshot!(text(&planned(SEED), Look { width: 72, ..LOOK }));
    insta::assert_snapshot!(text(&planned(SEED), Look { width: 40, ..LOOK }));
}

#[test]
fn lines_pass_behind_what_does_not_take_part() {
    insta::assert_snapshot!(text(
        &planned(
            "
a: send go, wait back, sync end
b: sync end
c: wait go, send back, sync end
d: wait go, wait back, sync end
"
        ),
        LOOK
    ));
}

#[test]
fn members_of_a_role_that_differ_have_columns_of_their_own() {
    insta::assert_snapshot!(text(
        &planned(
            "
peer: send a, wait-all a, sync x
peer: send a, wait-all a, sync x
late: wait-all a peer, send a, sync x
"
        ),
        LOOK
    ));
}

#[test]
fn what_never_ends_reaches_down_to_the_last_row() {
    insta::assert_snapshot!(text(
        &planned(
            "
server: send server-ready, sync end
client 3: wait server_ready, sync end
"
        ),
        LOOK
    ));
}

#[test]
fn as_a_picture() {
    insta::assert_binary_snapshot!("planned.svg", svg(&planned(SEED)).into_bytes());
}

/// A run of the documentation's table in which the client went away in its tasks.
fn happened(upto: usize) -> Table {
    let lost = |sub_id| (sub_id == 2 && upto == 11).then(|| (75.3, "its device was lost".to_owned()));
    let taker = |(sub_id, role, label): (u32, &str, &str)| Taker {
        sub_id,
        role: role.into(),
        label: label.into(),
        stopped: lost(sub_id),
    };
    let takers: Vec<Taker> =
        [(0, "server", "server.1"), (1, "server", "server.2"), (2, "client", "client"), (3, "observer", "observer")]
            .map(taker)
            .into();
    let call = |member, at_s, kind, id: &str, missing: &[u32], outcome| CallMade {
        member,
        kind,
        id: id.into(),
        role: (kind == Kind::WaitAll).then(|| "server".into()),
        action: None,
        limit_s: Some(30.0),
        at_s,
        missing: missing.to_vec(),
        outcome,
    };
    let whole = upto == 11;
    let done = |after_s| Outcome::Done { after_s };
    let why = "client (job 1003) has left the group: its device was lost";
    let refused = |after_s| if whole { Outcome::Refused { after_s, why: why.into() } } else { Outcome::Open };
    let calls = [
        call(0, 3.2, Kind::Assemble, "", &[], done(0.1)),
        call(0, 3.2, Kind::Sync, "start", &[3], done(0.9)),
        call(1, 3.3, Kind::Sync, "start", &[3], done(0.8)),
        call(2, 3.1, Kind::Sync, "start", &[3], done(1.0)),
        call(3, 4.1, Kind::Sync, "start", &[], done(0.0)),
        call(2, 4.15, Kind::WaitAll, "ready", &[1], if whole { done(2.0) } else { Outcome::Open }),
        call(3, 4.12, Kind::Sync, "fin", &[2], refused(71.25)),
        call(0, 5.1, Kind::Send, "ready", &[], done(0.0)),
        call(0, 5.2, Kind::Sync, "fin", &[2], refused(70.2)),
        call(1, 6.15, Kind::Send, "ready", &[], done(0.0)),
        call(1, 6.2, Kind::Sync, "fin", &[2], refused(69.2)),
    ];
    Table::happened("example", &takers, &calls[..upto], Some(&planned(SEED)))
}

#[test]
fn what_happened_stands_in_the_planned_table() {
    insta::assert_snapshot!(text(&happened(11), LOOK));
    insta::assert_binary_snapshot!("happened.svg", svg(&happened(11)).into_bytes());
}

#[test]
fn a_record_that_ends_early_shows_who_had_no_answer() {
    let mut calls = happened(8);
    calls.job = "cut off".into();
    insta::assert_snapshot!(text(&calls, Look { unicode: false, ..LOOK }));
}

#[test]
fn a_table_is_the_same_after_it_was_written_and_read() {
    for table in [planned(SEED), happened(11)] {
        let written = serde_json::to_string(&table).unwrap();
        assert_eq!(serde_json::from_str::<Table>(&written).unwrap(), table);
    }
}
