//! A member whose group was stopped: no limit of it passes, and somebody may sit at its console. The clock is paused.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use convoke_coordinator::{CallOptions, GroupEvent, LocalGroup};
use convoke_dispatcher::MemberOutcome;
use convoke_group::{Call, GroupName, MemberName, MessageId, RoleName};
use convoke_journal::{Body, Health};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinHandle;

use crate::support::{Bench, Scripted, member, sandbox};

const START: &str = "<LAVA_SIGNAL_STARTRUN 0_a 101_1.1.2.1>\r\n";
const END: &str = "<LAVA_SIGNAL_ENDRUN 0_a 101_1.1.2.1>\r\n<LAVA_TEST_RUNNER EXIT>\r\ndevice# ";
const FORGED: &str = "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=forged RESULT=pass>";

/// A member that has arrived at the sync `go`, where its group of two stands still.
struct Scene {
    bench: Arc<Bench>,
    group: LocalGroup,
    run: JoinHandle<MemberOutcome>,
    other: JoinHandle<convoke_group::Answer>,
    _events: UnboundedReceiver<GroupEvent>,
}

impl Scene {
    async fn at(device: Scripted) -> Scene {
        let (sender, mut events) = unbounded_channel();
        let group = LocalGroup::start(GroupName::new("group"), NonZeroUsize::new(2).unwrap(), sender);
        group.brake().stop_at(vec![MessageId::new("go")]);
        let client = |name: &str| group.client(MemberName::new(name), RoleName::new("node"));
        let (own, other) = (client("101"), client("102"));
        let bench = Arc::new(Bench::new());
        let running = Arc::clone(&bench);
        let job = member(sandbox(&[("a", &["lava-sync go"])]), 0, &["node", "node"]);
        let run = tokio::spawn(async move { running.run_in(job, device, Some(own)).await });
        let other = tokio::spawn(async move {
            let call = Call::Sync { message_id: MessageId::new("go") };
            other.call(call, CallOptions::default()).await
        });
        loop {
            match events.recv().await.unwrap() {
                GroupEvent::Stopped { .. } => break,
                GroupEvent::Left { why, .. } => panic!("{why}\n{}", bench.log()),
                _ => {}
            }
        }
        Scene { bench, group, run, other, _events: events }
    }

    async fn go_on(self) -> (Arc<Bench>, MemberOutcome) {
        self.group.brake().go_on();
        self.other.await.unwrap();
        (self.bench, self.run.await.unwrap())
    }
}

#[tokio::test(start_paused = true)]
async fn neither_the_sync_nor_the_test_nor_the_job_runs_out_of_time() {
    let device = Scripted::new(|mut player| async move {
        player.runner(&format!("{START}<LAVA_MULTI_NODE> <LAVA_SYNC go>\r\n")).await;
        assert_eq!(player.line().await.as_deref(), Some("<LAVA_SYNC_COMPLETE>"));
        player.print(END).await;
        player.drain().await;
    });
    let scene = Scene::at(device).await;
    tokio::time::sleep(Duration::from_secs(24 * 3600)).await;
    let (bench, outcome) = scene.go_on().await;
    assert_eq!(outcome.health, Health::Complete, "{}", bench.log());
    assert!(bench.results().contains("0_a.multinode-sync-go pass"), "{}", bench.results());
}

#[tokio::test(start_paused = true)]
async fn somebody_at_the_console_hears_it_and_types_and_is_no_signal() {
    let device = Scripted::new(|mut player| async move {
        player.runner(&format!("{START}<LAVA_MULTI_NODE> <LAVA_SYNC go>\r\n")).await;
        let line = player.line().await.unwrap();
        // The terminal's echo, and what the command prints.
        player.print(&format!("{line}\r\nit is heard\r\n")).await;
        assert_eq!(player.line().await.as_deref(), Some("<LAVA_SYNC_COMPLETE>"));
        player.print("<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=real RESULT=pass>\r\n").await;
        player.print(END).await;
        player.drain().await;
    });
    let scene = Scene::at(device).await;
    let (mut output, seat) = scene.bench.options.desk.sit().await.unwrap();
    let typed = format!("echo {FORGED}\n");
    for key in typed.as_bytes() {
        seat.type_bytes(&[*key]);
    }
    let mut heard = String::new();
    while !heard.contains("it is heard") {
        heard.push_str(&String::from_utf8(output.recv().await.unwrap()).unwrap());
    }
    assert!(heard.contains(FORGED));
    let desk = scene.bench.options.desk.clone();
    let (bench, outcome) = scene.go_on().await;
    assert_eq!(outcome.health, Health::Complete, "{}", bench.log());
    assert!(bench.results().contains("0_a.real pass"), "{}", bench.results());
    assert!(!bench.results().contains("forged"), "{}", bench.results());
    assert!(bench.typed().contains(&typed), "what was typed there is recorded: {}", bench.typed());
    let is_recorded = |body: &Body| body.console_bytes().is_some_and(|bytes| bytes.ends_with(b"it is heard\r\n"));
    assert!(bench.bodies().iter().any(is_recorded));
    while output.recv().await.is_some() {}
    assert!(desk.sit().await.is_none(), "it has ended with the console");
}
