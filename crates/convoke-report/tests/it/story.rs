//! The story answers: what happened when, who waited for whom, which send reached which wait.

use convoke_journal::{Body, Health, LogLevel, Stage};
use convoke_report::Teller;
use convoke_report::story::{Call, Story};

use crate::small::{self, FIRST, Journal, SECOND, SERVER};

const MS: u64 = 1_000_000;

#[track_caller]
fn call(story: &Story, call_id: u64) -> &Call {
    story.calls.iter().find(|call| call.call_id == call_id).unwrap()
}

#[test]
fn a_call_says_when_for_whom_how_long_and_how_it_ended() {
    let story = Story::of(&small::events());
    let sync = call(&story, 1);
    assert_eq!((sync.member, sync.command().as_str(), sync.made_ns), (FIRST, "lava-sync up", 600 * MS));
    let waited: Vec<_> = sync.waited_for.iter().map(|part| (part.since_ns, &part.members[..])).collect();
    assert_eq!(waited, [(600 * MS, &[SERVER, SECOND][..]), (700 * MS, &[SERVER])]);
    assert_eq!(sync.took_ns(story.end_ns), 401 * MS);
    assert!(sync.end.as_ref().unwrap().ok);
    let lost = call(&story, 7);
    let end = lost.end.as_ref().unwrap();
    assert!(!end.ok && end.reason.as_deref().unwrap().contains("server left"));
    assert_eq!(lost.last_missing(), [SERVER, SECOND]);
    // What was there already is not waited for.
    assert!(call(&story, 6).waited_for.is_empty());
}

#[test]
fn a_message_goes_from_its_send_to_the_waits_that_took_it() {
    let story = Story::of(&small::events());
    let place = |call_id| story.calls.iter().position(|call| call.call_id == call_id).unwrap();
    let found: Vec<_> = story.messages.iter().map(|message| (message.send, message.wait, message.ended_it)).collect();
    assert_eq!(found, [(Some(place(5)), place(4), true), (Some(place(5)), place(6), false)]);
}

#[test]
fn of_two_sends_the_one_with_the_content_that_was_taken_counts() {
    let mut journal = Journal::new(&["a", "b"]);
    let send = |journal: &mut Journal, ms, call_id, value: &str| {
        journal.made(ms, 0, call_id, "send", "x");
        if let Body::CallMade { data, .. } = &mut journal.0.last_mut().unwrap().body {
            data[0].1 = value.to_owned();
        }
        journal.answered(ms + 1, 0, call_id, &[]);
    };
    send(&mut journal, 10, 1, "5201");
    journal.made(20, 1, 2, "wait", "x");
    // Recorded before the wait's answer, but the wait had been answered with the first.
    send(&mut journal, 21, 3, "6000");
    journal.answered(22, 1, 2, &[0]);
    let story = Story::of(&journal.0);
    assert_eq!(story.messages[0].send.map(|send| story.calls[send].call_id), Some(1));
}

#[test]
fn a_sender_whose_journal_is_elsewhere_is_named() {
    let mut journal = Journal::new(&["a"]);
    journal.made(10, 0, 1, "wait", "x");
    journal.answered(20, 0, 1, &[41]);
    let story = Story::of(&journal.0);
    assert_eq!((story.messages[0].send, story.messages[0].sender.as_str()), (None, "1042"));
}

#[test]
fn a_sync_that_is_tried_again_is_in_the_round_of_its_first_try() {
    let mut journal = Journal::new(&["a", "b"]);
    journal.made(10, 0, 1, "sync", "x");
    journal.refused(20, 0, 1, "timed out");
    journal.made(30, 0, 2, "sync", "x");
    journal.made(40, 1, 3, "sync", "x");
    journal.answered(41, 0, 2, &[]);
    journal.answered(42, 1, 3, &[]);
    for (member, call) in [(1, 4), (0, 5)] {
        journal.made(50 + u64::from(member), member, call, "sync", "x");
    }
    let story = Story::of(&journal.0);
    let rounds: Vec<Vec<u64>> = story
        .barriers
        .iter()
        .map(|barrier| barrier.calls.iter().map(|call| story.calls[*call].call_id).collect())
        .collect();
    assert_eq!(rounds, [vec![1, 2, 3], vec![4, 5]]);
    let first = &story.barriers[0];
    assert_eq!(
        (first.complete_ns, first.released_ns, first.last_released_ns),
        (Some(40 * MS), Some(41 * MS), Some(42 * MS))
    );
    assert_eq!((story.barriers[1].complete_ns, story.barriers[1].released_ns), (None, None));
}

#[test]
fn the_flow_puts_a_call_below_what_it_depended_on() {
    let story = Story::of(&small::events());
    let flow = story.flow();
    let said: Vec<Vec<String>> = flow
        .rows
        .iter()
        .map(|row| {
            let cell = |calls: &Vec<usize>| {
                calls.iter().map(|call| story.calls[*call].command()).collect::<Vec<_>>().join(" ")
            };
            row.iter().map(cell).collect()
        })
        .collect();
    assert_eq!(
        said,
        [
            ["lava-sync up", "lava-sync up", "lava-sync up"],
            ["lava-send ready", "", ""],
            ["", "lava-wait ready", "lava-wait ready"],
            ["", "lava-sync end", ""],
        ]
    );
}

