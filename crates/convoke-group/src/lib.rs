//! The rules of a MultiNode group: messages, waits, syncs, members that leave, stuck groups.
//!
//! A [`Group`] is a state machine: [`Group::apply`] takes one [`Input`] and the time, and returns the [`Output`]s it
//! causes. It does no I/O and reads no clock. Its inputs are its log: applying them again gives the same state.

mod names;
mod protocol;

pub use names::{GroupName, MemberName, MessageId, RoleName, Time, WaitId};
pub use protocol::{Answer, Call, CallKind, Input, Message, Messages, Output, Quiet, Refusal, WaitView};
