//! What is kept of a group: applied again in their order, the entries give the same group.
//!
//! Polls and waits that change nothing are not among them.

use std::num::NonZeroUsize;

use convoke_group::{Input, MemberName, WaitId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One thing that changed a group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// The group was made.
    Created {
        /// How many members it has.
        size: NonZeroUsize,
    },
    /// An input of the group. The message of a send is a text: its JSON.
    Input(Input),
    /// The release of a sync reached its member. Without this entry it counts as owed when the group is built again.
    Collected {
        /// The call that was answered.
        wait: WaitId,
    },
    /// A member has finished, unless it is heard of again.
    Finished {
        /// Who.
        member: MemberName,
    },
    /// A member that had finished was heard of again.
    Returned {
        /// Who.
        member: MemberName,
    },
    /// A bundle was stored.
    Bundle {
        /// Whose.
        member: MemberName,
        /// Its JSON, as a text.
        bundle: Value,
    },
}
