//! Console bytes in, signals out.

use std::io::Read;

use convoke_overlay::scanner::Scanner;
use convoke_overlay::signal::{DeviceRequest, Signal, Verdict};
use proptest::prelude::*;

const SUITES: [(&str, &str); 2] = [("0_a", "7_1.1.3.1"), ("1_b", "7_1.1.3.5")];

fn scanner() -> Scanner {
    Scanner::new(SUITES.iter().map(|(suite, uuid)| (suite.to_string(), uuid.to_string())).collect())
}

fn scan(text: &[u8]) -> Vec<Signal> {
    let mut scanner = scanner();
    let mut out = scanner.feed(text);
    out.extend(scanner.flush());
    out
}

fn recording() -> Vec<u8> {
    let packed = include_bytes!("../fixtures/40-printk-interleave.raw.gz");
    let mut out = Vec::new();
    flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut out).unwrap();
    out
}

fn cases(signals: &[Signal]) -> Vec<String> {
    signals
        .iter()
        .filter_map(|signal| match signal {
            Signal::TestCase { case, .. } | Signal::Pattern { case, .. } => Some(case.clone()),
            _ => None,
        })
        .collect()
}

#[test]
fn kernel_records_inside_signals_cost_no_result_at_any_chunk_size() {
    let bytes = recording();
    let wanted: Vec<String> = (1..=200).map(|n| format!("tc-{n}")).collect();
    for size in 1..=64 {
        let mut scanner = Scanner::new(vec![("0_noise".into(), "9001_1.1.3.1".into())]);
        let mut signals: Vec<Signal> = bytes.chunks(size).flat_map(|chunk| scanner.feed(chunk)).collect();
        signals.extend(scanner.flush());
        let mut found = cases(&signals);
        found.sort_by_key(|case| case[3..].parse::<u32>().unwrap());
        assert_eq!(found, wanted, "chunk size {size}");
        assert!(matches!(signals.first(), Some(Signal::StartRun { .. })));
        assert_eq!(signals.last(), Some(&Signal::RunnerExit));
    }
}

/// §8.2, §11.3: the recording as it is, with doubled carriage returns, and with a terminal's sequences between its lines.
fn recordings() -> [Vec<u8>; 3] {
    let plain = recording();
    let mut doubled = Vec::new();
    let mut coloured = Vec::new();
    for &byte in &plain {
        match byte {
            b'\n' => {
                doubled.extend(b"\r\n");
                coloured.extend(b"\n\x1b[6n\x1b[?2004h");
            }
            b'<' => {
                doubled.push(byte);
                coloured.extend(b"\x1b[1;31m<\x1b[0m");
            }
            _ => {
                doubled.push(byte);
                coloured.push(byte);
            }
        }
    }
    [plain, doubled, coloured]
}

#[test]
fn every_place_to_cut_the_recording_gives_the_same_signals() {
    for bytes in recordings() {
        let scanner = || Scanner::new(vec![("0_noise".into(), "9001_1.1.3.1".into())]);
        let mut whole = scanner();
        let mut wanted = whole.feed(&bytes);
        wanted.extend(whole.flush());
        assert_eq!(cases(&wanted).len(), 200);
        // A stretch with the first records inside signals, cut in two at every place.
        let cut_signal = bytes.windows(5).position(|window| window == b"_TES[" || window == b"NAL_[").unwrap();
        let stretch = &bytes[cut_signal.saturating_sub(1000)..cut_signal + 1000];
        let mut whole = scanner();
        let mut wanted = whole.feed(stretch);
        wanted.extend(whole.flush());
        assert!(!cases(&wanted).is_empty());
        for at in 0..stretch.len() {
            let mut cut = scanner();
            let mut found = cut.feed(&stretch[..at]);
            found.extend(cut.feed(&stretch[at..]));
            found.extend(cut.flush());
            assert!(found == wanted, "cut at {at}");
        }
    }
}

