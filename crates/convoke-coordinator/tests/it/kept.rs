//! Connections that are kept for the next request: coordinator and client.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use convoke_coordinator::{CallOptions, GroupClient, ServerSettings, TcpClient, TcpSettings};
use convoke_group::{Answer, Call, GroupName, MemberName, MessageId, RoleName};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::harness::*;

const KEEP: &str = r#", "convoke_keep": true"#;

/// Makes a request on an open connection and gives the reply.
async fn ask_on(stream: &mut TcpStream, member: &str, request: &str, more: &str) -> String {
    stream.write_all(&framed(&request_of(member, "peer", request, more))).await.unwrap();
    next_reply(stream).await
}

async fn next_reply(stream: &mut TcpStream) -> String {
    let mut header = [0; 8];
    timeout(LONG, stream.read_exact(&mut header)).await.unwrap().unwrap();
    let length = usize::from_str_radix(std::str::from_utf8(&header).unwrap(), 16).unwrap();
    let mut text = vec![0; length];
    timeout(LONG, stream.read_exact(&mut text)).await.unwrap().unwrap();
    String::from_utf8(text).unwrap()
}

async fn pair(settings: ServerSettings) -> Coordinator {
    let coordinator = Coordinator::with(settings, None);
    coordinator.assemble(&[("a", "peer"), ("b", "peer")]).await;
    coordinator
}

fn keep(id: &str) -> String {
    format!(r#", "messageID": "{id}"{KEEP}"#)
}

const KEPT_ACK: &str = r#"{"response": "ack", "convoke_held": true, "convoke_kept": true}"#;
const KEPT_WAIT: &str = r#"{"response": "wait", "convoke_held": true, "convoke_kept": true}"#;
const KEPT_RELEASE: &str = r#"{"response": "ack", "message": "s", "convoke_held": true, "convoke_kept": true}"#;
const RELEASE: &str = r#"{"response": "ack", "message": "s"}"#;

#[tokio::test]
async fn who_asks_for_it_keeps_the_connection() {
    let coordinator = pair(ServerSettings::default()).await;
    let mut stream = coordinator.connect().await;
    for _ in 0..3 {
        assert_eq!(ask_on(&mut stream, "a", "lava_send", &keep("m")).await, KEPT_ACK);
        assert_eq!(ask_on(&mut stream, "b", "lava_wait", &keep("n")).await, KEPT_WAIT);
    }
    // Who does not ask again is answered and closed, with a half-close or without.
    assert_eq!(ask_on(&mut stream, "a", "lava_send", &id("m")).await, ACK);
    assert_eq!(read(&mut stream).await, "");
    coordinator.end().await;
}

#[tokio::test]
async fn who_does_not_ask_for_it_has_one_exchange() {
    let coordinator = pair(ServerSettings::default()).await;
    let two = [framed(&request_of("a", "peer", "lava_send", &id("m"))), framed("{}")].concat();
    assert_eq!(unframed(&coordinator.bytes(&two).await), ACK);
    // Who asks for it, but does not wait for the reply, neither.
    let frame = framed(&request_of("a", "peer", "lava_send", &keep("m")));
    let mut stream = coordinator.connect().await;
    stream.write_all(&[frame.clone(), frame].concat()).await.unwrap();
    assert_eq!(unframed(&read(&mut stream).await), r#"{"response": "ack", "convoke_held": true}"#);
    coordinator.end().await;
}

/// Both members pass a round, the second on a kept connection; then `next` happens to that connection.
async fn round_on_kept(coordinator: &Coordinator) -> TcpStream {
    assert_eq!(coordinator.ask("a", "lava_sync", &id("s")).await, WAIT);
    let mut stream = coordinator.connect().await;
    assert_eq!(ask_on(&mut stream, "b", "lava_sync", &keep("s")).await, KEPT_RELEASE);
    assert_eq!(coordinator.ask("a", "lava_sync", &id("s")).await, RELEASE);
    stream
}

#[tokio::test]
async fn a_release_has_arrived_when_the_next_request_comes() {
    let coordinator = pair(ServerSettings::default()).await;
    let mut stream = round_on_kept(&coordinator).await;
    // The next request is an arrival at the next round, also when that is what ends the connection.
    assert_eq!(ask_on(&mut stream, "b", "lava_wait", &keep("n")).await, KEPT_WAIT);
    stream.set_zero_linger().unwrap();
    drop(stream);
    assert_eq!(coordinator.ask("b", "lava_sync", &id("s")).await, WAIT);
    assert_eq!(coordinator.ask("a", "lava_sync", &id("s")).await, RELEASE);
    coordinator.end().await;
}

#[tokio::test]
async fn a_release_has_arrived_when_the_connection_is_closed_in_order() {
    let coordinator = pair(ServerSettings::default()).await;
    drop(round_on_kept(&coordinator).await);
    assert_eq!(coordinator.ask("b", "lava_sync", &id("s")).await, WAIT);
    coordinator.end().await;
}

#[tokio::test]
async fn a_release_that_was_lost_on_a_kept_connection_is_given_again() {
    let coordinator = pair(ServerSettings::default()).await;
    let named = |name: &str| format!(r#"{}, "convoke_call": "{name}""#, keep("s"));
    assert_eq!(coordinator.ask("a", "lava_sync", &id("s")).await, WAIT);
    let mut lost = coordinator.connect().await;
    assert_eq!(ask_on(&mut lost, "b", "lava_sync", &named("b1")).await, KEPT_RELEASE);
    lost.set_zero_linger().unwrap();
    drop(lost);
    let mut stream = coordinator.connect().await;
    // Told to come again as long as it is not known that the connection was reset.
    let again = loop {
        let reply = ask_on(&mut stream, "b", "lava_sync", &named("b1")).await;
        if reply != KEPT_WAIT {
            break reply;
        }
    };
    assert_eq!(again, KEPT_RELEASE);
    assert_eq!(ask_on(&mut stream, "b", "lava_sync", &named("b2")).await, KEPT_WAIT);
    coordinator.end().await;
}

#[tokio::test]
async fn a_kept_connection_is_closed_after_its_time_and_when_the_coordinator_ends() {
    let settings = ServerSettings { idle_time: Duration::from_millis(1), ..ServerSettings::default() };
    let coordinator = pair(settings).await;
    let mut stream = coordinator.connect().await;
    assert_eq!(ask_on(&mut stream, "a", "lava_send", &keep("m")).await, KEPT_ACK);
    assert_eq!(read(&mut stream).await, "");
    coordinator.end().await;
    let coordinator = pair(ServerSettings::default()).await;
    let mut stream = coordinator.connect().await;
    assert_eq!(ask_on(&mut stream, "a", "lava_send", &keep("m")).await, KEPT_ACK);
    tokio::join!(coordinator.end(), read(&mut stream));
}

#[tokio::test]
async fn idle_connections_count_and_are_the_first_to_go() {
    let settings = ServerSettings { connections_per_address: 2, idle_connections: 1, ..ServerSettings::default() };
    let coordinator = pair(settings).await;
    let mut idle = coordinator.connect().await;
    assert_eq!(ask_on(&mut idle, "a", "lava_send", &keep("m")).await, KEPT_ACK);
    // There may be one idle connection.
    let mut other = coordinator.connect().await;
    let not_kept = r#"{"response": "ack", "convoke_held": true}"#;
    assert_eq!(ask_on(&mut other, "a", "lava_send", &keep("m")).await, not_kept);
    // One that is at work, and one that takes the place of the idle one.
    let mut silent = coordinator.connect().await;
    silent.write_all(b"0000").await.unwrap();
    assert_eq!(read(&mut other).await, "");
    drop(other);
    while coordinator.ask("a", "lava_send", &id("m")).await != ACK {}
    assert_eq!(read(&mut idle).await, "");
    coordinator.end().await;
}

/// Stands between client and coordinator, counts connections, and cuts them.
struct Relay {
    address: SocketAddr,
    count: Arc<AtomicUsize>,
    open: Arc<std::sync::Mutex<Vec<tokio::task::AbortHandle>>>,
}

impl Relay {
    async fn to(coordinator: SocketAddr) -> Relay {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let relay = Relay { address: listener.local_addr().unwrap(), count: Arc::default(), open: Arc::default() };
        let (count, open) = (Arc::clone(&relay.count), Arc::clone(&relay.open));
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                let task = tokio::spawn(async move {
                    let mut far = TcpStream::connect(coordinator).await.unwrap();
                    let _ = copy_bidirectional(&mut near, &mut far).await;
                });
                open.lock().unwrap().push(task.abort_handle());
            }
        });
        relay
    }

    fn cut(&self) {
        self.open.lock().unwrap().drain(..).for_each(|task| task.abort());
    }

    fn client(&self, member: &str) -> TcpClient {
        TcpClient::new(TcpSettings {
            coordinator: self.address.to_string(),
            group: GroupName::new("g"),
            size: NonZeroUsize::new(2).unwrap(),
            member: MemberName::new(member),
            role: RoleName::new("peer"),
            hostname: "w".into(),
            poll_delay: Duration::from_millis(10),
        })
    }
}

