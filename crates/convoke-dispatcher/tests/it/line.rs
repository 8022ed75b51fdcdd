//! The checked link from the dispatcher's side: over a line that damages bytes, with a device that answers oddly or not
//! at all, and where it is turned off.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use convoke_dispatcher::device::{
    BootRequest, Console, Deployed, Deployment, Device, DeviceFuture, DeviceInfo, Refusal,
};
use convoke_job::member::Block;
use convoke_journal::{Health, ResultValue};
use convoke_overlay::link::{Frame, Kind, LinkRequest, Phase, SuiteEnd};
use convoke_overlay::signal::DeviceRequest;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::group::group;
use crate::pty::PtyDevice;
use crate::support::{Bench, Player, Scripted, member, sandbox};

/// A device behind a line that drops, doubles and flips bytes from the moment its runner is started, and on which the
/// kernel speaks in between. Bytes come as a UART of 115,200 baud hands them on: a FIFO at a time, whoever else runs
/// having its turn in between.
struct Lossy {
    inner: PtyDevice,
    seed: u64,
}

/// The FIFO of a UART.
const FIFO: usize = 16;
/// A record of the kernel comes after so many FIFOs.
const RECORD_EVERY: u32 = 20;

/// What a line does, always the same for a seed.
struct Damage {
    state: u64,
    /// FIFOs since the kernel's last record, on the way from the device.
    since: Option<u32>,
}

impl Damage {
    fn new(seed: u64, kernel: bool) -> Self {
        Damage { state: seed, since: kernel.then_some(0) }
    }

    fn random(&mut self, below: u64) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state >> 11) % below
    }

    /// One FIFO of bytes.
    fn pass(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        if let Some(since) = &mut self.since {
            *since = (*since + 1) % RECORD_EVERY;
            if *since == 0 {
                out.extend(b"[   12.345678] usb 1-1: new high-speed USB device number 7 using xhci\r\n");
            }
        }
        for &byte in bytes {
            match self.random(1000) {
                0 => {}
                1 => out.extend([byte, byte]),
                2 => out.push(byte ^ (1 << self.random(8))),
                _ => out.push(byte),
            }
        }
        out
    }
}

async fn carry(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut damage: Damage,
    bad: Arc<AtomicBool>,
    starts: bool,
) {
    let mut buffer = [0; 4096];
    let mut line = Vec::new();
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        for fifo in buffer[..count].chunks(FIFO) {
            let bytes = if bad.load(Ordering::SeqCst) { damage.pass(fifo) } else { fifo.to_vec() };
            if to.write_all(&bytes).await.is_err() || to.flush().await.is_err() {
                return;
            }
            if starts && !bad.load(Ordering::SeqCst) {
                line.extend(&bytes);
                let typed = String::from_utf8_lossy(&line);
                let whole = typed.rfind("/bin/lava-test-runner ").is_some_and(|at| typed[at..].contains('\n'));
                bad.store(whole, Ordering::SeqCst);
            }
            tokio::task::yield_now().await;
        }
    }
}

impl Device for Lossy {
    fn info(&self) -> &DeviceInfo {
        self.inner.info()
    }

    fn refusal(&self, block: &Block) -> Option<Refusal> {
        self.inner.refusal(block)
    }

    fn deploy(&mut self, deployment: Deployment) -> DeviceFuture<'_, Deployed> {
        self.inner.deploy(deployment)
    }

    fn boot(&mut self, request: BootRequest) -> DeviceFuture<'_, Console> {
        Box::pin(async move {
            let console = self.inner.boot(request).await?;
            let (ours, theirs) = tokio::io::duplex(64 * 1024);
            let (reader, writer) = tokio::io::split(ours);
            let (from, to) = tokio::io::split(theirs);
            let bad = Arc::new(AtomicBool::new(false));
            tokio::spawn(carry(console.reader, to, Damage::new(self.seed, true), Arc::clone(&bad), false));
            tokio::spawn(carry(from, console.writer, Damage::new(self.seed + 1, false), bad, true));
            Ok(Console::new(reader, writer))
        })
    }

    fn power_off(&mut self) -> DeviceFuture<'_, ()> {
        self.inner.power_off()
    }
}

