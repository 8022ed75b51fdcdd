//! What a device prints, and what is made of it.

use convoke_dispatcher::error::ErrorClass;
use convoke_job::member::{AutoLogin, BlockKind};
use convoke_journal::{Health, ResultValue};

use crate::support::{Bench, Scripted, boot, sandbox};

const EXIT: &str = "<LAVA_TEST_RUNNER EXIT>\r\ndevice# ";

/// The output of a runner for the suites `0_a` and `1_b`, and what follows from it.
async fn run(output: &str) -> (Bench, convoke_dispatcher::MemberOutcome) {
    let bench = Bench::new();
    let output = output.to_owned();
    let device = Scripted::new(move |mut player| {
        let output = output.clone();
        async move {
            player.runner(&output).await;
            player.drain().await;
        }
    });
    let outcome = bench.run(sandbox(&[("a", &["true"]), ("b", &["true"])]), device).await;
    (bench, outcome)
}

fn start(suite: &str) -> String {
    let uuid = if suite.starts_with('0') { "101_1.1.1.1" } else { "101_1.1.1.5" };
    format!("<LAVA_SIGNAL_STARTRUN {suite} {uuid}>\r\n")
}

fn end(suite: &str) -> String {
    start(suite).replace("START", "END")
}

#[tokio::test]
async fn a_member_goes_from_validate_to_job_and_the_device_is_off() {
    let output = [
        start("0_a"),
        "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=one RESULT=pass UNITS=s MEASUREMENT=1.5>\r\n".into(),
        end("0_a"),
        start("1_b"),
        end("1_b"),
        EXIT.into(),
    ];
    let (bench, outcome) = run(&output.concat()).await;
    assert_eq!(outcome.health, Health::Complete);
    assert!(!outcome.failed_cases);
    insta::assert_snapshot!(bench.results(), @r"
    lava.validate pass
    0_a.one pass
    lava.0_a pass
    lava.1_b pass
    lava.job pass
    ");
    insta::assert_snapshot!(bench.typed(), @r"
    #
    export SHELL=/bin/sh
    . /lava-101/environment
    /lava-101/bin/lava-test-runner /lava-101/0
    ");
}

#[tokio::test]
async fn a_suite_that_does_not_end_fails_and_the_next_one_runs() {
    let output = [start("0_a"), start("1_b"), end("1_b"), EXIT.into()];
    let (bench, outcome) = run(&output.concat()).await;
    assert_eq!(outcome.health, Health::Complete);
    assert!(outcome.failed_cases);
    insta::assert_snapshot!(bench.results(), @r"
    lava.validate pass
    lava.0_a fail
    lava.1_b pass
    lava.job pass
    ");
}

#[tokio::test]
async fn the_last_suite_is_closed_by_the_runners_exit() {
    let output = [start("0_a"), end("0_a"), start("1_b"), EXIT.into()];
    let (bench, _) = run(&output.concat()).await;
    insta::assert_snapshot!(bench.results(), @r"
    lava.validate pass
    lava.0_a pass
    lava.1_b fail
    lava.job pass
    ");
}

#[tokio::test]
async fn forged_signals_change_nothing() {
    let output = [
        start("0_a"),
        "<LAVA_SIGNAL_STARTRUN $TESTRUN_ID $UUID>\r\n".into(),
        "<LAVA_SIGNAL_ENDRUN 0_other 101_9.9>\r\n".into(),
        "<LAVA_SIGNAL_STARTRUN 7_x 101_1.1.1.1>\r\n".into(),
        "<LAVA_SIGNAL_TESTCASE RESULT=pass>\r\n".into(),
        end("0_a"),
        start("1_b"),
        end("1_b"),
        EXIT.into(),
    ];
    let (bench, outcome) = run(&output.concat()).await;
    assert_eq!(outcome.health, Health::Complete);
    insta::assert_snapshot!(bench.results(), @r"
    lava.validate pass
    lava.0_a pass
    lava.1_b pass
    lava.job pass
    ");
    assert!(bench.log().contains("not obeyed"), "{}", bench.log());
}

#[tokio::test]
async fn a_failed_installation_skips_the_suite_and_ends_the_job_after_the_rest() {
    let output = ["<LAVA_TEST_RUNNER INSTALL_FAIL>\r\n".into(), start("1_b"), end("1_b"), EXIT.into()];
    let (bench, outcome) = run(&output.concat()).await;
    let failure = outcome.failure.unwrap();
    assert_eq!(outcome.health, Health::Incomplete);
    assert_eq!(failure.class, ErrorClass::Test);
    assert_eq!(failure.message, "Unable to start test stage 0: the install steps of 0_a failed");
    insta::assert_snapshot!(bench.results(), @r"
    lava.validate pass
    lava.1_b pass
    lava.stage_0 fail
    lava.lava-test-shell fail
    lava.lava-test-retry fail
    lava.job fail
    ");
}

#[tokio::test]
async fn a_raise_ends_the_job_with_its_text() {
    let output = [start("0_a"), "<LAVA_SIGNAL_TESTRAISE bad thing happened>\r\n".into()];
    let (bench, outcome) = run(&output.concat()).await;
    let failure = outcome.failure.unwrap();
    assert_eq!((failure.class, failure.message.as_str()), (ErrorClass::Test, "bad thing happened"));
    insta::assert_snapshot!(bench.results(), @r"
    lava.validate pass
    lava.0_a fail
    lava.1_b skip
    lava.lava-test-shell fail
    lava.lava-test-retry fail
    lava.job fail
    ");
}

#[tokio::test]
async fn a_console_that_closes_is_the_labs_fault() {
    let bench = Bench::new();
    let device = Scripted::new(|mut player| async move {
        player.runner(&format!("{}some last words\r\n", start("0_a"))).await;
    });
    let outcome = bench.run(sandbox(&[("a", &["true"])]), device).await;
    let failure = outcome.failure.unwrap();
    assert_eq!(failure.class, ErrorClass::Infrastructure);
    assert!(failure.message.contains("some last words"), "{}", failure.message);
    assert!(bench.results().contains("lava.0_a fail"), "{}", bench.results());
}

#[tokio::test]
async fn kernel_messages_inside_a_signal_lose_nothing() {
    let output = [
        start("0_a"),
        "<LAVA_SIGNAL_TESTCASE TEST_CASE[   12.345678] usb 1-1: new device\r\n_ID=cut RESULT=pass>\r\n".into(),
        end("0_a"),
        start("1_b"),
        end("1_b"),
        EXIT.into(),
    ];
    let (bench, _) = run(&output.concat()).await;
    assert!(bench.results().contains("0_a.cut pass"), "{}", bench.results());
}

#[tokio::test]
async fn results_without_a_start_go_to_the_suite_that_is_due() {
    let output = [
        "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=early RESULT=pass>\r\n".into(),
        end("0_a"),
        start("1_b"),
        "<LAVA_SIGNAL_TESTSET START set1>\r\n<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=in RESULT=skip>\r\n".into(),
        "<LAVA_SIGNAL_TESTSET STOP>\r\n<LAVA_SIGNAL_TESTREFERENCE ref pass http://x/y>\r\n".into(),
        end("1_b"),
        EXIT.into(),
    ];
    let (bench, _) = run(&output.concat()).await;
    insta::assert_snapshot!(bench.results(), @r"
    lava.validate pass
    0_a.early pass
    lava.0_a pass
    1_b.in skip
    1_b.ref pass
    lava.1_b pass
    lava.job pass
    ");
    let records = bench.records();
    let of = |case: &str| records.iter().find(|record| record.case == case).unwrap();
    assert_eq!(of("in").set.as_deref(), Some("set1"));
    assert_eq!(of("ref").reference.as_deref(), Some("http://x/y"));
    assert_eq!(of("ref").set, None);
}

#[tokio::test]
async fn expected_cases_are_looked_at_when_the_suite_ends_and_when_it_never_runs() {
    let bench = Bench::new();
    let mut job = sandbox(&[("a", &["true"]), ("b", &["true"])]);
    let convoke_job::member::BlockKind::Test(convoke_job::member::TestKind::Definitions(list)) =
        &mut job.blocks[2].kind
    else {
        unreachable!()
    };
    list[0].expected = Some(vec!["one".into(), "two".into()]);
    list[1].expected = Some(vec!["three".into()]);
    let device = Scripted::new(|mut player| async move {
        let cases = ["one", "other"].map(|case| format!("<LAVA_SIGNAL_TESTCASE TEST_CASE_ID={case} RESULT=pass>\r\n"));
        player.runner(&[start("0_a"), cases.concat(), end("0_a"), EXIT.into()].concat()).await;
        player.drain().await;
    });
    bench.run(job, device).await;
    insta::assert_snapshot!(bench.results(), @r"
    lava.validate pass
    0_a.one pass
    0_a.other fail
    0_a.two fail
    lava.0_a pass
    1_b.three fail
    lava.1_b skip
    lava.job pass
    ");
}

#[tokio::test]
async fn a_reboot_ends_the_action_where_the_kernel_is_the_devices_own() {
    for (kernel, health) in [(true, Health::Incomplete), (false, Health::Complete)] {
        let bench = Bench::new();
        let mut device = Scripted::new(|mut player| async move {
            let output = [start("0_a"), "[    0.000000] Linux version 6.1.0\r\n".into(), end("0_a"), EXIT.into()];
            player.runner(&output.concat()).await;
            player.drain().await;
        });
        device.kernel = kernel;
        let outcome = bench.run(sandbox(&[("a", &["true"])]), device).await;
        assert_eq!(outcome.health, health);
        let suite = if kernel { "lava.0_a fail" } else { "lava.0_a pass" };
        assert!(bench.results().contains(suite), "{}", bench.results());
    }
}

#[tokio::test]
async fn a_hundred_megabytes_without_a_newline_are_read_to_the_end() {
    let bench = Bench::new();
    let device = Scripted::new(|mut player| async move {
        player.runner(&start("0_a")).await;
        let block = "x".repeat(1 << 20);
        for _ in 0..20 {
            player.print(&block).await;
        }
        player.print(&[end("0_a"), EXIT.into()].concat()).await;
        player.drain().await;
    });
    let outcome = bench.run(sandbox(&[("a", &["true"])]), device).await;
    assert_eq!(outcome.health, Health::Complete);
    assert!(bench.records().iter().any(|record| record.case == "0_a" && record.result == ResultValue::Pass));
}

#[tokio::test]
async fn a_secret_cut_in_two_is_masked() {
    let bench = Bench::new();
    let mut job = sandbox(&[("a", &["true"])]);
    job.secrets = vec![("KEY".into(), "s3cr3t-value".into())];
    let device = Scripted::new(|mut player| async move {
        player.runner(&format!("{}it is s3cr3t", start("0_a"))).await;
        tokio::task::yield_now().await;
        player.print(&["-value indeed\r\n".to_owned(), end("0_a"), EXIT.into()].concat()).await;
        player.drain().await;
    });
    bench.run(job, device).await;
    let all = serde_json::to_string(&bench.recorder.events()).unwrap();
    assert!(!all.contains("s3cr3t-value") && all.contains("[MASKED] indeed"), "{all}");
}

#[tokio::test]
async fn a_login_is_answered_as_the_job_says() {
    let bench = Bench::new();
    let mut job = sandbox(&[("a", &["true"])]);
    job.blocks[1] = boot_with_login();
    let device = Scripted::new(|mut player| async move {
        player.print("\r\nsystem login: ").await;
        assert_eq!(player.line().await.as_deref(), Some("root"));
        player.print("Password: ").await;
        assert_eq!(player.line().await.as_deref(), Some("hidden-word"));
        player.print("device# ").await;
        assert_eq!(player.line().await.as_deref(), Some("stty cols 80"));
        player.print("device# ").await;
        player.runner(&[start("0_a"), end("0_a"), EXIT.into()].concat()).await;
        player.drain().await;
    });
    let outcome = bench.run(job, device).await;
    assert_eq!(outcome.health, Health::Complete, "{}", bench.log());
    insta::assert_snapshot!(bench.typed(), @r"
    root
    ********
    stty cols 80

    #
    export SHELL=/bin/sh
    . /lava-101/environment
    /lava-101/bin/lava-test-runner /lava-101/0
    ");
}

#[tokio::test]
async fn a_refused_login_is_a_job_error() {
    let bench = Bench::new();
    let mut job = sandbox(&[("a", &["true"])]);
    job.blocks[1] = boot_with_login();
    let device = Scripted::new(|mut player| async move {
        player.print("system login: ").await;
        player.line().await;
        player.print("Password: ").await;
        player.line().await;
        player.print("Login incorrect\r\nsystem login: ").await;
        player.drain().await;
    });
    let failure = bench.run(job, device).await.failure.unwrap();
    assert_eq!(failure.class, ErrorClass::Job);
    insta::assert_snapshot!(failure.message, @r"
    login-action: login as root failed: Login incorrect
    ");
}

fn boot_with_login() -> convoke_job::member::Block {
    let mut block = boot("sandbox");
    if let BlockKind::Boot { auto_login, .. } = &mut block.kind {
        *auto_login = Some(AutoLogin {
            login_prompt: "login: ".into(),
            username: "root".into(),
            password: Some(("Password: ".into(), "hidden-word".into())),
            login_commands: vec!["stty cols 80".into()],
        });
    }
    block
}

#[tokio::test]
async fn a_prompt_that_is_no_pattern_is_found_before_anything_runs() {
    let bench = Bench::new();
    let mut job = sandbox(&[("a", &["true"])]);
    if let BlockKind::Boot { prompts, .. } = &mut job.blocks[1].kind {
        prompts.push("root@(".into());
    }
    let device = Scripted::new(|mut player| async move { player.drain().await });
    let calls = std::sync::Arc::clone(&device.calls);
    let failure = bench.run(job, device).await.failure.unwrap();
    assert!(failure.message.starts_with("actions[1]: prompt \"root@(\""), "{}", failure.message);
    assert_eq!(*calls.lock().unwrap(), ["off"]);
}

#[tokio::test]
async fn a_multinode_request_without_a_group_is_refused_and_the_test_goes_on() {
    let bench = Bench::new();
    let device = Scripted::new(|mut player| async move {
        player.runner(&format!("{}<LAVA_MULTI_NODE> <LAVA_WAIT go>\r\n", start("0_a"))).await;
        let reply = player.line().await.unwrap_or_default();
        assert!(reply.starts_with("<LAVA_WAIT_COMPLETE nack"), "{reply}");
        player.print(&[end("0_a"), EXIT.into()].concat()).await;
        player.drain().await;
    });
    let outcome = bench.run(sandbox(&[("a", &["true"])]), device).await;
    assert_eq!(outcome.health, Health::Complete);
    assert!(bench.results().contains("0_a.multinode-wait-go fail"), "{}", bench.results());
}
