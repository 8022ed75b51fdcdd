//! Members on a real shell: the overlay, the runner and the helpers as a device has them.

use convoke_journal::Health;

use crate::pty::PtyDevice;
use crate::support::{Bench, boot, deploy, job, sandbox, test};

#[tokio::test]
async fn definitions_run_on_a_real_shell() {
    let bench = Bench::new();
    let steps: &[&str] = &[
        "lava-test-case good --shell true",
        "lava-test-case bad --shell false",
        "lava-test-case speed --result pass --measurement 12.5 --units MB/s",
        "test -n \"$LAVA_JOB_ID\"",
    ];
    let outcome =
        bench.run(sandbox(&[("cases", steps), ("broken", &["false"]), ("last", &["true"])]), PtyDevice::new("d")).await;
    assert_eq!(outcome.health, Health::Complete, "{}", bench.log());
    assert!(outcome.failed_cases);
    insta::assert_snapshot!(bench.results(), @r"
    lava.validate pass
    0_cases.good pass
    0_cases.bad fail
    0_cases.speed pass
    lava.0_cases pass
    lava.1_broken fail
    lava.2_last pass
    lava.job pass
    ");
}

#[tokio::test]
async fn two_test_blocks_are_two_stages_and_suites_are_numbered_through() {
    let bench = Bench::new();
    let blocks = vec![deploy("sandbox"), boot("sandbox"), test(&[("a", &["true"])]), test(&[("b", &["pwd"])])];
    let outcome = bench.run(job(blocks), PtyDevice::new("d")).await;
    assert_eq!(outcome.health, Health::Complete, "{}", bench.log());
    insta::assert_snapshot!(bench.results(), @r"
    lava.validate pass
    lava.0_a pass
    lava.1_b pass
    lava.job pass
    ");
    assert!(bench.typed().contains("/lava-101/1\n"), "{}", bench.typed());
}

#[tokio::test]
async fn a_test_that_raised_an_error_is_tried_again() {
    let bench = Bench::new();
    let mut retried = test(&[("a", &["test -e ../../flag || { touch ../../flag; lava-test-raise once; }", "true"])]);
    retried.common.failure_retry = Some(3);
    retried.common.failure_retry_interval = Some(std::time::Duration::from_millis(1));
    let outcome = bench.run(job(vec![deploy("sandbox"), boot("sandbox"), retried]), PtyDevice::new("d")).await;
    assert_eq!(outcome.health, Health::Complete, "{}", bench.log());
    assert!(!outcome.failed_cases);
    assert!(bench.log().contains("lava-test-retry failed: 1 of 3 attempts: once"), "{}", bench.log());
}

#[tokio::test]
async fn a_repeated_test_runs_again() {
    let bench = Bench::new();
    let mut again = test(&[("a", &["true"])]);
    again.common.repeat = Some(2);
    again.common.failure_retry_interval = Some(std::time::Duration::from_millis(1));
    let outcome = bench.run(job(vec![deploy("sandbox"), boot("sandbox"), again]), PtyDevice::new("d")).await;
    assert_eq!(outcome.health, Health::Complete, "{}", bench.log());
    insta::assert_snapshot!(bench.results(), @r"
    lava.validate pass
    lava.0_a pass
    lava.0_a pass
    lava.job pass
    ");
}
