//! What breaks a coordinator: coordinator-protocol.md §1 and §7.2. Each is answered nack or closed in silence, and
//! others do not notice.

use convoke_coordinator::ServerSettings;
use tokio::io::AsyncWriteExt;

use crate::harness::*;

async fn pair() -> Coordinator {
    let coordinator = Coordinator::start();
    coordinator.assemble(&[("a", "client"), ("b", "server")]).await;
    coordinator
}

/// The other member of the group is served as ever.
async fn is_well(coordinator: &Coordinator) {
    assert_eq!(coordinator.ask("b", "lava_wait", &id("never")).await, WAIT);
}

#[tokio::test]
async fn what_is_understood_and_cannot_be_used_is_refused() {
    let coordinator = pair().await;
    let deep = format!("{}1{}", "[".repeat(5000), "]".repeat(5000));
    let mut bodies = vec![
        "1".to_owned(),
        "null".to_owned(),
        "true".to_owned(),
        r#""request""#.to_owned(),
        r#"["request"]"#.to_owned(),
        "{}".to_owned(),
        r#"{"request": "group_data"}"#.to_owned(),
        r#"{"request": "group_data", "client_name": "a"}"#.to_owned(),
        r#"{"request": "group_data", "client_name": "", "group_name": "x", "group_size": 1}"#.to_owned(),
        r#"{"request": "group_data", "client_name": "a", "group_name": "", "group_size": 1}"#.to_owned(),
        r#"{"request": ["lava_wait"], "client_name": "a", "group_name": "g"}"#.to_owned(),
        r#"{"request": "group_data", "client_name": "n", "group_name": "new", "group_size": 2}"#.to_owned(),
        r#"{"request": "group_data", "client_name": "n", "group_name": "new", "role": "r", "group_size": 2}"#
            .to_owned(),
        r#"{"request": "group_data", "client_name": "n", "group_name": "new", "hostname": "h", "group_size": 2}"#
            .to_owned(),
        request_of("a", "client", "lava_send", r#", "messageID": "m", "message": "\ud800""#),
        request_of("a", "client", "lava_send", r#", "messageID": "m", "message": NaN"#),
        request_of("a", "client", "lava_send", r#", "messageID": "m", "message": -Infinity"#),
        request_of("a", "client", "lava_send", &format!(r#", "messageID": "m", "message": {deep}"#)),
        request_of("a", "client", "lava_send", ""),
        request_of("a", "client", "aggregate", r#", "bundle": 1, "sub_id": 7"#),
    ];
    for odd in ["1", "null", "[]", "{}"] {
        for key in ["group_name", "client_name", "role", "messageID", "waitrole"] {
            if (key, odd) == ("client_name", "1") || (key, odd) == ("role", "null") {
                continue;
            }
            bodies.push(request_of("a", "client", "lava_wait_all", &format!(r#", "messageID": "m", "{key}": {odd}"#)));
        }
    }
    for body in bodies {
        assert_eq!(coordinator.json(&body).await, NACK, "{body}");
    }
    is_well(&coordinator).await;
    // None of them has left a trace.
    assert_eq!(coordinator.json(&request_of("a", "r", "lava_wait", &id("m")).replace("\"g\"", "\"new\"")).await, NACK);
    coordinator.end().await;
}

#[tokio::test]
async fn what_is_no_frame_or_no_json_is_closed_in_silence() {
    let coordinator = pair().await;
    let whole = framed(&request_of("a", "client", "lava_wait", &id("m")));
    let cut = &whole[..whole.len() - 1];
    let cases: &[&[u8]] = &[
        b"",
        b"0000",
        b"GET / HTTP/1.1\r\n\r\n",
        b"0x000013{}",
        b"00000000",
        b"+0000002{}",
        b"00000002xx",
        b"00000003{}x",
        b"00000004\xff\xfe{}",
        b"00000002{\xff",
        b"\xff\xff\xff\xff\xff\xff\xff\xff{}",
        b"FFFFFFFF{\"request\": ",
        cut,
    ];
    for bytes in cases {
        assert_eq!(coordinator.bytes(bytes).await, "", "{:?}", String::from_utf8_lossy(bytes));
    }
    is_well(&coordinator).await;
    coordinator.end().await;
}

#[tokio::test]
async fn a_request_is_understood_however_it_comes() {
    let coordinator = pair().await;
    let json = request_of("a", "client", "lava_send", r#", "messageID": "é😀", "message": {"k": "ü"}"#);
    let characters = json.chars().count();
    for frame in [
        framed(&json),
        // Characters counted, too many announced, too few, small letters.
        format!("{characters:08X}{json}").into_bytes(),
        format!("FFFFFFFF{json}").into_bytes(),
        format!("0000000a{json}").into_bytes(),
        format!("{:08x}{json}", json.len()).into_bytes(),
    ] {
        assert_eq!(unframed(&coordinator.bytes(&frame).await), ACK);
    }
    // A byte at a time, without a half-close.
    let mut stream = coordinator.connect().await;
    stream.set_nodelay(true).unwrap();
    for byte in format!("{characters:08X}{json}").bytes() {
        stream.write_all(&[byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(unframed(&read(&mut stream).await), ACK);
    // The largest request of LAVA's client, and the number of a client as its text.
    let more = |large: &str| format!(r#", "messageID": "large", "message": {{"k": "{large}"}}"#);
    let large = "x".repeat(65_534 - request_of("a", "peer", "lava_send", &more("")).len());
    let more = more(&large);
    assert_eq!(coordinator.ask("a", "lava_send", &more).await, ACK);
    let back = ack_with(&format!(r#"{{"a": {{"k": "{large}"}}}}"#));
    assert_eq!(coordinator.ask("b", "lava_wait", &id("large")).await, back);
    let number = r#"{"request": "group_data", "client_name": 7, "group_name": "n", "role": "r", "hostname": "h", "group_size": 1}"#;
    let roles = r#"{"response": "group_data", "roles": {"7": "r"}}"#;
    assert_eq!(coordinator.json(number).await, roles);
    coordinator.end().await;
}

#[tokio::test]
async fn a_request_beyond_the_limit_is_closed_and_nothing_is_allocated_by_its_number() {
    let settings = ServerSettings { request_bytes: 1000, ..ServerSettings::default() };
    let coordinator = Coordinator::with(settings, None);
    let long = request_of("a", "r", "group_data", &format!(r#", "group_size": 1, "x": "{}""#, "y".repeat(1000)));
    let mut stream = coordinator.connect().await;
    stream.write_all(&framed(&long)).await.unwrap();
    assert_eq!(read(&mut stream).await, "");
    coordinator.end().await;
}

#[tokio::test]
async fn a_thousand_silent_connections_delay_nobody() {
    let coordinator = pair().await;
    let mut silent = Vec::new();
    for place in 0..1000 {
        let mut stream = coordinator.connect().await;
        if place % 2 == 0 {
            stream.write_all(b"000000").await.unwrap();
        }
        silent.push(stream);
    }
    is_well(&coordinator).await;
    drop(silent);
    is_well(&coordinator).await;
    coordinator.end().await;
}

#[tokio::test]
async fn a_silent_connection_is_closed_after_its_time() {
    let settings = ServerSettings { request_time: std::time::Duration::from_millis(20), ..ServerSettings::default() };
    let coordinator = Coordinator::with(settings, None);
    let mut stream = coordinator.connect().await;
    stream.write_all(b"0000").await.unwrap();
    assert_eq!(read(&mut stream).await, "");
    coordinator.end().await;
}

#[tokio::test]
async fn callers_that_reset_or_never_read_harm_nobody() {
    let coordinator = pair().await;
    let message = format!(r#", "messageID": "big", "message": {{"k": "{}"}}"#, "x".repeat(900_000));
    assert_eq!(coordinator.ask("a", "lava_send", &message).await, ACK);
    assert_eq!(coordinator.ask("b", "lava_send", &message).await, ACK);
    let mut deaf = Vec::new();
    for _ in 0..20 {
        let mut stream = coordinator.connect().await;
        stream.write_all(&framed(&request_of("a", "client", "lava_wait", &id("big")))).await.unwrap();
        deaf.push(stream);
        let reset = coordinator.connect().await;
        reset.set_zero_linger().unwrap();
        drop(reset);
        let mut gone = coordinator.connect().await;
        gone.write_all(&framed(&request_of("a", "client", "lava_wait", &id("big")))).await.unwrap();
        gone.set_zero_linger().unwrap();
        drop(gone);
    }
    is_well(&coordinator).await;
    drop(deaf);
    coordinator.end().await;
}

#[tokio::test]
async fn limits_of_a_group_are_answered_with_nack() {
    let group = convoke_coordinator::Limits { members: 2, ids: 2, bytes: 10 };
    let coordinator = Coordinator::with(ServerSettings { group, ..ServerSettings::default() }, None);
    coordinator.assemble(&[("a", "r"), ("b", "r")]).await;
    let send = |name: &str, text: &str| format!(r#", "messageID": "{name}", "message": "{text}""#);
    assert_eq!(coordinator.ask("a", "lava_send", &send("m", "12345678")).await, ACK);
    assert_eq!(coordinator.ask("b", "lava_send", &send("m", "1")).await, NACK);
    assert_eq!(coordinator.ask("a", "lava_send", &send("m", "123456")).await, ACK);
    assert_eq!(coordinator.ask("a", "lava_sync", &id("s")).await, WAIT);
    assert_eq!(coordinator.ask("a", "lava_sync", &id("t")).await, NACK);
    let large = request_of("x", "r", "group_data", r#", "group_size": 3"#).replace("\"g\"", "\"h\"");
    assert_eq!(coordinator.json(&large).await, NACK);
    coordinator.end().await;
}

#[tokio::test]
async fn an_address_makes_no_more_groups_than_it_may_and_others_go_on() {
    let settings = ServerSettings { groups_per_address: 1, ..ServerSettings::default() };
    let coordinator = Coordinator::with(settings, None);
    let make = |group: &str| {
        request_of("a", "r", "group_data", r#", "group_size": 2"#).replace("\"g\"", &format!("\"{group}\""))
    };
    assert_eq!(coordinator.json(&make("one")).await, WAIT);
    assert_eq!(coordinator.json(&make("two")).await, NACK);
    assert_eq!(coordinator.json(&make("one")).await, WAIT, "the group that is there is served");
    assert_eq!(coordinator.from([127, 0, 0, 2], &make("two")).await, WAIT, "another address makes its own");
    // What was not made, or has ended, does not count.
    assert_eq!(coordinator.from([127, 0, 0, 3], &make("three").replace("hostname", "x")).await, NACK);
    assert_eq!(coordinator.from([127, 0, 0, 3], &make("three")).await, WAIT);
    assert_eq!(coordinator.json(&make("one").replace("group_data", "clear_group")).await, ACK);
    assert_eq!(coordinator.json(&make("four")).await, WAIT);
    coordinator.end().await;
}

/// Sixty connections of one address, of which it may have ten; somebody else asks meanwhile.
#[tokio::test]
async fn a_flood_of_one_address_does_not_touch_others() {
    let settings = ServerSettings { connections: 20, connections_per_address: 10, ..ServerSettings::default() };
    let coordinator = Coordinator::with(settings, None);
    let ask = request_of("a", "r", "group_data", r#", "group_size": 2"#);
    let mut flood = Vec::new();
    for _ in 0..60 {
        let mut stream = coordinator.connect().await;
        // Closed already, when there are too many.
        let _ = stream.write_all(b"0000").await;
        flood.push(stream);
        assert_eq!(coordinator.from([127, 0, 0, 2], &ask).await, WAIT);
    }
    coordinator.end().await;
}

#[tokio::test]
async fn too_many_connections_of_one_address_are_closed() {
    let settings = ServerSettings { connections_per_address: 1, ..ServerSettings::default() };
    let coordinator = Coordinator::with(settings, None);
    let mut first = coordinator.connect().await;
    first.write_all(b"0000").await.unwrap();
    let mut second = coordinator.connect().await;
    let mut rest = Vec::new();
    // Closed with or without a reset.
    let _ = tokio::io::AsyncReadExt::read_to_end(&mut second, &mut rest).await;
    assert!(rest.is_empty());
    coordinator.end().await;
}