/// Text in, signals out, one line each. The same at chunk sizes 1 and whole.
#[track_caller]
fn check(text: &str, expected: &str) {
    let whole = scan(text.as_bytes());
    let mut bytewise = scanner();
    let mut single: Vec<Signal> = text.bytes().flat_map(|byte| bytewise.feed(&[byte])).collect();
    single.extend(bytewise.flush());
    assert_eq!(whole, single, "chunking changes the signals of {text:?}");
    let lines: Vec<String> = whole.iter().map(show).collect();
    assert_eq!(lines.join("\n"), expected, "of {text:?}");
}

fn show(signal: &Signal) -> String {
    match signal {
        Signal::TestCase { case, result, measurement, units } => {
            let measured = measurement.as_ref().map(|m| format!(" {m} {units:?}")).unwrap_or_default();
            format!("case {case} {result:?}{measured}")
        }
        Signal::Pattern { case, result, measurement, units } => {
            let measured = measurement.as_ref().map(|m| format!(" {m} {units:?}")).unwrap_or_default();
            format!("pattern {case} {result:?}{measured}")
        }
        Signal::StartRun { suite, .. } => format!("start {suite}"),
        Signal::EndRun { suite, .. } => format!("end {suite}"),
        Signal::Ignored { .. } => "ignored".into(),
        Signal::Warning { .. } => "warning".into(),
        Signal::Request(request) => format!("{request:?}"),
        other => format!("{other:?}"),
    }
}

const START: &str = "<LAVA_SIGNAL_STARTRUN 0_a 7_1.1.3.1>\r\n";

#[test]
fn every_signal_of_the_table_is_read() {
    check("<LAVA_TEST_RUNNER EXIT>", "RunnerExit");
    check("<LAVA_TEST_RUNNER INSTALL_FAIL>", "InstallFail");
    check("<LAVA_SIGNAL_STARTRUN 0_a 7_1.1.3.1>", "start 0_a");
    check(&format!("{START}<LAVA_SIGNAL_ENDRUN 0_a 7_1.1.3.1>"), "start 0_a\nend 0_a");
    check("<LAVA_SIGNAL_STARTTC x><LAVA_SIGNAL_ENDTC x>", "StartTestCase(\"x\")\nEndTestCase(\"x\")");
    check("<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=x RESULT=pass>", "case x Pass");
    check("[    3.9] x<LAVA_SIGNAL_TESTCASE RESULT=SKIP TEST_CASE_ID=x>y", "case x Skip");
    check(
        "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=x RESULT=fail UNITS=MB/s MEASUREMENT=12.5>",
        "case x Fail 12.5 Some(\"MB/s\")",
    );
    check("<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=x RESULT=pass UNITS=s>", "case x Pass");
    check("<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a=b RESULT=pass>", "case a=b Pass");
    check("<LAVA_SIGNAL_TESTSET START a><LAVA_SIGNAL_TESTSET STOP>", "TestSetStart(\"a\")\nTestSetStop");
    check(
        "<LAVA_SIGNAL_TESTREFERENCE r pass http://x/y>",
        "TestReference { case: \"r\", result: Pass, url: \"http://x/y\" }",
    );
    check("<LAVA_SIGNAL_TESTREFERENCE r pass>", "ignored");
    check("<LAVA_SIGNAL_TESTRAISE it is broken>", "TestRaise(\"it is broken\")");
    check("<LAVA_SIGNAL_TESTFEEDBACK ns>", "TestFeedback(\"ns\")");
    check("<LAVA_SIGNAL_TESTEVENT some thing>", "TestEvent(\"some thing\")");
    check("; printf \"<LAVA_SIGNAL_RETRUNCODE $?>\\n\"\r\n<LAVA_SIGNAL_RETRUNCODE 7>", "ReturnCode(7)");
    check("<LAVA_SIGNAL_NOVELTY x>", "ignored");
    check("<LAVA_SIGNAL_TESTCASE>", "ignored");
}

