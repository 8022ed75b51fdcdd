//! Calls as requests, replies as answers (coordinator-protocol.md §2, §3, §8).

use std::time::Duration;

use convoke_group::{Answer, Call, MemberName, Messages, Quiet, WaitView};
use serde_json::Value;

use super::access::Access;
use super::settings::TcpSettings;
use super::words;
use crate::wire::{Ask, Extras, Json, Reply, Request, Size, frame};

/// What a request says beyond its call. Only coordinators of our own look at it.
#[derive(Clone, Debug)]
pub(super) struct Manners {
    /// How long the coordinator may hold the request; `None` for one that does not know of it.
    pub(super) hold: Option<Duration>,
    /// When the caller gives up, from now.
    pub(super) limit: Option<Duration>,
    pub(super) quiet: Quiet,
    /// Name of the call, the same in all its requests.
    pub(super) call: String,
}

/// The frame of a call.
pub(super) fn call_frame(settings: &TcpSettings, access: &Access, call: Call, manners: &Manners) -> Vec<u8> {
    let ask = Ask::from(call);
    // Only these carry it in LAVA: a coordinator that has forgotten the group then says so.
    let size = if ask == Ask::GroupData { Size::Of(settings.size) } else { Size::Absent };
    let extras = match manners.hold {
        None => Extras::default(),
        hold => Extras {
            hold,
            limit: Some(manners.limit),
            quiet: manners.quiet == Quiet::Certain,
            call: Some(manners.call.clone()),
            keep: true,
            token: access.token.clone(),
            ..Extras::default()
        },
    };
    request(settings, ask, size, extras)
}

/// The frame that says that this member has finished, and why.
pub(super) fn clear_frame(settings: &TcpSettings, access: &Access, why: &str) -> Vec<u8> {
    let extras = Extras { leave: Some(why.to_owned()), token: access.token.clone(), ..Extras::default() };
    request(settings, Ask::Clear, Size::Of(settings.size), extras)
}

/// The frame that asks for this member's held requests.
pub(super) fn waits_frame(settings: &TcpSettings, access: &Access) -> Vec<u8> {
    let extras = Extras { token: access.token.clone(), ..Extras::default() };
    request(settings, Ask::Waits, Size::Absent, extras)
}

/// The held requests of a reply.
pub(super) fn waits(reply: &Reply) -> Option<Vec<WaitView>> {
    let Reply::AckWith(text) = reply else { return None };
    serde_json::from_str(text).ok()
}

fn request(settings: &TcpSettings, ask: Ask, size: Size, extras: Extras) -> Vec<u8> {
    let request = Request {
        group: settings.group.clone(),
        member: settings.member.clone(),
        role: Some(settings.role.clone()),
        hostname: Some(settings.hostname.clone()),
        size,
        ask,
        extras,
    };
    frame(&request.write().to_text())
}

/// The answer of a reply; `None` is not yet.
pub(super) fn answer(settings: &TcpSettings, call: &Call, reply: Reply) -> Option<Answer> {
    match reply {
        Reply::Wait => None,
        Reply::Refused(refusal) => Some(Answer::Refused { refusal: *refusal }),
        Reply::Ack => Some(Answer::Done { messages: Messages::new() }),
        Reply::AckWith(text) => match call {
            // What a satisfied sync carries says nothing.
            Call::Send { .. } | Call::Sync { .. } => Some(Answer::Done { messages: Messages::new() }),
            _ => Some(match messages(&text) {
                Some(messages) => Answer::Done { messages },
                None => words::invalid(call, format!("coordinator {} answered with no messages", settings.coordinator)),
            }),
        },
        Reply::GroupData(roles) => {
            let messages =
                roles.iter().map(|(member, role)| (member.clone(), Value::String(role.as_str().to_owned()))).collect();
            Some(Answer::Done { messages })
        }
        Reply::Nack(reason) => Some(words::refused(settings, call, &reason)),
    }
}

fn messages(text: &str) -> Option<Messages> {
    match Json::parse(text.as_bytes()) {
        Ok(Json::Object(members)) => {
            Some(members.iter().map(|(name, value)| (MemberName::new(name.as_str()), as_sent(value))).collect())
        }
        _ => None,
    }
}

/// A value in serde's form. A number that would lose its spelling there is kept as its text: a device is given text in
/// any case.
fn as_sent(value: &Json) -> Value {
    match value {
        Json::Number(digits) => {
            let number = value.to_value();
            let spelt = number.to_string();
            if spelt == *digits { number } else { Value::String(digits.clone()) }
        }
        Json::List(items) => Value::Array(items.iter().map(as_sent).collect()),
        Json::Object(members) => {
            Value::Object(members.iter().map(|(name, value)| (name.clone(), as_sent(value))).collect())
        }
        other => other.to_value(),
    }
}
