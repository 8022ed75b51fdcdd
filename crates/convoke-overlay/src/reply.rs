//! The line that answers a waiting helper (device-side.md §4.2), on the first link.
//!
//! A reply is one line that ends with `>` and that the helper cuts before every `blank NAME:KEY=`, NAME being a member's.
//! What such a line cannot carry unchanged is refused with the reason, never sent damaged.

use serde_json::Value;

use crate::scanner::grammar::key_length;
use crate::signal::RequestKind;

/// Data that the line of a reply cannot carry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the message of {member} cannot be handed to the device: {why}")]
pub struct ReplyError {
    /// The sender.
    pub member: String,
    /// What cannot be carried and why.
    pub why: String,
}

/// The reply to a satisfied request, its LF included: `<LAVA_WAIT_COMPLETE 9101:ip=10.0.0.1>`. `messages` are sender and
/// data, first sender first; `members` are all names of the group's table, at which the helper cuts.
pub fn reply(
    kind: RequestKind,
    messages: &[(String, Value)],
    members: &[impl AsRef<str>],
) -> Result<String, ReplyError> {
    let mut line = format!("<LAVA_{}_COMPLETE", kind.word());
    for (member, key, text) in pairs(messages)? {
        let refuse = |why: String| ReplyError { member: member.clone(), why };
        if let Some(c) = text.chars().find(|c| *c == '>' || c.is_control()) {
            return Err(refuse(format!("the value of {key:?} holds {c:?}, which a reply cannot carry")));
        }
        if let Some(piece) = ambiguous(&text, members) {
            return Err(refuse(format!("the value of {key:?} holds {piece:?}, at which the device would cut it")));
        }
        line.push_str(&format!(" {member}:{key}={text}"));
    }
    line.push_str(">\n");
    Ok(line)
}

/// Sender, key and value as text of each pair, as the cache file of the device has them.
///
/// # Errors
/// A name or key that a line of the cache file cannot hold.
pub fn pairs(messages: &[(String, Value)]) -> Result<Vec<(String, String, String)>, ReplyError> {
    let mut out = Vec::new();
    for (member, data) in messages {
        let refuse = |why: String| ReplyError { member: member.clone(), why };
        if member.is_empty() || member.contains(|c: char| c.is_whitespace() || c.is_control() || "<>:=".contains(c)) {
            return Err(refuse("its name has characters that a reply cannot carry".into()));
        }
        let map = match data {
            Value::Null => continue,
            Value::Object(map) => map,
            other => return Err(refuse(format!("it is {other}, not keys and values"))),
        };
        for (key, value) in map {
            if key_length(format!("{key}=").as_bytes()) != Some(key.len()) {
                return Err(refuse(format!(
                    "the key {key:?} is not made of letters, digits, _, . and -, beginning with a letter, digit or _"
                )));
            }
            out.push((member.clone(), key.clone(), text(value)));
        }
    }
    Ok(out)
}

/// The reply to a failed request, its LF included. Our helpers show a reason to the person who reads the log; helpers
/// that an image brings along may know only the bare form.
pub fn nack(kind: RequestKind, reason: Option<&str>) -> String {
    let clean = |c: char| match c {
        '<' | '>' => '_',
        c if c.is_control() => ' ',
        c => c,
    };
    let reason: String = reason.unwrap_or_default().chars().map(clean).take(1000).collect();
    let reason = reason.trim();
    let blank = if reason.is_empty() { "" } else { " " };
    format!("<LAVA_{}_COMPLETE nack{blank}{reason}>\n", kind.word())
}

/// A value as text, as the established dispatchers write it.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        Value::Null => "None".into(),
        other => other.to_string(),
    }
}

/// A piece of `text` that reads like the beginning of the next pair: blank, a member's name, `:`, a key, `=`.
fn ambiguous<'a>(text: &'a str, members: &[impl AsRef<str>]) -> Option<&'a str> {
    text.match_indices([' ', '\t']).find_map(|(at, _)| {
        let after = &text[at + 1..];
        members.iter().find_map(|name| {
            let key = after.strip_prefix(name.as_ref())?.strip_prefix(':')?;
            let length = key_length(key.as_bytes())?;
            Some(&after[..name.as_ref().len() + 1 + length + 1])
        })
    })
}