/// Three bytes of a thousand are damaged, both ways, and the kernel speaks every 320; every result and every message is
/// right.
#[tokio::test]
async fn two_members_behind_lossy_lines() {
    let roles = ["server", "client"];
    let mut clients = group(&roles).into_iter();
    let (server, client) = (Bench::new(), Bench::new());
    let cases: Vec<String> = (1..=20).map(|n| format!("lava-test-case c{n} --result skip")).collect();
    let mut steps: Vec<&str> = cases.iter().map(String::as_str).collect();
    steps.extend(["lava-send ready 'text=a > b  c' \"lines=1\n2\"", "lava-sync done"]);
    let server_job = member(sandbox(&[("server", &steps)]), 0, &roles);
    let client_job = member(
        sandbox(&[(
            "client",
            &[
                "lava-wait ready",
                "lava-test-case text --shell grep -q '^101:text=a > b  c$' \"$LAVA_MULTI_NODE_CACHE\"",
                "lava-test-case lines --shell grep -qF '101:lines=1\\n2' \"$LAVA_MULTI_NODE_CACHE\"",
                "lava-sync done",
            ],
        )]),
        1,
        &roles,
    );
    let (one, two) = tokio::join!(
        server.run_in(server_job, Lossy { inner: PtyDevice::new("one"), seed: 11 }, clients.next()),
        client.run_in(client_job, Lossy { inner: PtyDevice::new("two"), seed: 23 }, clients.next()),
    );
    assert_eq!((one.health, two.health), (Health::Complete, Health::Complete), "{}{}", server.log(), client.log());
    let mut found: Vec<String> = server.results().lines().map(str::to_owned).collect();
    found.sort();
    let mut wanted: Vec<String> = (1..=20).map(|n| format!("0_server.c{n} skip")).collect();
    wanted.extend(["0_server.multinode-send-ready pass", "0_server.multinode-sync-done pass"].map(str::to_owned));
    wanted.extend(["lava.0_server pass", "lava.job pass", "lava.validate pass"].map(str::to_owned));
    wanted.sort();
    assert_eq!(found, wanted, "{}", server.log());
    let found = client.results();
    for wanted in
        ["0_client.text pass", "0_client.lines pass", "0_client.multinode-wait-ready pass", "lava.0_client pass"]
    {
        assert!(found.contains(wanted), "{found}");
    }
    assert!(server.log().contains("the console damaged frames: "), "{}", server.log());
}

#[tokio::test]
async fn the_job_may_turn_the_link_off() {
    let bench = Bench::new();
    let mut job = member(sandbox(&[("a", &["lava-sync done", "lava-test-case c --result pass"])]), 0, &["one"]);
    job.environment.push(("LAVA_LINK".into(), "1".into()));
    let outcome = bench.run_in(job, PtyDevice::new("one"), group(&["one"]).into_iter().next()).await;
    assert_eq!(outcome.health, Health::Complete, "{}", bench.log());
    assert!(bench.typed().contains("<LAVA_SYNC_COMPLETE>\n") && !bench.typed().contains("LAVA2"), "{}", bench.typed());
    assert!(bench.results().contains("0_a.c pass"), "{}", bench.results());
}

/// The device's side of the link, as far as a test plays it.
impl Player {
    async fn ask(&mut self, id: u16, request: &LinkRequest) -> String {
        let frame = Frame { kind: Kind::Request, id, part: 1, of: 1, text: request.encode() };
        self.print(&format!("\r\n{}\r\n", frame.line())).await;
        let Frame { kind, .. } = self.frame().await.unwrap();
        assert_eq!(kind, Kind::Acknowledge);
        self.answer(id).await
    }

