//! The client of a coordinator elsewhere, against a coordinator that follows a script. Real sockets, on loopback.

use std::future::Future;
use std::num::NonZeroUsize;
use std::time::Duration;

use convoke_coordinator::{CallOptions, GroupClient, TcpClient, TcpSettings};
use convoke_group::{Answer, Call, GroupName, MemberName, MessageId, Quiet, Refusal, RoleName};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Long enough never to pass in a test that goes well.
const LONG: Duration = Duration::from_secs(30);

/// A coordinator of which the test is the mind.
struct Coordinator {
    listener: TcpListener,
}

/// One request that has come.
struct Asked {
    stream: TcpStream,
    fields: Value,
    header: String,
}

impl Coordinator {
    async fn new() -> Coordinator {
        Coordinator { listener: TcpListener::bind("127.0.0.1:0").await.unwrap() }
    }

    fn client(&self) -> TcpClient {
        client_of(self.listener.local_addr().unwrap().to_string())
    }

    async fn next(&self) -> Asked {
        let (mut stream, _) = self.listener.accept().await.unwrap();
        let mut header = [0; 8];
        stream.read_exact(&mut header).await.unwrap();
        let header = String::from_utf8(header.to_vec()).unwrap();
        let mut text = vec![0; usize::from_str_radix(&header, 16).unwrap()];
        stream.read_exact(&mut text).await.unwrap();
        assert!(text.is_ascii(), "a client counts characters");
        Asked { stream, fields: serde_json::from_slice(&text).unwrap(), header }
    }

    /// Answers the next request and tells what it was.
    async fn answer(&self, reply: &str) -> Value {
        let asked = self.next().await;
        let fields = asked.fields.clone();
        asked.answer(reply).await;
        fields
    }
}

impl Asked {
    async fn answer(mut self, reply: &str) {
        self.raw(format!("{:08X}{reply}", reply.len()).as_bytes()).await;
    }

    async fn raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// Returns when the client has closed its sending side.
    async fn end_of_input(&mut self) {
        assert_eq!(self.stream.read(&mut [0; 1]).await.unwrap(), 0, "a client sends one request");
    }
}

fn client_of(coordinator: String) -> TcpClient {
    TcpClient::new(TcpSettings {
        coordinator,
        group: GroupName::new("g"),
        size: NonZeroUsize::new(2).unwrap(),
        member: MemberName::new("101"),
        role: RoleName::new("server"),
        hostname: "worker01".into(),
        poll_delay: Duration::from_millis(10),
    })
}

fn within(limit: Duration) -> CallOptions {
    CallOptions { limit: Some(limit), ..CallOptions::default() }
}

fn wait(id: &str) -> Call {
    Call::Wait { message_id: MessageId::new(id) }
}

fn wait_all(id: &str, role: Option<&str>) -> Call {
    Call::WaitAll { message_id: MessageId::new(id), role: role.map(RoleName::new) }
}

/// A call, and what the coordinator does meanwhile.
async fn together<T>(client: &TcpClient, call: Call, coordinator: impl Future<Output = T>) -> (Answer, T) {
    tokio::join!(client.call(call, within(LONG)), coordinator)
}

#[track_caller]
fn refusal(answer: Answer) -> Refusal {
    match answer {
        Answer::Refused { refusal } => refusal,
        Answer::Done { messages } => panic!("done: {messages:?}"),
    }
}

#[track_caller]
fn messages(answer: Answer) -> Vec<(String, Value)> {
    match answer {
        Answer::Done { messages } => messages.into_iter().map(|(name, value)| (name.into(), value)).collect(),
        Answer::Refused { refusal } => panic!("{refusal}"),
    }
}

