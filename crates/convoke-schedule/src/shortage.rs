//! Why a group cannot be served, in words that name roles, types, tags and numbers.
//!
//! A shortage names a minimal set of roles: without any one of them the rest could be served. Messages are lower-case
//! fragments without a full stop; [`Shortage::help`] says what to do.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt;

use crate::inventory::{DeviceEntry, Health, Inventory, When};
use crate::matching::{self, Limits};
use crate::wanted::Wanted;
use crate::words::{exists, join, plural, roles, suggestion, what, who_needs};

/// Which rule is broken (job-definition.md §11.2, rows 26–32).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ShortageKind {
    /// There is no device of the type at all.
    Type,
    /// The named device or worker does not exist, or is not what the role asks for.
    Device,
    /// No device carries the tag.
    Tag,
    /// One role needs more devices of a type than exist.
    Count,
    /// One role needs more devices with its tags than exist.
    Tags,
    /// Several roles together need more devices than exist.
    Group,
    /// The devices exist, but their worker may not run so many at once.
    WorkerLimit,
    /// The devices exist, but cannot be used now.
    Busy,
}

impl ShortageKind {
    /// The stable code of the finding.
    pub fn code(self) -> &'static str {
        match self {
            ShortageKind::Type => "inventory.type",
            ShortageKind::Device => "inventory.device",
            ShortageKind::Tag => "inventory.tag",
            ShortageKind::Count => "inventory.count",
            ShortageKind::Tags => "inventory.tags",
            ShortageKind::Group => "inventory.group",
            ShortageKind::WorkerLimit => "inventory.worker-limit",
            ShortageKind::Busy => "inventory.busy",
        }
    }
}

/// One reason why a group cannot be served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shortage {
    /// Which rule.
    pub kind: ShortageKind,
    /// The roles it is about, in the order they were given; empty in a single-device job.
    pub roles: Vec<String>,
    /// The members it is about.
    pub members: Vec<u32>,
    /// The tag, device or worker at fault, where there is one.
    pub subject: Option<String>,
    /// What is missing.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Shortage {}

impl Shortage {
    fn new(kind: ShortageKind, set: &[&Wanted], message: String) -> Self {
        let members = set.iter().map(|want| want.member).collect();
        Shortage { kind, roles: roles(set), members, subject: None, message, help: None }
    }

    fn about(mut self, subject: &str, help: String) -> Self {
        self.subject = Some(subject.to_owned());
        self.help = Some(help);
        self
    }

    pub(crate) fn unknown_type(want: &Wanted, inventory: &Inventory) -> Self {
        let retired = inventory.devices.iter().any(|device| device.device_type == want.device_type);
        let gone = if retired { "; all of them are retired" } else { "" };
        let message = format!("there is no device of type {}{gone}", want.device_type);
        let known = inventory.device_types();
        let help = suggestion(&want.device_type, &known, "the lab has no devices", "types that exist");
        Self::new(ShortageKind::Type, &[want], message).about(&want.device_type, help)
    }

    pub(crate) fn unknown_tag(want: &Wanted, tag: &str, inventory: &Inventory) -> Self {
        let help = suggestion(tag, &inventory.tags(), "no device of the lab has a tag", "tags that exist");
        Self::new(ShortageKind::Tag, &[want], format!("no device carries the tag {tag}")).about(tag, help)
    }

    pub(crate) fn unknown_worker(want: &Wanted, worker: &str, inventory: &Inventory) -> Self {
        let known = inventory.worker_names();
        let help = suggestion(worker, &known, "the lab has no workers; leave `worker` out", "workers that exist");
        Self::new(ShortageKind::Device, &[want], format!("there is no worker {worker}")).about(worker, help)
    }

    /// The named device is missing, retired, or does not suit.
    pub(crate) fn device(want: &Wanted, name: &str, inventory: &Inventory) -> Self {
        let (message, help) = match inventory.device(name) {
            None => {
                let mut known: Vec<&str> = inventory.devices.iter().map(|device| device.name.as_str()).collect();
                known.sort_unstable();
                let none = "the lab lists no devices; leave `device` out";
                (format!("there is no device {name}"), suggestion(name, &known, none, "devices that exist"))
            }
            Some(device) if !device.health.exists() => {
                (format!("device {name} is retired"), "name another device, or leave `device` out".to_owned())
            }
            Some(device) => (mismatch(want, device), "name a device that has all the role asks for".to_owned()),
        };
        Self::new(ShortageKind::Device, &[want], message).about(name, help)
    }

