//! Requests as clients send them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

/// How a client asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// As LAVA's dispatcher: never held, and asked again after a pause.
    Lava,
    /// As ours: held until there is an answer, on a connection that is kept.
    Ours,
}

/// Who asks.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) group: String,
    pub(super) name: String,
    pub(super) manner: Manner,
}

/// Names of calls; each is used once.
static CALLS: AtomicU64 = AtomicU64::new(0);

impl Member {
    pub(super) fn new(group: String, number: usize, manner: Manner) -> Self {
        Self { group, name: (1000 + number).to_string(), manner }
    }

    pub(super) fn group_data(&self, size: usize) -> Arc<[u8]> {
        self.frame("group_data", &[("group_size", json!(size))])
    }

    pub(super) fn send(&self, id: &str) -> Arc<[u8]> {
        self.frame("lava_send", &[("messageID", json!(id)), ("message", json!({"address": "192.0.2.17"}))])
    }

    pub(super) fn wait(&self, id: &str) -> Arc<[u8]> {
        self.frame("lava_wait", &[("messageID", json!(id)), ("nodeID", json!(self.name))])
    }

    pub(super) fn wait_all(&self, id: &str) -> Arc<[u8]> {
        self.frame("lava_wait_all", &[("messageID", json!(id))])
    }

    pub(super) fn sync(&self, id: &str) -> Arc<[u8]> {
        self.frame("lava_sync", &[("messageID", json!(id))])
    }

    pub(super) fn clear(&self, size: usize) -> Arc<[u8]> {
        self.frame("clear_group", &[("group_size", json!(size))])
    }

    /// The base fields of LAVA's dispatcher in its order, then those of the call, then ours.
    fn frame(&self, request: &str, fields: &[(&str, Value)]) -> Arc<[u8]> {
        let mut object = serde_json::Map::new();
        if self.manner == Manner::Lava {
            object.insert("port".into(), json!(3079));
            object.insert("blocksize".into(), json!(4096));
            object.insert("poll_delay".into(), json!(1));
            object.insert("host".into(), json!("localhost"));
        }
        object.insert("hostname".into(), json!("worker01"));
        object.insert("client_name".into(), json!(self.name));
        object.insert("group_name".into(), json!(self.group));
        object.insert("role".into(), json!("node"));
        object.insert("request".into(), json!(request));
        for (name, value) in fields {
            object.insert((*name).into(), value.clone());
        }
        if self.manner == Manner::Ours {
            if request == "clear_group" {
                object.insert("convoke_leave".into(), json!("its job ended"));
            } else {
                let call = CALLS.fetch_add(1, Ordering::Relaxed);
                object.insert("convoke_hold_ms".into(), json!(60_000));
                object.insert("convoke_limit_ms".into(), json!(120_000));
                object.insert("convoke_call".into(), json!(format!("187b3c6d1a2f-{call}")));
                object.insert("convoke_keep".into(), json!(true));
            }
        }
        let text = Value::Object(object).to_string();
        format!("{:08X}{text}", text.len()).into_bytes().into()
    }
}

/// The word of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    Ack,
    Wait,
    GroupData,
    Other,
}

/// Looks at the word of a reply only: a generator has no time to read JSON.
pub(super) fn word(body: &[u8]) -> Word {
    let Some(rest) = body.strip_prefix(br#"{"response": ""#) else { return Word::Other };
    match rest {
        rest if rest.starts_with(b"ack\"") => Word::Ack,
        rest if rest.starts_with(b"wait\"") => Word::Wait,
        rest if rest.starts_with(b"group_data\"") => Word::GroupData,
        _ => Word::Other,
    }
}
