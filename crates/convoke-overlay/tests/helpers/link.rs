//! The checked link (device-side.md §8.4) under every shell: what goes through it, how many may use it at once, and what
//! happens when the other side does not know it.

use convoke_overlay::link::Reply;
use convoke_overlay::scanner::Scanner;
use convoke_overlay::signal::{DeviceRequest, Signal};

use crate::console::Console;
use crate::device::{Device, Shell, each_shell};
use crate::dispatcher::Dispatcher;

/// A device whose dispatcher has offered the link.
pub(crate) fn linked(shell: Shell) -> Device {
    Device::new(shell).set("LAVA_LINK", "2").set("LAVA_LINK_NONCE", "1a2b").set("LAVA_LINK_TICK", "3")
}

/// Starts the runner with these steps between the lines that a run.sh has around them.
pub(crate) fn start(device: &Device, steps: &str) -> Console {
    device.start(&format!(
        "echo '<LAVA_SIGNAL_STARTRUN 0_suite 7_1.1.3.1>'\n{steps}echo '<LAVA_SIGNAL_ENDRUN 0_suite 7_1.1.3.1>'\n\
         [ -z \"${{LAVA_SIGNALS-}}\" ] || : >\"$LAVA_SIGNALS.ended\"\n"
    ))
}

fn nothing() -> Option<Reply> {
    Some(Reply::Ok(Vec::new()))
}

fn data(pairs: &[(&str, &str, &str)]) -> Reply {
    let pair = |(member, key, value): &(&str, &str, &str)| ((*member).into(), (*key).into(), (*value).into());
    Reply::Ok(pairs.iter().map(pair).collect())
}

#[test]
fn every_call_goes_through() {
    each_shell(|shell| {
        let device = linked(shell);
        let steps = "lava-send one a=1 b= free-space=5G a=2 loose\nlava-wait two\ncat \"$LAVA_MULTI_NODE_CACHE\"\n\
                     lava-wait-all three 'big server'\nlava-sync four\nlava-wait five || echo status $?\n";
        let mut dispatcher = Dispatcher::new(start(&device, steps), |call| match call.message_id() {
            "two" => Some(data(&[("9102", "ip", "10.0.0.1"), ("9102", "port", "5201"), ("9103", "k", "")])),
            "five" => Some(Reply::Nack("9102 has left the group".into())),
            _ => nothing(),
        });
        dispatcher.finish();
        let ids: Vec<_> = dispatcher.calls();
        let pairs = [("a", "2"), ("b", ""), ("free-space", "5G")].map(|(key, value)| (key.into(), value.into()));
        let wanted = [
            DeviceRequest::Send { message_id: "one".into(), data: pairs.to_vec() },
            DeviceRequest::Wait { message_id: "two".into(), quiet: false },
            DeviceRequest::WaitAll { message_id: "three".into(), role: Some("big server".into()), quiet: false },
            DeviceRequest::Sync { message_id: "four".into(), quiet: false },
            DeviceRequest::Wait { message_id: "five".into(), quiet: false },
        ];
        assert_eq!(ids, wanted);
        let seen = String::from_utf8_lossy(&dispatcher.raw).replace('\r', "");
        assert!(seen.contains("\n9102:ip=10.0.0.1\n9102:port=5201\n9103:k=\n"), "{seen}");
        assert!(seen.contains("lava-wait: WAIT five was refused: 9102 has left the group\nstatus 1\n"), "{seen}");
        assert!(!seen.contains("LAVA_MULTI_NODE"), "{seen}");
    });
}

/// Texts of which a line of the old form can carry hardly one.
fn odd_texts() -> Vec<String> {
    let all: String = (1..=127).map(char::from).collect();
    let mut out = vec![
        String::new(),
        "x".into(),
        "a > b 9102:c=d < e".into(),
        "c:\\new\\tab\\\\".into(),
        "two\nlines\n".into(),
        "one\\two\nthree".into(),
        "grün ↔ 日本 ÿ".into(),
        "'\"`$HOME`$(x) %s%% %040 * /e*/p?ss* [a-z]".into(),
        " blanks  all \t around ".into(),
        all,
    ];
    // About the length of a part, with and without escapes.
    out.extend([165, 166, 167, 180, 181, 360].map(|length| "y".repeat(length)));
    out.push("\n ".repeat(100));
    out
}

/// A value as a line of the cache file has it.
pub(crate) fn in_cache(value: &str) -> String {
    if value.contains('\n') { value.replace('\\', "\\\\").replace('\n', "\\n") } else { value.into() }
}

