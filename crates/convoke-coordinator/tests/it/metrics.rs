//! The metrics over HTTP: what is counted, the form, and callers that are none.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;

use convoke_coordinator::store::MemoryStore;
use convoke_coordinator::{Server, ServerSettings};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::harness::*;

async fn watched() -> (Coordinator, SocketAddr) {
    let store = Arc::new(MemoryStore::default());
    let mut metrics = None;
    let at = "127.0.0.1:0".parse().unwrap();
    let told = |server: &Server| metrics = Some(server.tell_metrics(at).unwrap());
    let coordinator = Coordinator::started(ServerSettings::default(), Some(store), told);
    (coordinator, metrics.unwrap())
}

async fn http(at: SocketAddr, request: &[u8]) -> (String, String) {
    let mut stream = TcpStream::connect(at).await.unwrap();
    stream.write_all(request).await.unwrap();
    let text = read(&mut stream).await;
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    (head.to_owned(), body.to_owned())
}

async fn scrape(at: SocketAddr) -> HashMap<String, f64> {
    let (head, body) = http(at, b"GET /metrics HTTP/1.1\r\nHost: lab\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4"), "{head}");
    assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{head}");
    samples(&body)
}

/// Reads the text as strictly as the format is: a family is introduced once and whole, no series twice, steps of a
/// histogram never fall, and its last one is its count.
#[track_caller]
fn samples(text: &str) -> HashMap<String, f64> {
    let (mut found, mut families) = (HashMap::new(), HashSet::new());
    let (mut family, mut kind, mut last_bucket) = (String::new(), String::new(), 0.0);
    assert!(text.ends_with('\n'));
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            assert!(families.insert(name.to_owned()), "{name} comes twice");
            assert!(help.ends_with('.') && !help.contains('\\'), "{help}");
            family = name.to_owned();
            continue;
        }
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, of) = rest.split_once(' ').unwrap();
            assert_eq!(name, family);
            assert!(["counter", "gauge", "histogram"].contains(&of), "{line}");
            assert_eq!(of == "counter", name.ends_with("_total"), "{line}");
            kind = of.to_owned();
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap();
        let value: f64 = value.parse().unwrap();
        let (name, labels) = series
            .split_once('{')
            .map_or((series, ""), |(name, labels)| (name, labels.strip_suffix('}').expect("the labels end")));
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
        for label in labels.split(',').filter(|label| !label.is_empty()) {
            let (_, word) = label.split_once('=').unwrap();
            assert!(word.len() > 2 && word.starts_with('"') && word.ends_with('"'), "{line}");
        }
        match kind.as_str() {
            "histogram" if name == format!("{family}_bucket") => {
                let first =
                    labels.ends_with("le=\"0.00005\"") || labels.ends_with("le=\"0.001\"") || labels == "le=\"1\"";
                assert!(first || value >= last_bucket, "{line}");
                last_bucket = value;
            }
            "histogram" if name == format!("{family}_count") => assert_eq!(value, last_bucket, "{line}"),
            "histogram" => assert_eq!(name, format!("{family}_sum")),
            _ => assert_eq!(name, family),
        }
        assert!(found.insert(series.replace("convoke_coordinator_", ""), value).is_none(), "{series} comes twice");
    }
    found
}

#[tokio::test]
async fn what_happens_is_counted() {
    let (coordinator, at) = watched().await;
    coordinator.assemble(&[("a", "peer"), ("b", "peer")]).await;
    let mut held = coordinator.connect().await;
    let hold = r#", "messageID": "m", "convoke_hold_ms": 60000, "convoke_limit_ms": 60000"#;
    held.write_all(&framed(&request_of("a", "peer", "lava_wait", hold))).await.unwrap();
    coordinator.ask("b", "lava_sync", &id("s")).await;
    coordinator.ask("b", "lava_sync", "").await;
    coordinator.bytes(b"nonsense").await;
    while scrape(at).await[r#"held_requests{request="lava_wait"}"#] == 0.0 {}
    let now = scrape(at).await;
    for (series, value) in [
        (r#"groups{state="complete"}"#, 1.0),
        (r#"groups{state="assembling"}"#, 0.0),
        (r#"members{state="active"}"#, 2.0),
        ("polling_members", 1.0),
        ("connections_accepted_total", 6.0),
        (r#"connections_unread_total{reason="broken"}"#, 1.0),
        (r#"requests_total{request="group_data",answer="wait"}"#, 1.0),
        (r#"requests_total{request="group_data",answer="group_data"}"#, 1.0),
        (r#"requests_total{request="lava_sync",answer="wait"}"#, 1.0),
        (r#"requests_total{request="other",answer="nack"}"#, 1.0),
        (r#"request_seconds_count{request="group_data"}"#, 2.0),
        (r#"held_seconds_count{request="lava_wait"}"#, 0.0),
        ("state_pending_appends", 0.0),
    ] {
        assert_eq!(now.get(series), Some(&value), "{series}");
    }
    coordinator.ask("b", "lava_send", &id("m")).await;
    read(&mut held).await;
    drop(held);
    for member in ["a", "b"] {
        coordinator.ask(member, "clear_group", "").await;
    }
    let then = scrape(at).await;
    assert_eq!(then[r#"held_seconds_count{request="lava_wait"}"#], 1.0);
    assert_eq!(then[r#"held_requests{request="lava_wait"}"#], 0.0);
    assert_eq!((then["groups_ended_total"], then[r#"groups{state="complete"}"#]), (1.0, 0.0));
    assert!(
        then["received_bytes_total"] > now["received_bytes_total"]
            && then["sent_bytes_total"] > now["sent_bytes_total"]
    );
    coordinator.end().await;
}

#[tokio::test]
async fn callers_of_every_kind_are_answered_or_closed() {
    let (coordinator, at) = watched().await;
    let long = [b"GET / HTTP/1.1\r\nX: ".as_slice(), &[b'x'; 9_000]].concat();
    let cases: [(&[u8], &str); 9] = [
        (b"GET /metrics HTTP/1.0\n\n", "HTTP/1.1 200 "),
        (b"GET /metrics?name=x HTTP/1.1\r\n\r\n", "HTTP/1.1 200 "),
        (b"GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 404 "),
        (b"POST /metrics HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", "HTTP/1.1 405 "),
        (b"GET /metrics\r\n\r\n", "HTTP/1.1 400 "),
        (b"GET /metrics SPDY/3\r\n\r\n", "HTTP/1.1 400 "),
        (b"\x16\x03\x01\x00\xff\r\n\r\n", "HTTP/1.1 400 "),
        (b"\xff\xfe \xff \xff\r\n\r\n", "HTTP/1.1 400 "),
        (&long, "HTTP/1.1 431 "),
    ];
    for (request, status) in cases {
        let (head, _) = http(at, request).await;
        assert!(head.starts_with(status), "{head} of {}", String::from_utf8_lossy(&request[..20.min(request.len())]));
    }
    let (head, body) = http(at, b"HEAD /metrics HTTP/1.1\r\n\r\n").await;
    assert!(head.contains("Content-Length: ") && body.is_empty(), "{head}\n{body}");
    // Those who say nothing hold up some of the places, and nobody at the coordinator's own port.
    let mut silent = Vec::new();
    for _ in 0..15 {
        silent.push(TcpStream::connect(at).await.unwrap());
    }
    assert!(scrape(at).await.contains_key(r#"connections{state="idle"}"#));
    assert_eq!(coordinator.ask("a", "group_data", r#", "group_size": 2"#).await, WAIT);
    coordinator.end().await;
}
