//! Monitors: results between a start and an end, however the bytes come.

use convoke_job::console_test::Monitor;
use convoke_overlay::monitor::{Seen, Watch};
use convoke_overlay::signal::Verdict;

fn zephyr() -> Monitor {
    Monitor {
        name: "zephyr".into(),
        start: "BOOTING ZEPHYR".into(),
        end: "PROJECT EXECUTION SUCCESSFUL".into(),
        pattern: r"(?P<result>(PASS|FAIL|ODD))\s-\s(?P<test_case_id>[\w /]+)\.( (?P<measurement>\S+)(?P<units>ms))?"
            .into(),
        fixup: vec![("PASS".into(), "pass".into()), ("FAIL".into(), "fail".into())],
        expected: None,
    }
}

/// What is seen, a word or two each.
fn told(seen: Vec<Seen>) -> Vec<String> {
    let line = |seen| match seen {
        Seen::Start => "start".to_owned(),
        Seen::End => "end".to_owned(),
        Seen::Odd(text) => format!("odd {text}"),
        Seen::Result { case, result, measurement, units } => {
            let result = match result {
                Verdict::Pass => "pass",
                Verdict::Fail => "fail",
                Verdict::Skip => "skip",
                Verdict::Unknown => "unknown",
            };
            format!("{case} {result} {}{}", measurement.unwrap_or_default(), units.unwrap_or_default())
        }
    };
    seen.into_iter().map(line).collect()
}

/// Feeds `text` in pieces of every length: what is seen is always the same.
#[track_caller]
fn check(monitor: &Monitor, text: &str, expected: &[&str], rest: &str) {
    for size in 1..=text.len() {
        let mut watch = Watch::new(monitor).unwrap();
        let mut seen = Vec::new();
        for piece in text.as_bytes().chunks(size) {
            seen.extend(watch.feed(piece));
        }
        seen.extend(watch.quiet());
        assert_eq!(told(seen), expected, "in pieces of {size}");
        assert_eq!(String::from_utf8_lossy(&watch.into_rest()), rest, "in pieces of {size}");
    }
}

#[test]
fn results_stand_between_start_and_end() {
    let text = "PASS - early.\r\n*** BOOTING ZEPHYR OS\r\nPASS - one.\r\nFAIL - a b/c. 12.5ms\r\n\
                PROJECT EXECUTION SUCCESSFUL\r\nPASS - late.\r\n";
    check(&zephyr(), text, &["start", "one pass ", "a_b_c fail 12.5ms", "end"], "PASS - late.\r\n");
}

#[test]
fn a_start_and_an_end_need_no_line_of_their_own() {
    check(
        &zephyr(),
        "BOOTING ZEPHYR: PASS - one. PASS - two.\nx PROJECT EXECUTION SUCCESSFUL",
        &["start", "one pass ", "two pass ", "end"],
        "",
    );
}

#[test]
fn a_kernel_record_cuts_no_result() {
    let text = "[    0.5] x\r\n[    1.234567] BOOTING ZEPHYR\r\nPASS - on[    2.345678] usb 1-1: new device\r\ne.\r\n";
    check(&zephyr(), text, &["start", "one pass "], "");
}

#[test]
fn what_is_odd_is_said_and_no_result_is_lost() {
    let text = "BOOTING ZEPHYR\nODD - one.\nPASS -   .\nPASS - two. 1,5ms\n";
    check(
        &zephyr(),
        text,
        &[
            "start",
            "odd \"ODD - one.\": `fixupdict` does not turn \"ODD\" into pass, fail, skip or unknown; it is recorded as unknown",
            "one unknown ",
            "odd \"PASS -   .\" names no case and is left out",
            "odd \"PASS - two. 1,5ms\": the measurement \"1,5\" is no number and is left out",
            "two pass ",
        ],
        "",
    );
}

#[test]
fn a_pattern_that_finds_nothing_does_not_hang() {
    let monitor = Monitor { pattern: "(?P<test_case_id>x*)(?P<result>y*)".into(), ..zephyr() };
    check(&monitor, "BOOTING ZEPHYR\nabc\nPROJECT EXECUTION SUCCESSFUL\n", &["start", "end"], "");
}

#[test]
fn a_line_without_an_end_is_bounded() {
    let mut watch = Watch::new(&zephyr()).unwrap();
    assert_eq!(watch.feed(b"BOOTING ZEPHYR\n"), [Seen::Start]);
    for _ in 0..200 {
        watch.feed(&[b'x'; 1000]);
    }
    assert!(watch.into_rest().len() < 64 * 1024);
}