#[test]
fn the_runner_is_believed_only_about_suites_of_the_stage() {
    check("<LAVA_TEST_RUNNER>: 0_a exited with: 3\r\n", "SuiteExited { suite: \"0_a\", status: 3 }");
    check("<LAVA_TEST_RUNNER>: 9_z exited with: 3\r\n", "ignored");
    check("<LAVA_TEST_RUNNER>: 0_a exited with: three\r\n", "ignored");
    check(
        "<LAVA_TEST_RUNNER>: 1_b dependencies failed with: 100\r\n",
        "DependenciesFailed { suite: \"1_b\", status: 100 }",
    );
}

#[test]
fn a_result_with_foreign_words_is_kept_with_a_warning() {
    check("<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=x RESULT=pass usb 1-1:>", "warning\ncase x Pass");
    check("<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=x\r\nusb 1-1: new\r\nRESULT=pass>", "warning\ncase x Pass");
    check("<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=x RESULT=pass MEASUREMENT=fast>", "warning\ncase x Pass");
    check("<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=x RES>\n", "ignored");
    check("<LAVA_SIGNAL_TESTCASE RESULT=pass>", "ignored");
}

/// D20: old helpers let blanks, `>` and odd results through.
#[test]
fn odd_names_and_results_of_old_helpers_are_not_lost() {
    check("<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=name with space RESULT=pass>", "warning\ncase name_with_space Pass");
    check(
        "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=x RESULT=pass UNITS=M B MEASUREMENT=3>",
        "warning\ncase x Pass 3 Some(\"M_B\")",
    );
    check("<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=x RESULT=maybe>", "warning\ncase x Unknown");
    check("<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=gt>sign RESULT=pass>\r\n", "warning\ncase gt_sign Pass");
    check("<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=gt>\r\nnext line RESULT=pass>\r\n", "ignored");
}

/// D14, §8.5.
#[test]
fn stray_text_renames_and_ends_no_suite() {
    let script = "<LAVA_SIGNAL_STARTRUN $TESTRUN_ID $UUID>\r\n<LAVA_SIGNAL_ENDRUN $TESTRUN_ID $UUID>\r\n";
    check(&format!("{START}{script}"), "start 0_a\nignored\nignored");
    check(&format!("{START}printf '<LAVA_SIGNAL_ENDRUN %s %s>\\n'\r\n"), "start 0_a\nignored");
    // Another job's log, and this suite's own start shown again.
    check(&format!("{START}<LAVA_SIGNAL_STARTRUN 0_a 6_1.1.3.1>"), "start 0_a\nignored");
    check(&format!("{START}{START}"), "start 0_a\nignored");
    check(&format!("{START}<LAVA_SIGNAL_ENDRUN 1_b 7_1.1.3.5>"), "start 0_a\nignored");
    check("<LAVA_SIGNAL_STARTRUN 1_b 7_1.1.3.5><LAVA_SIGNAL_STARTRUN 0_a 7_1.1.3.1>", "start 1_b\nignored");
}

/// D15: what the dispatcher needs to close a suite whose step failed.
#[test]
fn a_suite_may_start_while_another_is_open() {
    check(
        &format!("{START}<LAVA_SIGNAL_STARTRUN 1_b 7_1.1.3.5><LAVA_SIGNAL_ENDRUN 1_b 7_1.1.3.5>"),
        "start 0_a\nstart 1_b\nend 1_b",
    );
}

#[test]
fn a_damaged_endrun_ends_the_open_suite() {
    check(&format!("{START}<LAVA_SIGNAL_ENDRUN 0_ 7_1.1.3.1>"), "start 0_a\nwarning\nend 0_a");
    check(&format!("{START}<LAVA_SIGNAL_ENDRUN 0_a 7_1.1>"), "start 0_a\nwarning\nend 0_a");
    check("<LAVA_SIGNAL_ENDRUN 0_a 7_1.1.3.1>", "warning\nend 0_a");
}

