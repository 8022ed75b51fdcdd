//! Interactive scripts on a console that is played: what a step comes to, and what ends a script.

use std::sync::Arc;

use convoke_coordinator::CallOptions;
use convoke_dispatcher::MemberOutcome;
use convoke_dispatcher::error::ErrorClass;
use convoke_group::{Call, MessageId};
use convoke_journal::Health;
use serde_json::{Value, json};

use crate::group::group;
use crate::support::{Bench, Player, Scripted, blocks, job, member};

/// A boot loader: echoes a line, answers it, and shows its prompt.
async fn bootloader(mut player: Player) {
    while let Some(line) = player.line().await {
        let answer = match line.as_str() {
            "help" => "usage: none\r\n",
            "dhcp" => "TIMEOUT\r\n",
            "address" => "inet 192.0.2.7/24\r\n",
            "ping 192.0.2.7" => "host is alive\r\n",
            "hang" => {
                player.print("hang\r\nthinking about it").await;
                continue;
            }
            "off" => return,
            _ => "",
        };
        player.print(&format!("{line}\r\n{answer}=> ")).await;
    }
}

fn script(steps: Value) -> Value {
    json!({"name": "loader", "prompts": ["^=> "], "echo": "discard", "script": steps})
}

/// Runs scripts.
async fn run(scripts: Value) -> (Bench, MemberOutcome) {
    let bench = Bench::new();
    let blocks = blocks(json!([{"boot": {"method": "sandbox"}}, {"test": {"interactive": scripts}}]));
    let outcome = bench.run(job(blocks), Scripted::new(bootloader)).await;
    (bench, outcome)
}