#[test]
fn any_text_arrives_as_it_was_sent() {
    each_shell(|shell| {
        let device = linked(shell);
        let texts = odd_texts();
        let mut steps = String::from("n=0\n");
        for (number, text) in texts.iter().enumerate() {
            device.write(&format!("text{number}"), text);
            let place = device.path(&format!("text{number}"));
            steps.push_str(&format!(
                "v=$(cat '{0}'; echo x)\nlava-send m{number} k=\"${{v%x}}\"\nlava-wait m{number}\n\
                 cp \"$LAVA_MULTI_NODE_CACHE\" '{0}.cache'\n",
                place.display()
            ));
        }
        // mksh has no printf; "echo x" is one in every shell. The newline before x belongs to echo of none.
        let mut sent: Vec<String> = Vec::new();
        let mut dispatcher = Dispatcher::new(start(&device, &steps), |call| match call {
            DeviceRequest::Send { data, .. } => {
                sent.push(data[0].1.clone());
                nothing()
            }
            call => {
                let number: usize = call.message_id()[1..].parse().unwrap();
                Some(Reply::Ok(vec![("9102".into(), "k".into(), odd_texts()[number].clone())]))
            }
        });
        dispatcher.finish();
        drop(dispatcher);
        assert_eq!(sent, texts);
        for (number, text) in texts.iter().enumerate() {
            let cache = std::fs::read(device.path(&format!("text{number}.cache"))).unwrap();
            assert_eq!(String::from_utf8(cache).unwrap(), format!("9102:k={}\n", in_cache(text)));
        }
    });
}

#[test]
fn long_texts_have_no_limit() {
    each_shell(|shell| {
        let device = linked(shell);
        // As long as it may take: a checksum of so many bytes is slow work for a shell.
        let length = if shell.name == "dash" { 65_536 } else { 6_000 };
        let text: String = (0..length).map(|n| char::from(b"abcdefghijklmnopqrstuvwxyz -%>\n"[n * 7 % 31])).collect();
        device.write("text", &text);
        let place = device.path("text");
        let steps = format!("v=$(cat '{}'; echo x)\nlava-send m k=\"${{v%x}}\"\nlava-wait m\n", place.display());
        let mut sent = String::new();
        let mut dispatcher = Dispatcher::new(start(&device, &steps), |call| match call {
            DeviceRequest::Send { data, .. } => {
                sent.clone_from(&data[0].1);
                nothing()
            }
            _ => Some(Reply::Ok(vec![("9102".into(), "k".into(), text.clone())])),
        });
        dispatcher.finish();
        drop(dispatcher);
        assert!(sent == text);
        assert!(device.read("cache.txt") == format!("9102:k={}\n", in_cache(&text)));
    });
}

/// On the old link a wait in the background would hold all of these back.
#[test]
fn calls_of_one_device_run_side_by_side() {
    each_shell(|shell| {
        let device = linked(shell);
        let steps = "lava-wait first & lava-wait second & lava-send ready k=1\nlava-sync all\nwait\necho over\n";
        let mut dispatcher = Dispatcher::new(start(&device, steps), |call| match call {
            DeviceRequest::Wait { .. } => None,
            _ => nothing(),
        });
        // Both waits are open while the sync comes and goes.
        dispatcher.serve(|dispatcher| dispatcher.calls().len() == 4 && dispatcher.waiting.len() == 2);
        for _ in 0..2 {
            let (id, _) = dispatcher.waiting.pop_back().unwrap();
            dispatcher.reply(id, &Reply::Ok(Vec::new()));
        }
        dispatcher.finish();
        let seen = String::from_utf8_lossy(&dispatcher.raw).replace('\r', "");
        assert!(seen.contains("\nover\n"), "{seen}");
    });
}

#[test]
fn a_helper_that_is_ended_takes_its_request_back() {
    each_shell(|shell| {
        let device = linked(shell);
        let steps = "timeout 1 lava-wait a || echo ended $?\nlava-wait b &\nsleep 1\nkill $!\nlava-wait c\n";
        let mut dispatcher = Dispatcher::new(start(&device, steps), |call| match call.message_id() {
            "c" => Some(data(&[("9102", "c", "3")])),
            _ => None,
        });
        dispatcher.finish();
        let seen = String::from_utf8_lossy(&dispatcher.raw).replace('\r', "");
        assert!(seen.contains("\nended 143\n") || seen.contains("\nended 124\n"), "{seen}");
        assert!(dispatcher.waiting.is_empty(), "{:?}\n{seen}", dispatcher.waiting);
        assert_eq!(device.read("cache.txt"), "9102:c=3\n");
    });
}

