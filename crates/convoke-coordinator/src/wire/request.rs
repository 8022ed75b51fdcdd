//! Requests: what a dispatcher asks (coordinator-protocol.md §2 and §4).
//!
//! Unknown fields are ignored. A field that is there with a type it cannot have makes the request unusable ([`Rejection`],
//! answered nack) before it touches any group. Extra fields of our own begin with `convoke_` (§8); a foreign server
//! ignores them, and one of a wrong type counts as absent.
//!
//! | extra field | type | says |
//! |---|---|---|
//! | `convoke_hold_ms` | integer | the longest time for which the server may hold the request |
//! | `convoke_limit_ms` | integer or null | when the caller gives up, from now on; null: never |
//! | `convoke_quiet` | bool | nothing of the member's test shell but this call is alive; holds only beside a limit |
//! | `convoke_call` | text | names the call; polls of one call have one name, and no other call of the member has it |
//! | `convoke_keep` | bool | the connection is wanted for the next request, which is sent only after this one's reply |
//! | `convoke_token` | text | lets the sender in, where that takes a token |
//! | `convoke_leave` | text | in `clear_group`: the member has ended for certain, and why |
//!
//! One request is our own: `convoke_waits`, answered with the member's held requests and whom each lacks. Only a
//! coordinator that has shown to be ours is asked; another one says nack to a word it does not know (§4.10).

use std::num::NonZeroUsize;
use std::time::Duration;

use convoke_group::{Call, GroupName, MemberName, MessageId, RoleName};

use super::json::Json;
use super::token::Token;

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The group, never nameless.
    pub group: GroupName,
    /// The member, never nameless.
    pub member: MemberName,
    /// Its role; needed when it is new.
    pub role: Option<RoleName>,
    /// Name of the dispatcher's machine; only that it is there matters, when the member is new.
    pub hostname: Option<String>,
    /// How large the group is; needed when the group is new.
    pub size: Size,
    /// What is asked.
    pub ask: Ask,
    /// Fields of our own.
    pub extras: Extras,
}

/// The field `group_size`. Looked at only when the group is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// Not given.
    Absent,
    /// Given, and no positive integer.
    Invalid,
    /// So many members.
    Of(NonZeroUsize),
}

/// What is asked. Messages are JSON text: a coordinator hands them on and does not look inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// `group_data`
    GroupData,
    /// `lava_send`
    Send {
        /// ID.
        message_id: MessageId,
        /// JSON text of the message; never `null`.
        message: String,
    },
    /// `lava_wait`
    Wait {
        /// ID.
        message_id: MessageId,
    },
    /// `lava_wait_all`
    WaitAll {
        /// ID.
        message_id: MessageId,
        /// Only members of this role.
        role: Option<RoleName>,
    },
    /// `lava_sync`
    Sync {
        /// ID.
        message_id: MessageId,
        /// JSON text of the member's own message, when it sent one that is not empty.
        own: Option<String>,
    },
    /// `clear_group`
    Clear,
    /// `aggregate`
    Aggregate {
        /// JSON text of the bundle.
        bundle: String,
        /// Whether this member is the one that collects the bundles: its `sub_id` ends in `.0`.
        collects: bool,
    },
    /// `complete`
    Complete,
    /// `convoke_waits`: the member's held requests. Changes nothing, and is for our own client only.
    Waits,
}

impl Ask {
    /// The word on the wire.
    pub fn word(&self) -> &'static str {
        match self {
            Ask::GroupData => "group_data",
            Ask::Send { .. } => "lava_send",
            Ask::Wait { .. } => "lava_wait",
            Ask::WaitAll { .. } => "lava_wait_all",
            Ask::Sync { .. } => "lava_sync",
            Ask::Clear => "clear_group",
            Ask::Aggregate { .. } => "aggregate",
            Ask::Complete => "complete",
            Ask::Waits => "convoke_waits",
        }
    }
}

impl From<Call> for Ask {
    fn from(call: Call) -> Self {
        match call {
            Call::Send { message_id, message } => {
                Ask::Send { message_id, message: message_text(Some(&Json::from(&message))) }
            }
            Call::Wait { message_id } => Ask::Wait { message_id },
            Call::WaitAll { message_id, role } => Ask::WaitAll { message_id, role },
            Call::Sync { message_id } => Ask::Sync { message_id, own: None },
            Call::Assemble => Ask::GroupData,
        }
    }
}