#[tokio::test]
async fn what_comes_first_decides() {
    let message = |text: &str| json!([{"message": text}]);
    let (bench, outcome) = run(json!([script(json!([
        {"name": "a-success", "command": "help", "successes": message("usage")},
        {"name": "a-failure", "command": "dhcp", "successes": message("bound"), "failures": message("TIME")},
        {"name": "neither-before-the-prompt", "command": "usage", "successes": message("usage")},
        {"name": "no-failure", "command": "fine", "failures": message("TIMEOUT")},
        {"command": "dhcp", "failures": message("TIMEOUT")},
        {"name": "learn", "command": "address", "successes": message(r"inet (?P<ip>[0-9.]+)/")},
        {"name": "use", "command": "ping {ip}", "successes": message("alive")},
        {"name": "not-known", "command": "echo ${a} {nobody}"},
    ]))]))
    .await;
    assert_eq!(outcome.health, Health::Complete, "{}", bench.log());
    assert!(outcome.failed_cases);
    insta::assert_snapshot!(bench.results(), @r"
    lava.validate pass
    loader.a-success pass
    loader.a-failure fail
    loader.neither-before-the-prompt fail
    loader.no-failure pass
    loader.learn pass
    loader.use pass
    loader.not-known pass
    lava.lava-test-interactive pass
    lava.job pass
    ");
    assert!(bench.typed().ends_with("ping 192.0.2.7\necho ${a} {nobody}\n"), "{}", bench.typed());
    assert!(bench.log().contains("nothing is known as nobody"), "{}", bench.log());
}

#[tokio::test]
async fn a_failure_with_an_exception_ends_the_script_and_what_was_expected_fails() {
    for (exception, class) in [
        ("InfrastructureError", ErrorClass::Infrastructure),
        ("JobError", ErrorClass::Job),
        ("TestError", ErrorClass::Test),
    ] {
        let mut first = script(json!([
            {"name": "lease", "command": "dhcp",
             "failures": [{"message": "TIMEOUT", "exception": exception, "error": "no lease"}]},
            {"name": "later", "command": "help"},
        ]));
        first["expected"] = json!(["lease", "later"]);
        let mut second = script(json!([{"name": "never", "command": "help"}]));
        (second["name"], second["expected"]) = (json!("second"), json!(["never"]));
        let (bench, outcome) = run(json!([first, second])).await;
        let failure = outcome.failure.unwrap();
        assert_eq!((failure.class, failure.message.as_str()), (class, "no lease"));
        assert_eq!(bench.typed(), "dhcp\n");
        insta::allow_duplicates!(insta::assert_snapshot!(bench.results(), @r"
        lava.validate pass
        loader.lease fail
        loader.later fail
        second.never fail
        lava.lava-test-interactive fail
        lava.lava-test-interactive-retry fail
        lava.job fail
        "));
    }
}

#[tokio::test(start_paused = true)]
async fn a_command_that_is_not_answered_is_a_test_error_that_shows_the_console() {
    let (bench, outcome) = run(json!([script(json!([{"name": "hang", "command": "hang"}]))])).await;
    let failure = outcome.failure.unwrap();
    assert_eq!(failure.class, ErrorClass::Test);
    assert!(failure.message.contains("none of [\"^=> \"] within 20 s"), "{}", failure.message);
    assert!(failure.message.contains("thinking about it"), "{}", failure.message);
    assert!(bench.results().contains("loader.hang fail"), "{}", bench.results());
}

#[tokio::test(start_paused = true)]
async fn a_console_that_ends_ends_the_script() {
    let (_, outcome) = run(json!([script(json!([{"command": "off"}, {"command": "help"}]))])).await;
    let failure = outcome.failure.unwrap();
    assert_eq!(failure.class, ErrorClass::Infrastructure);
    assert!(failure.message.contains("the console was closed"), "{}", failure.message);
}

#[tokio::test(start_paused = true)]
async fn a_step_may_wait_without_typing_and_type_without_waiting() {
    let bench = Bench::new();
    let steps = json!([
        {"name": "up", "command": null, "successes": [{"message": "U-Boot"}]},
        {"command": "boot", "wait_for_prompt": false, "successes": [{"message": "Starting"}]},
        {"name": "started", "command": null, "delay": 5, "successes": [{"message": "kernel"}], "wait_for_prompt": false},
    ]);
    let blocks = blocks(json!([{"boot": {"method": "sandbox"}}, {"test": {"interactive": [script(steps)]}}]));
    let device = Scripted::new(|mut player| async move {
        player.print("U-Boot 2026\r\n=> ").await;
        player.line().await;
        player.print("boot\r\nStarting the kernel\r\n").await;
        player.drain().await;
    });
    let outcome = bench.run(job(blocks), device).await;
    assert_eq!(outcome.health, Health::Complete, "{}", bench.log());
    assert_eq!(bench.typed(), "boot\n");
    assert!(bench.results().contains("loader.up pass\nloader.started pass"), "{}", bench.results());
}

#[tokio::test]
async fn what_the_group_sends_stands_for_its_key() {
    let roles = ["one", "two"];
    let bench = Bench::new();
    let clients = group(&roles);
    let steps = json!([
        {"command": "address", "successes": [{"message": r"inet (?P<ip>[0-9.]+)/"}]},
        {"lava-send": "addr ip={ip} text=two words"},
        {"lava-wait-all": "go role=two"},
        {"name": "use", "command": "ping {peer}", "successes": [{"message": "alive"}]},
    ]);
    let blocks = blocks(json!([{"boot": {"method": "sandbox"}}, {"test": {"interactive": [script(steps)]}}]));
    let one = member(job(blocks), 0, &roles);
    let two = async {
        let answer = clients[1].call(Call::Wait { message_id: MessageId::new("addr") }, CallOptions::default()).await;
        let go = Call::Send { message_id: MessageId::new("go"), message: json!({"peer": "192.0.2.7"}) };
        clients[1].call(go, CallOptions::default()).await;
        format!("{answer:?}")
    };
    let (outcome, answer) =
        tokio::join!(bench.run_in(one, Scripted::new(bootloader), Some(Arc::clone(&clients[0]))), two);
    assert_eq!(outcome.health, Health::Complete, "{}", bench.log());
    assert!(answer.contains("192.0.2.7") && answer.contains("two words"), "{answer}");
    insta::assert_snapshot!(bench.results(), @r"
    lava.validate pass
    loader.multinode-send-addr pass
    loader.multinode-wait_all-go pass
    loader.use pass
    lava.lava-test-interactive pass
    lava.job pass
    ");
}
