//! The lab file: which devices exist, their workers, and how sandboxes are made.
//!
//! [`Lab::read`] reports everything that is wrong with the file at once, each finding at its place. Without a file the lab
//! is [`Lab::default`]: no device is listed, and sandboxes are made as a job needs them.
//!
//! | module | is about |
//! |---|---|
//! | `read` | from the document to a [`Lab`] |
//! | `fields` | values of one kind each, with what to say when they are not |
//! | `checked` | what is wrong with one device's configuration |
//! | [`template`] | a device's configuration, rendered for a job |
//! | [`schema`] | the same as JSON Schema, for editors |

mod checked;
mod fields;
mod read;
pub mod schema;
pub mod template;

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use convoke_device::Dictionary;
use convoke_dispatcher::device::Refusal;
use convoke_job::legacy::{LegacyMap, LegacyOptions};
use convoke_job::{DeviceName, DeviceType, Diagnostic, Source, Tag};
use convoke_schedule::{DeviceEntry, Health, Inventory, OnDemand, WorkerEntry};
use serde_json::{Map, Value};

pub use checked::Checked;
use template::DeviceTemplate;

/// The type of the devices that are made of namespaces on this machine.
pub const SANDBOX: &str = "sandbox";
/// The type of the machines that QEMU makes as a job asks for them.
pub const QEMU: &str = "qemu";

/// What exists.
#[derive(Clone, Debug, Default)]
pub struct Lab {
    /// The devices, in the order of the file.
    pub devices: Vec<LabDevice>,
    /// The workers that have settings, by name.
    pub workers: BTreeMap<String, WorkerEntry>,
    /// How sandboxes are made.
    pub sandboxes: SandboxSettings,
    /// Whether QEMU machines are made on demand.
    pub machines: OnDemandMachines,
    /// Whether QEMU machines use hardware virtualisation, unless a device says otherwise.
    pub kvm: Kvm,
    /// How device types deploy and boot in 2014 jobs.
    pub legacy_map: LegacyMap,
}

/// One device of the file.
#[derive(Clone, Debug)]
pub struct LabDevice {
    /// Its name, unique in the file and fit to be a host name.
    pub name: DeviceName,
    /// Its type.
    pub device_type: DeviceType,
    /// What it carries beyond its type.
    pub tags: Vec<Tag>,
    /// The worker it hangs on.
    pub worker: Option<String>,
    /// Its health; `Good` when the file says nothing.
    pub health: Health,
    /// Its configuration: LAVA's device dictionary, rendered, for a job without `context` if it is rendered for each job;
    /// `None` when it has none, and when its templates cannot be rendered.
    pub dictionary: Option<Arc<Dictionary>>,
    /// What its configuration is rendered from for each job.
    pub template: Option<Arc<DeviceTemplate>>,
    /// What the dispatcher is told of it.
    pub settings: DeviceSettings,
}

impl LabDevice {
    /// Its configuration for a job with this `context`.
    ///
    /// # Errors
    /// When its templates cannot be rendered with this context, or what they say is no configuration.
    pub fn configuration(&self, context: &Map<String, Value>) -> Result<Option<Arc<Dictionary>>, Refusal> {
        let Some(template) = &self.template else { return Ok(self.dictionary.clone()) };
        if context.is_empty() && self.dictionary.is_some() {
            return Ok(self.dictionary.clone());
        }
        let wrong = |why: String| match context.is_empty() || self.dictionary.is_none() {
            true => {
                let message = format!("its configuration cannot be had: {why}");
                Refusal::new(message, format!("see `convoke lab check {}`", self.name))
            }
            false => {
                let message = format!("its configuration cannot be had for this job's context: {why}");
                Refusal::new(message, format!("see `convoke lab check {} --context KEY=VALUE`", self.name))
            }
        };
        let rendered = template.render(context).map_err(|fault| wrong(fault.to_string()))?;
        match rendered.error() {
            Some(error) => Err(wrong(error)),
            None => Ok(rendered.dictionary.map(Arc::new)),
        }
    }
}

impl LabDevice {
    /// Why it serves no job: its templates cannot be rendered for a job without `context`, as in LAVA.
    pub fn unusable(&self) -> Option<Refusal> {
        self.template.as_ref().filter(|_| self.dictionary.is_none())?;
        self.configuration(&Map::new()).err()
    }
}

/// What the dispatcher is told of a device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceSettings {
    /// `environment` of the device, for the test shell.
    pub environment: Vec<(String, String)>,
    /// Distro when a job's deploy does not say `os`.
    pub os: Option<String>,
    /// Address of this machine as the device sees it; `None` is that of the default route.
    pub dispatcher_ip: Option<String>,
    /// Folder of the file that lists it, in which its commands run; empty is the current one.
    pub folder: PathBuf,
    /// Most bytes that may be written to a sandbox's disk.
    pub disk: Option<u64>,
    /// Whether a QEMU machine uses hardware virtualisation; `None` is what holds for all.
    pub kvm: Option<Kvm>,
    /// Limits of actions by name (job-definition.md §3.3 step 3).
    pub action_timeouts: Vec<(String, Duration)>,
    /// Limits of connections by action name.
    pub connection_timeouts: Vec<(String, Duration)>,
}

/// Whether QEMU machines use hardware virtualisation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kvm {
    /// They are emulated, whatever their options ask for.
    #[default]
    No,
    /// When a tiny guest has shown that it works; else they are emulated.
    Probe,
    /// As their options ask for; the built-in type always.
    Yes,
}

