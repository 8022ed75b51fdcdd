//! The checked link over a line that drops, doubles and flips bytes, and on which the kernel speaks in between.

use convoke_overlay::link::Reply;
use convoke_overlay::signal::{DeviceRequest, Signal};

use crate::device::each_shell;
use crate::dispatcher::{Damage, Dispatcher};
use crate::link::{linked, start};

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

/// Messages both ways: what arrives is what was sent, and each is sent once.
#[test]
fn messages_arrive_whole_over_a_lossy_line() {
    each_shell(|shell| {
        let seed = 3;
        let device = linked(shell);
        let mut chance = Damage::new(seed + 100, 0, 0);
        let texts: Vec<String> = (0..5)
            .map(|_| {
                let length = chance.random(400);
                (0..length).map(|_| char::from(u8::try_from(32 + chance.random(95)).unwrap())).collect()
            })
            .collect();
        let mut steps = String::new();
        for (number, text) in texts.iter().enumerate() {
            device.write(&format!("text{number}"), text);
            let place = device.path(&format!("text{number}"));
            steps.push_str(&format!(
                "v=$(cat '{0}'; echo x)\nlava-send m{number} k=\"${{v%x}}\"\nlava-wait m{number}\n\
                 cp \"$LAVA_MULTI_NODE_CACHE\" '{0}.cache'\n",
                place.display()
            ));
        }
        let mut sent = Vec::new();
        let damage = Damage::new(seed, 700, 300);
        let answers = texts.clone();
        let mut dispatcher = Dispatcher::new(start(&device, &steps), |call| match call {
            DeviceRequest::Send { data, .. } => {
                sent.push(data[0].1.clone());
                Some(Reply::Ok(Vec::new()))
            }
            call => {
                let number: usize = call.message_id()[1..].parse().unwrap();
                let value = answers[number].chars().rev().collect();
                Some(Reply::Ok(vec![("9102".into(), "k".into(), value)]))
            }
        })
        .damaged(damage);
        dispatcher.finish();
        // Or the line would have proved nothing.
        assert!(dispatcher.damage.done > 5 && dispatcher.link.repeated() > 0);
        let calls = dispatcher.calls().len();
        drop(dispatcher);
        assert_eq!(sent, texts, "seed {seed}");
        assert_eq!(calls, 2 * texts.len());
        for (number, text) in texts.iter().enumerate() {
            let cache = std::fs::read(device.path(&format!("text{number}.cache"))).unwrap();
            let value: String = text.chars().rev().collect();
            assert_eq!(String::from_utf8(cache).unwrap(), format!("9102:k={value}\n"), "seed {seed}");
        }
    });
}
