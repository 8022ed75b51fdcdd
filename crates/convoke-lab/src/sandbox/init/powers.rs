//! What root inside may not do where there is no user namespace to confine it.

use std::io;

use convoke_children::StageFailure;
use rustix::thread::{CapabilitySet, remove_capability_from_bounding_set};

/// Powers over the machine as a whole and not over the sandbox.
const OVER_THE_MACHINE: &[CapabilitySet] = &[
    CapabilitySet::MKNOD,
    CapabilitySet::SYS_BOOT,
    CapabilitySet::SYS_MODULE,
    CapabilitySet::SYS_RAWIO,
    CapabilitySet::SYS_TIME,
    CapabilitySet::SYSLOG,
];

/// Gives them up for this process and everything that it will start.
pub(super) fn drop_over_machine() -> Result<(), StageFailure> {
    for power in OVER_THE_MACHINE {
        remove_capability_from_bounding_set(*power).map_err(io::Error::from)?;
    }
    Ok(())
}