/// Whether QEMU machines of the built-in type are made as jobs ask for them: always, unless the lab lists its own devices of
/// that type, or is one device alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnDemandMachines {
    /// As many as a job asks for.
    #[default]
    Unlimited,
    /// None.
    Never,
}

/// How sandboxes are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SandboxSettings {
    /// How many are made on demand at most; `None` is as many as a job asks for.
    pub on_demand: Option<u32>,
    /// Tags of those made on demand.
    pub tags: Vec<Tag>,
    /// The network they share, and the bits of its prefix.
    pub network: (Ipv4Addr, u8),
    /// What holds for every sandbox unless its device says otherwise.
    pub settings: DeviceSettings,
}

impl Default for SandboxSettings {
    fn default() -> Self {
        SandboxSettings {
            on_demand: None,
            tags: Vec::new(),
            network: (Ipv4Addr::new(10, 213, 0, 0), 16),
            settings: DeviceSettings::default(),
        }
    }
}

impl Lab {
    /// Reads a lab file. There is a lab exactly when no finding is an error. Device dictionaries in files of their own are
    /// read too; a path is relative to the folder of the lab file, which is the source's name. Templates that cannot be
    /// rendered are no finding: they make their own device unusable, and [`LabDevice::checked`] says why.
    pub fn read(source: &Source) -> (Option<Lab>, Vec<Diagnostic>) {
        read::read(source)
    }

    /// Reads a device file: one entry of `devices`, or LAVA's rendered device dictionary, which need not say what type the
    /// device has: then it is `device_type`. The lab has this device and makes no others.
    pub fn read_device(source: &Source, device_type: Option<&DeviceType>) -> (Option<Lab>, Vec<Diagnostic>) {
        read::read_device(source, device_type)
    }

    /// The device called `name`.
    pub fn device(&self, name: &str) -> Option<&LabDevice> {
        self.devices.iter().find(|device| device.name.as_str() == name)
    }

    /// What the dispatcher is told of the sandbox called `name`: the device's own settings before those of all sandboxes.
    pub fn sandbox_settings(&self, name: &str) -> DeviceSettings {
        let common = &self.sandboxes.settings;
        let Some(own) = self.device(name).map(|device| &device.settings) else { return common.clone() };
        let pairs = |common: &[(String, Duration)], own: &[(String, Duration)]| {
            let inherited = common.iter().filter(|(key, _)| own.iter().all(|(other, _)| other != key));
            inherited.chain(own).cloned().collect()
        };
        let inherited =
            common.environment.iter().filter(|(key, _)| own.environment.iter().all(|(other, _)| other != key));
        DeviceSettings {
            environment: inherited.chain(&own.environment).cloned().collect(),
            os: own.os.clone().or_else(|| common.os.clone()),
            dispatcher_ip: own.dispatcher_ip.clone(),
            folder: own.folder.clone(),
            disk: own.disk.or(common.disk),
            kvm: None,
            action_timeouts: pairs(&common.action_timeouts, &own.action_timeouts),
            connection_timeouts: pairs(&common.connection_timeouts, &own.connection_timeouts),
        }
    }

    /// What the dispatcher is told of the device called `name`, which may be one that is made.
    pub fn device_settings(&self, name: &str) -> DeviceSettings {
        let mut settings = self.device(name).map(|device| device.settings.clone()).unwrap_or_default();
        settings.kvm = settings.kvm.or(Some(self.kvm));
        settings
    }

    /// Whether devices of this type are made on demand.
    pub fn makes(&self, device_type: &DeviceType) -> bool {
        self.inventory().on_demand.iter().any(|made| made.device_type == device_type.as_str())
    }

    /// What the scheduler needs to know. Nothing is busy: one run has the lab to itself.
    pub fn inventory(&self) -> Inventory {
        let names = |tags: &[Tag]| tags.iter().map(|tag| tag.as_str().to_owned()).collect::<BTreeSet<_>>();
        let entry = |device: &LabDevice| DeviceEntry {
            name: device.name.as_str().to_owned(),
            device_type: device.device_type.as_str().to_owned(),
            tags: names(&device.tags),
            worker: device.worker.clone(),
            // Not one that may be given to a job, but one that will be mended.
            health: match device.health {
                health if health.serves() && device.template.is_some() && device.dictionary.is_none() => Health::Bad,
                health => health,
            },
            ..DeviceEntry::default()
        };
        let sandboxes = OnDemand {
            device_type: SANDBOX.to_owned(),
            tags: names(&self.sandboxes.tags),
            limit: self.sandboxes.on_demand,
            in_use: 0,
        };
        let machines = OnDemand {
            device_type: QEMU.to_owned(),
            tags: BTreeSet::new(),
            limit: (self.machines == OnDemandMachines::Never).then_some(0),
            in_use: 0,
        };
        Inventory {
            devices: self.devices.iter().map(entry).collect(),
            workers: self.workers.clone(),
            on_demand: [sandboxes, machines].into_iter().filter(|made| made.limit != Some(0)).collect(),
        }
    }

    /// What the importer of 2014 jobs needs to know of this lab.
    pub fn legacy_options(&self) -> LegacyOptions {
        let named = |device: &LabDevice| (device.name.as_str().to_owned(), device.device_type.as_str().to_owned());
        LegacyOptions {
            legacy_map: self.legacy_map.clone(),
            devices: self.devices.iter().map(named).collect(),
            ..LegacyOptions::default()
        }
    }
}
