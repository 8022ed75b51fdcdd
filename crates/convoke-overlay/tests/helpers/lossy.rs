//! The checked link over a line that drops, doubles and flips bytes, and on which the kernel speaks in between.

use std::collections::BTreeMap;
use std::sync::Mutex;

use convoke_overlay::link::Reply;
use convoke_overlay::signal::{DeviceRequest, Signal};

use crate::device::{SHELLS, Shell, each_shell};
use crate::dispatcher::{Damage, Dispatcher};
use crate::link::{in_cache, linked, start};

/// Results of a suite: each is reported once, with its own value, whatever the line does.
#[test]
fn results_arrive_whole_over_a_lossy_line() {
    each_shell(|shell| {
        let seed = 1;
        let device = linked(shell);
        let steps = "i=0\nwhile [ $i -lt 60 ]; do i=$((i + 1))\n\
                     case $((i % 3)) in 0) r=pass ;; 1) r=fail ;; 2) r=skip ;; esac\n\
                     lava-test-case \"case-$i\" --result $r\ndone\n";
        let damage = Damage::new(seed, 700, 300);
        let mut dispatcher = Dispatcher::new(start(&device, steps), |_| None).damaged(damage);
        dispatcher.finish();
        let mut found = dispatcher.cases();
        found.sort_by_key(|case| case[5..].split(' ').next().unwrap().parse::<u32>().unwrap());
        let verdicts = ["Pass", "Fail", "Skip"];
        let wanted: Vec<String> = (1..=60).map(|n| format!("case-{n} {}", verdicts[n % 3])).collect();
        assert_eq!(found, wanted, "seed {seed}");
        let lost = dispatcher.signals.iter().any(|signal| matches!(signal, Signal::Lost { .. }));
        assert!(!lost, "seed {seed}");
        assert!(matches!(
            &dispatcher.signals[dispatcher.signals.len() - 2..],
            [Signal::EndRun { .. }, Signal::RunnerExit]
        ));
        // Or the line would have proved nothing.
        assert!(dispatcher.damage.done > 0);
    });
}

/// Of a million bytes so many are dropped, as many doubled, and as many have a bit flipped.
const RATES: [u64; 4] = [0, 100, 500, 1000];
/// Messages each way over each line; with four shells at four rates over a thousand.
const MESSAGES: usize = 32;

/// Messages both ways: what arrives is what was sent, whole and in order, and each is sent once.
///
/// Prints how many frames that took; to see it: `cargo nextest run -p convoke-overlay a_thousand_messages --no-capture`.
#[test]
fn a_thousand_messages_arrive_whole_and_in_order_over_lossy_lines() {
    let lines: Mutex<BTreeMap<(u64, &str), Line>> = Mutex::default();
    std::thread::scope(|scope| {
        // Lines side by side, for most of their time is spent waiting for what was lost.
        for rate in RATES {
            for shell in SHELLS {
                let (name, lines) = (format!("{} at {rate}", shell.name), &lines);
                let run = move || {
                    let line = converse(shell, rate);
                    lines.lock().unwrap().insert((rate, shell.name), line);
                };
                std::thread::Builder::new().name(name).spawn_scoped(scope, run).unwrap();
            }
        }
    });
    let lines = lines.into_inner().unwrap();
    let mut messages = 0;
    for rate in RATES {
        let mut all = Line::default();
        lines.iter().filter(|((of, _), _)| *of == rate).for_each(|(_, line)| {
            all.damaged += line.damaged;
            all.bytes += line.bytes;
            all.messages += line.messages;
            all.frames += line.frames;
            all.again += line.again;
        });
        let Line { damaged, bytes, messages: these, frames, again } = all;
        messages += these;
        #[allow(clippy::print_stdout, reason = "the figures, for who asks for them")]
        {
            println!(
                "{:.2} % of bytes damaged: {these} messages, {bytes} bytes, {damaged} damaged; {frames} frames, {again} of \
                 them sent again ({:.1} %)",
                rate as f64 * 3.0 / 10_000.0,
                again as f64 * 100.0 / frames as f64,
            );
        }
        // Or the line would have proved nothing. (On a busy machine a little is sent again without damage too.)
        assert!(rate == 0 || (damaged > 0 && again > 0), "at {rate}");
    }
    assert!(messages >= 1000, "{messages}");
}

