//! Rows of coordinator-protocol.md §7 that need more than a request and its reply: expiry, the cost of sends, requests
//! cut at awkward places, and what Python dies of, each beside a group that has to go on.

use std::sync::Arc;
use std::time::Duration;

use convoke_coordinator::ServerSettings;
use convoke_coordinator::store::{FileStore, MemoryStore, Store};
use tokio::io::AsyncWriteExt;
use tokio::time::{advance, pause, resume, timeout};

use crate::harness::*;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn of_group(group: &str, request: String) -> String {
    request.replace("\"g\"", &format!("\"{group}\""))
}

/// D15.
#[tokio::test]
async fn a_group_that_nobody_uses_is_forgotten_and_one_that_is_polled_never() {
    let store = Arc::new(MemoryStore::default());
    let shared: Arc<dyn Store> = store.clone();
    let coordinator = Coordinator::with(ServerSettings::default(), Some(shared));
    let poll = |group| of_group(group, request_of("a", "r", "lava_wait", &id("m")));
    for group in ["idle", "used"] {
        let made = of_group(group, request_of("a", "r", "group_data", r#", "group_size": 2"#));
        assert_eq!(coordinator.json(&made).await, WAIT);
    }
    for _ in 0..5 {
        pause();
        advance(2 * DAY).await;
        // Lets the look for such groups come, and what it forgets be kept.
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        resume();
        assert_eq!(coordinator.json(&poll("used")).await, WAIT);
    }
    assert_eq!(coordinator.json(&poll("idle")).await, NACK);
    let kept: Vec<String> = store.load().unwrap().into_iter().map(|(name, _)| name.to_string()).collect();
    assert_eq!(kept, ["used"]);
    coordinator.end().await;
}

/// D16: a send costs its own size, whatever was sent before; what is written is what was sent and little more.
#[tokio::test]
async fn what_a_send_costs_does_not_grow_with_what_is_there() {
    const MEMBERS: usize = 48;
    const BYTES: usize = 64_000;
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(FileStore::open(dir.path()).unwrap().0);
    let shared: Arc<dyn Store> = store.clone();
    let coordinator = Coordinator::with(ServerSettings::default(), Some(shared));
    let message = "x".repeat(BYTES);
    let mut written = Vec::new();
    for member in 0..MEMBERS {
        let more = format!(r#", "group_size": {MEMBERS}, "messageID": "m", "message": {{"k": "{message}"}}"#);
        let before = store.stats().bytes;
        assert_eq!(coordinator.ask(&format!("c{member}"), "lava_send", &more).await, ACK);
        written.push(store.stats().bytes - before);
    }
    let (least, most) = (written.iter().min().unwrap(), written.iter().max().unwrap());
    assert!(*most < BYTES as u64 + 4096 && *least > BYTES as u64, "{least} to {most} bytes for each send");
    let all = coordinator.ask("c0", "lava_wait_all", &id("m")).await;
    assert_eq!(all.matches(&message).count(), MEMBERS);
    coordinator.end().await;
}

/// D12.
#[tokio::test]
async fn a_client_named_data_has_sent_only_what_it_sent() {
    let coordinator = Coordinator::start();
    coordinator.assemble(&[("data", "peer"), ("b", "peer")]).await;
    assert_eq!(coordinator.ask("b", "lava_send", &id("m")).await, ACK);
    for waiter in ["data", "b"] {
        assert_eq!(coordinator.ask(waiter, "lava_wait_all", &id("m")).await, WAIT);
    }
    assert_eq!(coordinator.ask("data", "lava_send", &id("m")).await, ACK);
    let both = ack_with(r#"{"b": {}, "data": {}}"#);
    assert_eq!(coordinator.ask("b", "lava_wait_all", &id("m")).await, both);
    coordinator.end().await;
}

/// Every trigger of §7.2 that is a request, one after the other, and after each a barrier of another group: half of it
/// has come before the trigger, the other half comes after.
#[tokio::test]
async fn another_group_goes_through_its_barrier_whatever_is_sent() {
    let coordinator = Coordinator::start();
    coordinator.assemble(&[("a", "client"), ("b", "server")]).await;
    let member = |name: &str, request: &str, more: &str| of_group("other", request_of(name, "peer", request, more));
    for name in ["x", "y"] {
        coordinator.json(&member(name, "group_data", r#", "group_size": 2"#)).await;
    }
    let from_a = |request: &str, more: &str| framed(&request_of("a", "client", request, more));
    let without = |key: &str| {
        let whole = request_of("n", "r", "group_data", r#", "group_size": 2"#).replace("\"g\"", "\"new\"");
        framed(&whole.replace(&format!("\"{key}\""), "\"unknown\""))
    };
    let sized = |size: &str| framed(&request_of("n", "r", "group_data", size).replace("\"g\"", "\"new\""));
    let deep = format!(r#", "messageID": "m", "message": {}1{}"#, "[".repeat(100_000), "]".repeat(100_000));
    // One of the two has a character across every block boundary.
    let across = ["", "x"].map(|shift| format!(r#", "messageID": "{shift}{}", "message": {{}}"#, "é".repeat(9000)));
    let triggers: Vec<(Vec<u8>, &str)> = vec![
        (from_a("lava_wait_all", r#", "messageID": "m", "waitrole": "servre""#), NACK),
        (from_a("lava_wait_all", r#", "messageID": "m", "waitrole": null"#), NACK),
        (from_a("lava_wait_all", r#", "messageID": "m", "waitrole": 7"#), NACK),
        (
            framed(
                r#"{"client_name": "a", "group_name": "g", "request": "lava_wait_all", "messageID": "m", "waitrole": "server"}"#,
            ),
            WAIT,
        ),
        (framed("7"), NACK),
        (framed("null"), NACK),
        (framed(r#"["request"]"#), NACK),
        (framed(r#""request""#), NACK),
        (without("group_name"), NACK),
        (without("hostname"), NACK),
        (without("role"), NACK),
        (sized(r#", "group_size": "two""#), NACK),
        (sized(r#", "group_size": null"#), NACK),
        (sized(r#", "group_size": [1]"#), NACK),
        (sized(r#", "group_size": {}"#), NACK),
        (sized(r#", "group_size": Infinity"#), NACK),
        (sized(r#", "group_size": -1"#), NACK),
        (from_a("lava_send", r#", "messageID": [], "message": {}"#), NACK),
        (from_a("lava_sync", r#", "messageID": {}"#), NACK),
        (from_a("aggregate", r#", "bundle": 1, "sub_id": 7"#), NACK),
        (from_a("lava_send", &deep), NACK),
        (from_a("lava_send", r#", "messageID": "m", "message": "\udfff""#), NACK),
        (from_a("lava_send", &across[0]), ACK),
        (from_a("lava_send", &across[1]), ACK),
        (b"\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8".to_vec(), ""),
        (b"0000000a{\"\xff\": 1}  ".to_vec(), ""),
        ([b"FFFFFFFF".to_vec(), request_of("a", "client", "lava_wait", &id("m")).into_bytes()].concat(), WAIT),
    ];
    for (bytes, expected) in triggers {
        let words = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned();
        assert_eq!(coordinator.json(&member("x", "lava_sync", &id("s"))).await, WAIT, "before {words}");
        assert_eq!(unframed(&coordinator.bytes(&bytes).await), expected, "{words}");
        for name in ["y", "x"] {
            let released = r#"{"response": "ack", "message": "s"}"#;
            assert_eq!(coordinator.json(&member(name, "lava_sync", &id("s"))).await, released, "after {words}");
        }
    }
    coordinator.end().await;
}

/// A header in two segments and a body in two, half-closed or not; and a caller that sends more than it announced and
/// goes on sending.
#[tokio::test]
async fn segments_are_put_together() {
    let coordinator = Coordinator::start();
    coordinator.assemble(&[("a", "client"), ("b", "server")]).await;
    let whole = framed(&request_of("a", "client", "lava_wait", &id("m")));
    for half_close in [true, false] {
        let mut stream = coordinator.connect().await;
        stream.set_nodelay(true).unwrap();
        for piece in [&whole[..4], &whole[4..8], &whole[8..60], &whole[60..]] {
            stream.write_all(piece).await.unwrap();
            // Read by the coordinator before the next one comes: it answers another request meanwhile.
            assert_eq!(coordinator.ask("b", "lava_wait", &id("m")).await, WAIT);
        }
        if half_close {
            stream.shutdown().await.unwrap();
        }
        assert_eq!(unframed(&read(&mut stream).await), WAIT);
    }
    let mut stream = coordinator.connect().await;
    stream.write_all(&[whole.clone(), vec![b' '; 100_000]].concat()).await.unwrap();
    assert_eq!(unframed(&read(&mut stream).await), WAIT);
    coordinator.end().await;
}

/// §1 rule 4: LAVA's client reads the header, then as many blocks as it announces, and takes what each read gives.
#[tokio::test]
async fn a_reply_is_there_as_a_whole_when_its_first_byte_is() {
    let coordinator = Coordinator::start();
    coordinator.assemble(&[("a", "client"), ("b", "server")]).await;
    let message = format!(r#"{{"k": "{}"}}"#, "x".repeat(4000));
    let send = format!(r#", "messageID": "m", "message": {message}"#);
    assert_eq!(coordinator.ask("a", "lava_send", &send).await, ACK);
    let expected = framed(&ack_with(&format!(r#"{{"a": {message}}}"#)));
    for _ in 0..200 {
        let mut stream = coordinator.connect().await;
        stream.write_all(&framed(&request_of("b", "server", "lava_wait", &id("m")))).await.unwrap();
        stream.readable().await.unwrap();
        let mut reply = vec![0; 2 * expected.len()];
        let count = stream.try_read(&mut reply).unwrap();
        assert_eq!(count, expected.len());
        assert_eq!(reply[..count], expected);
    }
    coordinator.end().await;
}

/// §2: what LAVA's client and its status script send, with the fields that a server does not know or need.
#[tokio::test]
async fn captured_requests_are_served() {
    let coordinator = Coordinator::start();
    let base = r#""port": 3079, "blocksize": 4096, "poll_delay": 3, "host": "localhost", "hostname": "worker01""#;
    let member = r#""client_name": "102", "group_name": "82e8a308eb50499792e481643f3ed7c0", "role": "server""#;
    let roles = r#"{"response": "group_data", "roles": {"102": "server"}}"#;
    for (request, reply) in [
        (r#""request": "group_data", "group_size": 1"#, roles),
        (r#""request": "lava_wait", "messageID": "m", "nodeID": "102""#, WAIT),
        (r#""request": "lava_send", "messageID": "m", "message": null, "new": [{}]"#, ACK),
    ] {
        assert_eq!(coordinator.json(&format!("{{{base}, {member}, {request}}}")).await, reply, "{request}");
    }
    // After it has registered few fields are enough, and nobody has to close its side.
    let few = r#"{"client_name": "102", "group_name": "82e8a308eb50499792e481643f3ed7c0", "request": "lava_wait", "messageID": "m"}"#;
    let mut stream = coordinator.connect().await;
    stream.write_all(&framed(few)).await.unwrap();
    assert_eq!(unframed(&read(&mut stream).await), ack_with(r#"{"102": {}}"#));
    coordinator.end().await;
}

/// RST right after the connection has come up, many at once, from threads that do nothing else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn resets_right_after_connecting_harm_nobody() {
    let coordinator = Coordinator::start();
    coordinator.assemble(&[("a", "client"), ("b", "server")]).await;
    let address = coordinator.address;
    let scanners: Vec<_> = (0..4)
        .map(|_| {
            tokio::spawn(async move {
                for _ in 0..100 {
                    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
                    stream.set_zero_linger().unwrap();
                    drop(stream);
                }
            })
        })
        .collect();
    for _ in 0..50 {
        assert_eq!(coordinator.ask("a", "lava_wait", &id("m")).await, WAIT);
    }
    for scanner in scanners {
        timeout(LONG, scanner).await.unwrap().unwrap();
    }
    assert_eq!(coordinator.ask("b", "lava_wait", &id("m")).await, WAIT);
    coordinator.end().await;
}
