//! The flow table as people see it.

use convoke_flow::judge;
use convoke_flow::table::{CallMade, End, Kind, Look, Outcome, Table, Taker, svg, text};

use crate::one;
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

/// What the first member of a script runs by itself, row by row.
fn runs(script: &str) -> Vec<String> {
    let flow = one::flow(script);
    let table = Table::judged("example", &flow, &judge(&flow));
    let own = table.cells.iter().filter(|cell| cell.kind == Kind::Runs && cell.column == 0);
    own.map(|cell| cell.text.clone()).collect()
}

#[test]
fn what_members_run_by_themselves_stands_before_their_next_call() {
    for (script, shown) in [
        ("iperf3 --server --daemon\napt-get install -y x\nlava-sync a", &["iperf3 --server --daemon, 1 more"][..]),
        ("lava-test-case up --shell \"iperf3  -c host\"\nlava-sync a", &["iperf3 -c host"]),
        ("cat >t.sh <<'E'\nmake all\nmake check\nE\nsh t.sh\nlava-sync a", &["sh t.sh"]),
        ("cat >t.sh <<'E'\nmake all\nlava-sync a\nmake check\nE\nsh t.sh\nlava-sync b", &["make all", "make check"]),
        ("if grep -q x /proc/cpuinfo; then make; fi\nlava-sync a", &["make"]),
        ("for i in 1 2 3; do ping -c 1 host; done\nlava-sync a", &["ping -c 1 host"]),
        ("make with-a-target-whose-name-is-far-too-long\nlava-sync a", &["make with-a-target-whose-name-is…"]),
        ("lava-test-case up --shell \"iperf3 -c host > out\"\nlava-sync a", &["iperf3 -c host > out"]),
        ("iperf3 -c host | tee out | grep sender\nlava-sync a", &["iperf3 -c host"]),
        // A text for the script, the shell's own, and what comes after the last call.
        ("A=$(df -h /)\necho $A\nsleep 1\n[ -n \"$A\" ]\nlava-sync a\nmake", &[]),
    ] {
        assert_eq!(runs(script), shown, "{script}");
    }
    // A member that calls often has no rows for that.
    let often = |calls: usize| format!("for i in $(seq {calls}); do make; lava-send done-$i; done");
    assert_eq!((runs(&often(12)).len(), runs(&often(13)).len()), (12, 0));
}

#[test]
fn what_was_run_before_a_call_that_came_is_done() {
    let flow = one::flow("make\nlava-sync a\nmake check\nlava-sync b");
    let plan = Table::judged("example", &flow, &judge(&flow));
    let taker = Taker { sub_id: 0, role: "server".into(), label: "server".into(), stopped: None };
    let call = CallMade {
        member: 0,
        kind: Kind::Sync,
        id: "a".into(),
        role: None,
        action: None,
        limit_s: None,
        at_s: 1.0,
        missing: Vec::new(),
        outcome: Outcome::Done { after_s: 0.1 },
    };
    let table = Table::happened("example", &[taker], &[call], Some(&plan));
    let cells: Vec<(&str, End)> = table.cells.iter().map(|cell| (cell.text.as_str(), cell.end)).collect();
    let wanted = [
        ("deploy & boot", End::Done),
        ("make", End::Done),
        ("lava-sync a", End::Done),
        ("lava-sync b", End::NotReached),
    ];
    assert_eq!(cells, wanted);
}