/// The longest message there has to be, in the shell that is quick enough for a test.
#[test]
fn a_long_message_arrives_whole_over_a_lossy_line() {
    let shell = SHELLS[0];
    let device = linked(shell).set("LAVA_LINK_TICK", "1");
    let text: String = (0..65_536).map(|n| char::from(b"abcdefghijklmnopqrstuvwxyz-%>\n"[n * 7 % 30])).collect();
    device.write("text", &text);
    let place = device.path("text");
    let steps = format!("v=$(cat '{}'; echo x)\nlava-send m k=\"${{v%x}}\"\nlava-wait m\n", place.display());
    let mut sent = String::new();
    let mut dispatcher = Dispatcher::new(start(&device, &steps), |call| match call {
        DeviceRequest::Send { data, .. } => {
            sent.clone_from(&data[0].1);
            Some(Reply::Ok(Vec::new()))
        }
        _ => Some(Reply::Ok(vec![("9102".into(), "k".into(), text.clone())])),
    })
    .damaged(Damage::new(9, 100, 300));
    dispatcher.finish();
    assert!(dispatcher.damage.done > 20, "{}", dispatcher.damage.done);
    drop(dispatcher);
    assert!(sent == text);
    assert!(device.read("cache.txt") == format!("9102:k={}\n", in_cache(&text)));
}

/// On a line so bad that a helper gives up, what it could not do is named, and what was done is right.
#[test]
fn on_a_hopeless_line_no_value_is_wrong_and_what_is_lost_is_named() {
    each_shell(|shell| {
        let seed = 5;
        let device = linked(shell).set("LAVA_LINK_TRIES", "2").set("LAVA_LINK_TICK", "1");
        let mut chance = Damage::new(seed, 0, 0);
        let texts: Vec<String> = (0..12).map(|number| text(number + 4, &mut chance)).collect();
        for (number, text) in texts.iter().enumerate() {
            device.write(&format!("text{number}"), text);
        }
        let place = device.path("text");
        let steps = format!(
            "say() {{ echo \"$1\" >>'{0}.lost'; }}\ni=0\nwhile [ $i -lt 12 ]; do\nv=$(cat '{0}'$i; echo x)\n\
             lava-send m$i k=\"${{v%x}}\" 2>>'{0}.why' || say \"SEND m$i\"\n\
             if lava-wait m$i 2>>'{0}.why'; then cp \"$LAVA_MULTI_NODE_CACHE\" '{0}'$i.cache; else say \"WAIT m$i\"; fi\n\
             i=$((i + 1))\ndone\n: >'{0}.end'\n",
            place.display()
        );
        let mut sent: BTreeMap<String, String> = BTreeMap::new();
        let answers = texts.clone();
        let end = device.path("text.end");
        let mut dispatcher = Dispatcher::new(start(&device, &steps), |call| match call {
            DeviceRequest::Send { message_id, data } => {
                sent.insert(message_id.clone(), data[0].1.clone());
                Some(Reply::Ok(Vec::new()))
            }
            call => {
                let number: usize = call.message_id()[1..].parse().unwrap();
                Some(Reply::Ok(vec![("9102".into(), "k".into(), answers[number].clone())]))
            }
        });
        // The runner's first word comes through; the line goes bad behind it, and is mended at the end.
        dispatcher.serve(|dispatcher| dispatcher.scanner.is_checked());
        dispatcher.damage = Damage::new(seed, 5000, 300);
        dispatcher.serve(|_| end.exists());
        assert!(dispatcher.damage.done > 100);
        dispatcher.damage = Damage::none();
        dispatcher.finish();
        let seen = String::from_utf8_lossy(&dispatcher.raw).into_owned();
        assert!(!seen.contains("<LAVA_MULTI_NODE>"), "{seen}");
        drop(dispatcher);
        let lost = device.read("text.lost");
        let why = device.read("text.why");
        for (number, text) in texts.iter().enumerate() {
            let is_lost = |call: &str| {
                let call = format!("{call} m{number}");
                let lost = lost.lines().any(|line| line == call);
                assert_eq!(lost, why.contains(&format!(": {call}: ")), "{call}\n{why}");
                lost
            };
            match sent.get(&format!("m{number}")) {
                Some(sent) => assert_eq!(sent, text),
                None => assert!(is_lost("SEND"), "{number}\n{lost}"),
            }
            let cache = device.path(&format!("text{number}.cache"));
            match std::fs::read_to_string(cache) {
                Ok(cache) => assert_eq!(cache, format!("9102:k={}\n", in_cache(text))),
                Err(_) => assert!(is_lost("WAIT"), "{number}\n{lost}"),
            }
        }
        // Or the line would have proved nothing.
        assert!(lost.contains("SEND") && lost.contains("WAIT"), "{lost}");
    });
}

