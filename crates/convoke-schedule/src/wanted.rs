//! What one member of a group needs, and whether a device suits it (scheduling.md §2).

use std::collections::BTreeSet;

use crate::inventory::{DeviceEntry, OnDemand};

/// The need of one member for one device. Guests have none: they run on their host's device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The caller's number of the member, returned in its assignment.
    pub member: u32,
    /// Its role, for messages; `None` in a single-device job.
    pub role: Option<String>,
    /// The device type, exactly.
    pub device_type: String,
    /// The device carries all of these.
    pub tags: BTreeSet<String>,
    /// This device and no other.
    pub device: Option<String>,
    /// A device of this worker.
    pub worker: Option<String>,
}

impl Wanted {
    /// Whether `device` is of the right kind, be it free or not.
    pub fn suits(&self, device: &DeviceEntry) -> bool {
        self.device_type == device.device_type
            && self.tags.is_subset(&device.tags)
            && self.device.as_ref().is_none_or(|name| *name == device.name)
            && self.worker.as_ref().is_none_or(|name| Some(name) == device.worker.as_ref())
    }

    /// Whether a device made on demand serves. It has neither a name known beforehand nor a worker.
    pub fn suits_made(&self, made: &OnDemand) -> bool {
        self.device_type == made.device_type
            && self.tags.is_subset(&made.tags)
            && self.device.is_none()
            && self.worker.is_none()
    }

    /// Whether both ask for the same thing, so that any device of one serves the other.
    pub(crate) fn same_need(&self, other: &Wanted) -> bool {
        self.device_type == other.device_type
            && self.tags == other.tags
            && self.device == other.device
            && self.worker == other.worker
    }
}
