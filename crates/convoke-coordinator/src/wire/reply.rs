//! Replies (coordinator-protocol.md §3), spelt as Python spells them.
//!
//! A reply that is to be closed without is no [`Reply`]: the server says so by [`Option`]. What a client reads and cannot
//! use is a [`BadReply`].

use std::borrow::Cow;
use std::fmt::Write;
use std::sync::Arc;

use convoke_group::{MemberName, Messages, Refusal, RoleName};

use super::json::{Json, write_text};
use super::roles::Roles;

/// One reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Accepted.
    Ack,
    /// Satisfied, with the JSON text of `message`.
    AckWith(Arc<str>),
    /// Cannot be served, now or later, and why. The reason is sent only to those who know extra fields.
    Nack(String),
    /// Not yet: ask again.
    Wait,
    /// The group refuses the call: nack, or wait when the caller's own limit has passed. Why is sent only to those who
    /// know extra fields.
    Refused(Box<Refusal>),
    /// The group is full: every member with its role.
    GroupData(Roles),
}

/// Why a message is no reply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the coordinator's reply cannot be used: {0}")]
pub struct BadReply(String);

impl Reply {
    /// The word of the reply.
    pub fn word(&self) -> &'static str {
        match self {
            Reply::Ack | Reply::AckWith(_) => "ack",
            Reply::Nack(_) => "nack",
            Reply::Wait => "wait",
            Reply::Refused(refusal) if matches!(**refusal, Refusal::TimedOut { .. }) => "wait",
            Reply::Refused(_) => "nack",
            Reply::GroupData(_) => "group_data",
        }
    }

    /// Why the request is refused, when it is.
    pub fn why(&self) -> Option<Cow<'_, str>> {
        match self {
            Reply::Nack(why) => Some(Cow::Borrowed(why)),
            Reply::Refused(refusal) => Some(Cow::Owned(refusal.to_string())),
            Reply::Ack | Reply::AckWith(_) | Reply::Wait | Reply::GroupData(_) => None,
        }
    }

    /// The JSON text. `extras` adds the fields of our own: `convoke_held`, that the server can hold requests; `reason`, why
    /// a request is refused, in words; and `convoke_refusal`, the same as the group says it.
    pub fn to_text(&self, extras: bool) -> String {
        let mut text = format!("{{\"response\": \"{}\"", self.word());
        match self {
            Reply::Ack | Reply::Wait => {}
            Reply::AckWith(message) => {
                // Writing to a String does not fail.
                let _ = write!(text, ", \"message\": {message}");
            }
            Reply::Nack(reason) => {
                if extras && !reason.is_empty() {
                    text.push_str(", \"reason\": ");
                    write_text(reason, &mut text);
                }
            }
            Reply::Refused(refusal) => {
                if extras {
                    text.push_str(", \"reason\": ");
                    write_text(&refusal.to_string(), &mut text);
                    if let Ok(refusal) = serde_json::to_value(refusal) {
                        let _ = write!(text, ", \"convoke_refusal\": {}", Json::from(&refusal).to_text());
                    }
                }
            }
            Reply::GroupData(roles) => {
                text.push_str(", \"roles\": ");
                text.push_str(roles.text());
            }
        }
        if extras {
            text.push_str(", \"convoke_held\": true");
        }
        text.push('}');
        text
    }

    /// The JSON text with all fields of our own, and the word that the connection is kept for the next request.
    pub fn to_kept_text(&self) -> String {
        let mut text = self.to_text(true);
        text.truncate(text.len() - 1);
        text.push_str(", \"convoke_kept\": true}");
        text
    }

    /// Whether the connection on which this reply came is kept for the next request.
    pub fn is_kept(message: &Json) -> bool {
        message.get("convoke_kept") == Some(&Json::Bool(true))
    }

    /// Reads a reply, and whether the server can hold requests.
    pub fn read(message: &Json) -> Result<(Self, bool), BadReply> {
        let held = message.get("convoke_held") == Some(&Json::Bool(true));
        let word =
            message.get("response").and_then(Json::as_text).ok_or_else(|| BadReply("it has no response".into()))?;
        let refusal = || serde_json::from_value(message.get("convoke_refusal")?.to_value()).ok().map(Box::new);
        let reply = match word {
            "wait" | "nack" if let Some(refusal) = refusal() => Reply::Refused(refusal),
            "ack" => message.get("message").map_or(Reply::Ack, |message| Reply::AckWith(message.to_text().into())),
            "nack" => {
                let reason = message.get("reason").and_then(Json::as_text).unwrap_or_default();
                Reply::Nack(reason.to_owned())
            }
            "wait" => Reply::Wait,
            "group_data" => {
                let Some(Json::Object(roles)) = message.get("roles") else {
                    return Err(BadReply("group_data has no roles".into()));
                };
                let role = |(member, role): &(String, Json)| {
                    let role = role.as_text().ok_or_else(|| BadReply(format!("the role of {member} is not a text")))?;
                    Ok((MemberName::new(member.as_str()), RoleName::new(role)))
                };
                Reply::GroupData(roles.iter().map(role).collect::<Result<_, BadReply>>()?)
            }
            other => return Err(BadReply(format!("there is no response {other:?}"))),
        };
        Ok((reply, held))
    }

    /// The messages of a satisfied wait.
    pub fn messages(&self) -> Result<Messages, BadReply> {
        let Reply::AckWith(text) = self else { return Ok(Messages::new()) };
        match Json::parse(text.as_bytes()) {
            Ok(Json::Object(members)) => {
                Ok(members.iter().map(|(name, value)| (MemberName::new(name.as_str()), value.to_value())).collect())
            }
            _ => Err(BadReply("the message of a wait is no object".into())),
        }
    }
}