/// The extra fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extras {
    /// `convoke_hold_ms`
    pub hold: Option<Duration>,
    /// `convoke_limit_ms`; `Some(None)` is a call without a limit.
    pub limit: Option<Option<Duration>>,
    /// `convoke_quiet`
    pub quiet: bool,
    /// `convoke_call`
    pub call: Option<String>,
    /// `convoke_keep`
    pub keep: bool,
    /// `convoke_token`
    pub token: Option<Token>,
    /// `convoke_leave`
    pub leave: Option<String>,
}

impl Extras {
    /// Whether the sender knows extra fields, and may be sent some.
    pub fn any(&self) -> bool {
        *self != Self::default()
    }

    fn read(request: &Json) -> Self {
        let text = |name| request.get(name).and_then(Json::as_text).map(ToOwned::to_owned);
        let flag = |name| request.get(name) == Some(&Json::Bool(true));
        let limit = match request.get("convoke_limit_ms") {
            Some(Json::Null) => Some(None),
            Some(value) => millis(value).map(Some),
            None => None,
        };
        Self {
            hold: request.get("convoke_hold_ms").and_then(millis),
            limit,
            quiet: flag("convoke_quiet"),
            call: text("convoke_call"),
            keep: flag("convoke_keep"),
            token: text("convoke_token").filter(|token| !token.is_empty()).map(Token::new),
            leave: text("convoke_leave"),
        }
    }

    fn write(&self, fields: &mut Vec<(String, Json)>) {
        let millis = |time: Duration| number(time.as_millis());
        let mut add = |name: &str, value: Option<Json>| {
            if let Some(value) = value {
                fields.push((name.to_owned(), value));
            }
        };
        add("convoke_hold_ms", self.hold.map(millis));
        add("convoke_limit_ms", self.limit.map(|limit| limit.map_or(Json::Null, millis)));
        add("convoke_quiet", self.quiet.then_some(Json::Bool(true)));
        add("convoke_call", self.call.clone().map(Json::Text));
        add("convoke_keep", self.keep.then_some(Json::Bool(true)));
        add("convoke_token", self.token.as_ref().map(|token| Json::Text(token.text().to_owned())));
        add("convoke_leave", self.leave.clone().map(Json::Text));
    }
}

/// Why a request that was read cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Rejection {
    /// Why, for the log and for a sender that knows extra fields.
    pub why: String,
    /// Whether the sender knows extra fields, and may be told why.
    pub knows_extras: bool,
}

impl Request {
    /// Reads a request out of a message.
    pub fn read(message: &Json) -> Result<Self, Rejection> {
        let extras = Extras::read(message);
        Reader { message }.read(&extras).map_err(|why| Rejection { why, knows_extras: extras.any() })
    }

    /// The request as a message. `client_name` and the others come in the order in which LAVA's client writes them.
    pub fn write(&self) -> Json {
        let text = |text: &str| Json::Text(text.to_owned());
        let mut fields: Vec<(String, Json)> = Vec::new();
        let mut add = |name: &str, value: Json| fields.push((name.to_owned(), value));
        if let Some(hostname) = &self.hostname {
            add("hostname", text(hostname));
        }
        add("client_name", text(self.member.as_str()));
        add("group_name", text(self.group.as_str()));
        if let Some(role) = &self.role {
            add("role", text(role.as_str()));
        }
        add("request", text(self.ask.word()));
        if let Size::Of(size) = self.size {
            add("group_size", number(size.get() as u128));
        }
        let raw = |text: &str| Json::parse(text.as_bytes()).unwrap_or(Json::Null);
        match &self.ask {
            Ask::GroupData | Ask::Clear | Ask::Complete | Ask::Waits => {}
            Ask::Send { message_id, message } => {
                add("messageID", text(message_id.as_str()));
                add("message", raw(message));
            }
            Ask::Wait { message_id } => {
                add("messageID", text(message_id.as_str()));
                add("nodeID", text(self.member.as_str()));
            }
            Ask::WaitAll { message_id, role } => {
                if let Some(role) = role {
                    add("waitrole", text(role.as_str()));
                }
                add("messageID", text(message_id.as_str()));
            }
            Ask::Sync { message_id, own } => {
                add("messageID", text(message_id.as_str()));
                if let Some(own) = own {
                    add("message", raw(own));
                }
            }
            Ask::Aggregate { bundle, collects } => {
                add("bundle", raw(bundle));
                add("sub_id", text(if *collects { "0.0" } else { "0.1" }));
            }
        }
        self.extras.write(&mut fields);
        Json::Object(fields)
    }
}