    /// More devices needed than exist.
    pub(crate) fn count(set: &[&Wanted], inventory: &Inventory) -> Self {
        let exist = suiting(set, inventory, When::Ever).count() + made(set, inventory);
        let message = format!("{} {}, {}", who_needs(set), what(set), exists(exist));
        let shortage = Self::new(ShortageKind::Count, set, message);
        let several = shortage.roles.len() > 1;
        let tagged = set.iter().any(|want| !want.tags.is_empty());
        let kind = match (several, tagged) {
            (true, _) => ShortageKind::Group,
            (false, true) => ShortageKind::Tags,
            (false, false) => ShortageKind::Count,
        };
        let help = "lower `count`, or add devices to the lab".to_owned();
        Shortage { kind, help: Some(help), ..shortage }
    }

    /// Enough devices, but workers that may not run them all at once.
    pub(crate) fn worker_limit(set: &[&Wanted], inventory: &Inventory) -> Self {
        let workers: BTreeSet<&str> =
            suiting(set, inventory, When::Ever).filter_map(|device| device.worker.as_deref()).collect();
        let limits = workers.into_iter().filter_map(|name| Some((name, inventory.room(name, When::Ever)?)));
        let limits: Vec<String> =
            limits.map(|(name, room)| format!("worker {name} runs at most {room} at a time")).collect();
        let message = format!("{} {}, but {}", who_needs(set), what(set), join(&limits, "and"));
        let help = "raise the worker's `job_limit`, or lower `count`".to_owned();
        Shortage { help: Some(help), ..Self::new(ShortageKind::WorkerLimit, set, message) }
    }

    /// Enough devices, but not now.
    pub(crate) fn busy(set: &[&Wanted], inventory: &Inventory) -> Self {
        let total = suiting(set, inventory, When::Ever).count();
        let usable = matching::best(set, inventory, When::Now, Limits::Kept).matches.iter().flatten().count();
        let mut obstacles: Vec<String> = suiting(set, inventory, When::Ever)
            .filter(|device| !inventory.counts(device, When::Now))
            .map(obstacle)
            .collect();
        obstacles.sort_unstable();
        let full = suiting(set, inventory, When::Ever).filter_map(|device| device.worker.as_deref());
        let full: BTreeSet<&str> = full.filter(|name| inventory.room(name, When::Now) == Some(0)).collect();
        obstacles.extend(full.into_iter().map(|name| format!("worker {name} is at its limit")));
        let why = if obstacles.is_empty() { String::new() } else { format!(" ({})", join(&obstacles, "and")) };
        let message = format!("{} {}, {usable} of {total} can be used now{why}", who_needs(set), what(set));
        let help = "wait until the devices are free, or see to their health".to_owned();
        Shortage { help: Some(help), ..Self::new(ShortageKind::Busy, set, message) }
    }
}

/// Devices that suit any of the set.
fn suiting<'a>(set: &[&Wanted], inventory: &'a Inventory, when: When) -> impl Iterator<Item = &'a DeviceEntry> {
    let mut kinds: Vec<&Wanted> = Vec::new();
    for want in set {
        if !kinds.iter().rev().any(|known| known.same_need(want)) {
            kinds.push(want);
        }
    }
    let found = inventory.devices.iter().filter(move |device| inventory.counts(device, when));
    let found: Vec<_> = found.filter(|device| kinds.iter().any(|want| want.suits(device))).collect();
    found.into_iter()
}

/// How many can be made on demand for the set; a set with a shortage meets only limited ones.
fn made(set: &[&Wanted], inventory: &Inventory) -> usize {
    let serving = inventory.on_demand.iter().filter(|made| set.iter().any(|want| want.suits_made(made)));
    serving.filter_map(|made| made.limit).map(|limit| limit as usize).sum()
}

fn obstacle(device: &DeviceEntry) -> String {
    let name = &device.name;
    match device.health {
        _ if device.busy => format!("{name} is busy"),
        Health::Good | Health::Unknown => {
            format!("worker {} of {name} is not usable", device.worker.as_deref().unwrap_or("-"))
        }
        health => format!("{name} is {health}"),
    }
}

/// The first thing the named device lacks.
fn mismatch(want: &Wanted, device: &DeviceEntry) -> String {
    let name = &device.name;
    if device.device_type != want.device_type {
        return format!("device {name} is of type {}, not {}", device.device_type, want.device_type);
    }
    if let Some(worker) = want.worker.as_ref().filter(|worker| Some(*worker) != device.worker.as_ref()) {
        let of = device.worker.as_ref().map_or_else(|| "no worker".to_owned(), |name| format!("worker {name}"));
        return format!("device {name} is attached to {of}, not to {worker}");
    }
    let missing: Vec<String> = want.tags.difference(&device.tags).cloned().collect();
    format!("device {name} does not carry the {} {}", plural(missing.len(), "tag"), join(&missing, "and"))
}
