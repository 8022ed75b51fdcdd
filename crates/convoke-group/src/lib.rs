//! The rules of a MultiNode group: messages, waits, syncs, members that leave, stuck groups.
//!
//! A [`Group`] is a state machine: [`Group::apply`] takes one [`Input`] and the time, and returns the [`Output`]s it
//! causes. It does no I/O and reads no clock. Its inputs are its log: applying them again gives the same state.
//!
//! # The rules are monotone
//!
//! Messages, arrivals at syncs, registrations and departures only ever add up; none is taken back. A call that is
//! satisfied at one moment would be satisfied at any later one, and a call that is lost, because a member it needs has
//! left without sending, stays lost. A script goes on either way. How far the scripts of all members get is therefore one
//! least fixed point, and every order of events leads to it: a race between members changes when a job ends and what an
//! early `lava-wait` finds, but not which calls are satisfied. Three things do depend on time and order, and are kept
//! apart from the rest: limits, the rule of the stuck group (which anticipates them), and two syncs of one ID open at
//! once on one member (see `barriers`).
//!
//! # The parts
//!
//! | module | is about |
//! |---|---|
//! | `names` | names, times, numbers |
//! | `protocol`, `messages` | what goes in and what comes out |
//! | `refusal` | why a call failed |
//! | `group` | the state machine |
//! | `roster`, `board`, `barriers`, `parking` | its parts: members, messages, syncs, parked calls |
//! | `verdict` | whether what a call waits for is there, can still come, or cannot |
//! | `tally` | the counts that tell it without looking at every member |
//! | `stuck` | when everybody waits |
//! | `explain`, `near` | the words of a refusal |

mod barriers;
mod board;
mod explain;
mod group;
mod messages;
mod names;
mod near;
mod parking;
mod protocol;
mod refusal;
mod roster;
mod stuck;
mod tally;
mod verdict;

pub use group::Group;
pub use messages::Messages;
pub use names::{GroupName, MemberName, MessageId, RoleName, Time, WaitId};
pub use near::{is_near_miss, nearest};
pub use protocol::{Answer, Call, CallKind, Input, Lacking, Message, Output, Quiet, Tell, WaitView};
pub use refusal::Refusal;
pub use roster::Member;
