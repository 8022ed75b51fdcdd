//! Several consoles of one device, and commands of the lab around a job.

use std::sync::Arc;

use convoke_device::Dictionary;
use convoke_device::dictionary::{Commands, UserCommand};
use convoke_dispatcher::error::ErrorClass;
use convoke_journal::{Body, Health};
use serde_json::{Value, json};

use crate::support::{Bench, Player, Scripted, blocks, job};

const START: &str = "<LAVA_SIGNAL_STARTRUN 0_a 101_1.1.1.1>\r\n";
const END: &str = "<LAVA_SIGNAL_ENDRUN 0_a 101_1.1.1.1>\r\n<LAVA_TEST_RUNNER EXIT>\r\ndevice# ";

/// Definitions of namespace `main` on the line of namespace `second`.
fn actions() -> Value {
    let definition = json!({
        "metadata": {"format": "Lava-Test Test Definition 1.0", "name": "a"}, "run": {"steps": ["true"]},
    });
    json!([
        {"deploy": {"namespace": "main", "to": "sandbox"}},
        {"boot": {"namespace": "main", "method": "sandbox"}},
        {"boot": {"namespace": "second", "method": "new_connection", "connection": "uart1", "prompts": ["second# "]}},
        {"test": {"namespace": "main", "connection-namespace": "second", "definitions": [
            {"from": "inline", "name": "a", "path": "a.yaml", "repository": definition},
        ]}},
    ])
}

/// A shell on the first line that says hello and is asked nothing more.
async fn first(mut player: Player) {
    player.shell("never").await;
}

/// A shell on the second line, with a runner that prints this.
async fn second(mut player: Player, output: &str) {
    while let Some(line) = player.line().await {
        let answer = if line.starts_with("/lava-101/bin/lava-test-runner") { output } else { "second# " };
        player.print(answer).await;
    }
}

#[tokio::test]
async fn a_test_runs_on_the_line_of_another_namespace() {
    let bench = Bench::new();
    let device = Scripted::new(first).and(|player| async move {
        second(player, &format!("{START}{END}")).await;
    });
    let calls = Arc::clone(&device.calls);
    let outcome = bench.run(job(blocks(actions())), device).await;
    assert_eq!(outcome.health, Health::Complete, "{}", bench.log());
    assert_eq!(*calls.lock().unwrap(), ["deploy", "boot", "connect", "off"]);
    assert!(bench.results().contains("lava.0_a pass"), "{}", bench.results());
    // What it printed is recorded apart.
    let lines: Vec<(Option<String>, bool)> = bench
        .bodies()
        .into_iter()
        .filter_map(|body| {
            let bytes = body.console_bytes()?.into_owned();
            let Body::Console { connection, .. } = body else { return None };
            Some((connection, String::from_utf8_lossy(&bytes).contains("STARTRUN")))
        })
        .collect();
    assert!(lines.contains(&(Some("second".into()), true)), "{lines:?}");
    assert!(!lines.contains(&(None, true)), "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn a_panic_on_the_console_ends_a_test_on_another_line() {
    let bench = Bench::new();
    let mut device = Scripted::new(|mut player| async move {
        player.shell("").await;
        player.print("device# ").await;
        // The second line is up and its suite has begun.
        tokio::time::sleep(std::time::Duration::from_secs(60)).await;
        player.print("[    9.000001] Kernel panic - not syncing: sysrq\r\n").await;
        player.drain().await;
    })
    .and(|player| async move { second(player, START).await });
    device.kernel = true;
    let outcome = bench.run(job(blocks(actions())), device).await;
    let failure = outcome.failure.unwrap();
    assert_eq!((failure.class, failure.reason.as_deref()), (ErrorClass::Test, Some("kernel-panic")));
    assert!(bench.results().contains("lava.0_a fail"), "{}", bench.results());
}

/// A device with the user commands `one` and `two`.
fn commanded() -> Scripted {
    let mut device = Scripted::new(first);
    let user = |name: &str, undo: Option<&str>| UserCommand {
        name: name.into(),
        run: format!("do {name}"),
        undo: undo.map(str::to_owned),
    };
    let users = vec![user("one", Some("undo one")), user("two", Some("undo two")), user("three", None)];
    device.info.configuration =
        Arc::new(Dictionary { commands: Commands { users, ..Commands::default() }, ..Dictionary::default() });
    device
}

#[tokio::test]
async fn user_commands_are_undone_in_the_end_whatever_fails() {
    let commands = json!([{"command": {"name": "one"}}, {"command": {"name": "three"}}, {"command": {"name": "two"}}]);
    let all = ["do one", "do three", "do two", "undo two", "undo one"];
    for (failing, ran, class) in [
        ("nothing", &all[..], None),
        ("do two", &all[..], Some(ErrorClass::Infrastructure)),
        ("do one", &["do one", "undo one"][..], Some(ErrorClass::Infrastructure)),
        ("undo two", &all[..], Some(ErrorClass::Infrastructure)),
    ] {
        let bench = Bench::new();
        let mut device = commanded();
        device.failing = failing;
        let (log, calls) = (Arc::clone(&device.commands), Arc::clone(&device.calls));
        let outcome = bench.run(job(blocks(commands.clone())), device).await;
        assert_eq!(*log.lock().unwrap(), ran, "{failing}");
        assert_eq!(*calls.lock().unwrap(), ["off"], "{failing}");
        assert_eq!(outcome.failure.map(|failure| failure.class), class, "{failing}");
    }
}