    async fn answer(&mut self, id: u16) -> String {
        let reply = self.frame().await.unwrap();
        assert_eq!((reply.kind, reply.id), (Kind::Reply, id));
        let taken = Frame::about(Kind::Received, id, 1, 1).line();
        self.print(&format!("\r\n{taken}\r\n")).await;
        let Frame { kind, .. } = self.frame().await.unwrap();
        assert_eq!(kind, Kind::Finished);
        reply.text
    }

    async fn frame(&mut self) -> Option<Frame> {
        Some(Frame::parse(&self.line().await?).unwrap())
    }
}

fn end(last: u32, phase: Phase) -> LinkRequest {
    LinkRequest::End(SuiteEnd { suite: "0_a".into(), last, status: 0, phase, left: 0, tag: "t".into() })
}

const START: &str = "<LAVA_SIGNAL_STARTRUN 0_a 101_1.1.2.1>\r\n";
const END: &str = "<LAVA_SIGNAL_ENDRUN 0_a 101_1.1.2.1>\r\n";

#[tokio::test(start_paused = true)]
async fn what_is_lost_for_good_fails_its_suite_and_is_named() {
    let bench = Bench::new();
    let device = Scripted::new(|mut player| async move {
        player.runner("").await;
        assert_eq!(player.ask(1, &LinkRequest::Begin).await, "ok");
        let numbered = "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=x RESULT=pass #t-2.284a>\r\n";
        player.print(&format!("{START}{numbered}{END}")).await;
        for round in 2..20 {
            let text = player.ask(round, &end(3, Phase::Ended)).await;
            if text == "ok" {
                player.print("<LAVA_TEST_RUNNER EXIT>\r\n").await;
                return player.drain().await;
            }
            assert_eq!(text, "resend%0401%0403");
        }
    });
    bench.run(sandbox(&[("a", &["true"])]), device).await;
    let suite = bench.records().into_iter().find(|record| record.case == "0_a").unwrap();
    assert_eq!(suite.result, ResultValue::Fail);
    let why = suite.extra["error_msg"].as_str().unwrap();
    assert_eq!(why, "2 results of 0_a were lost on the console: number 1, 3");
    assert!(bench.results().contains("0_a.x pass"), "{}", bench.results());
}

#[tokio::test(start_paused = true)]
async fn a_runner_whose_last_lines_are_lost_has_ended_all_the_same() {
    let bench = Bench::new();
    let device = Scripted::new(|mut player| async move {
        player.runner("").await;
        player.ask(1, &LinkRequest::Begin).await;
        // Neither the start nor the end of the suite, nor EXIT, arrives.
        player.ask(2, &end(0, Phase::Ended)).await;
        player.drain().await;
    });
    let outcome = bench.run(sandbox(&[("a", &["true"])]), device).await;
    assert_eq!(outcome.health, Health::Complete, "{}", bench.log());
    assert!(bench.results().contains("lava.0_a pass"), "{}", bench.results());
    assert!(bench.log().contains("the runner's EXIT did not come"), "{}", bench.log());
}

#[tokio::test(start_paused = true)]
async fn a_script_that_leaves_before_its_end_has_failed() {
    let bench = Bench::new();
    let device = Scripted::new(|mut player| async move {
        player.runner("").await;
        player.ask(1, &LinkRequest::Begin).await;
        player.print(START).await;
        player.ask(2, &end(0, Phase::Cut)).await;
        player.print("<LAVA_TEST_RUNNER EXIT>\r\n").await;
        player.drain().await;
    });
    bench.run(sandbox(&[("a", &["exit 0"])]), device).await;
    assert!(bench.results().contains("lava.0_a fail"), "{}", bench.results());
}

