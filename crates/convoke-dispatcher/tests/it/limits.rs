//! Limits, attempts and ends from outside, on a paused clock: time passes only while everything waits.

use std::time::Duration;

use convoke_dispatcher::error::{ErrorClass, Failure};
use convoke_job::member::OnSyncTimeout;
use convoke_journal::{Body, Health, ResultValue};

use crate::group::group;
use crate::support::{Bench, Scripted, boot, deploy, job, member, sandbox, test};

const START: &str = "<LAVA_SIGNAL_STARTRUN 0_a 101_1.1.1.1>\r\n";
const END: &str = "<LAVA_SIGNAL_ENDRUN 0_a 101_1.1.1.1>\r\n<LAVA_TEST_RUNNER EXIT>\r\n";

/// A device that starts its suite and then is silent.
fn silent() -> Scripted {
    Scripted::new(|mut player| async move {
        player.runner(START).await;
        player.drain().await;
    })
}

/// A device whose runner says what `output` gives at each boot.
fn says(output: &'static [&'static str]) -> Scripted {
    let mut boot = 0;
    Scripted::new(move |mut player| {
        let text = output[boot.min(output.len() - 1)];
        boot += 1;
        async move {
            player.runner(text).await;
            player.drain().await;
        }
    })
}

#[tokio::test(start_paused = true)]
async fn a_test_that_takes_too_long_is_a_test_error_and_its_suite_fails() {
    let bench = Bench::new();
    let outcome = bench.run(sandbox(&[("a", &["true"])]), silent()).await;
    let failure = outcome.failure.unwrap();
    assert_eq!(failure.class, ErrorClass::Test);
    insta::assert_snapshot!(failure.message, @"
    lava-test-shell timed out after 120 s; suite 0_a was running; the console's last lines: device# device# device# device# <LAVA_SIGNAL_STARTRUN 0_a 101_1.1.1.1>
    ");
    insta::assert_snapshot!(bench.results(), @r"
    lava.validate pass
    lava.0_a fail
    lava.lava-test-shell fail
    lava.lava-test-retry fail
    lava.job fail
    ");
}

#[tokio::test(start_paused = true)]
async fn with_skip_the_job_goes_on_also_in_a_group() {
    for grouped in [false, true] {
        let bench = Bench::new();
        let mut skipped = test(&[("a", &["true"])]);
        skipped.common.skip = true;
        let mut job = job(vec![deploy("sandbox"), boot("sandbox"), skipped]);
        let mut clients = group(&["one"]).into_iter();
        if grouped {
            job = member(job, 0, &["one"]);
        }
        let client = if grouped { clients.next() } else { None };
        let device = Scripted::new(|mut player| async move {
            player.shell("/lava-101/bin/lava-test-runner").await;
            player.drain().await;
        });
        let outcome = bench.run_in(job, device, client).await;
        assert_eq!(outcome.health, Health::Complete, "{}", bench.log());
        assert!(bench.results().contains("-test"), "{}", bench.results());
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_skipped_test_the_next_one_gets_the_shell_back() {
    let bench = Bench::new();
    let mut skipped = test(&[("a", &["true"])]);
    skipped.common.skip = true;
    let device = Scripted::new(|mut player| async move {
        player.runner(START).await;
        let line = player.line().await;
        assert_eq!(line.as_deref(), Some("\u{3}#"));
        player.print("^C\r\n<LAVA_TEST_RUNNER EXIT>\r\ndevice# ").await;
        player.runner("<LAVA_TEST_RUNNER EXIT>\r\n").await;
        player.drain().await;
    });
    let blocks = vec![deploy("sandbox"), boot("sandbox"), skipped, test(&[("b", &["true"])])];
    let outcome = bench.run(job(blocks), device).await;
    assert_eq!(outcome.health, Health::Complete, "{}", bench.log());
    assert!(bench.typed().ends_with("/lava-101/1\n"), "{:?}", bench.typed());
}

#[tokio::test(start_paused = true)]
async fn a_device_that_never_prompts_is_named_with_what_it_said_last() {
    let bench = Bench::new();
    let device = Scripted::new(|mut player| async move {
        player.print("Booting...\r\nlogin: ").await;
        player.drain().await;
    });
    let outcome = bench.run(sandbox(&[("a", &["true"])]), device).await;
    let failure = outcome.failure.unwrap();
    assert_eq!(failure.class, ErrorClass::Job);
    insta::assert_snapshot!(failure.message, @r#"
    expect-shell-connection: the console showed none of the prompts ["device# "] within 20 s; its last lines: Booting... | login:
    "#);
    // At once, after half of the limit, then every tenth.
    assert_eq!(bench.typed(), "\n".repeat(6));
}

#[tokio::test(start_paused = true)]
async fn a_device_that_prints_for_ever_without_a_prompt_comes_to_an_end() {
    let bench = Bench::new();
    let device = Scripted::new(|mut player| async move {
        loop {
            player.print("noise\r\n").await;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    let outcome = bench.run(sandbox(&[("a", &["true"])]), device).await;
    assert_eq!(outcome.failure.unwrap().class, ErrorClass::Job);
}

#[tokio::test(start_paused = true)]
async fn the_job_limit_ends_whatever_runs() {
    let bench = Bench::new();
    let mut job = sandbox(&[("a", &["true"])]);
    job.timeouts.job = Some(Duration::from_secs(50));
    let outcome = bench.run(job, silent()).await;
    let failure = outcome.failure.unwrap();
    assert_eq!(failure.class, ErrorClass::Job);
    assert!(failure.message.starts_with("job timed out after 50 s"), "{}", failure.message);
}

#[tokio::test(start_paused = true)]
async fn failure_retry_tries_again_and_forgets_the_failed_attempt() {
    let bench = Bench::new();
    let mut retried = boot("sandbox");
    retried.common.failure_retry = Some(3);
    retried.common.failure_retry_interval = Some(Duration::from_secs(2));
    let mut boots = 0;
    let device = Scripted::new(move |mut player| {
        boots += 1;
        let dead = boots == 1;
        async move {
            if !dead {
                player.runner(&[START, END].concat()).await;
            }
            player.drain().await;
        }
    });
    let calls = std::sync::Arc::clone(&device.calls);
    let outcome = bench.run(job(vec![deploy("sandbox"), retried, test(&[("a", &["true"])])]), device).await;
    assert_eq!(outcome.health, Health::Complete, "{}", bench.log());
    assert_eq!(*calls.lock().unwrap(), ["deploy", "boot", "boot", "off"]);
}

/// A helper that still waits for an answer of the attempt that was cut off may swallow Ctrl-C once: it is typed again with
/// the check line, and no other line before the prompt is there.
#[tokio::test(start_paused = true)]
async fn a_shell_that_ignores_the_first_ctrl_c_of_a_retry_gets_another() {
    let bench = Bench::new();
    let mut retried = test(&[("a", &["true"])]);
    retried.common.failure_retry = Some(2);
    let device = Scripted::new(|mut player| async move {
        player.runner(&format!("{START}<LAVA_SIGNAL_TESTRAISE once>\r\n")).await;
        assert_eq!(player.line().await.as_deref(), Some("\u{3}#"), "nothing but Ctrl-C before the check");
        let ignored = tokio::time::Instant::now();
        assert_eq!(player.line().await.as_deref(), Some("\u{3}#"), "the shell is not back");
        // A tenth of the 20 s that a prompt may take, not half of them.
        assert_eq!(ignored.elapsed().as_secs(), 2);
        player.print("device# ").await;
        player.runner(&[START, END].concat()).await;
        player.drain().await;
    });
    let calls = std::sync::Arc::clone(&device.calls);
    let outcome = bench.run(job(vec![deploy("sandbox"), boot("sandbox"), retried]), device).await;
    assert_eq!(outcome.health, Health::Complete, "{}", bench.log());
    assert_eq!(*calls.lock().unwrap(), ["deploy", "boot", "off"], "the retry is on the same console");
    assert!(bench.log().contains("lava-test-retry failed: 1 of 2 attempts: once"), "{}", bench.log());
}

/// It ends with its limit when the shell never comes back.
#[tokio::test(start_paused = true)]
async fn a_shell_that_ignores_every_ctrl_c_fails_the_retry() {
    let bench = Bench::new();
    let mut retried = test(&[("a", &["true"])]);
    retried.common.failure_retry = Some(2);
    let (count, counted) = tokio::sync::oneshot::channel();
    let mut count = Some(count);
    let device = Scripted::new(move |mut player| {
        let count = count.take();
        async move {
            player.runner(&format!("{START}<LAVA_SIGNAL_TESTRAISE once>\r\n")).await;
            let mut interrupts = 0;
            while let Some(line) = player.line().await {
                interrupts += line.matches('\u{3}').count();
            }
            let _ = count.unwrap().send(interrupts);
        }
    });
    let failure = bench.run(job(vec![deploy("sandbox"), boot("sandbox"), retried]), device).await.failure.unwrap();
    assert!(failure.message.contains("the console showed none of the prompts"), "{}", failure.message);
    // The first, nine for the tenths of the limit, and the last for whatever comes next.
    assert_eq!(counted.await.unwrap(), 10);
}

#[tokio::test(start_paused = true)]
async fn attempts_are_counted_and_the_last_error_stands() {
    let bench = Bench::new();
    let mut retried = boot("sandbox");
    retried.common.failure_retry = Some(2);
    let device = Scripted::new(|mut player| async move { player.drain().await });
    let calls = std::sync::Arc::clone(&device.calls);
    let outcome = bench.run(job(vec![deploy("sandbox"), retried, test(&[("a", &["true"])])]), device).await;
    assert_eq!(outcome.health, Health::Incomplete);
    assert_eq!(*calls.lock().unwrap(), ["deploy", "boot", "boot", "off"]);
    assert!(bench.log().contains("boot-sandbox failed: 2 of 2 attempts"), "{}", bench.log());
}

#[tokio::test(start_paused = true)]
async fn a_cancel_ends_a_test_at_once_and_everything_is_put_away() {
    let bench = Bench::new();
    let device = silent();
    let calls = std::sync::Arc::clone(&device.calls);
    let running = bench.run(sandbox(&[("a", &["true"])]), device);
    let cancel = async {
        bench.recorder.until(|event| matches!(event.body, Body::SuiteStarted { .. })).await;
        bench.cancel.cancel();
    };
    let (outcome, ()) = tokio::join!(running, cancel);
    assert_eq!(outcome.health, Health::Canceled);
    assert_eq!(outcome.failure.unwrap().message, "cancelled by the user");
    assert_eq!(calls.lock().unwrap().last(), Some(&"off"));
    insta::assert_snapshot!(bench.results(), @r"
    lava.validate pass
    lava.0_a fail
    lava.lava-test-shell fail
    lava.lava-test-retry fail
    lava.job fail
    ");
    assert!(matches!(bench.bodies().last(), Some(Body::MemberEnded { health: Health::Canceled, .. })));
}

#[tokio::test(start_paused = true)]
async fn what_stops_a_member_is_what_it_reports() {
    let bench = Bench::new();
    let gone = Failure {
        class: ErrorClass::Job,
        message: "its host ended".into(),
        reason: Some("host-gone".into()),
        consequence: true,
    };
    bench.options.stop.set(gone.clone()).unwrap();
    bench.cancel.cancel();
    let outcome = bench.run(sandbox(&[("a", &["true"])]), silent()).await;
    assert_eq!((outcome.health, outcome.failure), (Health::Incomplete, Some(gone)));
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_our_bug_and_the_device_is_off() {
    let bench = Bench::new();
    let device = Scripted::new(|_| -> std::future::Ready<()> { panic!("no console today") });
    let calls = std::sync::Arc::clone(&device.calls);
    let mut clients = group(&["one"]).into_iter();
    let outcome = bench.run_in(member(sandbox(&[("a", &["true"])]), 0, &["one"]), device, clients.next()).await;
    let failure = outcome.failure.unwrap();
    assert_eq!(failure.class, ErrorClass::Bug);
    assert!(failure.message.contains("no console today"), "{}", failure.message);
    assert_eq!(*calls.lock().unwrap(), ["deploy", "boot", "off"]);
    assert!(bench.results().ends_with("lava.job fail"), "{}", bench.results());
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_never_satisfied_fails_in_its_own_time_and_the_test_goes_on() {
    let bench = Bench::new();
    let roles = ["one", "two"];
    let clients = group(&roles);
    let mut one = member(sandbox(&[("a", &["true"])]), 0, &roles);
    one.group.as_mut().unwrap().timeout = Some(Duration::from_secs(75));
    let device = Scripted::new(|mut player| async move {
        player.runner("<LAVA_SIGNAL_STARTRUN 0_a 101_1.1.2.1>\r\n<LAVA_MULTI_NODE> <LAVA_SYNC go>\r\n").await;
        let reply = player.line().await.unwrap_or_default();
        assert!(reply.starts_with("<LAVA_SYNC_COMPLETE nack"), "{reply}");
        player.print("<LAVA_SIGNAL_ENDRUN 0_a 101_1.1.2.1>\r\n<LAVA_TEST_RUNNER EXIT>\r\n").await;
        player.drain().await;
    });
    let outcome = bench.run_in(one, device, clients.into_iter().next()).await;
    assert_eq!(outcome.health, Health::Complete, "{}", bench.log());
    let records = bench.records();
    let sync = records.iter().find(|record| record.case == "multinode-sync-go").unwrap();
    assert_eq!(sync.extra["missing"][0], "102 (two)");
    let log = bench.log();
    assert!(log.contains("lava-sync go has waited for 60 s of 75 s: not yet sent by 102"), "{log}");
}

#[tokio::test(start_paused = true)]
async fn a_group_may_ask_that_a_failed_wait_ends_the_block_or_the_job() {
    for choice in [OnSyncTimeout::StopDefinition, OnSyncTimeout::FailJob] {
        let bench = Bench::new();
        let roles = ["one", "two"];
        let clients = group(&roles);
        let mut job =
            job(vec![deploy("sandbox"), boot("sandbox"), test(&[("a", &[]), ("b", &[])]), test(&[("c", &[])])]);
        job = member(job, 0, &roles);
        job.group.as_mut().unwrap().on_sync_timeout = choice;
        let device = Scripted::new(|mut player| async move {
            player.runner("<LAVA_SIGNAL_STARTRUN 0_a 101_1.1.2.1>\r\n<LAVA_MULTI_NODE> <LAVA_WAIT go>\r\n").await;
            let reply = player.line().await.unwrap_or_default();
            assert!(reply.starts_with("<LAVA_WAIT_COMPLETE nack"), "{reply}");
            if player.line().await.as_deref() == Some("\u{3}#") {
                player.print("^C\r\n<LAVA_TEST_RUNNER EXIT>\r\ndevice# ").await;
                player.runner("<LAVA_TEST_RUNNER EXIT>\r\n").await;
            }
            player.drain().await;
        });
        let outcome = bench.run_in(job, device, clients.into_iter().next()).await;
        let record = |case: &str| bench.records().into_iter().find(|record| record.case == case);
        let suite = record("0_a").unwrap();
        assert_eq!(suite.result, ResultValue::Fail);
        assert!(suite.extra["error_msg"].as_str().unwrap().contains("lava-wait go"), "{suite:?}");
        assert_eq!(record("1_b").unwrap().result, ResultValue::Skip);
        if choice == OnSyncTimeout::FailJob {
            let failure = outcome.failure.unwrap();
            assert_eq!(failure.class, ErrorClass::MultinodeTimeout, "{failure:?}");
            assert_eq!(failure.reason.as_deref(), Some("sync-timeout"));
            assert!(!bench.typed().contains("lava-test-runner /lava-101/1"));
        } else {
            assert_eq!(outcome.health, Health::Complete, "{}", bench.log());
            assert!(bench.typed().contains("lava-test-runner /lava-101/1\n"), "{}", bench.typed());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_group_that_does_not_assemble_is_a_multinode_timeout() {
    let bench = Bench::new();
    let roles = ["one", "two"];
    let (events, _) = tokio::sync::mpsc::unbounded_channel();
    let group = convoke_coordinator::LocalGroup::start(
        convoke_group::GroupName::new("group"),
        std::num::NonZeroUsize::new(2).unwrap(),
        events,
    );
    let client = group.client(convoke_group::MemberName::new("101"), convoke_group::RoleName::new("one"));
    let outcome = bench.run_in(member(sandbox(&[("a", &["true"])]), 0, &roles), silent(), Some(client)).await;
    let failure = outcome.failure.unwrap();
    assert_eq!(failure.class, ErrorClass::MultinodeTimeout);
    assert_eq!(failure.reason.as_deref(), Some("group.assembly-timeout"));
}

#[tokio::test(start_paused = true)]
async fn a_delayed_start_waits_outside_the_job_limit_and_ends_when_its_host_does() {
    let roles = ["host", "guest"];
    for released in [true, false] {
        let bench = Bench::new();
        let clients = group(&roles);
        let mut guest = member(sandbox(&[("a", &["true"])]), 1, &roles);
        guest.timeouts.job = Some(Duration::from_secs(10));
        guest.job_id = convoke_job::JobId(101);
        let membership = guest.group.as_mut().unwrap();
        membership.delayed_start = true;
        membership.expect_role = Some(convoke_job::RoleName::new("host"));
        membership.timeout = Some(Duration::from_secs(600));
        let host = async {
            tokio::time::sleep(Duration::from_secs(60)).await;
            if released {
                let call = convoke_group::Call::Send {
                    message_id: convoke_group::MessageId::new("lava_start"),
                    message: serde_json::json!({}),
                };
                clients[0].call(call, convoke_coordinator::CallOptions::default()).await;
            } else {
                clients[0].leave("its job ended");
            }
        };
        const OUTPUT: &str = "<LAVA_SIGNAL_STARTRUN 0_a 101_1.1.2.1>\r\n<LAVA_SIGNAL_ENDRUN 0_a 101_1.1.2.1>\r\n\
                              <LAVA_TEST_RUNNER EXIT>\r\n";
        let client = std::sync::Arc::clone(&clients[1]);
        let (outcome, ()) = tokio::join!(bench.run_in(guest, says(&[OUTPUT]), Some(client)), host);
        if released {
            assert_eq!(outcome.health, Health::Complete, "{}", bench.log());
        } else {
            let failure = outcome.failure.unwrap();
            assert_eq!(failure.reason.as_deref(), Some("host-gone"));
            assert!(failure.consequence);
            assert!(failure.message.contains("host ended before lava_start"), "{}", failure.message);
        }
    }
}
