//! What happens in a group, for those who record it.

use std::time::Duration;

use convoke_group::{CallKind, MemberName, MessageId, RoleName, WaitView};

/// One thing that happened in a group. What a single caller is told by its answer is not repeated here.
#[derive(Clone, Debug, PartialEq)]
pub enum GroupEvent {
    /// A member registered.
    Registered {
        /// Who.
        member: MemberName,
        /// In which role.
        role: RoleName,
    },
    /// Who is missing in parked calls: when a call is parked, and whenever the set changes. One event speaks for all
    /// calls that wait for the same.
    Waiting {
        /// The parked calls, in the order of parking.
        calls: Vec<WaitingCall>,
        /// Their kind.
        kind: CallKind,
        /// Their ID; empty for assemble.
        message_id: MessageId,
        /// Their role, in a wait-all with role.
        wait_role: Option<RoleName>,
        /// Members that have not sent or arrived yet; for `lava-wait` every other member that could still send.
        missing: Vec<MemberName>,
        /// How many members have not registered yet.
        unregistered: usize,
    },
    /// All members that could still act are waiting, and some may still have something alive.
    ProbablyStuck {
        /// The parked calls.
        waits: Vec<WaitView>,
    },
    /// A wait or sync is satisfied at which the group was to stop: it stands still.
    Stopped {
        /// ID.
        message_id: MessageId,
    },
    /// The group that stood still goes on.
    WentOn {
        /// Where it stopped.
        message_id: MessageId,
        /// For how long it stood.
        stood: Duration,
    },
    /// A member left.
    Left {
        /// Who.
        member: MemberName,
        /// Why.
        why: String,
    },
}

/// One parked call in [`GroupEvent::Waiting`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingCall {
    /// Who waits.
    pub member: MemberName,
    /// The caller's own number, as given in [`CallOptions::call_id`](crate::CallOptions::call_id).
    pub call_id: Option<u64>,
}
