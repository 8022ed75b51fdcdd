//! What the log should say of a group. Who is told no, and why, is said by the connection that tells it.

use convoke_group::{MemberName, RoleName};

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// A member has registered.
    Registered {
        /// Who.
        member: MemberName,
        /// In which role.
        role: RoleName,
    },
    /// A member has finished, unless it is heard of again.
    Finished {
        /// Who.
        member: MemberName,
        /// Why, when it has ended for certain.
        why: Option<String>,
    },
    /// All who could still act are waiting, and some may have something else alive.
    ProbablyStuck {
        /// Who waits.
        members: Vec<MemberName>,
    },
    /// Every member has finished, and the group has ended.
    Ended,
}