/// A runner none of whose frames arrives whole speaks the old form, in which damage cannot be seen.
#[tokio::test(start_paused = true)]
async fn a_line_too_bad_for_the_link_is_said() {
    for (frame, said) in [("<LAVA2 Q 0001 1/1 5 ffff bxgin>\r\n", true), ("", false)] {
        let bench = Bench::new();
        let device = Scripted::new(move |mut player| async move {
            player.runner(frame).await;
            if said {
                assert_eq!(player.frame().await.unwrap().kind, Kind::Again);
            }
            player.print(&format!("{START}{END}<LAVA_TEST_RUNNER EXIT>\r\n")).await;
            player.drain().await;
        });
        bench.run(sandbox(&[("a", &["true"])]), device).await;
        let why = "Error: the console is so bad that the runner gave the checked link up: ";
        assert_eq!(bench.log().contains(why), said, "{}", bench.log());
    }
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_nobody_takes_is_a_failed_call() {
    let roles = ["one"];
    let bench = Bench::new();
    let device = Scripted::new(|mut player| async move {
        player.runner("").await;
        player.ask(1, &LinkRequest::Begin).await;
        let sync = LinkRequest::Call(DeviceRequest::Sync { message_id: "go".into(), quiet: false });
        let frame = Frame { kind: Kind::Request, id: 2, part: 1, of: 1, text: sync.encode() };
        player.print(&format!("{START}{}\r\n", frame.line())).await;
        let mut replies = 0;
        // The first and ten more.
        while replies < 11 {
            replies += u32::from(player.frame().await.unwrap().kind == Kind::Reply);
        }
        tokio::time::sleep(Duration::from_secs(5)).await;
        player.print("<LAVA_TEST_RUNNER EXIT>\r\n").await;
        assert_eq!(player.line().await, None, "nothing more is typed");
    });
    let job = member(sandbox(&[("a", &["true"])]), 0, &roles);
    bench.run_in(job, device, group(&roles).into_iter().next()).await;
    let call = bench.records().into_iter().find(|record| record.case == "multinode-sync-go").unwrap();
    assert_eq!(call.result, ResultValue::Fail);
    assert_eq!(call.extra["error_msg"], "the device did not take the reply");
}

/// A helper of the image beside ours gets no more than a terminal's line holds.
#[tokio::test(start_paused = true)]
async fn a_long_reply_to_an_old_helper_is_refused() {
    let roles = ["one"];
    let bench = Bench::new();
    let device = Scripted::new(|mut player| async move {
        player.runner("").await;
        player.ask(1, &LinkRequest::Begin).await;
        player.print(START).await;
        player.print(&format!("<LAVA_MULTI_NODE> <LAVA_SEND m k={}>\r\n", "x".repeat(4000))).await;
        player.print("<LAVA_MULTI_NODE> <LAVA_WAIT m>\r\n").await;
        let reply = player.line().await.unwrap();
        assert!(reply.starts_with("<LAVA_WAIT_COMPLETE nack the reply has 40"), "{reply}");
        player.print("<LAVA_TEST_RUNNER EXIT>\r\n").await;
        player.drain().await;
    });
    let job = member(sandbox(&[("a", &["true"])]), 0, &roles);
    bench.run_in(job, device, group(&roles).into_iter().next()).await;
    assert!(bench.log().contains("a helper that asks in the old form can take 4000"), "{}", bench.log());
}

/// A device may want a pause after each byte.
#[tokio::test(start_paused = true)]
async fn typing_keeps_to_the_devices_delay() {
    let bench = Bench::new();
    let mut device = Scripted::new(|mut player| async move {
        let runner = player.shell("/lava-101/bin/lava-test-runner").await.unwrap();
        let before = tokio::time::Instant::now();
        player.ask(1, &LinkRequest::Begin).await;
        // An acknowledgement, a reply, a last word: about a hundred bytes.
        assert!(before.elapsed() > Duration::from_millis(80 * 20), "{:?} {runner}", before.elapsed());
        player.print(&format!("{START}{END}<LAVA_TEST_RUNNER EXIT>\r\n")).await;
        player.drain().await;
    });
    let mut dictionary = (*device.info.configuration).clone();
    dictionary.character_delays.test = Duration::from_millis(20);
    device.info.configuration = Arc::new(dictionary);
    let outcome = bench.run(sandbox(&[("a", &["true"])]), device).await;
    assert_eq!(outcome.health, Health::Complete, "{}", bench.log());
}