#[track_caller]
fn check_send(args: &str, id: &str, pairs: &[(&str, &str)]) {
    let signals = scan(format!("<LAVA_MULTI_NODE> <LAVA_SEND {args}>\r\n").as_bytes());
    let data = pairs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
    let wanted = Signal::Request(DeviceRequest::Send { message_id: id.into(), data });
    assert_eq!(signals.last(), Some(&wanted), "of {args:?}");
}

/// D1, D2, D3, D4, D7.
#[test]
fn a_send_is_cut_at_keys() {
    check_send("plain", "plain", &[]);
    check_send("plain ", "plain", &[]);
    check_send("server-ready free-space=5G", "server-ready", &[("free-space", "5G")]);
    check_send("m a=1 free-space=5G b=2", "m", &[("a", "1"), ("free-space", "5G"), ("b", "2")]);
    check_send("m e=a=b", "m", &[("e", "a=b")]);
    check_send("m k=x  y w=at 12:30", "m", &[("k", "x  y"), ("w", "at 12:30")]);
    check_send("m k= l=*", "m", &[("k", ""), ("l", "*")]);
    check_send("m k=c:\\new\\tab", "m", &[("k", "c:\\new\\tab")]);
    check_send("m a=1 a=2", "m", &[("a", "2")]);
    check_send("m loose a=1", "m", &[("a", "1")]);
    check_send("m a=x -b=2 .c=3", "m", &[("a", "x -b=2 .c=3")]);
    check_send("m a=<LAVA_SIGNAL_TESTRAISE x", "m", &[("a", "<LAVA_SIGNAL_TESTRAISE x")]);
    check_send("m k=größe ö=1", "m", &[("k", "größe ö=1")]);
}

#[test]
fn waits_and_syncs_are_read() {
    check("<LAVA_MULTI_NODE> <LAVA_WAIT go>", "Wait { message_id: \"go\", quiet: false }");
    check("<LAVA_MULTI_NODE> <LAVA_WAIT_ALL go>", "WaitAll { message_id: \"go\", role: None, quiet: false }");
    check(
        "<LAVA_MULTI_NODE> <LAVA_WAIT_ALL go big server>",
        "WaitAll { message_id: \"go\", role: Some(\"big server\"), quiet: false }",
    );
    check("<LAVA_MULTI_NODE> <LAVA_SYNC go>", "Sync { message_id: \"go\", quiet: false }");
    check("<LAVA_MULTI_NODE> <LAVA_JUMP go>", "ignored");
    check("<LAVA_MULTI_NODE> <LAVA_WAIT >", "ignored");
    check("<LAVA_MULTI_NODE> <LAVA_WA\r\nIT go>", "ignored");
}

#[test]
fn a_damaged_message_id_is_never_guessed() {
    let signals = scan(b"<LAVA_MULTI_NODE> <LAVA_WAIT g\xffo>");
    assert!(matches!(&signals[..], [Signal::Ignored { .. }]), "{signals:?}");
}

#[test]
fn the_quiet_word_counts_for_the_very_next_request() {
    let quiet = "<LAVA_QUIET WAIT go>\r\n";
    let wait = "<LAVA_MULTI_NODE> <LAVA_WAIT go>\r\n";
    let loud = "Wait { message_id: \"go\", quiet: false }";
    check(&format!("{quiet}{wait}"), "Wait { message_id: \"go\", quiet: true }");
    check(&format!("{quiet}{wait}{wait}"), &format!("Wait {{ message_id: \"go\", quiet: true }}\n{loud}"));
    check(&format!("<LAVA_QUIET SYNC go>\r\n{wait}"), loud);
    check(&format!("<LAVA_QUIET WAIT gone>\r\n{wait}"), loud);
    let send = "<LAVA_MULTI_NODE> <LAVA_SEND x>\r\n";
    check(&format!("{quiet}{send}{wait}"), &format!("Send {{ message_id: \"x\", data: [] }}\n{loud}"));
}

