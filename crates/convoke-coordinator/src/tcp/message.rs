//! Calls as requests, replies as answers (coordinator-protocol.md §2, §3, §8).

use std::time::Duration;

use convoke_group::{Answer, Call, MemberName, Messages, Quiet};
use serde_json::Value;

use super::settings::TcpSettings;
use super::words;
use crate::wire::{Json, frame};

/// What a coordinator answered.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) word: Word,
    /// It understands being asked to hold a request.
    pub(super) holds: bool,
    /// Why, with a nack and at the end of a hold; empty when it does not say.
    pub(super) reason: String,
}

/// The word of a [`Reply`], with what came beside it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Word {
    Ack(Option<Json>),
    GroupData(Json),
    Nack,
    Wait,
}

/// The frame of a call. `hold` is what is left to the caller, and how long the coordinator may hold the request; `None`
/// for one that does not know of it.
pub(super) fn call_frame(settings: &TcpSettings, call: &Call, quiet: Quiet, hold: Option<Duration>) -> Vec<u8> {
    let word = match call {
        Call::Send { .. } => "lava_send",
        Call::Wait { .. } => "lava_wait",
        Call::WaitAll { .. } => "lava_wait_all",
        Call::Sync { .. } => "lava_sync",
        Call::Assemble => "group_data",
    };
    let mut fields = base(settings, word);
    let mut add = |name: &str, value: Json| fields.push((name.to_owned(), value));
    match call {
        // No other call carries the size: a coordinator that has forgotten the group then says so.
        Call::Assemble => add("group_size", number(settings.size)),
        _ => add("messageID", text(call.message_id().as_str())),
    }
    match call {
        Call::Send { message, .. } => add("message", to_send(message)),
        Call::Wait { .. } => add("nodeID", text(settings.member.as_str())),
        Call::WaitAll { role: Some(role), .. } => add("waitrole", text(role.as_str())),
        _ => {}
    }
    if let Some(hold) = hold {
        add("convoke_hold_ms", number(hold.as_millis().max(1)));
        if quiet == Quiet::Certain {
            add("convoke_quiet", Json::Bool(true));
        }
    }
    frame(&Json::Object(fields).to_text())
}

/// The frame that says that this member has finished, and why.
pub(super) fn clear_frame(settings: &TcpSettings, why: &str) -> Vec<u8> {
    let mut fields = base(settings, "clear_group");
    fields.push(("group_size".to_owned(), number(settings.size)));
    fields.push(("convoke_leave".to_owned(), text(why)));
    frame(&Json::Object(fields).to_text())
}

fn base(settings: &TcpSettings, word: &str) -> Vec<(String, Json)> {
    let fields = [
        ("hostname", settings.hostname.as_str()),
        ("client_name", settings.member.as_str()),
        ("group_name", settings.group.as_str()),
        ("role", settings.role.as_str()),
        ("request", word),
    ];
    fields.into_iter().map(|(name, value)| (name.to_owned(), text(value))).collect()
}

fn text(text: &str) -> Json {
    Json::Text(text.to_owned())
}

fn number(number: impl ToString) -> Json {
    Json::Number(number.to_string())
}

fn to_send(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Number(digits) => number(digits),
        Value::String(value) => text(value),
        Value::Array(items) => Json::List(items.iter().map(to_send).collect()),
        Value::Object(members) => {
            Json::Object(members.iter().map(|(name, value)| (name.clone(), to_send(value))).collect())
        }
    }
}

/// Reads a reply; `None` when it is none.
pub(super) fn reply(message: &Json) -> Option<Reply> {
    let word = match message.get("response")?.as_text()? {
        "ack" => Word::Ack(message.get("message").cloned()),
        "group_data" => Word::GroupData(message.get("roles")?.clone()),
        "nack" => Word::Nack,
        "wait" => Word::Wait,
        _ => return None,
    };
    let holds = message.get("convoke_held") == Some(&Json::Bool(true));
    let reason = message.get("reason").and_then(Json::as_text).unwrap_or_default().to_owned();
    Some(Reply { word, holds, reason })
}

/// The answer of a reply; `None` is not yet.
pub(super) fn answer(settings: &TcpSettings, call: &Call, reply: &Reply) -> Option<Answer> {
    let messages = match (&reply.word, call) {
        (Word::Wait, _) => return None,
        (Word::Nack, _) => return Some(words::refused(settings, call, &reply.reason)),
        // What a satisfied sync carries says nothing.
        (Word::Ack(None), _) | (Word::Ack(_), Call::Send { .. } | Call::Sync { .. }) => Some(Messages::new()),
        (Word::Ack(Some(found)) | Word::GroupData(found), _) => messages(found),
    };
    Some(match messages {
        Some(messages) => Answer::Done { messages },
        None => words::invalid(call, format!("coordinator {} answered with no messages", settings.coordinator)),
    })
}

fn messages(found: &Json) -> Option<Messages> {
    let Json::Object(members) = found else { return None };
    Some(members.iter().map(|(name, value)| (MemberName::new(name.as_str()), as_sent(value))).collect())
}

/// A value in serde's form. A number that would lose its spelling there is kept as its text: a device is given text in
/// any case.
fn as_sent(value: &Json) -> Value {
    match value {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(digits) => {
            let number = serde_json::from_str::<Value>(digits).unwrap_or_default();
            if number.to_string().as_str() == digits { number } else { Value::String(digits.clone()) }
        }
        Json::Text(text) => Value::String(text.clone()),
        Json::List(items) => Value::Array(items.iter().map(as_sent).collect()),
        Json::Object(members) => {
            Value::Object(members.iter().map(|(name, value)| (name.clone(), as_sent(value))).collect())
        }
    }
}