async fn done(client: &TcpClient, call: Call) {
    let options = CallOptions { limit: Some(LONG), ..CallOptions::default() };
    match client.call(call, options).await {
        Answer::Done { .. } => {}
        Answer::Refused { refusal } => panic!("{refusal}"),
    }
}

fn sync(id: &str) -> Call {
    Call::Sync { message_id: MessageId::new(id) }
}

#[tokio::test]
async fn our_client_makes_all_its_calls_on_one_connection() {
    let coordinator = Coordinator::start();
    let (a, b) = (Relay::to(coordinator.address).await, Relay::to(coordinator.address).await);
    let (first, second) = (a.client("a"), b.client("b"));
    tokio::join!(done(&first, Call::Assemble), done(&second, Call::Assemble));
    for _ in 0..20 {
        tokio::join!(done(&first, sync("s")), done(&second, sync("s")));
    }
    tokio::join!(first.finish(), second.finish());
    assert_eq!((a.count.load(Ordering::Relaxed), b.count.load(Ordering::Relaxed)), (1, 1));
    coordinator.end().await;
}

/// Whenever a connection is cut, before, within or after a call, every barrier is passed by both, and by none alone.
#[tokio::test]
async fn a_connection_that_is_closed_at_any_time_fails_no_call() {
    let coordinator = Coordinator::start();
    let (a, b) = (Relay::to(coordinator.address).await, Relay::to(coordinator.address).await);
    let (first, second) = (a.client("a"), b.client("b"));
    tokio::join!(done(&first, Call::Assemble), done(&second, Call::Assemble));
    for round in 0..30 {
        let cut = async {
            for _ in 0..round {
                tokio::task::yield_now().await;
            }
            a.cut();
        };
        tokio::join!(done(&first, sync("s")), done(&second, sync("s")), cut);
    }
    // Neither is a round ahead.
    let alone = CallOptions { limit: Some(Duration::from_millis(1)), ..CallOptions::default() };
    assert!(matches!(first.call(sync("s"), alone).await, Answer::Refused { .. }));
    tokio::join!(first.finish(), second.finish());
    assert!(a.count.load(Ordering::Relaxed) > 10, "it was cut");
    coordinator.end().await;
}
