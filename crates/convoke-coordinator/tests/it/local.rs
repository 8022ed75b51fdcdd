//! A group within this process: calls, limits, withdrawal, leaving, events. The clock is tokio's paused one.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use convoke_coordinator::{CallOptions, GroupClient, GroupEvent, LocalGroup, WaitingCall};
use convoke_group::{
    Answer, Call, CallKind, GroupName, MemberName, Message, MessageId, Messages, Quiet, Refusal, RoleName,
};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::Instant;

struct Lab {
    group: LocalGroup,
    events: UnboundedReceiver<GroupEvent>,
}

impl Lab {
    fn of(size: usize) -> Self {
        let (sender, events) = unbounded_channel();
        let size = NonZeroUsize::new(size).unwrap();
        Self { group: LocalGroup::start(GroupName::new("g"), size, sender), events }
    }

    fn client(&self, name: &str, role: &str) -> Arc<dyn GroupClient> {
        self.group.client(MemberName::new(name), RoleName::new(role))
    }

    /// The next event that is not a registration.
    async fn event(&mut self) -> GroupEvent {
        loop {
            match self.events.recv().await.expect("the group goes on") {
                GroupEvent::Registered { .. } => {}
                event => return event,
            }
        }
    }

    /// Returns once somebody waits.
    async fn parked(&mut self) {
        loop {
            if let GroupEvent::Waiting { .. } = self.event().await {
                return;
            }
        }
    }
}

fn id(text: &str) -> MessageId {
    MessageId::new(text)
}

fn send(text: &str, message: Value) -> Call {
    Call::Send { message_id: id(text), message }
}

fn wait(text: &str) -> Call {
    Call::Wait { message_id: id(text) }
}

fn sync(text: &str) -> Call {
    Call::Sync { message_id: id(text) }
}

fn limit(seconds: u64) -> CallOptions {
    CallOptions { limit: Some(Duration::from_secs(seconds)), ..CallOptions::default() }
}

fn quiet(seconds: u64) -> CallOptions {
    CallOptions { quiet: Quiet::Certain, ..limit(seconds) }
}

fn spawn(client: &Arc<dyn GroupClient>, call: Call, options: CallOptions) -> tokio::task::JoinHandle<Answer> {
    let client = Arc::clone(client);
    tokio::spawn(async move { client.call(call, options).await })
}

#[track_caller]
fn done(answer: Answer) -> Messages {
    match answer {
        Answer::Done { messages } => messages,
        Answer::Refused { refusal } => panic!("{refusal}"),
    }
}

