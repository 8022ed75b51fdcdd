//! When each call comes under the limits of the job: at the earliest, at the latest, and what the limits allow before it.
//!
//! All are counted from the moment at which the group is complete, and hold for a run in which every call is satisfied in
//! its time: where one fails, a script goes other ways.
//!
//! | | is | from |
//! |---|---|---|
//! | [`Times::earliest`] | no run has it sooner | what certainly sleeps before it, in all members that it needs |
//! | [`Times::latest`] | no run has it later | the ends of the blocks of all who need it |
//! | [`Times::over`], [`Times::reached`] | what may pass before it | the limits of the blocks before its own |
//!
//! The first two are what is shown. The last is what a wait is compared with: steps of the same block have no limit of
//! their own and would count for nothing there.

mod allowed;
mod earliest;
mod latest;
mod places;
mod short;

use std::sync::Arc;
use std::time::Duration;

pub use short::too_short;

use crate::model::Flow;
use crate::played::Played;
use places::Places;

/// When a call is over as far as the limits before it allow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    /// The moment.
    pub at: Duration,
    /// The limits it is the sum of, in order.
    pub terms: Arc<[Term]>,
}

/// A limit on the longest path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// Index into `Flow::members` of whose block it is.
    pub member: usize,
    /// `deploy`, `boot`, `test` or `command`.
    pub kind: &'static str,
    /// Its limit.
    pub limit: Duration,
}

/// When each of the played calls is over, and when its member comes to it.
#[derive(Clone, Debug, Default)]
pub struct Times {
    /// What may pass before each is over, by index into [`Played::calls`].
    pub over: Vec<Allowed>,
    /// What may pass before its member comes to it.
    pub reached: Vec<Allowed>,
    /// When each is over at the earliest.
    pub earliest: Vec<Duration>,
    /// When each is over at the latest; nothing where no limit ends it.
    pub latest: Vec<Option<Duration>>,
}

/// The times of the calls of a play.
pub fn times(flow: &Flow, played: &Played<'_>) -> Times {
    let places = Places::of(flow, played);
    let (reached, over) = allowed::allowed(flow, played, &places);
    let earliest = earliest::earliest(flow, played).over;
    let latest = latest::latest(flow, played, &places);
    Times { over, reached, earliest, latest }
}
