//! What goes into a group and what comes out. Inputs serialise: written one after the other with their times they are the
//! group's log.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::messages::Messages;
use crate::names::{MemberName, MessageId, RoleName, Time, WaitId};
use crate::refusal::Refusal;

/// The data of one message: keys in the order sent, values as sent.
pub type Message = Map<String, Value>;

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

impl Call {
    /// Its kind.
    pub fn kind(&self) -> CallKind {
        match self {
            Self::Send { .. } => CallKind::Send,
            Self::Wait { .. } => CallKind::Wait,
            Self::WaitAll { .. } => CallKind::WaitAll,
            Self::Sync { .. } => CallKind::Sync,
            Self::Assemble => CallKind::Assemble,
        }
    }

    /// Its ID; the empty one for assemble.
    pub fn message_id(&self) -> MessageId {
        match self {
            Self::Send { message_id, .. }
            | Self::Wait { message_id }
            | Self::WaitAll { message_id, .. }
            | Self::Sync { message_id } => message_id.clone(),
            Self::Assemble => MessageId::new(""),
        }
    }
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
    /// The device reports that nothing of its test shell but the waiting call is alive. It has to reach the group after
    /// everything the device sent before.
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
        /// When the wait fails, on the caller's clock; `None` waits for ever. Fixed at the first request. It must be the
        /// moment at which the caller really gives up (an action's own limit included), because the rule of the stuck
        /// group concludes from it whose wait ends first.
        deadline: Option<Time>,
        /// What the device says of itself.
        quiet: Quiet,
    },
    /// The caller of a call is gone. A parked call is forgotten without an answer. For a call that has been answered
    /// this says that the answer was not delivered: a sync's release is then given again at the member's next sync of
    /// that ID (coordinator-protocol.md §4.6). What the call had done stays done: an arrival at a sync is not taken back.
    Withdraw {
        /// Which.
        wait: WaitId,
    },
    /// A member has ended and will never call again. What it sent stays; calls of its own that are still parked are
    /// refused. A member that never registered cannot leave.
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
    /// Who is missing in parked calls: said when a call is parked and whenever the set changes. One output speaks for all
    /// calls that wait for the same, so that a barrier of n members costs n names an arrival and not n times n.
    Waiting {
        /// The parked calls, in the order they were parked; all of one kind, ID and role.
        waits: Vec<WaitId>,
        /// Members that have not sent (or arrived) yet, in order of registration; for `lava-wait` every other member that
        /// could still send.
        missing: Vec<MemberName>,
        /// How many members of the group have not registered yet, and are therefore missing without a name.
        unregistered: usize,
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

/// How much a group tells its driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tell {
    /// Every output.
    Everything,
    /// No [`Output::Waiting`].
    Answers,
    /// As [`Tell::Answers`], and the input is a call that only asks: one with a limit of nothing is refused without naming
    /// who is missing.
    Poll,
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
    /// Members that have not sent (or arrived) yet and on whom it therefore depends; for `lava-wait` every
    /// other member that could still send.
    pub missing: Vec<MemberName>,
    /// How many members have not registered yet, and are therefore missing without a name.
    #[serde(default)]
    pub unregistered: usize,
}

/// Whom a call lacks, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lacking {
    /// The call as one would type it.
    pub what: String,
    /// Members that have not sent (or arrived) yet; for `lava-wait` every other member that could still send.
    pub members: Vec<MemberName>,
    /// How many members have not registered yet, and are therefore missing without a name.
    pub unregistered: usize,
    /// Nothing is missing: the call would be answered at once.
    pub satisfied: bool,
}