#[track_caller]
fn refused(answer: Answer) -> Refusal {
    match answer {
        Answer::Refused { refusal } => refusal,
        Answer::Done { .. } => panic!("not refused"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_is_woken_by_the_send_and_gets_its_data() {
    let mut lab = Lab::of(2);
    let (server, client) = (lab.client("s1", "server"), lab.client("c1", "client"));
    let waiting = spawn(&client, wait("ready"), limit(30));
    lab.parked().await;
    let before = Instant::now();
    done(server.call(send("ready", json!({"ip": "10.0.0.1"})), limit(30)).await);
    let data: Message = serde_json::from_value(json!({"ip": "10.0.0.1"})).unwrap();
    assert_eq!(*done(waiting.await.unwrap()), [(MemberName::new("s1"), Value::Object(data))]);
    assert_eq!(Instant::now(), before, "no timer is between the send and the wake-up");
}

#[tokio::test(start_paused = true)]
async fn a_limit_passes_at_its_time_and_not_before() {
    let lab = Lab::of(2);
    let (a, _b) = (lab.client("a", "peer"), lab.client("b", "peer"));
    let start = Instant::now();
    let refusal = refused(a.call(wait("never"), limit(7)).await);
    assert!(matches!(refusal, Refusal::TimedOut { .. }), "{refusal}");
    assert_eq!(start.elapsed().as_secs(), 7);
}

#[tokio::test(start_paused = true)]
async fn a_limit_beyond_all_time_is_none() {
    let mut lab = Lab::of(2);
    let (a, b) = (lab.client("a", "peer"), lab.client("b", "peer"));
    let options = CallOptions { limit: Some(Duration::MAX), ..CallOptions::default() };
    let waiting = spawn(&a, wait("go"), options);
    lab.parked().await;
    done(b.call(send("go", json!({})), limit(1)).await);
    assert_eq!(done(waiting.await.unwrap()).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_future_withdraws_the_call() {
    let lab = Lab::of(2);
    let (a, _b) = (lab.client("a", "peer"), lab.client("b", "peer"));
    let cut = tokio::time::timeout(Duration::from_secs(1), a.call(wait("go"), limit(30))).await;
    assert!(cut.is_err());
    assert!(lab.group.waits().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_release_that_never_reached_its_caller_is_given_again() {
    let mut lab = Lab::of(2);
    let (a, b) = (lab.client("a", "peer"), lab.client("b", "peer"));
    let mut lost = Box::pin(a.call(sync("go"), limit(30)));
    assert!(poll_once(&mut lost).await.is_none());
    lab.parked().await;
    done(b.call(sync("go"), limit(30)).await);
    drop(lost);
    // The first round is given again at once; only then does `a` arrive at the second.
    done(a.call(sync("go"), limit(30)).await);
    let second = spawn(&b, sync("go"), limit(30));
    lab.parked().await;
    done(a.call(sync("go"), limit(30)).await);
    done(second.await.unwrap());
}

/// Polls once.
async fn poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    std::future::poll_fn(|context| {
        std::task::Poll::Ready(match std::pin::Pin::new(&mut *future).poll(context) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        })
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn leaving_fails_those_who_need_the_member_at_once() {
    let mut lab = Lab::of(2);
    let (a, b) = (lab.client("a", "peer"), lab.client("b", "peer"));
    let waiting = spawn(&a, sync("go"), limit(30));
    lab.parked().await;
    let start = Instant::now();
    b.leave("its job ended");
    b.leave("said twice");
    let refusal = refused(waiting.await.unwrap());
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!(
        refusal.to_string(),
        "lava-sync go of a (peer) can no longer be satisfied: b (peer) left without arriving: its job ended"
    );
    assert!(matches!(refused(b.call(wait("x"), limit(1)).await), Refusal::Invalid { .. }));
    let left = GroupEvent::Left { member: MemberName::new("b"), why: "its job ended".to_owned() };
    assert_eq!(lab.event().await, left);
}

#[tokio::test(start_paused = true)]
async fn a_stuck_group_fails_without_waiting_for_limits() {
    let lab = Lab::of(2);
    let (a, b) = (lab.client("a", "peer"), lab.client("b", "peer"));
    let start = Instant::now();
    let (first, second) = (spawn(&a, wait("x"), quiet(60)), spawn(&b, wait("y"), quiet(90)));
    let refusal = refused(first.await.unwrap());
    assert!(matches!(refusal, Refusal::AllWaiting { .. }), "{refusal}");
    a.leave("its job ended");
    assert!(matches!(refused(second.await.unwrap()), Refusal::MembersLeft { .. }));
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn events_tell_who_is_missing_and_what_is_probably_stuck() {
    let mut lab = Lab::of(3);
    let clients = [lab.client("a", "peer"), lab.client("b", "peer"), lab.client("c", "peer")];
    let member = |name: &str| MemberName::new(name);
    let calls = |names: &[(&str, u64)]| -> Vec<WaitingCall> {
        names.iter().map(|(name, id)| WaitingCall { member: member(name), call_id: Some(*id) }).collect()
    };
    let waiting = |names: &[(&str, u64)], missing: &[&str]| GroupEvent::Waiting {
        calls: calls(names),
        kind: CallKind::Sync,
        message_id: id("go"),
        wait_role: None,
        missing: missing.iter().map(|name| member(name)).collect(),
        unregistered: 0,
    };
    let numbered = |call_id| CallOptions { call_id: Some(call_id), ..limit(30) };
    let _a = spawn(&clients[0], sync("go"), numbered(7));
    assert_eq!(lab.event().await, waiting(&[("a", 7)], &["b", "c"]));
    let _b = spawn(&clients[1], sync("go"), numbered(8));
    assert_eq!(lab.event().await, waiting(&[("a", 7), ("b", 8)], &["c"]));
    let _c = spawn(&clients[2], wait("other"), numbered(9));
    assert!(matches!(lab.event().await, GroupEvent::Waiting { kind: CallKind::Wait, .. }));
    let GroupEvent::ProbablyStuck { waits } = lab.event().await else { panic!("not said") };
    assert_eq!(waits.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn registrations_are_told_once_and_not_for_a_stranger() {
    let mut lab = Lab::of(1);
    let _member = lab.client("a", "peer");
    let _again = lab.client("a", "other");
    let stranger = lab.client("b", "peer");
    let refusal = refused(stranger.call(Call::Assemble, limit(1)).await);
    assert!(matches!(refusal, Refusal::Invalid { .. }), "{refusal}");
    let registered = GroupEvent::Registered { member: MemberName::new("a"), role: RoleName::new("peer") };
    assert_eq!(lab.events.try_recv().unwrap(), registered);
    assert!(lab.events.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn the_task_ends_with_its_last_handle() {
    let mut lab = Lab::of(1);
    let client = lab.client("a", "peer");
    drop(lab.group);
    done(client.call(Call::Assemble, limit(1)).await);
    drop(client);
    while lab.events.recv().await.is_some() {}
}

/// Calls of many members at once from several threads: each is answered, and nothing but the last arrival is waited for.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_members_pass_ten_barriers() {
    let lab = Lab::of(50);
    let members: Vec<_> = (0..50)
        .map(|n| {
            let client = lab.client(&format!("m{n}"), "peer");
            tokio::spawn(async move {
                for _ in 0..10 {
                    done(client.call(sync("go"), quiet(60)).await);
                }
            })
        })
        .collect();
    for member in members {
        member.await.unwrap();
    }
}

/// Callers that give up at any moment leave nothing behind, and nobody else is lost with them.
#[tokio::test(start_paused = true)]
async fn callers_that_give_up_leave_nothing_behind() {
    const MEMBERS: u64 = 6;
    let lab = Lab::of(MEMBERS as usize);
    let members: Vec<_> = (0..MEMBERS)
        .map(|n| {
            let client = lab.client(&format!("m{n}"), if n % 2 == 0 { "even" } else { "odd" });
            tokio::spawn(async move {
                let mut dice = Dice(n + 1);
                for _ in 0..200 {
                    let message_id = id(["x", "y", "z"][dice.below(3) as usize]);
                    let call = match dice.below(4) {
                        0 => Call::Sync { message_id },
                        1 => Call::WaitAll { message_id, role: Some(RoleName::new("odd")) },
                        2 => Call::Wait { message_id: id(&format!("{message_id}-{}", dice.below(40))) },
                        _ => send(&format!("{message_id}-{}", dice.below(40)), json!({})),
                    };
                    let options =
                        CallOptions { limit: Some(Duration::from_millis(dice.below(20))), ..CallOptions::default() };
                    // Cut off before its limit, at it, or not at all.
                    let cut = Duration::from_millis(dice.below(30));
                    let _ = tokio::time::timeout(cut, client.call(call, options)).await;
                }
                done(client.call(sync("end"), CallOptions::default()).await);
                client.leave("its job ended");
            })
        })
        .collect();
    for member in members {
        member.await.unwrap();
    }
    assert!(lab.group.waits().await.is_empty());
}

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}
