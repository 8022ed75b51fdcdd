//! All limits of a member on one screen (job-definition.md §3.3–3.5, §16).
//!
//! | what is limited | limit | when it passes |
//! |---|---|---|
//! | group assembly | [`GROUP_START`] | MultinodeTimeout, reason `group.assembly-timeout`; Infrastructure, reason `coordinator.unreachable`, when the coordinator could not be asked |
//! | delayed start | the role's protocol timeout, else [`GROUP_START`] | MultinodeTimeout, reason `sync-timeout` |
//! | the job (after these two) | `timeouts.job` | Job |
//! | an action | its own limit, never beyond its parent's deadline | by [`Nature`] |
//! | one exchange on a console | the action's connection limit, never beyond its deadline | by [`Nature`] |
//! | a call from the test shell | protocol timeout, else [`PROTOCOL_DEFAULT`], never beyond the action | the helper fails |
//! | a request of an action | its own `timeout`, else as above | MultinodeTimeout, reason `sync-timeout` |
//! | the runner's EXIT after the last suite, on the checked link | [`RUNNER_EXIT`] | taken for lost, logged |
//! | guests that log out, when their host has nothing left to do | [`GUESTS_OUT`] | they end with their host, reason `host-gone` |
//! | a shell for a visitor, its beginning and its end | [`VISIT_BEGINS`], [`VISIT_ENDS`] | the visitor gets the bare console; is told |
//! | cleaning up | [`CLEANUP`] | logged |
//!
//! All of them but the last four run on the clock of the member's group, which stands still while the user has stopped the
//! group; where nobody can, it is the monotonic clock. The group counts the limit of a call itself; [`CALL_GRACE`] later the
//! dispatcher gives up a coordinator that says nothing.

use std::time::Duration;

use convoke_coordinator::{Clock, Moment};

use crate::error::{ActionError, ErrorClass};

/// Group assembly, and a delayed start without a protocol timeout.
pub(crate) const GROUP_START: Duration = Duration::from_secs(90);
/// A MultiNode call when the job gives no limit.
pub(crate) const PROTOCOL_DEFAULT: Duration = Duration::from_secs(30);
/// A job that gives no limit; the checker demands one.
pub(crate) const JOB_DEFAULT: Duration = Duration::from_secs(24 * 3600);
/// How long a host that has nothing left to do stays for guests that log out.
pub(crate) const GUESTS_OUT: Duration = Duration::from_secs(10);
/// Cleaning up after a job.
pub(crate) const CLEANUP: Duration = Duration::from_secs(300);
/// How long a coordinator may be late with the answer to a call whose limit has passed.
pub(crate) const CALL_GRACE: Duration = Duration::from_secs(2);
/// Between two lines that say what a member waits for (device-side.md §10).
pub(crate) const PROGRESS: Duration = Duration::from_secs(30);
/// How soon a line says that the coordinator cannot be asked.
pub(crate) const TROUBLE: Duration = Duration::from_secs(3);
/// How long after the end of a console the reason for it may come from outside: a cancel, or a host that has ended.
pub(crate) const CONSOLE_GONE: Duration = Duration::from_secs(1);
/// Silence after which the scanner lets go of what it holds back (device-side.md §8.2).
pub(crate) const SCANNER_IDLE: Duration = Duration::from_millis(300);
/// How long a signal that has begun may take to end (device-side.md §8.2).
pub(crate) const SIGNAL: Duration = Duration::from_secs(10);
/// How long after the end of the last suite the runner's EXIT may take before it is taken for lost.
pub(crate) const RUNNER_EXIT: Duration = Duration::from_secs(10);
/// How soon a helper that waits gives its console to a shell when it is asked to (it looks every second).
pub(crate) const VISIT_BEGINS: Duration = Duration::from_secs(5);
/// How long such a shell has to see that what ran in it was interrupted.
pub(crate) const VISIT_INTERRUPTED: Duration = Duration::from_millis(300);
/// How soon such a shell ends when it is told to.
pub(crate) const VISIT_ENDS: Duration = Duration::from_secs(2);

/// When something has to be done.
#[derive(Clone, Debug)]
pub(crate) struct Deadline {
    clock: Clock,
    /// The moment.
    at: Moment,
    /// Its limit in full, for the message.
    limit: Duration,
    owner: Owner,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Owner {
    Job,
    Cleanup,
    Action(String),
}

/// Which error an action's passing limit is (job-definition.md §3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nature {
    /// The job is wrong, or its limit is.
    Job,
    /// Power, reset, connecting: the lab failed.
    Lab,
    /// A test action: the block may be skipped, or it is a test error.
    Test,
}

impl Deadline {
    /// The whole job, from now.
    pub(crate) fn job(clock: Clock, limit: Duration) -> Self {
        Self::new(clock, Owner::Job, limit)
    }

    /// Cleaning up, from now. It is held up by nobody.
    pub(crate) fn cleanup() -> Self {
        Self::new(Clock::default(), Owner::Cleanup, CLEANUP)
    }

    fn new(clock: Clock, owner: Owner, limit: Duration) -> Self {
        Deadline { at: clock.now().saturating_add(limit), clock, limit, owner }
    }

    /// The deadline of an action that starts now below this one. An action that has hardly less time than it may take
    /// is the one whose limit is named.
    pub(crate) fn action(&self, name: &str, limit: Duration) -> Self {
        let own = Self::new(self.clock.clone(), Owner::Action(name.into()), limit);
        if own.at < self.at {
            own
        } else if own.at < self.at.saturating_add(Duration::from_secs(1)) && matches!(self.owner, Owner::Action(_)) {
            Deadline { at: self.at, ..own }
        } else {
            self.clone()
        }
    }

    /// What is left of it.
    pub(crate) fn remaining(&self) -> Duration {
        self.at.saturating_sub(self.clock.now())
    }

    /// The clock it counts on.
    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Waits for it.
    pub(crate) async fn reached(&self) {
        self.clock.sleep_until(self.at).await;
    }

    /// What `work` gives, unless it passes first.
    pub(crate) async fn bound<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        self.clock.timeout(self.remaining(), work).await
    }

    /// The error of the action `name` when this deadline has passed.
    pub(crate) fn passed(&self, name: &str, nature: Nature) -> ActionError {
        let seconds = Seconds(self.limit);
        let (class, message) = match &self.owner {
            Owner::Job => (ErrorClass::Job, format!("job timed out after {seconds} in {name}: raise timeouts.job")),
            Owner::Cleanup => (ErrorClass::Infrastructure, format!("{name} did not end within {seconds}")),
            Owner::Action(owner) if owner == name => (nature.class(), format!("{name} timed out after {seconds}")),
            Owner::Action(owner) => {
                (nature.class(), format!("{name} timed out: {owner} may take {seconds} and they are over"))
            }
        };
        ActionError::new(class, message)
    }
}

impl Nature {
    fn class(self) -> ErrorClass {
        match self {
            Nature::Job => ErrorClass::Job,
            Nature::Lab => ErrorClass::Infrastructure,
            Nature::Test => ErrorClass::LAVATimeout,
        }
    }
}

/// A duration as `90 s` or `0.5 s`.
pub(crate) struct Seconds(pub(crate) Duration);

impl std::fmt::Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.subsec_millis() == 0 {
            write!(f, "{} s", self.0.as_secs())
        } else {
            write!(f, "{:.1} s", self.0.as_secs_f64())
        }
    }
}
