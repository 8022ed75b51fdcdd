//! What a running coordinator tells of itself: who is in which group, what they do, who waits for whom since when.
//!
//! The forms on the wire of the status socket and of `convoke coordinator status --json`. Readers ignore fields they do not
//! know, so fields are only ever added; [`VERSION`] changes when one changes its meaning. Times are seconds since the
//! Unix epoch with milliseconds.

use convoke_group::{MemberName, MessageId, RoleName, Time};
use serde::{Deserialize, Serialize};

/// Version of these forms.
pub const VERSION: u32 = 1;

/// What is asked, in one line of JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StatusRequest {
    /// Only groups whose name contains one of these texts; empty for all.
    pub groups: Vec<String>,
    /// Only groups in which somebody waits.
    pub waiting: bool,
}

/// The first line of the answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CoordinatorStatus {
    /// [`VERSION`].
    pub version: u32,
    /// Version of the program.
    pub program: String,
    /// Its process.
    pub process: u32,
    /// When it began to serve.
    pub started: f64,
    /// When it was asked.
    pub now: f64,
    /// Where it listens.
    pub addresses: Vec<String>,
    /// Whether what it acknowledges is kept.
    pub durable: bool,
    /// Counts over all groups.
    pub totals: Totals,
}

/// Counts over all groups.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Groups.
    pub groups: usize,
    /// Those of which every member has registered.
    pub complete: usize,
    /// Members that have registered.
    pub members: usize,
    /// Those of them that have finished or left.
    pub finished: usize,
    /// Requests that are held.
    pub held: Held,
    /// Members that were last told to ask again.
    pub polling: usize,
    /// Open connections, held ones included.
    pub connections: usize,
    /// Those of them that are kept for their next request.
    #[serde(default)]
    pub idle_connections: usize,
    /// Groups of which something is not kept yet.
    pub unkept: usize,
}

/// Held requests by call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Held {
    /// `group_data`
    pub group_data: usize,
    /// `lava_wait`
    pub lava_wait: usize,
    /// `lava_wait_all`
    pub lava_wait_all: usize,
    /// `lava_sync`
    pub lava_sync: usize,
}

impl Held {
    /// All of them.
    pub fn all(&self) -> usize {
        self.by_request().iter().map(|(_, held)| held).sum()
    }

    /// Each with the word on the wire.
    pub fn by_request(&self) -> [(&'static str, usize); 4] {
        [
            ("group_data", self.group_data),
            ("lava_wait", self.lava_wait),
            ("lava_wait_all", self.lava_wait_all),
            ("lava_sync", self.lava_sync),
        ]
    }
}

/// One group: a line of its own after the first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupStatus {
    /// Its name.
    pub name: String,
    /// How many members it has when it is complete.
    pub size: usize,
    /// Its members, in order of registration.
    pub members: Vec<MemberStatus>,
    /// Who waits, one entry for all that wait for the same; the longest wait first.
    pub waits: Vec<WaitStatus>,
    /// Message IDs in use.
    pub message_ids: usize,
    /// Bytes of its messages.
    pub bytes: usize,
    /// When somebody was last heard of.
    pub heard: f64,
}

/// One member.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemberStatus {
    /// Its name.
    pub name: MemberName,
    /// Its role.
    pub role: RoleName,
    /// What it does.
    pub does: Does,
    /// Why it left, when it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Its last request, unless it was before the coordinator began to serve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<LastRequest>,
}

/// What a member does, as far as the coordinator knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Does {
    /// A request of its is held.
    Waits,
    /// It was told to ask again.
    Polls,
    /// Something else: it was answered, or not heard of since the coordinator began to serve.
    Works,
    /// It has finished (`clear_group`), unless it is heard of again.
    Finished,
    /// It has ended for certain.
    Left,
}

/// A member's last request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LastRequest {
    /// The word on the wire.
    pub request: String,
    /// Its message ID; empty for a request without.
    pub message_id: MessageId,
    /// When it came.
    pub at: f64,
}

/// Who waits for one thing, and who is missing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WaitStatus {
    /// The word on the wire.
    pub request: String,
    /// For which ID; empty for `group_data`.
    pub message_id: MessageId,
    /// For which role, in a `lava_wait_all` with role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<RoleName>,
    /// The call as one would type it.
    pub call: String,
    /// Who waits, the longest wait first.
    pub waiting: Vec<Waiting>,
    /// Nothing is missing any more; those who poll have not asked again yet.
    pub satisfied: bool,
    /// Members that have not sent or arrived; in a `lava_wait` everybody but the first who waits who could still send.
    pub missing: Vec<MemberName>,
    /// Members that are missing without a name because they have not registered.
    pub unregistered: usize,
}

/// One member that waits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Waiting {
    /// Who.
    pub member: MemberName,
    /// Since when, or since the coordinator began to serve.
    pub since: f64,
    /// When its last request came; a member that polls asks again and again.
    pub asked: f64,
    /// When its caller gives up, if it said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<f64>,
    /// Whether the request is held; else the member polls.
    pub held: bool,
}

/// The last line of the answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusEnd {
    /// How many groups were told.
    pub told: usize,
}

/// Seconds since the Unix epoch, in milliseconds' steps.
pub(crate) fn seconds(time: Time) -> f64 {
    time.0.as_millis() as f64 / 1000.0
}

/// The abstract name of the status socket of the coordinator that listens on a port.
pub fn socket_name(port: u16) -> String {
    format!("{SOCKETS}{port}")
}

/// What the names of all status sockets begin with.
pub const SOCKETS: &str = "convoke-coordinator/";
