//! What is acknowledged is kept: over a restart, and over a full disk.

use std::sync::Arc;

use convoke_coordinator::ServerSettings;
use convoke_coordinator::store::{FileStore, MemoryStore, Store};

use crate::harness::*;

const RELEASED: &str = r#"{"response": "ack", "message": "s"}"#;

fn with(store: &Arc<dyn Store>) -> Coordinator {
    Coordinator::with(ServerSettings::default(), Some(Arc::clone(store)))
}

/// One coordinator a step, all with the same store.
async fn check(steps: &[(&str, &str, &str, &str)]) {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
    let first = with(&store);
    first.assemble(&[("a", "peer"), ("b", "peer")]).await;
    first.end().await;
    for (place, (member, request, more, expected)) in steps.iter().enumerate() {
        let coordinator = with(&store);
        assert_eq!(coordinator.ask(member, request, more).await, *expected, "step {place}: {member} {request}");
        coordinator.end().await;
    }
}

#[tokio::test]
async fn clients_do_not_notice_a_restart_between_any_two_requests() {
    let (m, s) = (id("m"), id("s"));
    check(&[
        ("a", "group_data", "", r#"{"response": "group_data", "roles": {"a": "peer", "b": "peer"}}"#),
        ("a", "lava_send", r#", "messageID": "m", "message": {"k": 1.50}"#, ACK),
        ("b", "lava_wait", &m, r#"{"response": "ack", "message": {"a": {"k": 1.50}}}"#),
        ("a", "lava_sync", &s, WAIT),
        ("b", "lava_sync", &s, RELEASED),
        ("b", "lava_sync", &s, WAIT),
        ("a", "lava_sync", &s, RELEASED),
        ("a", "lava_sync", &s, RELEASED),
        ("b", "lava_sync", &s, RELEASED),
        ("a", "clear_group", "", ACK),
        ("a", "lava_wait", &m, r#"{"response": "ack", "message": {"a": {"k": 1.50}}}"#),
        ("b", "clear_group", "", ACK),
        ("a", "clear_group", "", ACK),
        ("a", "lava_wait", &m, NACK),
    ])
    .await;
}

#[tokio::test]
async fn what_ended_is_forgotten() {
    let store = Arc::new(MemoryStore::default());
    let shared: Arc<dyn Store> = store.clone();
    let coordinator = with(&shared);
    coordinator.assemble(&[("a", "peer"), ("b", "peer")]).await;
    assert_eq!(store.load().unwrap().len(), 1);
    for member in ["a", "b"] {
        assert_eq!(coordinator.ask(member, "clear_group", "").await, ACK);
    }
    assert_eq!(store.load().unwrap().len(), 0);
    coordinator.end().await;
}

#[tokio::test]
async fn a_full_disk_says_come_again_and_recovers() {
    let store = Arc::new(MemoryStore::default());
    let shared: Arc<dyn Store> = store.clone();
    let coordinator = with(&shared);
    coordinator.assemble(&[("a", "peer"), ("b", "peer")]).await;
    assert_eq!(coordinator.ask("a", "lava_sync", &id("s")).await, WAIT);
    store.set_full(true);
    assert_eq!(coordinator.ask("a", "lava_send", &id("m")).await, "");
    assert_eq!(coordinator.ask("b", "lava_sync", &id("s")).await, "");
    assert_eq!(coordinator.ask("b", "lava_wait", &id("m")).await, "");
    store.set_full(false);
    assert_eq!(coordinator.ask("b", "lava_sync", &id("s")).await, RELEASED);
    assert_eq!(coordinator.ask("a", "lava_sync", &id("s")).await, RELEASED);
    assert_eq!(coordinator.ask("a", "lava_send", &id("m")).await, ACK);
    coordinator.end().await;
    let again = with(&shared);
    assert_eq!(again.ask("b", "lava_wait", &id("m")).await, ack_with(r#"{"a": {}}"#));
    again.end().await;
}

#[tokio::test]
async fn groups_are_kept_in_a_folder() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..2 {
        let (store, notes) = FileStore::open(dir.path()).unwrap();
        assert!(notes.is_empty(), "{notes:?}");
        let coordinator = Coordinator::with(ServerSettings::default(), Some(Arc::new(store)));
        if round == 0 {
            coordinator.assemble(&[("a", "peer"), ("b", "peer")]).await;
            assert_eq!(coordinator.ask("a", "lava_send", &id("m")).await, ACK);
        } else {
            assert_eq!(coordinator.ask("b", "lava_wait", &id("m")).await, ack_with(r#"{"a": {}}"#));
        }
        coordinator.end().await;
    }
}
