//! Requests that ask to be held, and lost replies.

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::harness::*;

const HOLD: &str = r#", "convoke_hold_ms": 60000, "convoke_limit_ms": 60000"#;

async fn pair() -> Coordinator {
    let coordinator = Coordinator::start();
    coordinator.assemble(&[("a", "peer"), ("b", "peer")]).await;
    coordinator
}

/// Makes a request and leaves the connection open.
async fn hold(coordinator: &Coordinator, member: &str, request: &str, more: &str) -> TcpStream {
    let mut stream = coordinator.connect().await;
    stream.write_all(&framed(&request_of(member, "peer", request, &format!("{more}{HOLD}")))).await.unwrap();
    stream
}

#[tokio::test]
async fn a_held_request_is_answered_when_it_is_satisfied() {
    let coordinator = pair().await;
    let mut waiting = hold(&coordinator, "a", "lava_sync", &id("s")).await;
    assert_eq!(coordinator.ask("b", "lava_wait", &id("m")).await, WAIT);
    // The other polls, and whoever arrives last is released at once.
    let released = loop {
        let reply = coordinator.ask("b", "lava_sync", &id("s")).await;
        if reply != WAIT {
            break reply;
        }
    };
    assert_eq!(released, r#"{"response": "ack", "message": "s"}"#);
    assert_eq!(unframed(&read(&mut waiting).await), r#"{"response": "ack", "message": "s", "convoke_held": true}"#);
    coordinator.end().await;
}

#[tokio::test]
async fn the_end_of_a_hold_is_answered_with_wait() {
    let coordinator = pair().await;
    let mut stream = coordinator.connect().await;
    let more = r#", "messageID": "m", "convoke_hold_ms": 1"#;
    stream.write_all(&framed(&request_of("a", "peer", "lava_wait", more))).await.unwrap();
    assert_eq!(unframed(&read(&mut stream).await), r#"{"response": "wait", "convoke_held": true}"#);
    coordinator.end().await;
}

#[tokio::test]
async fn held_requests_are_told_to_come_again_when_the_coordinator_ends() {
    let coordinator = pair().await;
    let mut waiting = hold(&coordinator, "a", "lava_sync", &id("s")).await;
    // Whatever is answered after it has been read after it.
    assert_eq!(coordinator.ask("b", "lava_wait", &id("m")).await, WAIT);
    let mut silent = coordinator.connect().await;
    silent.write_all(b"000").await.unwrap();
    let (reply, ()) = tokio::join!(read(&mut waiting), coordinator.end());
    assert!(matches!(unframed(&reply).as_str(), "" | r#"{"response": "wait", "convoke_held": true}"#), "{reply}");
}

#[tokio::test]
async fn a_member_that_ended_for_certain_is_not_waited_for() {
    let coordinator = pair().await;
    let mut waiting = hold(&coordinator, "a", "lava_wait_all", &id("m")).await;
    assert_eq!(coordinator.ask("a", "lava_send", &id("m")).await, ACK);
    let gone = coordinator.ask("b", "clear_group", r#", "convoke_leave": "its device was lost""#).await;
    assert_eq!(gone, r#"{"response": "ack", "convoke_held": true}"#);
    let reply = unframed(&read(&mut waiting).await);
    assert!(reply.starts_with(r#"{"response": "nack", "reason": "#), "{reply}");
    assert!(reply.contains("b (peer) left without sending: its device was lost"), "{reply}");
    // A client that knows no extra fields is told the bare word.
    assert_eq!(coordinator.ask("a", "lava_wait_all", &id("m")).await, NACK);
    coordinator.end().await;
}

#[tokio::test]
async fn a_named_call_that_asks_again_is_given_its_release_again() {
    let coordinator = pair().await;
    let named = |name: &str| format!(r#", "messageID": "s", "convoke_call": "{name}""#);
    let released = r#"{"response": "ack", "message": "s", "convoke_held": true}"#;
    let wait = r#"{"response": "wait", "convoke_held": true}"#;
    for (member, name, expected) in [
        ("a", "a1", wait),
        ("b", "b1", released),
        ("b", "b1", released),
        ("b", "b2", wait),
        ("a", "a1", released),
        ("a", "a2", released),
        ("a", "a2", released),
        ("b", "b2", released),
    ] {
        assert_eq!(coordinator.ask(member, "lava_sync", &named(name)).await, expected, "{name}");
    }
    coordinator.end().await;
}

#[tokio::test]
async fn the_release_of_a_sync_that_did_not_arrive_is_given_again() {
    let coordinator = pair().await;
    let mut lost = hold(&coordinator, "a", "lava_sync", &id("s")).await;
    // The caller is gone before the reply.
    lost.set_zero_linger().unwrap();
    lost.flush().await.unwrap();
    // Read by the coordinator once the next request is answered; whether before or after the reset is all the same.
    assert_eq!(coordinator.ask("b", "lava_wait", &id("m")).await, WAIT);
    drop(lost);
    let mut arrived = String::new();
    for member in ["a", "b", "a", "b"] {
        arrived = coordinator.ask(member, "lava_sync", &id("s")).await;
        if arrived != WAIT && member == "a" {
            break;
        }
    }
    assert_eq!(arrived, r#"{"response": "ack", "message": "s"}"#);
    coordinator.end().await;
}

#[tokio::test]
async fn a_named_call_whose_caller_is_gone_is_not_made() {
    let coordinator = pair().await;
    for _ in 0..20 {
        let mut gone = hold(&coordinator, "a", "lava_sync", r#", "messageID": "s", "convoke_call": "a1""#).await;
        gone.shutdown().await.unwrap();
        // Neither made nor told to come again: who names its calls has another connection by now.
        assert_eq!(read(&mut gone).await, "");
    }
    coordinator.end().await;
}
