//! A group that is stopped where the user wants to look: nothing is answered, no limit passes, nothing is lost.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use convoke_coordinator::{CallOptions, GroupClient, GroupEvent, LocalGroup};
use convoke_group::{Answer, Call, GroupName, MemberName, MessageId, Refusal, RoleName};
use serde_json::json;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::Instant;

const S: Duration = Duration::from_secs(1);

struct Lab {
    group: LocalGroup,
    events: UnboundedReceiver<GroupEvent>,
    clients: Vec<Arc<dyn GroupClient>>,
}

impl Lab {
    /// Members `0`, `1`, … of a group that stops at `go`.
    fn of(size: usize) -> Lab {
        let (sender, events) = unbounded_channel();
        let group = LocalGroup::start(GroupName::new("g"), NonZeroUsize::new(size).unwrap(), sender);
        let client = |number: usize| group.client(MemberName::new(number.to_string()), RoleName::new("peer"));
        let clients = (0..size).map(client).collect();
        group.brake().stop_at(vec![MessageId::new("go")]);
        Lab { group, events, clients }
    }

    fn spawn(&self, member: usize, call: Call, limit: Duration) -> tokio::task::JoinHandle<Answer> {
        let client = Arc::clone(&self.clients[member]);
        let options = CallOptions { limit: Some(limit), ..CallOptions::default() };
        tokio::spawn(async move { client.call(call, options).await })
    }

    async fn event(&mut self, fits: impl Fn(&GroupEvent) -> bool) -> GroupEvent {
        loop {
            let event = self.events.recv().await.expect("the group goes on");
            if fits(&event) {
                return event;
            }
        }
    }

    async fn stopped(&mut self) {
        let event = self.event(|event| matches!(event, GroupEvent::Stopped { .. })).await;
        assert_eq!(event, GroupEvent::Stopped { message_id: MessageId::new("go") });
    }
}

fn sync(id: &str) -> Call {
    Call::Sync { message_id: MessageId::new(id) }
}

fn wait(id: &str) -> Call {
    Call::Wait { message_id: MessageId::new(id) }
}

fn send(id: &str) -> Call {
    Call::Send { message_id: MessageId::new(id), message: json!({}) }
}

fn is_done(answer: &Answer) -> bool {
    matches!(answer, Answer::Done { .. })
}

#[tokio::test(start_paused = true)]
async fn a_sync_is_held_before_anybody_is_released_and_no_limit_passes() {
    let mut lab = Lab::of(3);
    let other = lab.spawn(2, wait("other"), 20 * S);
    let first = lab.spawn(0, sync("go"), 10 * S);
    let second = lab.spawn(1, sync("go"), 10 * S);
    let third = lab.spawn(2, sync("go"), 10 * S);
    lab.stopped().await;
    tokio::time::sleep(1000 * S).await;
    let all = [&first, &second, &third, &other];
    assert!(all.iter().all(|call| !call.is_finished()), "nobody is released, no limit has passed");
    let before = Instant::now();
    lab.group.brake().go_on();
    let went = lab.event(|event| matches!(event, GroupEvent::WentOn { .. })).await;
    assert_eq!(went, GroupEvent::WentOn { message_id: MessageId::new("go"), stood: 1000 * S });
    for call in [first, second, third] {
        assert!(is_done(&call.await.unwrap()));
    }
    assert_eq!(Instant::now(), before);
    let Answer::Refused { refusal } = other.await.unwrap() else { panic!("nobody has sent it") };
    assert!(matches!(refusal, Refusal::TimedOut { .. }), "{refusal}");
    assert_eq!(before.elapsed(), 20 * S, "its limit has run since the group went on");
}

#[tokio::test(start_paused = true)]
async fn nothing_else_is_answered_while_it_stands_and_everything_after() {
    let mut lab = Lab::of(3);
    let held = lab.spawn(0, wait("go"), 10 * S);
    assert!(is_done(&lab.spawn(1, send("elsewhere"), S).await.unwrap()), "it does not stand yet");
    let sent = lab.spawn(1, send("go"), S);
    lab.stopped().await;
    let late = lab.spawn(2, wait("elsewhere"), S);
    tokio::time::sleep(50 * S).await;
    assert!(!held.is_finished() && !late.is_finished());
    assert!(is_done(&sent.await.unwrap()), "who sends was answered before anybody was released");
    lab.group.brake().go_on();
    assert!(is_done(&held.await.unwrap()) && is_done(&late.await.unwrap()));
}

#[tokio::test(start_paused = true)]
async fn it_stops_each_time_until_it_is_told_to_stop_no_more() {
    let mut lab = Lab::of(2);
    for _ in 0..2 {
        let calls = [lab.spawn(0, sync("go"), S), lab.spawn(1, sync("go"), S)];
        lab.stopped().await;
        lab.group.brake().go_on();
        for call in calls {
            assert!(is_done(&call.await.unwrap()));
        }
    }
    lab.group.brake().stop_at(Vec::new());
    let calls = [lab.spawn(0, sync("go"), S), lab.spawn(1, sync("go"), S)];
    for call in calls {
        assert!(is_done(&call.await.unwrap()));
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_there_releases_nobody_and_does_not_stop_the_group() {
    let lab = Lab::of(2);
    let waiting = lab.spawn(0, wait("go"), S);
    assert!(!is_done(&waiting.await.unwrap()));
    assert_eq!(lab.group.clock().now(), S);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_is_cancelled_meanwhile_keeps_its_right_to_the_release() {
    let mut lab = Lab::of(2);
    let first = lab.spawn(0, sync("go"), 10 * S);
    let second = lab.spawn(1, sync("go"), 10 * S);
    lab.stopped().await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    lab.group.brake().stop_at(Vec::new());
    lab.group.brake().go_on();
    assert!(is_done(&second.await.unwrap()));
    assert!(is_done(&lab.spawn(0, sync("go"), S).await.unwrap()), "its round is complete and was not delivered");
}