#[test]
fn lanes_have_stages_actions_suites_and_results() {
    let story = Story::of(&small::events());
    let lane = &story.lanes[FIRST as usize];
    let stages: Vec<_> =
        lane.stages.iter().map(|span| (span.stage.clone(), span.from_ns / MS, span.to_ns / MS)).collect();
    assert_eq!(stages, [(Stage::Deploy, 11, 100), (Stage::Boot, 100, 500), (Stage::Test(0), 500, 3100)]);
    assert_eq!((lane.actions[0].name.as_str(), lane.actions[0].ended), ("deploy-sandbox", true));
    // The suite was cut off by the member's end.
    assert_eq!((lane.suites[0].to_ns, lane.suites[0].ended), (3100 * MS, false));
    let case = lane.cases.iter().find(|case| case.record.definition != "lava").unwrap();
    assert_eq!((case.from_ns, case.at_ns), (Some(2300 * MS), 2400 * MS));
    let line = story.log.lines().into_iter().find(|line| line.number == case.line).unwrap();
    assert_eq!(line.text, "0_tests <i>fetch</i>: fail 12.5 MB/s");
}

#[test]
fn the_first_failure_is_told_from_its_consequences() {
    let story = Story::of(&small::events());
    let first = story.first_failure.unwrap();
    assert_eq!(first.member, SERVER);
    assert_eq!(first.consequences.iter().map(|(member, _)| *member).collect::<Vec<_>>(), [FIRST]);
}

#[test]
fn a_run_that_was_cut_off_ends_with_its_journal() {
    let mut events = small::events();
    events
        .truncate(events.iter().position(|event| matches!(event.body, Body::Waiting { call_id: 7, .. })).unwrap() + 1);
    let story = Story::of(&events);
    assert_eq!(story.run.health(), None::<Health>);
    let open = call(&story, 7);
    assert_eq!((open.end.as_ref(), open.took_ns(story.end_ns)), (None, 0));
    assert!(story.lanes.iter().all(|lane| lane.stages.last().unwrap().to_ns == story.end_ns));
}

#[test]
fn a_text_of_several_lines_has_a_row_for_each() {
    let mut journal = Journal::new(&["one"]);
    let text = "who is missing:\n  database, in its boot\n".to_owned();
    journal.member(1, 0, Body::Log { level: LogLevel::Info, text });
    let story = Story::of(&journal.0);
    let texts: Vec<String> = story.log.lines().iter().map(|line| line.text.clone()).collect();
    assert_eq!(texts[texts.len() - 2..], ["who is missing:", "  database, in its boot"]);
}

#[test]
fn of_a_flood_the_middle_of_the_console_is_left_out_and_it_says_so() {
    let mut journal = Journal::new(&["loud", "quiet"]);
    for line in 0..5000 {
        // A short one would still fit where a long one did not.
        let text = format!("flood {line:05} {}\n", "x".repeat(if line % 10 == 9 { 1 } else { 300 }));
        journal.member(line, 0, Body::Console { text: Some(text), base64: None, connection: None });
        if line % 100 == 0 {
            journal.member(
                line,
                1,
                Body::Console { text: Some(format!("quiet {line}\n")), base64: None, connection: None },
            );
        }
    }
    let mut teller = Teller::with_log_limit(50_000);
    journal.0.iter().for_each(|event| teller.event(event));
    let story = teller.end();
    let lines = story.log.lines();
    let text: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
    assert!(text.iter().any(|line| line.starts_with("flood 00000")), "the beginning is kept");
    assert!(text.iter().any(|line| line.starts_with("flood 04999")), "the end is kept");
    assert_eq!(text.iter().filter(|line| line.starts_with("quiet")).count(), 50, "the others are kept");
    let gap = lines.iter().position(|line| line.level == "gap").unwrap();
    let kept = text.iter().filter(|line| line.starts_with("flood")).count();
    assert_eq!(
        text[gap],
        format!("{} lines of this console are left out here; its log.yaml has them all", 5000 - kept)
    );
    let number = |line: &str| line[6..11].parse::<usize>().unwrap();
    let before = text[..gap].iter().rev().find(|line| line.starts_with("flood")).unwrap();
    let after = text[gap..].iter().find(|line| line.starts_with("flood")).unwrap();
    assert_eq!(number(after) - number(before) - 1, 5000 - kept, "the gap is where it says");
}

#[test]
fn a_line_without_end_is_cut() {
    let mut journal = Journal::new(&["loud"]);
    journal.member(
        1,
        0,
        Body::Console { text: Some(format!("{}\n", "é".repeat(50_000))), base64: None, connection: None },
    );
    let story = Story::of(&journal.0);
    let lines = story.log.lines();
    let line = lines.iter().find(|line| line.level == "target").unwrap();
    assert!(line.text.len() < 4100 && line.text.ends_with("(line cut, 100000 bytes in all)"), "{}", line.text.len());
}