/// What one line carried.
#[derive(Debug, Default)]
struct Line {
    messages: usize,
    bytes: u64,
    damaged: u64,
    frames: u64,
    again: u64,
}

/// Sends random texts over a line and has others come back.
fn converse(shell: Shell, rate: u64) -> Line {
    let seed = rate + u64::from(shell.name.as_bytes()[0]);
    let mut chance = Damage::new(seed + 7, 0, 0);
    let there: Vec<String> = (0..MESSAGES).map(|number| text(number, &mut chance)).collect();
    let back: Vec<String> = (0..MESSAGES).map(|number| text(number, &mut chance)).collect();
    let device = linked(shell);
    for (number, text) in there.iter().enumerate() {
        device.write(&format!("text{number}"), text);
    }
    let place = device.path("text");
    let steps = format!(
        "i=0\nwhile [ $i -lt {MESSAGES} ]; do\nv=$(cat '{0}'$i; echo x)\nlava-send m$i k=\"${{v%x}}\"\nlava-wait m$i\n\
         cp \"$LAVA_MULTI_NODE_CACHE\" '{0}'$i.cache\ni=$((i + 1))\ndone\n",
        place.display()
    );
    let mut sent: Vec<(String, String)> = Vec::new();
    let answers = back.clone();
    let mut dispatcher = Dispatcher::new(start(&device, &steps), |call| match call {
        DeviceRequest::Send { message_id, data } => {
            sent.push((message_id.clone(), data[0].1.clone()));
            Some(Reply::Ok(Vec::new()))
        }
        call => {
            let number: usize = call.message_id()[1..].parse().unwrap();
            Some(Reply::Ok(vec![("9102".into(), "k".into(), answers[number].clone())]))
        }
    })
    .damaged(Damage::new(seed, rate, if rate == 0 { 0 } else { 300 }));
    dispatcher.finish();
    let tally = dispatcher.tally();
    let line = Line {
        messages: 2 * MESSAGES,
        bytes: dispatcher.damage.bytes,
        damaged: dispatcher.damage.done,
        frames: tally.frames(),
        again: tally.again(),
    };
    assert_eq!(dispatcher.calls().len(), 2 * MESSAGES, "at {rate}: each call is asked once");
    drop(dispatcher);
    let wanted: Vec<(String, String)> = (0..).map(|number| format!("m{number}")).zip(there).collect();
    assert_eq!(sent, wanted, "at {rate}");
    for (number, text) in back.iter().enumerate() {
        assert_eq!(device.read(&format!("text{number}.cache")), format!("9102:k={}\n", in_cache(text)), "at {rate}");
    }
    line
}

/// A text of a message: at first as long as a part or nearly so, then of any length up to 400, mostly short.
fn text(number: usize, chance: &mut Damage) -> String {
    let length = match number {
        0..4 => [0, 1, 180, 181][number],
        _ if number.is_multiple_of(8) => chance.random(400),
        _ => chance.random(60),
    };
    let any = |chance: &mut Damage| match chance.random(40) {
        0 => ['\n', '\t', '\u{1b}', '\u{7f}', 'ü', '日'][usize::try_from(chance.random(6)).unwrap()],
        _ => char::from(u8::try_from(32 + chance.random(95)).unwrap()),
    };
    (0..length).map(|_| any(chance)).collect()
}