#[test]
fn a_helper_that_was_ended_takes_its_request_back() {
    check("<LAVA_GAVE_UP WAIT go>", "GaveUp { kind: Wait, message_id: \"go\" }");
    check("+ x\r\n<LAVA_GAVE_UP WAIT_ALL go>\r\n", "GaveUp { kind: WaitAll, message_id: \"go\" }");
    check("<LAVA_GAVE_UP SEND go>", "ignored");
    check("<LAVA_GAVE_UP WAIT>", "ignored");
}

/// D11.
#[test]
fn a_signal_has_no_window_but_a_bound() {
    let value = "x".repeat(60_000);
    check_send(&format!("m k={value}"), "m", &[("k", &value)]);
    let endless = format!("<LAVA_SIGNAL_TESTEVENT {}", "x".repeat(70_000));
    check(&format!("{endless}\r\n<LAVA_SIGNAL_TESTEVENT y>"), "ignored\nTestEvent(\"y\")");
}

#[test]
fn a_signal_inside_another_proves_the_first_damaged() {
    check("<LAVA_SIGNAL_TESTC<LAVA_SIGNAL_TESTEVENT y>", "ignored\nTestEvent(\"y\")");
    check("<LAVA_SIGNAL_TESTC\r\n<LAVA_TEST_RUNNER EXIT>", "ignored\nRunnerExit");
    check("<LAVA_SIGNAL_TESTC<LAVA_MULTI_NODE> <LAVA_WAIT go>", "ignored\nWait { message_id: \"go\", quiet: false }");
    check("<<LAVA_<LAVA_SIGNAL_TESTEVENT y>", "TestEvent(\"y\")");
}

#[test]
fn an_unfinished_signal_can_be_given_up() {
    let mut scanner = scanner();
    assert_eq!(scanner.feed(b"<LAVA_SIGNAL_TESTEV"), []);
    assert!(scanner.unfinished());
    assert!(matches!(&scanner.give_up()[..], [Signal::Ignored { .. }]));
    assert!(!scanner.unfinished());
}

#[test]
fn terminal_sequences_and_line_ends_are_no_part_of_a_signal() {
    check("<LAVA_SIGNAL_TEST\u{1b}[6nEVENT \u{1b}[1;31mx\u{1b}[0m>", "TestEvent(\"x\")");
    check("\u{1b}]0;title\u{7}<LAVA_SIGNAL_TESTEVENT\u{1b}]0;t\u{1b}\\ x>", "TestEvent(\"x\")");
    check("\u{1b}<LAVA_SIGNAL_TESTEVENT x>\u{1b}(B", "TestEvent(\"x\")");
    check("\u{1b}]never ended\r\n<LAVA_SIGNAL_TESTEVENT x>", "TestEvent(\"x\")");
    check("<LAVA_TEST_RUNNER>: 0_a exited with: 0\r\r\n", "SuiteExited { suite: \"0_a\", status: 0 }");
}

#[test]
fn the_echo_of_what_was_typed_is_not_obeyed() {
    let reply = "<LAVA_WAIT_COMPLETE 9101:x=<LAVA_SIGNAL_TESTRAISE boo>";
    for (text, expected) in [
        (format!("{reply}\r\n"), ""),
        (format!("{reply}\r\n# {reply}\r\n<LAVA_SIGNAL_TESTEVENT y>"), "TestEvent(\"y\")"),
        // Not what was typed: one byte differs.
        (reply.replace('9', "8"), "TestRaise(\"boo\")"),
        ("<LAVA_WAIT_COMPLETE 9101:x=<LAVA_SIGNAL_TESTEVENT y>".to_string(), "TestEvent(\"y\")"),
    ] {
        for size in [1, 7, 1000] {
            let mut scanner = scanner();
            scanner.typed(reply.as_bytes());
            scanner.typed(b"\n");
            let mut signals: Vec<Signal> = text.as_bytes().chunks(size).flat_map(|chunk| scanner.feed(chunk)).collect();
            signals.extend(scanner.flush());
            assert_eq!(signals.iter().map(show).collect::<Vec<_>>().join("\n"), expected, "of {text:?}");
        }
    }
}

