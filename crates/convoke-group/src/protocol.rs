//! What goes into a group and what comes out.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::names::{MemberName, MessageId, RoleName, Time, WaitId};

/// The data of one message: keys in the order sent, values as sent.
pub type Message = Map<String, Value>;

/// Messages under one ID: first sender first (coordinator-protocol.md §4.8). A value is normally an object, but any
/// JSON value a client sent is kept.
pub type Messages = Vec<(MemberName, Value)>;

/// One call of the MultiNode API.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "call", rename_all = "snake_case")]
pub enum Call {
    /// `lava_send`.
    Send {
        /// ID.
        message_id: MessageId,
        /// Data.
        message: Value,
    },
    /// `lava_wait`.
    Wait {
        /// ID.
        message_id: MessageId,
    },
    /// `lava_wait_all`, for one role when given.
    WaitAll {
        /// ID.
        message_id: MessageId,
        /// Wait only for members of this role.
        role: Option<RoleName>,
    },
    /// `lava_sync`.
    Sync {
        /// ID.
        message_id: MessageId,
    },
    /// `group_data`: wait until the group is complete.
    Assemble,
}

/// The kind of a [`Call`], as LAVA spells it in result names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallKind {
    /// `send`
    Send,
    /// `wait`
    Wait,
    /// `wait_all`
    WaitAll,
    /// `sync`
    Sync,
    /// `group_data`
    Assemble,
}

/// What a waiting member's device says of its own test shell. Only [`Quiet::Certain`] lets the group conclude that a
/// member cannot act while it waits; see the rule of the stuck group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quiet {
    /// The device reports that nothing of its test shell but the waiting call is alive.
    Certain,
    /// Something may still act, or nothing is known.
    #[default]
    Unknown,
}

/// One thing that happened to a group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "input", rename_all = "snake_case")]
pub enum Input {
    /// A member registers. Harmless when repeated; the first role stands.
    Register {
        /// Who.
        member: MemberName,
        /// In which role.
        role: RoleName,
    },
    /// A member calls. Answered by exactly one [`Output::Answer`] with the same `wait`.
    Call {
        /// The caller's number for this call.
        wait: WaitId,
        /// Who calls.
        member: MemberName,
        /// What.
        call: Call,
        /// When the wait fails, on the caller's clock; `None` waits for ever. Fixed at the first request.
        deadline: Option<Time>,
        /// What the device says of itself.
        quiet: Quiet,
    },
    /// The caller of a parked call is gone; it is forgotten without an answer.
    Withdraw {
        /// Which.
        wait: WaitId,
    },
    /// A member has ended and will never call again.
    Leave {
        /// Who.
        member: MemberName,
        /// Why, in words for the others: `its job ended`, `its device was lost: …`.
        why: String,
    },
    /// Time has passed: deadlines are looked at.
    Tick,
}

/// What a group tells its driver.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "output", rename_all = "snake_case")]
pub enum Output {
    /// A call is answered.
    Answer {
        /// Which.
        wait: WaitId,
        /// By whom it was made.
        member: MemberName,
        /// How.
        answer: Answer,
    },
    /// Every member that could still act is waiting, but not all are certain to be quiet: probably stuck. Said once per
    /// such state.
    ProbablyStuck {
        /// The parked waits.
        waits: Vec<WaitView>,
    },
}

/// The answer to a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// Accepted or satisfied, with the messages of a wait (empty for send, sync and assemble).
    Done {
        /// Messages, first sender first.
        messages: Messages,
    },
    /// Refused, now and for ever.
    Refused {
        /// Why.
        refusal: Refusal,
    },
}

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "refusal", rename_all = "snake_case")]
pub enum Refusal {
    /// The limit passed.
    #[error("{what} timed out; missing: {}", list(missing))]
    TimedOut {
        /// The call, as `lava-wait-all ready server`.
        what: String,
        /// Members that had not sent, each `name (role)`.
        missing: Vec<String>,
    },
    /// The members it needs have left.
    #[error("{what} can no longer be satisfied: {}", list(gone))]
    MembersLeft {
        /// The call.
        what: String,
        /// Who left and why, each `name (role): why`.
        gone: Vec<String>,
    },
    /// Every member that could still act is itself waiting.
    #[error("{what} can no longer be satisfied: every member that could still act is waiting: {}", list(waits))]
    AllWaiting {
        /// The call.
        what: String,
        /// Who waits for what, each `name (role) waits in lava-wait x for …`.
        waits: Vec<String>,
    },
    /// The group is complete and this member is not in it, or the role does not exist, or the call makes no sense.
    #[error("{what}: {why}")]
    Invalid {
        /// The call.
        what: String,
        /// Why.
        why: String,
    },
}

fn list(items: &[String]) -> String {
    items.join(", ")
}

/// A parked wait, for people.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WaitView {
    /// Which.
    pub wait: WaitId,
    /// Who waits.
    pub member: MemberName,
    /// Its role.
    pub role: RoleName,
    /// In which kind of call.
    pub kind: CallKind,
    /// For which ID; empty for assemble.
    pub message_id: MessageId,
    /// For which role, in a wait-all with role.
    pub wait_role: Option<RoleName>,
    /// Since when.
    pub since: Time,
    /// Until when.
    pub deadline: Option<Time>,
    /// Whether the device says it is quiet.
    pub quiet: Quiet,
    /// Members that have not sent (or arrived) yet and on whom it therefore depends; for `lava-wait` every member
    /// that could still send.
    pub missing: Vec<MemberName>,
}
