//! The fields of a request, and what a reply means (coordinator-protocol.md §2, §3, §8).

use std::time::Duration;

use convoke_group::{Call, MemberName, Messages, Quiet};
use serde_json::{Map, Value, json};

use super::settings::TcpSettings;

/// What a coordinator answered.
#[derive(Debug, PartialEq)]
pub(super) struct Reply {
    /// The answer.
    pub(super) word: Word,
    /// It understands being asked to hold a request.
    pub(super) holds: bool,
    /// Why, with a nack or at the end of a hold.
    pub(super) reason: Option<String>,
}

#[derive(Debug, PartialEq)]
pub(super) enum Word {
    /// Accepted or satisfied. Of an assembled group: members and their roles.
    Done(Messages),
    /// Not now and not later.
    Nack,
    /// Not yet.
    Wait,
}

/// The frame of a call.
pub(super) fn call_frame(settings: &TcpSettings, call: &Call, quiet: Quiet, hold: Duration) -> Vec<u8> {
    let word = match call {
        Call::Send { .. } => "lava_send",
        Call::Wait { .. } => "lava_wait",
        Call::WaitAll { .. } => "lava_wait_all",
        Call::Sync { .. } => "lava_sync",
        Call::Assemble => "group_data",
    };
    let mut fields = base(settings, word);
    match call {
        Call::Assemble => {
            fields.insert("group_size".into(), settings.size.get().into());
        }
        _ => {
            fields.insert("messageID".into(), call.message_id().as_str().into());
        }
    }
    match call {
        Call::Send { message, .. } => {
            fields.insert("message".into(), message.clone());
        }
        Call::Wait { .. } => {
            fields.insert("nodeID".into(), settings.member.as_str().into());
        }
        Call::WaitAll { role: Some(role), .. } => {
            fields.insert("waitrole".into(), role.as_str().into());
        }
        _ => {}
    }
    if !hold.is_zero() {
        let hold = u64::try_from(hold.as_millis()).unwrap_or(u64::MAX).max(1);
        fields.insert("convoke_hold_ms".into(), hold.into());
    }
    if quiet == Quiet::Certain {
        fields.insert("convoke_quiet".into(), true.into());
    }
    frame(&Value::Object(fields))
}

/// The frame that says that this member has finished.
pub(super) fn clear_frame(settings: &TcpSettings) -> Vec<u8> {
    let mut fields = base(settings, "clear_group");
    fields.insert("group_size".into(), settings.size.get().into());
    frame(&Value::Object(fields))
}

fn base(settings: &TcpSettings, word: &str) -> Map<String, Value> {
    let fields = json!({
        "request": word,
        "client_name": settings.member.as_str(),
        "group_name": settings.group.as_str(),
        "role": settings.role.as_str(),
        "hostname": settings.hostname,
    });
    fields.as_object().cloned().unwrap_or_default()
}

fn frame(fields: &Value) -> Vec<u8> {
    let mut text = String::new();
    for letter in fields.to_string().chars() {
        if letter.is_ascii() {
            text.push(letter);
        } else {
            let mut units = [0; 2];
            for unit in letter.encode_utf16(&mut units) {
                text.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    format!("{:08X}{text}", text.len()).into_bytes()
}

/// Reads a reply; `None` when it is none.
pub(super) fn reply(text: &[u8]) -> Option<Reply> {
    let mut fields: Map<String, Value> = serde_json::from_slice(text).ok()?;
    let word = match fields.get("response")?.as_str()? {
        "ack" => Word::Done(messages(fields.remove("message"))),
        "group_data" => Word::Done(messages(fields.remove("roles"))),
        "nack" => Word::Nack,
        "wait" => Word::Wait,
        _ => return None,
    };
    let reason = fields.get("reason").and_then(Value::as_str).map(str::to_owned);
    let holds = fields.get("convoke_held").and_then(Value::as_bool).unwrap_or(false);
    Some(Reply { word, holds, reason })
}

/// A message that is no object is that of a sync and carries nothing.
fn messages(value: Option<Value>) -> Messages {
    match value {
        Some(Value::Object(map)) => map.into_iter().map(|(name, value)| (MemberName::new(name), value)).collect(),
        _ => Messages::new(),
    }
}
