//! Monitors on a console that is played.

use convoke_dispatcher::MemberOutcome;
use convoke_dispatcher::error::ErrorClass;
use convoke_journal::Health;
use serde_json::{Value, json};

use crate::support::{Bench, Scripted, blocks, job};

fn monitor(name: &str, expected: Value) -> Value {
    json!({
        "name": name, "start": "BOOT", "end": "^DONE", "expected": expected, "fixupdict": {"PASS": "pass", "FAIL": "fail"},
        "pattern": r"(?P<result>PASS|FAIL) - (?P<test_case_id>\w+)( (?P<measurement>\S+) (?P<units>\w+))?$",
    })
}

/// Runs monitors on a device that prints this when it boots.
async fn run(boot: Value, test: Value, printed: &str) -> (Bench, MemberOutcome) {
    let bench = Bench::new();
    let printed = printed.to_owned();
    let device = Scripted::new(move |mut player| {
        let printed = printed.clone();
        async move {
            player.print(&printed).await;
            player.drain().await;
        }
    });
    let outcome = bench.run(job(blocks(json!([{"boot": boot}, {"test": test}]))), device).await;
    (bench, outcome)
}

const TWO: &str = "BOOT\r\nPASS - one 1.5 ms\r\nFAIL - two\r\nDONE\r\nBOOT\r\nPASS - three\r\nDONE";

#[tokio::test(start_paused = true)]
async fn monitors_come_one_after_the_other_and_expectations_are_looked_at() {
    let monitors = json!([monitor("first", json!(["one", "lost"])), monitor("second", json!(["three"]))]);
    let (bench, outcome) = run(json!({"method": "sandbox"}), json!({"monitors": monitors}), TWO).await;
    assert_eq!(outcome.health, Health::Complete, "{}", bench.log());
    assert!(outcome.failed_cases);
    insta::assert_snapshot!(bench.results(), @r"
    lava.validate pass
    first.one pass
    first.two fail
    first.lost fail
    second.three pass
    lava.lava-test-monitor pass
    lava.job pass
    ");
    let one = bench.records().into_iter().find(|record| record.case == "one").unwrap();
    assert_eq!((one.measurement.as_deref(), one.units.as_deref()), (Some("1.5"), Some("ms")));
    assert!(bench.log().contains("first: case two is not in the expected list"), "{}", bench.log());
}

/// What came right behind the prompt of the boot is not lost.
#[tokio::test(start_paused = true)]
async fn a_monitor_sees_what_was_printed_since_the_boots_prompt() {
    let login = json!({"login_prompt": "login:", "username": "root"});
    let boot = json!({"method": "sandbox", "prompts": ["ready"], "auto_login": login});
    let printed = format!("login:\r\nready\r\n{TWO}");
    let (bench, outcome) = run(boot, json!({"monitors": [monitor("m", json!(["one", "two"]))]}), &printed).await;
    assert_eq!(outcome.health, Health::Complete, "{}", bench.log());
    assert!(bench.results().contains("m.one pass\nm.two fail"), "{}", bench.results());
}

#[tokio::test(start_paused = true)]
async fn a_monitor_that_does_not_end_is_a_test_error_that_says_what_is_missing() {
    for (printed, missing, cases) in [
        ("U-Boot\r\n", "before the start \"BOOT\" of monitor m came", "m.one fail"),
        ("BOOT\r\nPASS - one\r\n", "before the end \"^DONE\" of monitor m came", "m.one pass"),
    ] {
        let monitors = json!([monitor("m", json!(["one"]))]);
        let test = json!({"timeout": {"seconds": 9}, "monitors": monitors});
        let (bench, outcome) = run(json!({"method": "sandbox"}), test, printed).await;
        let failure = outcome.failure.unwrap();
        assert_eq!(failure.class, ErrorClass::Test);
        assert!(failure.message.contains(missing), "{}", failure.message);
        assert!(failure.message.contains(printed.trim().rsplit('\n').next().unwrap()), "{}", failure.message);
        assert!(bench.results().contains(cases), "{}", bench.results());
    }
}

#[tokio::test(start_paused = true)]
async fn with_skip_the_job_goes_on_and_the_test_has_failed() {
    let test = json!({"timeout": {"seconds": 9, "skip": true}, "monitors": [monitor("m", Value::Null)]});
    let mut test = test;
    test["monitors"][0].as_object_mut().unwrap().remove("expected");
    let (_, outcome) = run(json!({"method": "sandbox"}), test, "U-Boot").await;
    assert_eq!(outcome.health, Health::Complete);
    assert!(outcome.failed_cases);
}
