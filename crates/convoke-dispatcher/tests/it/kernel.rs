//! A device with a kernel of its own: what it prints in trouble, and what the device tells beside its console.

use convoke_dispatcher::MemberOutcome;
use convoke_dispatcher::device::{ConsoleEnd, DeviceEvent};
use convoke_dispatcher::error::{ErrorClass, Failure};

use crate::support::{Bench, Player, Scripted, sandbox};

const PANIC: &str = "[    9.000001] Kernel panic - not syncing: sysrq triggered crash\r\n";

/// Runs one suite on a machine that plays `after` once the suite has begun; without a suite, when it boots.
async fn run<F>(booting: bool, after: impl Fn(Player) -> F + Clone + Send + 'static) -> (Bench, MemberOutcome)
where
    F: Future<Output = ()> + Send + 'static,
{
    let bench = Bench::new();
    let mut device = Scripted::new(move |mut player| {
        let after = after.clone();
        async move {
            if !booting {
                player.runner("<LAVA_SIGNAL_STARTRUN 0_a 101_1.1.1.1>\r\n").await;
            }
            after(player).await;
        }
    });
    (device.kernel, device.tells) = (true, true);
    let outcome = bench.run(sandbox(&[("a", &["true"])]), device).await;
    (bench, outcome)
}

#[track_caller]
fn failure(outcome: &MemberOutcome) -> &Failure {
    outcome.failure.as_ref().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_panic_ends_the_test_with_the_line_that_shows_it() {
    let (bench, outcome) = run(false, async |mut player: Player| {
        player.print(PANIC).await;
        player.drain().await;
    })
    .await;
    let failure = failure(&outcome);
    assert_eq!((failure.class, failure.reason.as_deref()), (ErrorClass::Test, Some("kernel-panic")));
    assert!(failure.message.ends_with("Kernel panic - not syncing: sysrq triggered crash"), "{}", failure.message);
    insta::assert_snapshot!(bench.results(), @r"
    lava.validate pass
    lava.kernel-messages pass
    lava.0_a fail
    lava.lava-test-shell fail
    lava.kernel-messages fail
    lava.lava-test-retry fail
    lava.job fail
    ");
}

#[tokio::test(start_paused = true)]
async fn a_panic_ends_the_boot() {
    let (_, outcome) = run(true, async |mut player: Player| {
        player.print("VFS: Cannot open root device\r\n").await;
        player.print(PANIC).await;
        player.drain().await;
    })
    .await;
    let failure = failure(&outcome);
    assert_eq!(failure.class, ErrorClass::Job);
    assert!(failure.message.contains("the kernel panicked before a prompt came"), "{}", failure.message);
}

#[tokio::test(start_paused = true)]
async fn an_oops_is_recorded_and_the_test_goes_on() {
    let (bench, outcome) = run(false, async |mut player: Player| {
        let oops = "[    9.000002] BUG: kernel NULL pointer dereference, address: 0\r\n";
        // What `dmesg` shows again, the first line of a kernel among it, is no news.
        player.print(&format!("{oops}[    0.000000] Linux version 6.1.0\r\n{oops}")).await;
        player.print("<LAVA_SIGNAL_ENDRUN 0_a 101_1.1.1.1>\r\n<LAVA_TEST_RUNNER EXIT>\r\ndevice# ").await;
        player.drain().await;
    })
    .await;
    assert_eq!(outcome.failure, None);
    assert!(!outcome.failed_cases);
    insta::assert_snapshot!(bench.results(), @r"
    lava.validate pass
    lava.kernel-messages pass
    lava.0_a pass
    lava.kernel-messages fail
    lava.job pass
    ");
}

#[tokio::test(start_paused = true)]
async fn a_reset_ends_the_test() {
    let (_, outcome) = run(false, async |mut player: Player| {
        player.tell.send(DeviceEvent::Reset).unwrap();
        player.drain().await;
    })
    .await;
    assert_eq!(failure(&outcome).class, ErrorClass::Test);
    assert!(failure(&outcome).message.contains("device rebooted"), "{}", failure(&outcome).message);
}

#[tokio::test(start_paused = true)]
async fn a_machine_says_why_it_has_ended() {
    for (class, expected) in
        [(ErrorClass::Job, ErrorClass::Test), (ErrorClass::Infrastructure, ErrorClass::Infrastructure)]
    {
        let (_, outcome) = run(false, move |mut player: Player| async move {
            player.print("going down\r\n").await;
            // Said after the console has ended, as happens.
            let Player { tell, .. } = player;
            let _ = tell.send(DeviceEvent::Ended(ConsoleEnd { class, message: "it is off".into() }));
        })
        .await;
        assert_eq!(failure(&outcome).class, expected);
        let message = &failure(&outcome).message;
        assert!(message.contains("it is off") && message.contains("going down"), "{message}");
    }
}
