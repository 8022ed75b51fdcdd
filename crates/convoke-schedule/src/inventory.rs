//! What a lab has: devices, the workers they hang on, and device types that are made when they are needed.
//!
//! An inventory is a snapshot: what is busy, and how often, is told by the caller and never changed here.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Verdict on a device (scheduling.md §1.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Health {
    /// Passed its last health check.
    Good,
    /// Not checked since something happened to it.
    #[default]
    Unknown,
    /// Runs health checks for ever.
    Looping,
    /// Failed its health check.
    Bad,
    /// Taken out by an administrator for a while.
    Maintenance,
    /// Gone for good; does not count as existing.
    Retired,
}

impl Health {
    /// Every verdict, best first.
    pub const ALL: [Health; 6] =
        [Health::Good, Health::Unknown, Health::Looping, Health::Bad, Health::Maintenance, Health::Retired];

    /// Whether an ordinary job may start on a device in this health now.
    pub fn serves(self) -> bool {
        matches!(self, Health::Good | Health::Unknown)
    }

    /// Whether a device in this health may serve one day, so that a job for it is not refused.
    pub fn exists(self) -> bool {
        self != Health::Retired
    }

    /// LAVA's name of it.
    pub fn as_str(self) -> &'static str {
        match self {
            Health::Good => "Good",
            Health::Unknown => "Unknown",
            Health::Looping => "Looping",
            Health::Bad => "Bad",
            Health::Maintenance => "Maintenance",
            Health::Retired => "Retired",
        }
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One device that is always there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceEntry {
    /// Its name, unique in the inventory.
    pub name: String,
    /// Its type.
    pub device_type: String,
    /// What it carries beyond its type.
    pub tags: BTreeSet<String>,
    /// The worker it hangs on, if any.
    pub worker: Option<String>,
    /// Its health.
    pub health: Health,
    /// Whether a job holds it now.
    pub busy: bool,
    /// How many waiting groups could use it; the less wanted one of two equal devices is taken.
    pub demand: u32,
    /// When it was last given to a job, as a number that grows with time; `None` for never.
    pub last_used: Option<u64>,
}

/// What a worker can bear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerEntry {
    /// Devices of it that may be held at once; 0 is no limit.
    pub job_limit: u32,
    /// Whether it is online and active, so that its devices can start a job now.
    pub usable: bool,
}

impl Default for WorkerEntry {
    fn default() -> Self {
        WorkerEntry { job_limit: 0, usable: true }
    }
}

/// A device type whose devices are made when they are needed and are gone afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnDemand {
    /// The type, for example `sandbox`.
    pub device_type: String,
    /// Tags every device made so carries.
    pub tags: BTreeSet<String>,
    /// How many may be there at once; `None` is no limit.
    pub limit: Option<u32>,
    /// How many are there now.
    pub in_use: u32,
}

/// Everything a lab has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    /// The devices. Order does not matter.
    pub devices: Vec<DeviceEntry>,
    /// The workers by name. A worker that a device names but that is not here is usable and has no limit.
    pub workers: BTreeMap<String, WorkerEntry>,
    /// The types made on demand.
    pub on_demand: Vec<OnDemand>,
}

/// Which devices count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// Those that can start a job now.
    Now,
    /// Those that may serve one day.
    Ever,
}

impl Inventory {
    /// The device called `name`.
    pub fn device(&self, name: &str) -> Option<&DeviceEntry> {
        self.devices.iter().find(|device| device.name == name)
    }

    /// Every type there is a device of, or that is made on demand, in alphabetical order. Retired devices do not count.
    pub fn device_types(&self) -> Vec<&str> {
        let listed = self.devices.iter().filter(|device| device.health.exists()).map(|device| &device.device_type);
        let made = self.on_demand.iter().map(|made| &made.device_type);
        listed.chain(made).map(String::as_str).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Every tag that some device carries, in alphabetical order.
    pub fn tags(&self) -> Vec<&str> {
        let listed = self.devices.iter().filter(|device| device.health.exists()).flat_map(|device| &device.tags);
        let made = self.on_demand.iter().flat_map(|made| &made.tags);
        listed.chain(made).map(String::as_str).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Every worker, listed or only named by a device, in alphabetical order.
    pub fn worker_names(&self) -> Vec<&str> {
        let named = self.devices.iter().filter_map(|device| device.worker.as_deref());
        self.workers.keys().map(String::as_str).chain(named).collect::<BTreeSet<_>>().into_iter().collect()
    }

    pub(crate) fn counts(&self, device: &DeviceEntry, when: When) -> bool {
        match when {
            When::Ever => device.health.exists(),
            When::Now => {
                let worker = device.worker.as_ref().and_then(|name| self.workers.get(name));
                device.health.serves() && !device.busy && worker.is_none_or(|worker| worker.usable)
            }
        }
    }

    /// How many more devices of `worker` may be taken; `None` is no limit.
    pub(crate) fn room(&self, worker: &str, when: When) -> Option<u32> {
        let limit = self.workers.get(worker).map_or(0, |worker| worker.job_limit);
        if limit == 0 {
            return None;
        }
        let held = match when {
            When::Ever => 0,
            When::Now => {
                self.devices.iter().filter(|device| device.busy && device.worker.as_deref() == Some(worker)).count()
            }
        };
        Some(limit.saturating_sub(u32::try_from(held).unwrap_or(u32::MAX)))
    }
}