#[test]
fn patterns_run_between_startrun_and_endrun() {
    let mut scanner = scanner();
    let parse = convoke_overlay::definition::ParsePattern {
        pattern: r"^(?P<test_case_id>\S+)\s+(?P<result>\w+)(?: (?P<measurement>\S+)(?P<units>ms))?$".into(),
        fixup: vec![("OK".into(), "pass".into())],
    };
    scanner.add_pattern("0_a", &parse).unwrap();
    let text = "before OK\r\n<LAVA_SIGNAL_STARTRUN 0_a 7_1.1.3.1>\r\nnet/ping OK 12ms\r\n[    1.000000] kern OK\r\n\
                half FA[    1.000000] usb 1-1\r\nIL\r\nodd odd\r\n100%\rlast OK\r\n\
                <LAVA_SIGNAL_ENDRUN 0_a 7_1.1.3.1>\r\nafter OK\r\n";
    let signals = scanner.feed(text.as_bytes());
    insta::assert_snapshot!(signals.iter().map(show).collect::<Vec<_>>().join("\n"), @r#"
    start 0_a
    pattern net_ping Pass 12 Some("ms")
    pattern half Fail
    warning
    pattern odd Unknown
    pattern last Pass
    end 0_a
    "#);
}

/// A step that echoes a result is traced by its shell, with quotes or (dash) without.
#[test]
fn a_result_in_a_trace_counts_once() {
    let mut scanner = scanner();
    let parse = convoke_overlay::definition::ParsePattern {
        pattern: r"(?P<test_case_id>\w+)=(?P<result>pass|fail|odd)".into(),
        fixup: vec![],
    };
    scanner.add_pattern("0_a", &parse).unwrap();
    let text = "+ echo a=pass b=fail\r\na=pass b=fail\r\n++ echo c=odd\r\nc=odd\r\n+ lone=pass\r\na=pass\r\n";
    let mut signals = scanner.feed(format!("{START}{text}").as_bytes());
    signals.extend(scanner.flush());
    signals.extend(scanner.feed(b"<LAVA_SIGNAL_ENDRUN 0_a 7_1.1.3.1>"));
    insta::assert_snapshot!(signals.iter().map(show).collect::<Vec<_>>().join("\n"), @r"
    start 0_a
    pattern a Pass
    pattern b Fail
    warning
    pattern c Unknown
    pattern a Pass
    pattern lone Pass
    end 0_a
    ");
}

#[test]
fn a_pattern_finds_the_same_however_much_text_comes_at_once() {
    let lines: String = (0..10_000).map(|n| format!("case-{n} pass {n}{n}\r\n")).collect();
    let text = format!("{START}{lines}<LAVA_SIGNAL_ENDRUN 0_a 7_1.1.3.1>");
    let parse = convoke_overlay::definition::ParsePattern {
        pattern: r"(?P<test_case_id>\S+) (?P<result>pass) (?P<measurement>\d+)".into(),
        fixup: vec![],
    };
    for size in [777, 4096, 70_000, text.len()] {
        let mut scanner = scanner();
        scanner.add_pattern("0_a", &parse).unwrap();
        let signals: Vec<Signal> = text.as_bytes().chunks(size).flat_map(|chunk| scanner.feed(chunk)).collect();
        let whole = |(n, signal): (usize, &Signal)| match signal {
            Signal::Pattern { case, measurement: Some(m), .. } => {
                *case == format!("case-{n}") && *m == format!("{n}{n}")
            }
            _ => false,
        };
        assert_eq!(signals.len(), 10_002);
        assert!(signals[1..10_001].iter().enumerate().all(whole), "chunk size {size}");
    }
}

#[test]
fn a_flood_without_a_line_end_needs_linear_work() {
    // Every stage is driven into its worst case: false time stamps, false signals, false sequences, a pattern.
    let mut scanner = scanner();
    let parse = convoke_overlay::definition::ParsePattern {
        pattern: r"(?P<test_case_id>case-\d+) (?P<result>pass|fail)".into(),
        fixup: vec![],
    };
    scanner.add_pattern("0_a", &parse).unwrap();
    scanner.feed(START.as_bytes());
    scanner.typed(b"<LAVA_WAIT_COMPLETE nack>\n");
    for unit in [
        "x",
        "[    1.234567] ",
        "[1.123456",
        "<LAVA_SIGNAL_",
        "<LAVA_WAIT_COMPLETE nac",
        "\u{1b}[",
        "\u{1b}]",
        "<",
        "[",
    ] {
        let chunk = unit.repeat(64 * 1024 / unit.len());
        // The plain flood is the long one; the others show that no input is worse than it by more than a factor.
        for _ in 0..if unit == "x" { 320 } else { 8 } {
            scanner.feed(chunk.as_bytes());
        }
    }
    scanner.give_up();
    let signals = scanner.feed(b"\r\n<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=x RESULT=pass>\r\n<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=y RESULT=pass>\r\n");
    assert!(cases(&signals).contains(&"y".to_string()), "{signals:?}");
}

const RECORD: &str = "[    3.431496] usb 1-1: new high-speed USB device number 7 using xhci\r\n";

/// §11.3: a kernel record, or several, at every position of every kind of signal.
#[test]
fn a_kernel_record_may_stand_anywhere_in_a_signal() {
    let signals = [
        "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=tc[1.5] RESULT=pass UNITS=s MEASUREMENT=1.5>\r\n",
        "<LAVA_SIGNAL_STARTRUN 0_a 7_1.1.3.1>\r\r\n",
        "<LAVA_MULTI_NODE> <LAVA_SEND m a=1 free-space=5G>\r\n",
        "<LAVA_TEST_RUNNER>: 0_a exited with: 0\r\n",
        "<LAVA_TEST_RUNNER EXIT>\r\n",
        "<LAVA_SIGNAL_TEST\u{1b}[0mEVENT x>\r\n",
    ];
    for signal in signals {
        let wanted = scan(signal.as_bytes());
        assert_eq!(wanted.len(), 1);
        for at in 0..=signal.len() {
            for count in 1..=2 {
                let text = format!("{}{}{}", &signal[..at], RECORD.repeat(count), &signal[at..]);
                assert_eq!(scan(text.as_bytes()), wanted, "record at {at} of {signal:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn chunks_change_nothing(pieces in proptest::collection::vec(piece(), 0..12), cuts in proptest::collection::vec(1usize..40, 1..20)) {
        let bytes: Vec<u8> = pieces.concat();
        let scanner = || {
            let mut scanner = scanner();
            let parse = convoke_overlay::definition::ParsePattern {
                pattern: r"(?P<test_case_id>[a-z]+)(?P<result>[=.-])".into(),
                fixup: vec![("=".into(), "pass".into())],
            };
            scanner.add_pattern("0_a", &parse).unwrap();
            scanner.typed(b"<LAVA_WAIT_COMPLETE 1:a=<LAVA_SIGNAL_TESTEVENT x>\n");
            scanner
        };
        let mut whole = scanner();
        let mut wanted = whole.feed(&bytes);
        wanted.extend(whole.give_up());
        let mut cut = scanner();
        let mut found = Vec::new();
        let mut rest = &bytes[..];
        for size in cuts.iter().cycle() {
            let (chunk, after) = rest.split_at(rest.len().min(*size));
            if chunk.is_empty() {
                break;
            }
            found.extend(cut.feed(chunk));
            rest = after;
        }
        found.extend(cut.give_up());
        prop_assert_eq!(found, wanted);
    }

    #[test]
    fn the_recording_is_cut_anywhere(cuts in proptest::collection::vec(1usize..5000, 1..200)) {
        let bytes = recording();
        let mut scanner = Scanner::new(vec![("0_noise".into(), "9001_1.1.3.1".into())]);
        let mut signals = Vec::new();
        let mut rest = &bytes[..];
        for size in cuts.iter().cycle() {
            let (chunk, after) = rest.split_at(rest.len().min(*size));
            if chunk.is_empty() {
                break;
            }
            signals.extend(scanner.feed(chunk));
            rest = after;
        }
        signals.extend(scanner.flush());
        prop_assert_eq!(cases(&signals).len(), 200);
        prop_assert_eq!(signals.last(), Some(&Signal::RunnerExit));
    }

    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let mut scanner = scanner();
        scanner.feed(&bytes);
        scanner.give_up();
        scanner.feed(b"\n");
        let signals = scanner.feed(b"<LAVA_SIGNAL_TESTEVENT x>");
        prop_assert!(signals.contains(&Signal::TestEvent("x".into())));
    }

    #[test]
    fn pairs_come_back(values in proptest::collection::vec(("[a-z0-9_][a-z0-9_.-]{0,6}", "[^<>=\\s\\p{C}\\[]{0,8}( [^<>=\\s\\p{C}\\[]{1,8}){0,3}"), 0..5)) {
        let mut data: Vec<(String, String)> = Vec::new();
        for (key, value) in values {
            if !data.iter().any(|(other, _)| *other == key) {
                data.push((key, value));
            }
        }
        let text: String = data.iter().map(|(key, value)| format!(" {key}={value}")).collect();
        let signals = scan(format!("<LAVA_MULTI_NODE> <LAVA_SEND m{text}>\n").as_bytes());
        prop_assert_eq!(signals, vec![Signal::Request(DeviceRequest::Send { message_id: "m".into(), data })]);
    }
}

fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(RECORD.as_bytes().to_vec()),
        Just(b"[    3.431496".to_vec()),
        Just(b"<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=x RESULT=pass>\r\n".to_vec()),
        Just(b"<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=x".to_vec()),
        Just(b"<LAVA_MULTI_NODE> <LAVA_SEND m a=1 b=2>\r\n".to_vec()),
        Just(b"<LAVA_SIGNAL_STARTRUN 0_a 7_1.1.3.1>\r\n".to_vec()),
        Just(b"<LAVA_TEST_RUNNER>: 0_a exited with: 1\r\n".to_vec()),
        Just(b"\x1b[6n\r".to_vec()),
        Just(b"<LAVA_".to_vec()),
        Just(b"<LAVA_WAIT_COMPLETE 1:a=<LAVA_SIGNAL_TESTEVENT x>\r\n".to_vec()),
        Just(b"<LAVA_WAIT_COMPLETE 1:a=".to_vec()),
        Just(b"+ echo abc= d- e.\r\nabc= d- e.\r\n".to_vec()),
        "[ -~\\n]{0,30}".prop_map(String::into_bytes),
        proptest::collection::vec(any::<u8>(), 0..20),
    ]
}

#[test]
fn verdicts_are_the_four_of_the_field() {
    let all = [Verdict::Pass, Verdict::Fail, Verdict::Skip, Verdict::Unknown];
    for (word, verdict) in ["pass", "fail", "skip", "unknown"].into_iter().zip(all) {
        let signals = scan(format!("<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=x RESULT={word}>").as_bytes());
        assert!(matches!(&signals[..], [Signal::TestCase { result, .. }] if *result == verdict));
    }
}
