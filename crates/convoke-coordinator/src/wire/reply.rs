//! Replies (coordinator-protocol.md §3), spelt as Python spells them.
//!
//! To be closed without a reply is none of them; who answers says so by [`Option`].

use std::fmt::Write;

use convoke_group::{MemberName, RoleName};

use super::json::write_text;

/// One reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Accepted.
    Ack,
    /// Satisfied, with the JSON text of `message`.
    AckWith(String),
    /// Cannot be served, now or later, and why. The reason is sent only to those who know extra fields.
    Nack(String),
    /// Not yet: ask again; and what is missing, as in [`Reply::Nack`].
    Wait(String),
    /// The group is full: every member with its role.
    GroupData(Vec<(MemberName, RoleName)>),
}

impl Reply {
    /// The word of the reply.
    pub fn word(&self) -> &'static str {
        match self {
            Reply::Ack | Reply::AckWith(_) => "ack",
            Reply::Nack(_) => "nack",
            Reply::Wait(_) => "wait",
            Reply::GroupData(_) => "group_data",
        }
    }

    /// The JSON text. `extras` adds the fields of our own: that the server can hold requests, and the reason of a nack.
    pub fn to_text(&self, extras: bool) -> String {
        let mut text = format!("{{\"response\": \"{}\"", self.word());
        match self {
            Reply::Ack => {}
            Reply::AckWith(message) => {
                // Writing to a String does not fail.
                let _ = write!(text, ", \"message\": {message}");
            }
            Reply::Nack(reason) | Reply::Wait(reason) => {
                if extras && !reason.is_empty() {
                    text.push_str(", \"reason\": ");
                    write_text(reason, &mut text);
                }
            }
            Reply::GroupData(roles) => {
                text.push_str(", \"roles\": {");
                for (place, (member, role)) in roles.iter().enumerate() {
                    if place > 0 {
                        text.push_str(", ");
                    }
                    write_text(member.as_str(), &mut text);
                    text.push_str(": ");
                    write_text(role.as_str(), &mut text);
                }
                text.push('}');
            }
        }
        if extras {
            text.push_str(", \"convoke_held\": true");
        }
        text.push('}');
        text
    }
}