#[test]
fn leaves_the_terminal_as_it_was() {
    each_shell(|shell| {
        let device = linked(shell);
        let mut dispatcher = Dispatcher::new(start(&device, "lava-wait m\nlava-send n\nlava-wait o\n"), |_| nothing());
        let before = format!("{:?}", dispatcher.console.modes());
        dispatcher.finish();
        assert_eq!(format!("{:?}", dispatcher.console.modes()), before);
    });
}

/// Ours beside a dispatcher that does not know the link although the environment says so: the runner finds out once.
#[test]
fn without_an_answer_the_old_form_is_used() {
    each_shell(|shell| {
        let device = linked(shell).set("LAVA_LINK_TRIES", "1").set("LAVA_LINK_TICK", "1");
        let steps = "lava-send m k=1\nlava-send n 'k=a>b' || echo status $?\nlava-test-case t --result pass\n";
        let mut dispatcher = Dispatcher::new(start(&device, steps), |_| nothing());
        dispatcher.deaf = true;
        dispatcher.finish();
        let seen = String::from_utf8_lossy(&dispatcher.raw).replace('\r', "");
        assert!(seen.contains("<LAVA_MULTI_NODE> <LAVA_SEND m k=1>\n"), "{seen}");
        assert!(seen.contains("which the console line cannot carry; nothing sent\nstatus 1\n"), "{seen}");
        assert!(seen.contains("<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=t RESULT=pass>\n"), "{seen}");
        assert_eq!(seen.matches("<LAVA2 ").count(), 1, "{seen}");
        assert!(matches!(dispatcher.signals.last(), Some(Signal::RunnerExit)));
    });
}

/// A single helper that nobody answers has failed when the runner was answered: the line is bad, and would damage a line
/// of the old form unnoticed.
#[test]
fn behind_a_runner_that_was_answered_no_helper_falls_back() {
    each_shell(|shell| {
        let device = linked(shell).set("LAVA_LINK_TRIES", "1").set("LAVA_LINK_TICK", "1");
        let steps =
            "lava-test-case t --result pass\nlava-wait m || echo status $?\nlava-send n k=1 || echo status $?\n";
        let mut dispatcher = Dispatcher::new(start(&device, steps), |_| nothing());
        dispatcher.serve(|dispatcher| {
            dispatcher.deaf = !dispatcher.cases().is_empty();
            String::from_utf8_lossy(&dispatcher.raw).matches("\nstatus 1").count() == 2
        });
        dispatcher.deaf = false;
        dispatcher.finish();
        let seen = String::from_utf8_lossy(&dispatcher.raw).replace('\r', "");
        let why = "no answer after 1 tries; it may have arrived or not\nstatus 1\n";
        assert!(seen.contains(&format!("lava-wait: WAIT m: {why}")), "{seen}");
        assert!(seen.contains(&format!("lava-send: SEND n: {why}")), "{seen}");
        assert!(!seen.contains("<LAVA_MULTI_NODE>"), "{seen}");
        assert_eq!(dispatcher.cases(), ["t Pass"]);
    });
}

/// A helper that no runner has started finds out for itself.
#[test]
fn one_helper_may_fall_back_alone() {
    each_shell(|shell| {
        let device = linked(shell).set("LAVA_LINK_TRIES", "1").set("LAVA_LINK_TICK", "1");
        let runner = start(&device, "lava-test-case t --result pass\nunset LAVA_SIGNALS\nlava-wait m\n");
        let mut dispatcher = Dispatcher::new(runner, |_| nothing());
        dispatcher.serve(|dispatcher| {
            dispatcher.deaf = !dispatcher.cases().is_empty();
            String::from_utf8_lossy(&dispatcher.raw).contains("<LAVA_MULTI_NODE> <LAVA_WAIT m>")
        });
        dispatcher.console.type_bytes(b"<LAVA_WAIT_COMPLETE 9102:a=1>\n");
        dispatcher.finish();
        assert_eq!(device.read("cache.txt"), "9102:a=1\n");
        assert_eq!(dispatcher.cases(), ["t Pass"]);
    });
}

