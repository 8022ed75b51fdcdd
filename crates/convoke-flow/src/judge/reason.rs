//! Why a job cannot end, or what keeps it from being proved that it can, as data.

use convoke_group::{CallKind, RoleName};

use crate::model::{Call, Place, Unknown};

/// Whether a job can end, as far as its calls of the MultiNode API go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every call is satisfied, in every order of events and whatever the unknown turns out to be.
    CanEnd,
    /// Some call is never satisfied, in every order of events and whatever the unknown turns out to be.
    CannotEnd,
    /// It depends on what cannot be known before a run.
    Unknown,
}

impl Verdict {
    /// `can-end`, `cannot-end` or `unknown`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CanEnd => "can-end",
            Self::CannotEnd => "cannot-end",
            Self::Unknown => "unknown",
        }
    }
}

/// One cause, with what follows from it.
#[derive(Clone, Debug)]
pub struct Reason<'a> {
    /// What is wrong, or unknown.
    pub cause: Cause<'a>,
    /// The calls that wait in vain, or that it is unknown of; may be empty for what is unknown.
    pub waits: Vec<Waiting<'a>>,
    /// What is only held up by those.
    pub behind: Vec<Waiting<'a>>,
    /// The scripts of those who wait go on all the same.
    pub provided: bool,
}

/// A call, and who makes it.
#[derive(Clone, Debug)]
pub struct Waiting<'a> {
    /// Indices into `Flow::members` of all who make it.
    pub members: Vec<usize>,
    /// The call.
    pub call: &'a Call,
    /// It is made only if all of this goes that way.
    pub only_if: Vec<&'a Unknown>,
}

/// A call that was probably meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Near {
    /// Its ID (or the name of a role).
    pub name: String,
    /// Its kind: a sync satisfies no wait, and a send no sync.
    pub kind: CallKind,
    /// Who makes it.
    pub roles: Vec<RoleName>,
    /// Where one of them does.
    pub place: Option<Place>,
}

/// What is wrong, or unknown.
#[derive(Clone, Debug)]
pub enum Cause<'a> {
    /// Nobody sends what it waits for.
    NeverSent {
        /// What somebody sends instead.
        near: Option<Near>,
    },
    /// Some of those whom a wait-all waits for never send.
    WaitAllLacks {
        /// Them.
        lacking: Vec<Vec<usize>>,
    },
    /// Some never make a sync.
    SyncMissed {
        /// Them.
        missing: Vec<Vec<usize>>,
        /// Who makes it.
        made: Vec<Vec<usize>>,
        /// Somebody has no place to make a call from.
        unreachable: bool,
        /// They make it, but not as often: how often the most and the least diligent do.
        uneven: Option<(usize, usize)>,
        /// What one of them calls instead.
        near: Option<Near>,
    },
    /// A wait-all waits for the waiter itself.
    OwnSendFirst {
        /// Where it sends, too late; nowhere when it never does.
        send: Option<Place>,
    },
    /// Nobody has the role.
    NoSuchRole {
        /// The role that was probably meant.
        near: Option<String>,
        /// The roles there are.
        roles: Vec<String>,
    },
    /// A guest waits to be started, and the role it expects never does so.
    NeverStarted {
        /// What is sent instead.
        near: Option<Near>,
    },
    /// Each waits for the next, and the last for the first.
    Cycle(Vec<Link<'a>>),
    /// A guest calls when its host may have ended.
    HostMayEnd {
        /// Index into `Flow::members` of the host.
        host: usize,
    },
    /// Whether it is satisfied depends on this.
    Depends {
        /// On what.
        on: Vec<&'a Unknown>,
        /// The calls of others that may satisfy it.
        senders: Vec<Waiting<'a>>,
    },
    /// Which calls are made at these places is not known, for one reason.
    Opaque(Vec<&'a Unknown>),
}

/// One wait of a cycle.
#[derive(Clone, Debug)]
pub struct Link<'a> {
    /// Who waits in which call.
    pub waiting: Waiting<'a>,
    /// The call of the next in the cycle that it needs; `None` when the next may do so in a way that is not known.
    pub needs: Option<Waiting<'a>>,
}

impl Reason<'_> {
    /// Whether it is a mistake of the job; else it is only why nothing can be proved.
    pub fn is_mistake(&self) -> bool {
        !matches!(self.cause, Cause::Depends { .. } | Cause::Opaque(_))
    }
}