struct Reader<'a> {
    message: &'a Json,
}

impl Reader<'_> {
    fn read(&self, extras: &Extras) -> Result<Request, String> {
        if !matches!(self.message, Json::Object(_)) {
            return Err("the request is not an object".to_owned());
        }
        let word = self.text("request")?.ok_or("the request has no field request")?;
        let member = self.member()?;
        let group = self.text("group_name")?.ok_or("the request has no field group_name")?;
        if group.is_empty() {
            return Err("group_name is empty".to_owned());
        }
        let role = match self.message.get("role") {
            None | Some(Json::Null) => None,
            Some(_) => self.text("role")?.map(RoleName::new),
        };
        let hostname = self.message.get("hostname").map(|name| match name {
            Json::Text(name) => name.clone(),
            other => other.to_text(),
        });
        let ask = self.ask(word)?;
        Ok(Request {
            group: GroupName::new(group),
            member: MemberName::new(member),
            role,
            hostname,
            size: self.size(),
            ask,
            extras: extras.clone(),
        })
    }

    /// The text under a key; another type is an error.
    fn text(&self, key: &str) -> Result<Option<&str>, String> {
        match self.message.get(key) {
            None => Ok(None),
            Some(Json::Text(text)) => Ok(Some(text)),
            Some(_) => Err(format!("{key} is not a text")),
        }
    }

    /// `client_name`: a text, or a whole number read as its decimal text.
    fn member(&self) -> Result<String, String> {
        match self.message.get("client_name") {
            None => Err("the request has no field client_name".to_owned()),
            Some(Json::Number(digits)) if digits.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit()) => {
                Ok(digits.clone())
            }
            Some(Json::Text(name)) if !name.is_empty() => Ok(name.clone()),
            Some(Json::Text(_)) => Err("client_name is empty".to_owned()),
            Some(_) => Err("client_name is neither a text nor a whole number".to_owned()),
        }
    }

    fn size(&self) -> Size {
        let digits = match self.message.get("group_size") {
            None => return Size::Absent,
            Some(Json::Number(digits) | Json::Text(digits)) => digits,
            Some(_) => return Size::Invalid,
        };
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Size::Invalid;
        }
        digits.parse().map_or(Size::Invalid, Size::Of)
    }

    fn ask(&self, word: &str) -> Result<Ask, String> {
        Ok(match word {
            "group_data" => Ask::GroupData,
            "lava_send" => Ask::Send { message_id: self.id()?, message: message_text(self.message.get("message")) },
            "lava_wait" => Ask::Wait { message_id: self.id()? },
            "lava_wait_all" => {
                let role = self.text("waitrole")?.map(RoleName::new);
                Ask::WaitAll { message_id: self.id()?, role }
            }
            "lava_sync" => {
                let own = self.message.get("message").filter(|own| !is_empty(own)).map(Json::to_text);
                Ask::Sync { message_id: self.id()?, own }
            }
            "clear_group" => Ask::Clear,
            "aggregate" => {
                let sub_id = self.text("sub_id")?.ok_or("the request has no field sub_id")?;
                let bundle = self.message.get("bundle").ok_or("the request has no field bundle")?;
                Ask::Aggregate { bundle: bundle.to_text(), collects: sub_id.ends_with(".0") }
            }
            "complete" => Ask::Complete,
            "convoke_waits" => Ask::Waits,
            _ => return Err(format!("there is no request {word:?}")),
        })
    }

    fn id(&self) -> Result<MessageId, String> {
        let id = self.text("messageID")?.ok_or("the request has no field messageID")?;
        Ok(MessageId::new(id))
    }
}

/// The text of a message; an absent one is an empty object (§4.3).
fn message_text(message: Option<&Json>) -> String {
    message.filter(|message| **message != Json::Null).map_or_else(|| "{}".to_owned(), Json::to_text)
}

fn is_empty(value: &Json) -> bool {
    match value {
        Json::Null => true,
        Json::Text(text) => text.is_empty(),
        Json::List(items) => items.is_empty(),
        Json::Object(members) => members.is_empty(),
        Json::Bool(_) | Json::Number(_) => false,
    }
}

fn millis(value: &Json) -> Option<Duration> {
    let Json::Number(digits) = value else { return None };
    digits.parse().ok().map(Duration::from_millis)
}

fn number(value: u128) -> Json {
    Json::Number(value.to_string())
}