/// Helpers of the image that know only the old form, beside ours.
#[test]
fn old_helpers_are_understood_beside() {
    each_shell(|shell| {
        let device = linked(shell);
        device.script(
            "bin/old-wait",
            "#!/bin/sh\nprintf '<LAVA_MULTI_NODE> <LAVA_WAIT %s>\\n' \"$1\"\nread line\nprintf 'got %s\\n' \"$line\"\n",
        );
        device.script(
            "bin/old-case",
            "#!/bin/sh\nprintf '<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=%s RESULT=pass>\\n' \"$1\"\n",
        );
        let steps = "lava-test-case ours --result pass\nold-case theirs\nold-wait m\nlava-wait n\n";
        let mut dispatcher = Dispatcher::new(start(&device, steps), |_| nothing());
        dispatcher.serve(|dispatcher| dispatcher.calls().len() == 1);
        dispatcher.console.type_bytes(b"<LAVA_WAIT_COMPLETE 9102:a=1>\n");
        dispatcher.finish();
        let seen = String::from_utf8_lossy(&dispatcher.raw).replace('\r', "");
        assert!(seen.contains("\ngot <LAVA_WAIT_COMPLETE 9102:a=1>\n"), "{seen}");
        assert_eq!(dispatcher.cases(), ["ours Pass", "theirs Pass"]);
        let warned = dispatcher.signals.iter().filter(|signal| matches!(signal, Signal::Warning { .. })).count();
        assert_eq!(warned, 1, "{:?}", dispatcher.signals);
    });
}

/// What the old form would have had to change.
#[test]
fn names_of_cases_may_be_anything() {
    each_shell(|shell| {
        let device = linked(shell);
        let steps = "lava-test-case 'a b>c' --result pass\nlava-test-case '100%' --shell false\n\
                     lava-test-case grün --result skip --measurement 1.5 --units 'per s'\n\
                     lava-test-case 'x#1' --result unknown\nlava-test-set start 'the set'\n\
                     lava-test-reference r --result pass --reference 'http://x/y z'\nlava-test-event 'a > b'\n";
        let mut dispatcher = Dispatcher::new(start(&device, steps), |_| nothing());
        dispatcher.finish();
        assert_eq!(dispatcher.cases(), ["a b>c Pass", "100% Fail", "grün Skip", "x#1 Unknown"]);
        let has = |wanted: Signal| assert!(dispatcher.signals.contains(&wanted), "{:?}", dispatcher.signals);
        has(Signal::TestSetStart("the set".into()));
        has(Signal::TestEvent("a > b".into()));
        has(Signal::StartTestCase("100%".into()));
        let odd = dispatcher.signals.iter().any(|s| matches!(s, Signal::Warning { .. } | Signal::Ignored { .. }));
        assert!(!odd, "{:?}", dispatcher.signals);
    });
}

/// The kernel drops what is written to its log too fast. What it kept comes as its records, cut by nothing; the rest is
/// asked for again and comes on the console.
#[test]
fn signals_on_the_kernels_log_have_numbers_too() {
    each_shell(|shell| {
        let device = linked(shell);
        device.write("kmsg", "");
        let kmsg = device.path("kmsg");
        let mount = "mount --bind \"$0\" /dev/kmsg; exec \"$@\"";
        let before = ["/usr/bin/unshare", "-Urm", "/bin/sh", "-c", mount, kmsg.to_str().unwrap()];
        let device = device.inside(&before).set("KMSG", "true");
        let steps = "for i in 1 2 3 4 5; do lava-test-case \"case $i\" --result pass; done\n";
        let mut dispatcher = Dispatcher::new(start(&device, steps), |_| nothing());
        // The log's lines come here only when the test lets them: none does.
        dispatcher.finish();
        let wanted = ["case 1 Pass", "case 2 Pass", "case 3 Pass", "case 4 Pass", "case 5 Pass"];
        assert_eq!(dispatcher.cases(), wanted);
        drop(dispatcher);

        let mut scanner = Scanner::new(vec![("0_suite".into(), "7_1.1.3.1".into())]);
        scanner.begin_checked();
        let mut text = String::from("<LAVA_SIGNAL_STARTRUN 0_suite 7_1.1.3.1>\r\n");
        for (number, line) in device.read("kmsg").lines().enumerate() {
            // In the middle of what something else prints.
            text.push_str(&format!("user te[   12.{number:06}] {}\r\nxt\r\n", line.strip_prefix("<0>").unwrap()));
        }
        let cases = scanner.feed(text.as_bytes()).into_iter().filter_map(|signal| match signal {
            Signal::TestCase { case, result, .. } => Some(format!("{case} {result:?}")),
            _ => None,
        });
        // A file in the place of the log keeps only what was written last.
        assert_eq!(cases.collect::<Vec<_>>(), ["case 5 Pass"]);
    });
}
