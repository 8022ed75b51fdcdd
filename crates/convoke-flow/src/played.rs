//! What one play of a flow under the rules of a group came to: every call with what it met.
//!
//! The rules are monotone (see `convoke_group`), so one play stands for every interleaving as to which calls are
//! satisfied. The order of [`Played::calls`] is one possible order: each call stands after everything it needed.
//!
//! Members that do the same (one role, the same steps, the same host) get equally far in every play, so one of them is
//! played for all: a barrier of a thousand members of one role is one call here.

use std::sync::Arc;

use crate::model::{Call, Unknown};

/// One play of a flow.
#[derive(Clone, Debug, Default)]
pub struct Played<'a> {
    /// Every call that was reached, in an order in which they can happen; those that are never satisfied stand last.
    pub calls: Vec<PlayedCall<'a>>,
    /// For every member of `Flow::members` the one that was played for it: itself, or the first that does the same.
    pub played_by: Vec<usize>,
}

/// A call that was reached.
#[derive(Clone, Debug)]
pub struct PlayedCall<'a> {
    /// Index into `Flow::members` of the member that makes it, one of [`Played::played_by`].
    pub member: usize,
    /// The call.
    pub call: &'a Call,
    /// What stands between the member and this call, outermost first: it is made only if all of it goes that way.
    pub only_if: Vec<&'a Unknown>,
    /// What came of it.
    pub met: Met,
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Met {
    /// It was satisfied by these calls (indices into [`Played::calls`]): for a wait the first send, for a wait-all one
    /// send of every member, for a sync the arrivals of all members including its own; empty for a send. What is sent
    /// or arrives by something unknown (an opaque step, an unknown ID) has no index. Calls that are satisfied by the
    /// same share the list.
    Satisfied(Arc<[usize]>),
    /// It is never satisfied.
    Lost,
    /// Whether it is satisfied depends on what is unknown.
    Unknown,
}
