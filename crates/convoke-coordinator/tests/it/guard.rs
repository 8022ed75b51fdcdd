//! Tokens: who is let in.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use convoke_coordinator::store::{FileStore, Store};
use convoke_coordinator::wire::Token;
use convoke_coordinator::{Access, CallOptions, GroupClient, Guard, ServerSettings, TcpClient, TcpSettings};
use convoke_group::{Answer, Call, GroupName, MemberName, RoleName};

use crate::harness::*;

const LISTED: &str = "0123456789abcdef";
const OTHER: &str = "fedcba9876543210";

fn guarded(tokens: &[&str], require: bool) -> ServerSettings {
    let tokens: Vec<Token> = tokens.iter().map(|token| Token::new(*token)).collect();
    ServerSettings { guard: Guard::new(&tokens, require), ..ServerSettings::default() }
}

fn register(member: &str, token: Option<&str>) -> String {
    let token = token.map(|token| format!(r#", "convoke_token": "{token}""#)).unwrap_or_default();
    request_of(member, "peer", "group_data", &format!(r#", "group_size": 2{token}"#))
}

fn nack(reason: &str) -> String {
    format!(r#"{{"response": "nack", "reason": "{reason}", "convoke_held": true}}"#)
}

const HELD_WAIT: &str = r#"{"response": "wait", "convoke_held": true}"#;
const HELD_DATA: &str = r#"{"response": "group_data", "roles": {"a": "peer", "b": "peer"}, "convoke_held": true}"#;

#[tokio::test]
async fn who_has_no_listed_token_is_refused_and_leaves_nothing() {
    let coordinator = Coordinator::with(guarded(&[LISTED], true), None);
    for request in ["group_data", "lava_send", "lava_wait", "lava_wait_all", "lava_sync", "clear_group", "complete"] {
        let more = format!(r#", "group_size": 2{}"#, id("m"));
        assert_eq!(coordinator.ask("a", request, &more).await, NACK, "{request}");
    }
    let stranger = nack("the token is none of this coordinator's");
    assert_eq!(coordinator.json(&register("a", Some(OTHER))).await, stranger);
    let none = nack("this coordinator serves only those who have a token: give one with --token-file");
    let knows_extras = register("a", None).replace("\"role\"", "\"convoke_keep\": true, \"role\"");
    assert_eq!(coordinator.json(&knows_extras).await, none);
    for odd in ["7", "null", "[]", "\"\""] {
        let odd = register("a", None).replace("\"role\"", &format!("\"convoke_token\": {odd}, \"role\""));
        assert_eq!(coordinator.json(&odd).await, NACK);
    }
    // The group was not made by any of them.
    let known = request_of("a", "peer", "lava_wait", &format!(r#"{}, "convoke_token": "{LISTED}""#, id("m")));
    assert!(coordinator.json(&known).await.contains("there is no group of this name"));
    assert_eq!(coordinator.json(&register("a", Some(LISTED))).await, HELD_WAIT);
    assert_eq!(coordinator.json(&register("b", Some(LISTED))).await, HELD_DATA);
    coordinator.end().await;
}

#[tokio::test]
async fn tokens_are_replaced_while_it_serves() {
    let settings = guarded(&[LISTED], true);
    let guard = settings.guard.clone();
    let coordinator = Coordinator::with(settings, None);
    assert_eq!(coordinator.json(&register("a", Some(LISTED))).await, HELD_WAIT);
    guard.replace(&[Token::new(OTHER)]);
    assert!(coordinator.json(&register("a", Some(LISTED))).await.contains("none of this coordinator's"));
    assert_eq!(coordinator.json(&register("b", Some(OTHER))).await, HELD_DATA);
    coordinator.end().await;
}

#[tokio::test]
async fn the_first_member_closes_its_group_and_that_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let settings = || guarded(&[LISTED], false);
    let open = || FileStore::open(dir.path()).map(|(store, _)| Arc::new(store) as Arc<dyn Store>).unwrap();
    let coordinator = Coordinator::with(settings(), Some(open()));
    assert_eq!(coordinator.json(&register("a", Some(OTHER))).await, HELD_WAIT);
    let closed = async |coordinator: &Coordinator| {
        assert_eq!(coordinator.json(&register("b", None)).await, NACK);
        // Nor who calls itself by the name of the member, whatever it asks.
        assert_eq!(coordinator.json(&register("a", None)).await, NACK);
        for request in ["lava_send", "lava_wait", "lava_wait_all", "lava_sync", "clear_group", "convoke_waits"] {
            assert_eq!(coordinator.ask("a", request, &id("m")).await, NACK, "{request}");
        }
        let another = coordinator.json(&register("b", Some("another-token-of-somebody"))).await;
        assert_eq!(another, nack("the group was made with another token"));
    };
    closed(&coordinator).await;
    coordinator.end().await;
    let kept = std::fs::read_dir(dir.path()).unwrap().map(|file| std::fs::read(file.unwrap().path()).unwrap());
    let kept: Vec<u8> = kept.flatten().collect();
    assert!(!String::from_utf8_lossy(&kept).contains(OTHER), "the token itself is not kept");
    let coordinator = Coordinator::with(settings(), Some(open()));
    closed(&coordinator).await;
    assert_eq!(coordinator.json(&register("b", Some(LISTED))).await, HELD_DATA, "a listed token opens every group");
    assert_eq!(coordinator.json(&register("b", Some(OTHER))).await, HELD_DATA);
    coordinator.end().await;
}

#[tokio::test]
async fn without_a_list_every_group_has_a_token_of_its_own() {
    let coordinator = Coordinator::with(guarded(&[], true), None);
    assert_eq!(coordinator.json(&register("a", None)).await, NACK);
    assert_eq!(coordinator.json(&register("a", Some(OTHER))).await, HELD_WAIT);
    assert!(coordinator.json(&register("b", Some(LISTED))).await.contains("another token"));
    assert_eq!(coordinator.json(&register("b", Some(OTHER))).await, HELD_DATA);
    coordinator.end().await;
}

#[tokio::test]
async fn without_tokens_everybody_is_let_in() {
    let coordinator = Coordinator::start();
    assert_eq!(coordinator.json(&register("a", None)).await, WAIT);
    // A group that was made without a token is nobody's.
    assert_eq!(coordinator.json(&register("b", Some(OTHER))).await, HELD_DATA);
    coordinator.end().await;
}

#[tokio::test]
async fn our_client_shows_its_token_to_the_end() {
    let coordinator = Coordinator::with(guarded(&[LISTED], true), None);
    let client = |member: &str, token: Option<&str>| {
        let settings = TcpSettings {
            coordinator: coordinator.address.to_string(),
            group: GroupName::new("g"),
            size: NonZeroUsize::new(1).unwrap(),
            member: MemberName::new(member),
            role: RoleName::new("peer"),
            hostname: "w".into(),
            poll_delay: Duration::from_millis(10),
        };
        TcpClient::with_access(settings, Access { token: token.map(Token::new), tls: None })
    };
    let options = CallOptions { limit: Some(LONG), ..CallOptions::default() };
    let stranger = client("a", None);
    let Answer::Refused { refusal } = stranger.call(Call::Assemble, options).await else { panic!("let in") };
    assert!(refusal.to_string().contains("only those who have a token"), "{refusal}");
    stranger.finish().await;
    let member = client("a", Some(LISTED));
    assert!(matches!(member.call(Call::Assemble, options).await, Answer::Done { .. }));
    member.finish().await;
    // It has left, and the group has ended with it.
    let gone = request_of("a", "peer", "lava_wait", &format!(r#"{}, "convoke_token": "{LISTED}""#, id("m")));
    assert!(coordinator.json(&gone).await.contains("there is no group"));
    coordinator.end().await;
}
