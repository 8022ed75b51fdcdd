//! The rules of a MultiNode group: messages, waits, syncs, members that leave, stuck groups.
//!
//! A [`Group`] is a state machine: [`Group::apply`] takes one [`Input`] and the time, and returns the [`Output`]s it
//! causes. It does no I/O and reads no clock. Its inputs are its log: applying them again gives the same state.
//!
//! | module | is about |
//! |---|---|
//! | `names` | names, times, numbers |
//! | `protocol` | what goes in and what comes out |
//! | `refusal` | why a call failed |
//! | `group` | the state machine |
//! | `roster`, `board`, `barriers`, `parking` | its parts: members, messages, syncs, parked calls |
//! | `verdict` | whether what a call waits for is there, can still come, or cannot |
//! | `stuck` | when everybody waits |
//! | `explain`, `near` | the words of a refusal |

mod barriers;
mod board;
mod explain;
mod group;
mod names;
mod near;
mod parking;
mod protocol;
mod refusal;
mod roster;
mod stuck;
mod verdict;

pub use group::Group;
pub use names::{GroupName, MemberName, MessageId, RoleName, Time, WaitId};
pub use protocol::{Answer, Call, CallKind, Input, Message, Messages, Output, Quiet, WaitView};
pub use refusal::Refusal;
pub use roster::Member;
