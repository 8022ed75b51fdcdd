//! Our client at our coordinator: why a call failed arrives with the names of those who were missing.

use std::num::NonZeroUsize;
use std::time::Duration;

use convoke_coordinator::{CallOptions, GroupClient, TcpClient, TcpSettings};
use convoke_group::{Answer, Call, GroupName, MemberName, MessageId, Refusal, RoleName};
use tokio::io::AsyncWriteExt;

use crate::harness::*;

fn client(coordinator: &Coordinator, member: &str) -> TcpClient {
    TcpClient::new(TcpSettings {
        coordinator: coordinator.address.to_string(),
        group: GroupName::new("g"),
        size: NonZeroUsize::new(2).unwrap(),
        member: MemberName::new(member),
        role: RoleName::new("peer"),
        hostname: "w".into(),
        poll_delay: Duration::from_millis(10),
    })
}

async fn pair() -> (Coordinator, TcpClient) {
    let coordinator = Coordinator::start();
    coordinator.ask("b", "group_data", r#", "group_size": 2"#).await;
    let a = client(&coordinator, "a");
    a.call(Call::Assemble, within(LONG)).await;
    (coordinator, a)
}

fn within(limit: Duration) -> CallOptions {
    CallOptions { limit: Some(limit), ..CallOptions::default() }
}

fn sync(id: &str) -> Call {
    Call::Sync { message_id: MessageId::new(id) }
}

#[track_caller]
fn refusal(answer: Answer) -> Refusal {
    match answer {
        Answer::Refused { refusal } => refusal,
        Answer::Done { messages } => panic!("done: {messages:?}"),
    }
}

#[tokio::test]
async fn a_call_that_times_out_names_the_missing() {
    let (coordinator, a) = pair().await;
    let refusal = refusal(a.call(sync("s"), within(Duration::from_millis(50))).await);
    assert_eq!(refusal.to_string(), "lava-sync s of a (peer) timed out; missing: b (peer)");
    assert_eq!(refusal.missing_members(), [MemberName::new("b")]);
    coordinator.end().await;
}

#[tokio::test]
async fn a_call_that_cannot_be_satisfied_names_who_left() {
    let (coordinator, a) = pair().await;
    coordinator.ask("b", "clear_group", r#", "convoke_leave": "its device was lost""#).await;
    let refusal = refusal(a.call(sync("s"), within(LONG)).await);
    assert!(matches!(&refusal, Refusal::MembersLeft { gone, members, .. }
        if gone == &["b (peer) left without arriving: its device was lost"] && members == &[MemberName::new("b")]));
    coordinator.end().await;
}

#[tokio::test]
async fn a_member_sees_whom_its_own_wait_lacks() {
    let (coordinator, a) = pair().await;
    let waiting = {
        let a = a.clone();
        tokio::spawn(async move { a.call(sync("s"), within(LONG)).await })
    };
    let waits = loop {
        let waits = a.waits().await;
        if !waits.is_empty() {
            break waits;
        }
    };
    assert_eq!((waits.len(), waits[0].message_id.as_str()), (1, "s"));
    assert_eq!(waits[0].missing, [MemberName::new("b")]);
    assert_eq!(client(&coordinator, "b").waits().await, [], "a coordinator that was not met is not asked");
    coordinator.ask("b", "lava_sync", &id("s")).await;
    assert!(matches!(waiting.await.unwrap(), Answer::Done { .. }));
    assert_eq!(
        coordinator.json(r#"{"client_name": "a", "group_name": "none", "request": "convoke_waits"}"#).await,
        NACK
    );
    coordinator.end().await;
}

#[tokio::test]
async fn the_reason_is_told_only_to_those_who_know_it() {
    let (coordinator, _) = pair().await;
    let mut stream = coordinator.connect().await;
    let more = r#", "messageID": "s", "convoke_hold_ms": 1, "convoke_limit_ms": 1"#;
    stream.write_all(&framed(&request_of("a", "peer", "lava_sync", more))).await.unwrap();
    let reply = unframed(&read(&mut stream).await);
    let words = r#"{"response": "wait", "reason": "lava-sync s of a (peer) timed out; missing: b (peer)", "convoke_refusal": {"#;
    assert!(reply.starts_with(words), "{reply}");
    assert_eq!(coordinator.ask("a", "lava_sync", &id("s")).await, WAIT);
    coordinator.end().await;
}