/// A coordinator that has shown that it must be polled.
async fn polled() -> (Coordinator, TcpClient) {
    let coordinator = Coordinator::new().await;
    let client = coordinator.client();
    let script = async {
        coordinator.answer(r#"{"response": "wait"}"#).await;
        coordinator.answer(r#"{"response": "group_data", "roles": {"102": "client", "101": "server"}}"#).await;
    };
    let (answer, ()) = together(&client, Call::Assemble, script).await;
    assert_eq!(messages(answer), [("102".into(), json!("client")), ("101".into(), json!("server"))]);
    (coordinator, client)
}

/// A coordinator that has shown that it holds requests.
async fn holding() -> (Coordinator, TcpClient) {
    let coordinator = Coordinator::new().await;
    let client = coordinator.client();
    let reply = r#"{"response": "group_data", "roles": {"101": "server"}, "convoke_held": true}"#;
    together(&client, Call::Assemble, coordinator.answer(reply)).await;
    (coordinator, client)
}

#[tokio::test]
async fn a_polling_client_sends_what_lavas_sends() {
    let (coordinator, client) = polled().await;
    let base = |more: Value| {
        let mut fields = json!({"client_name": "101", "group_name": "g", "role": "server", "hostname": "worker01"});
        fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        fields
    };
    let send = Call::Send { message_id: MessageId::new("m"), message: json!({"zone": "ü", "area": "1"}) };
    let message = json!({"zone": "ü", "area": "1"});
    for (call, fields) in [
        (Call::Assemble, json!({"request": "group_data", "group_size": 2})),
        (send, json!({"request": "lava_send", "messageID": "m", "message": message})),
        (wait("m"), json!({"request": "lava_wait", "messageID": "m", "nodeID": "101"})),
        (wait_all("m", None), json!({"request": "lava_wait_all", "messageID": "m"})),
        (wait_all("m", Some("host")), json!({"request": "lava_wait_all", "waitrole": "host", "messageID": "m"})),
        (Call::Sync { message_id: MessageId::new("s") }, json!({"request": "lava_sync", "messageID": "s"})),
    ] {
        let script = async {
            let mut asked = coordinator.next().await;
            assert_eq!(asked.header, asked.header.to_uppercase());
            asked.end_of_input().await;
            let fields = asked.fields.clone();
            asked.answer(r#"{"response": "ack"}"#).await;
            fields
        };
        let (answer, sent) = together(&client, call.clone(), script).await;
        assert_eq!(sent, base(fields), "{call:?}");
        assert!(messages(answer).is_empty());
    }
}

#[tokio::test]
async fn values_come_back_in_order_and_as_sent() {
    let (coordinator, client) = polled().await;
    let script = async {
        coordinator.answer(r#"{"response": "wait"}"#).await;
        let message = r#"{"z1": {"q": 1, "a": "\u00fc\ud83d\ude00"}, "a1": {}, "m1": {"n": 123456789012345678901234567890, "f": 1.50}}"#;
        coordinator.answer(&format!(r#"{{"response": "ack", "message": {message}}}"#)).await;
    };
    let (answer, ()) = together(&client, wait("m"), script).await;
    let found = serde_json::to_string(&messages(answer)).unwrap();
    let expected = r#"[["z1",{"q":1,"a":"ü😀"}],["a1",{}],["m1",{"n":"123456789012345678901234567890","f":"1.50"}]]"#;
    assert_eq!(found, expected);
}

#[tokio::test]
async fn whatever_is_no_answer_is_asked_again() {
    for bytes in
        ["", "0000", "zzzzzzzz{}", "00000014{\"resp", "00000002{]", "00000002{}", "00000014{\"response\": \"what\"}"]
    {
        let (coordinator, client) = polled().await;
        let script = async {
            let mut asked = coordinator.next().await;
            asked.raw(bytes.as_bytes()).await;
            drop(asked);
            coordinator.answer(r#"{"response": "ack", "message": {"102": {"k": "v"}}}"#).await
        };
        let (answer, again) = together(&client, wait("m"), script).await;
        assert_eq!(messages(answer), [("102".into(), json!({"k": "v"}))], "after {bytes:?}");
        assert_eq!(again["messageID"], "m");
    }
}

#[tokio::test]
async fn a_coordinator_that_comes_later_is_found() {
    let coordinator = Coordinator::new().await;
    let address = coordinator.listener.local_addr().unwrap();
    drop(coordinator);
    let client = client_of(address.to_string());
    let call = client.call(Call::Assemble, within(LONG));
    tokio::pin!(call);
    // One attempt fails before there is anybody.
    assert!(futures_poll(&mut call).await.is_none());
    let coordinator = Coordinator { listener: TcpListener::bind(address).await.unwrap() };
    let (answer, _) = tokio::join!(call, coordinator.answer(r#"{"response": "group_data", "roles": {}}"#));
    assert!(messages(answer).is_empty());
}

/// Drives a future for a moment.
async fn futures_poll<T>(future: &mut (impl Future<Output = T> + Unpin)) -> Option<T> {
    tokio::time::timeout(Duration::from_millis(50), future).await.ok()
}

#[tokio::test]
async fn the_limit_of_a_call_holds_whatever_the_coordinator_does() {
    let limit = Duration::from_millis(60);
    let timed_out = |answer: Answer, says: &str| match refusal(answer) {
        refusal @ Refusal::TimedOut { .. } => assert!(refusal.to_string().contains(says), "{refusal}"),
        other => panic!("{other}"),
    };
    // Nobody there.
    let gone = Coordinator::new().await;
    let client = gone.client();
    drop(gone);
    timed_out(client.call(wait("m"), within(limit)).await, "cannot be reached");
    // Somebody who takes connections and says nothing.
    let silent = Coordinator::new().await;
    timed_out(silent.client().call(wait("m"), within(limit)).await, "does not answer");
    // Somebody who always says wait, or always closes.
    for reply in ["00000014{\"response\": \"wait\"}", ""] {
        let coordinator = Coordinator::new().await;
        let client = coordinator.client();
        let asked = async {
            loop {
                coordinator.next().await.raw(reply.as_bytes()).await;
            }
        };
        tokio::select! {
            answer = client.call(wait("m"), within(limit)) => timed_out(answer, "lava-wait m of 101 (server) timed out"),
            never = asked => never,
        }
    }
}

#[tokio::test]
async fn the_client_knows_whether_its_coordinator_answers() {
    let coordinator = Coordinator::new().await;
    let client = coordinator.client();
    assert_eq!(client.trouble(), None);
    let script = async {
        drop(coordinator.next().await);
        let asked = coordinator.next().await;
        let trouble = client.trouble();
        asked.answer(r#"{"response": "wait"}"#).await;
        coordinator.answer(r#"{"response": "nack"}"#).await;
        trouble
    };
    let (_, trouble) = together(&client, Call::Assemble, script).await;
    let address = coordinator.listener.local_addr().unwrap();
    assert!(trouble.unwrap().starts_with(&format!("coordinator {address} ")));
    assert_eq!(client.trouble(), None, "it has answered");
    drop(coordinator);
    client.call(wait("m"), within(Duration::from_millis(1))).await;
    assert!(client.trouble().unwrap().contains("cannot be reached"));
}

#[tokio::test]
async fn a_nack_is_the_last_word() {
    let (coordinator, client) = polled().await;
    let nack = r#"{"response": "nack"}"#;
    for call in [wait("m"), wait_all("m", Some("host")), Call::Sync { message_id: MessageId::new("s") }] {
        let (answer, _) = together(&client, call, coordinator.answer(nack)).await;
        let text = refusal(answer).to_string();
        assert!(text.contains("says nack"), "{text}");
    }
}

/// LAVA's coordinator refuses a wait-all as long as nobody has sent (coordinator-protocol.md §7.1 D8).
#[tokio::test]
async fn a_wait_all_outlives_the_nack_of_a_polled_coordinator() {
    let (coordinator, client) = polled().await;
    let script = async {
        coordinator.answer(r#"{"response": "nack"}"#).await;
        coordinator.answer(r#"{"response": "ack", "message": {"102": {}}}"#).await;
    };
    let (answer, ()) = together(&client, wait_all("m", None), script).await;
    assert_eq!(messages(answer), [("102".into(), json!({}))]);
}

#[tokio::test]
async fn the_reason_of_a_nack_is_passed_on() {
    let (coordinator, client) = holding().await;
    let reason = "lava-wait-all m of 101 (server) can no longer be satisfied: 102 (client) left without sending: its boot failed";
    let nack = json!({"response": "nack", "reason": reason, "convoke_held": true}).to_string();
    let (answer, _) = together(&client, wait_all("m", None), coordinator.answer(&nack)).await;
    let refusal = refusal(answer);
    assert!(matches!(refusal, Refusal::MembersLeft { .. }), "{refusal:?}");
    assert_eq!(refusal.to_string(), reason);
}

#[tokio::test]
async fn a_holding_coordinator_is_told_the_limit_and_asked_again_under_the_same_name() {
    let (coordinator, client) = holding().await;
    let script = async {
        let first = coordinator.answer(r#"{"response": "wait", "convoke_held": true}"#).await;
        // Broken off: the same call again.
        drop(coordinator.next().await);
        let last = coordinator.answer(r#"{"response": "ack", "message": "s", "convoke_held": true}"#).await;
        (first, last)
    };
    let options = CallOptions { quiet: Quiet::Certain, ..within(LONG) };
    let sync = Call::Sync { message_id: MessageId::new("s") };
    let (answer, (first, last)) = tokio::join!(client.call(sync, options), script);
    assert!(messages(answer).is_empty());
    assert_eq!((&first["convoke_quiet"], &first["convoke_call"]), (&json!(true), &last["convoke_call"]));
    for request in [&first, &last] {
        let (hold, limit) =
            (request["convoke_hold_ms"].as_u64().unwrap(), request["convoke_limit_ms"].as_u64().unwrap());
        assert!(hold <= limit && limit <= 30_000, "{request}");
    }
    let (_, other) = together(&client, wait("m"), coordinator.answer(r#"{"response": "nack", "reason": "x"}"#)).await;
    assert_ne!(other["convoke_call"], last["convoke_call"]);
}

#[tokio::test]
async fn a_dropped_call_closes_its_held_connection() {
    let (coordinator, client) = holding().await;
    let mut asked = tokio::select! {
        asked = coordinator.next() => asked,
        answer = client.call(wait("m"), within(LONG)) => panic!("{answer:?}"),
    };
    asked.end_of_input().await;
}

/// LAVA's coordinator dies of a client that is gone before it has read its reply.
#[tokio::test]
async fn a_dropped_call_is_read_to_its_end_where_it_is_not_held() {
    let (coordinator, client) = polled().await;
    let mut asked = tokio::select! {
        asked = coordinator.next() => asked,
        answer = client.call(wait("m"), within(LONG)) => panic!("{answer:?}"),
    };
    // More than the buffers of a connection take.
    let reply = format!(r#"{{"response": "ack", "message": {{"102": {{"k": "{}"}}}}}}"#, "x".repeat(24 << 20));
    asked.raw(format!("{:08X}{reply}", reply.len()).as_bytes()).await;
}

#[tokio::test]
async fn a_member_leaves_once_and_calls_no_more() {
    let (coordinator, client) = polled().await;
    client.leave("its boot failed");
    client.leave("again");
    let (_, asked) = tokio::join!(client.finish(), coordinator.answer(r#"{"response": "ack"}"#));
    assert_eq!((&asked["request"], &asked["group_size"]), (&json!("clear_group"), &json!(2)));
    assert_eq!(asked["convoke_leave"], "its boot failed");
    let answer = client.call(wait("m"), within(LONG)).await;
    assert!(refusal(answer).to_string().contains("has left"));
    client.finish().await;
}

#[tokio::test]
async fn a_message_too_long_for_any_coordinator_is_not_sent() {
    let client = client_of("127.0.0.1:1".into());
    let message = json!({"k": "x".repeat(2 << 20)});
    let answer = client.call(Call::Send { message_id: MessageId::new("m"), message }, within(LONG)).await;
    assert!(refusal(answer).to_string().contains("longer than"));
}
