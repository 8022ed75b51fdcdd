//! Which member runs on what: decided before anything is started, without side effects.

use std::collections::{BTreeMap, HashMap};

use convoke_device::Dictionary;
use convoke_device::qemu::{Machine, Network};
use convoke_dispatcher::device::Refusal;
use convoke_job::member::Place;
use convoke_job::{DeviceName, Job, MemberJob};
use convoke_lab::sandbox::{GroundSettings, SandboxSpec};
use convoke_lab::ssh::Target;
use convoke_lab::{DeviceSpec, Driver, Lab, Refused};
use convoke_schedule::{Assigned, Shortage, Wanted, allocate};

/// A job with a device for every member.
#[derive(Debug)]
pub struct Plan {
    /// `job_name`.
    pub job_name: String,
    /// Name of the group (`target_group`).
    pub group: String,
    /// Whether sandboxes stand for the devices.
    pub rehearsal: bool,
    /// The members in order.
    pub members: Vec<PlannedMember>,
    /// Members of the group that have no device and are played.
    pub played: Vec<PlayedMember>,
    /// Network of the sandboxes.
    network: (std::net::Ipv4Addr, u8),
}

/// One member and its device.
#[derive(Debug)]
pub struct PlannedMember {
    /// What it runs.
    pub job: MemberJob,
    /// Its name in the MultiNode API.
    pub name: String,
    /// `1001 (server)`, for messages.
    pub label: String,
    /// Where it runs.
    pub device: PlannedDevice,
}

/// A member that does not run.
#[derive(Debug)]
pub struct PlayedMember {
    /// What it would run.
    pub job: MemberJob,
    /// Its name in the MultiNode API.
    pub name: String,
    /// `1001 (server)`, for messages.
    pub label: String,
}

/// Where a member runs.
#[derive(Clone, Debug)]
pub enum PlannedDevice {
    /// On a sandbox of its own.
    Sandbox(SandboxSpec),
    /// On a QEMU machine.
    Qemu(Box<DeviceSpec>, Box<Machine>),
    /// On a board.
    Board(Box<DeviceSpec>),
    /// On a machine that is reached by ssh.
    Ssh(Box<DeviceSpec>, Box<Target>),
    /// Logged in to another member's device by ssh.
    Login {
        /// Index of that member.
        host: usize,
        /// Its name.
        name: String,
        /// How.
        target: Box<Target>,
    },
    /// In a shell of its own on another member's sandbox.
    Guest {
        /// Index of that member.
        host: usize,
        /// Its name.
        name: String,
    },
}

/// Why there is no plan. All are the user's to mend.
#[derive(Debug, thiserror::Error)]
pub enum NoPlan {
    /// The lab cannot serve the group.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Shortage(Vec<Shortage>),
    /// The lab has the device, but it cannot do what the member asks for.
    #[error("device `{device}`: {}: {}", refusal.message, refusal.help)]
    Refused {
        /// The device.
        device: String,
        /// What it cannot do.
        refusal: Refusal,
    },
    /// The device that a member was given is another one than it asks for.
    #[error("the member's job asks for a device of type {wanted}, and `{device}` is of type {device_type}")]
    OtherType {
        /// The device.
        device: String,
        /// Its type.
        device_type: String,
        /// What the job asks for.
        wanted: String,
    },
    /// No member has this role.
    #[error("--only {role}: the job has no such role; its roles are {roles}")]
    NoRole {
        /// As given.
        role: String,
        /// Those there are.
        roles: String,
    },
    /// A guest lives on its host's device, which is not there when the host is played.
    #[error("--only {role}: it is a connection to the device of role {host}, which would be played: add --only {host}")]
    HostPlayed {
        /// The guest's role.
        role: String,
        /// Its host's.
        host: String,
    },
    /// Guests log in to their host over ssh.
    #[error(
        "role {role} is a connection to another member's device, and that is not here: run the whole group with `convoke run`"
    )]
    Guest {
        /// The guest's role.
        role: String,
    },
}

impl PlannedDevice {
    /// What the lab knows of a device of its own; a sandbox has none of this.
    fn spec(&self) -> Option<&DeviceSpec> {
        match self {
            PlannedDevice::Qemu(spec, _) | PlannedDevice::Ssh(spec, _) | PlannedDevice::Board(spec) => Some(spec),
            PlannedDevice::Sandbox(_) | PlannedDevice::Login { .. } | PlannedDevice::Guest { .. } => None,
        }
    }

    /// The name of a device of its own.
    fn name(&self) -> Option<&str> {
        match self {
            PlannedDevice::Sandbox(spec) => Some(&spec.name),
            other => other.spec().map(|spec| spec.name.as_str()),
        }
    }

    /// Its configuration.
    fn dictionary(&self) -> Option<&Dictionary> {
        self.spec()?.dictionary.as_deref()
    }

    /// Its name, if a place on the group's own ground is kept for it.
    fn place(&self) -> Option<&str> {
        let there = matches!(self, PlannedDevice::Sandbox(_) | PlannedDevice::Qemu(..));
        self.name().filter(|_| there)
    }

    /// Whether it is in the group's own network.
    pub(crate) fn is_on_ground(&self) -> bool {
        match self {
            PlannedDevice::Sandbox(_) => true,
            PlannedDevice::Qemu(_, machine) => machine.network != Network::AsGiven,
            _ => false,
        }
    }

    /// Index of the member on whose device it is a guest.
    pub(crate) fn host(&self) -> Option<usize> {
        match self {
            PlannedDevice::Login { host, .. } | PlannedDevice::Guest { host, .. } => Some(*host),
            _ => None,
        }
    }
}

impl Plan {
    /// How to make the ground that all sandboxes stand on, and whose network machines are on; `None` when nobody needs
    /// one.
    pub(crate) fn ground_settings(&self) -> Option<GroundSettings> {
        let places = self.members.iter().filter_map(|member| member.device.place());
        let names = places.map(str::to_owned).collect();
        let settings = GroundSettings { names, network: self.network, disk_limit: None };
        self.members.iter().any(|member| member.device.is_on_ground()).then_some(settings)
    }
}

/// Finds a device for every member of `job`, or, with roles in `only`, for every member of these; the others are played.
/// In a rehearsal there is always one.
pub fn plan(
    job: &Job,
    lab: &Lab,
    group: &str,
    first_id: u64,
    rehearsal: bool,
    only: &[String],
) -> Result<Plan, NoPlan> {
    let mut all = job.split(group, first_id);
    let runs = runs(&all, only)?;
    let real: Vec<MemberJob> =
        all.iter().zip(&runs).filter(|(_, runs)| **runs).map(|(member, _)| member.clone()).collect();
    let assigned = if rehearsal { rehearsed(&real) } else { from_lab(&real, lab)? };
    let mut own = assigned.iter().map(|device| device.as_ref().and_then(PlannedDevice::name).map(DeviceName::new));
    let names: Vec<Option<DeviceName>> =
        runs.iter().map(|runs| if *runs { own.next().flatten() } else { None }).collect();
    job.assign(&mut all, &names);
    let (mut members, mut played) = (Vec::new(), Vec::new());
    for (member, runs) in all.into_iter().zip(runs) {
        if runs {
            members.push(member);
        } else {
            let (name, label) = called(&member);
            played.push(PlayedMember { job: member, name, label });
        }
    }
    let hosts: HashMap<String, usize> = members
        .iter()
        .enumerate()
        .filter(|(_, member)| matches!(member.place, Place::Device { .. }))
        .filter_map(|(index, member)| Some((member.role()?.to_string(), index)))
        .collect();
    let mut logins = if rehearsal { BTreeMap::new() } else { logins(&members, &assigned, &hosts)? };
    let planned = members
        .into_iter()
        .zip(assigned)
        .map(|(job, device)| {
            let device = match (device, &job.place) {
                (Some(device), _) => device,
                (None, Place::Guest { host_role }) => {
                    let host = hosts.get(host_role.as_str()).copied().unwrap_or_default();
                    let name = format!("{}-guest-{}", host_role, job.sub_id);
                    match logins.remove(&job.sub_id.0) {
                        Some(target) => PlannedDevice::Login { host, name, target: Box::new(target) },
                        None => PlannedDevice::Guest { host, name },
                    }
                }
                (None, Place::Device { .. }) => unreachable!("every device member was given a device"),
            };
            planned(job, device)
        })
        .collect();
    Ok(Plan {
        job_name: job.name.clone(),
        group: group.to_owned(),
        rehearsal,
        members: planned,
        played,
        network: lab.sandboxes.network,
    })
}

/// Which members run.
fn runs(members: &[MemberJob], only: &[String]) -> Result<Vec<bool>, NoPlan> {
    let role = |member: &MemberJob| member.role().map(ToString::to_string).unwrap_or_default();
    let mut roles: Vec<String> = members.iter().map(role).collect();
    if let Some(wrong) = only.iter().find(|wanted| !roles.contains(wanted)) {
        roles.dedup();
        return Err(NoPlan::NoRole { role: wrong.clone(), roles: roles.join(", ") });
    }
    for member in members.iter().filter(|member| only.contains(&role(member))) {
        if let Place::Guest { host_role } = &member.place
            && !only.iter().any(|role| role == host_role.as_str())
        {
            return Err(NoPlan::HostPlayed { role: role(member), host: host_role.to_string() });
        }
    }
    Ok(roles.iter().map(|role| only.is_empty() || only.contains(role)).collect())
}

/// How each guest logs in, by its number.
fn logins(
    members: &[MemberJob],
    assigned: &[Option<PlannedDevice>],
    hosts: &HashMap<String, usize>,
) -> Result<BTreeMap<u32, Target>, NoPlan> {
    let mut found = BTreeMap::new();
    for member in members {
        let Place::Guest { host_role } = &member.place else { continue };
        let host = hosts.get(host_role.as_str()).and_then(|index| assigned[*index].as_ref());
        let dictionary = host.and_then(PlannedDevice::dictionary);
        let refused = |Refused { refusal, .. }| {
            let device = host.and_then(PlannedDevice::name).unwrap_or_default().to_owned();
            NoPlan::Refused { device, refusal }
        };
        let target = convoke_lab::driver::guest(dictionary, member).map_err(refused)?;
        found.insert(member.sub_id.0, target);
    }
    Ok(found)
}

/// The plan of one member of a group whose others run elsewhere, on the only device of `lab`.
pub fn plan_member(job: MemberJob, lab: &Lab) -> Result<Plan, NoPlan> {
    if let (Place::Device { device_type: wanted, .. }, Some(device)) = (&job.place, lab.devices.first())
        && device.device_type != *wanted
    {
        let (wanted, device_type) = (wanted.to_string(), device.device_type.to_string());
        return Err(NoPlan::OtherType { device: device.name.to_string(), device_type, wanted });
    }
    if let Place::Guest { .. } = &job.place {
        return Err(NoPlan::Guest { role: job.role().map(ToString::to_string).unwrap_or_default() });
    }
    let assigned = from_lab(std::slice::from_ref(&job), lab)?;
    let group = job.group.as_ref().map(|group| group.target_group.clone()).unwrap_or_default();
    let members = assigned.into_iter().flatten().map(|device| planned(job.clone(), device)).collect();
    Ok(Plan {
        job_name: job.job_name,
        group,
        rehearsal: false,
        members,
        played: Vec::new(),
        network: lab.sandboxes.network,
    })
}

fn planned(job: MemberJob, device: PlannedDevice) -> PlannedMember {
    let (name, label) = called(&job);
    PlannedMember { job, name, label, device }
}

/// Name and label of a member.
fn called(job: &MemberJob) -> (String, String) {
    let name = own_name(job);
    let role = job.role().map(ToString::to_string).unwrap_or_default();
    let label = if role.is_empty() { name.clone() } else { format!("{name} ({role})") };
    (name, label)
}

/// The member's own line of the group table, else its job id.
fn own_name(member: &MemberJob) -> String {
    let table = member.group.as_ref().map(|group| group.members.as_slice()).unwrap_or_default();
    let own = table.iter().find(|line| line.sub_id == member.sub_id);
    own.map_or_else(|| member.job_id.to_string(), |line| line.name.clone())
}

/// A sandbox in the place of each device, named after the device's type.
fn rehearsed(members: &[MemberJob]) -> Vec<Option<PlannedDevice>> {
    let mut made = Names::default();
    members
        .iter()
        .map(|member| match &member.place {
            Place::Device { device_type, device, tags, .. } => {
                let mut spec = SandboxSpec::named(match device {
                    Some(device) => made.take(device.as_str()),
                    None => made.next(device_type.as_str()),
                });
                spec.device_type = device_type.to_string();
                spec.environment.push(("LAVA_REHEARSAL".into(), "1".into()));
                spec.tags = tags.iter().map(ToString::to_string).collect();
                Some(PlannedDevice::Sandbox(spec))
            }
            Place::Guest { .. } => None,
        })
        .collect()
}

/// Devices of the lab, for the whole group or not at all.
fn from_lab(members: &[MemberJob], lab: &Lab) -> Result<Vec<Option<PlannedDevice>>, NoPlan> {
    let mut wanted = Vec::new();
    for member in members {
        let role = member.role().map(ToString::to_string);
        match &member.place {
            Place::Device { device_type, device, worker, tags } => wanted.push(Wanted {
                member: member.sub_id.0,
                role,
                device_type: device_type.to_string(),
                tags: tags.iter().map(ToString::to_string).collect(),
                device: device.as_ref().map(ToString::to_string),
                worker: worker.clone(),
            }),
            // On their hosts' devices.
            Place::Guest { .. } => {}
        }
    }
    let assignments = allocate(&wanted, &lab.inventory()).map_err(|shortages| {
        // A device that its templates keep from serving says more than that there are too few.
        let mut of_type = lab
            .devices
            .iter()
            .filter(|device| wanted.iter().any(|want| want.device_type == device.device_type.as_str()));
        let unusable = of_type.find_map(|device| Some((device.name.to_string(), device.unusable()?)));
        unusable.map_or(NoPlan::Shortage(shortages), |(device, refusal)| NoPlan::Refused { device, refusal })
    })?;
    let mut made = Names::default();
    for device in &lab.devices {
        made.take(device.name.as_str());
    }
    let mut planned: BTreeMap<u32, PlannedDevice> = BTreeMap::new();
    for assignment in assignments {
        let (name, device_type) = match assignment.device {
            Assigned::Listed(name) => {
                let device_type = lab.device(&name).map(|device| device.device_type.to_string()).unwrap_or_default();
                (name, device_type)
            }
            Assigned::Made { device_type } => (made.next(&device_type), device_type),
        };
        let Some(member) = members.iter().find(|member| member.sub_id.0 == assignment.member) else { continue };
        planned.insert(assignment.member, device(name, device_type, member, lab)?);
    }
    Ok(members.iter().map(|member| planned.remove(&member.sub_id.0)).collect())
}

/// A device of the lab for `member`.
fn device(name: String, device_type: String, member: &MemberJob, lab: &Lab) -> Result<PlannedDevice, NoPlan> {
    let listed = lab.device(&name);
    let configuration = listed.map_or(Ok(None), |device| device.configuration(&member.context));
    let dictionary = match configuration {
        Ok(dictionary) => dictionary,
        Err(refusal) => return Err(NoPlan::Refused { device: name, refusal }),
    };
    let driver = match convoke_lab::driver::driver(&device_type, dictionary.as_deref(), member) {
        Ok(driver) => driver,
        Err(Refused { refusal, .. }) => return Err(NoPlan::Refused { device: name, refusal }),
    };
    let tags = listed.into_iter().flat_map(|device| &device.tags).map(ToString::to_string).collect();
    let settings = lab.device_settings(&name);
    let own = |name| Box::new(DeviceSpec { name, device_type, tags, dictionary, settings });
    Ok(match driver {
        Driver::Sandbox => PlannedDevice::Sandbox(spec(&name, lab)),
        Driver::Qemu(machine) => PlannedDevice::Qemu(own(name), Box::new(machine)),
        Driver::Board => PlannedDevice::Board(own(name)),
        Driver::Ssh(target) => PlannedDevice::Ssh(own(name), Box::new(target)),
    })
}

/// A sandbox of the lab, with what the lab file says of it.
fn spec(name: &str, lab: &Lab) -> SandboxSpec {
    let settings = lab.sandbox_settings(name);
    let tags = lab.device(name).map_or(&lab.sandboxes.tags, |device| &device.tags);
    // The group's network leads nowhere else: an installation that fails once fails always.
    let mut environment = vec![("LAVA_INSTALL_TRIES".to_owned(), "1".to_owned())];
    environment.extend(settings.environment);
    SandboxSpec {
        environment,
        tags: tags.iter().map(ToString::to_string).collect(),
        os: settings.os,
        disk_limit: settings.disk,
        action_timeouts: settings.action_timeouts,
        connection_timeouts: settings.connection_timeouts,
        ..SandboxSpec::named(name)
    }
}

/// Names for devices that are made: `sandbox-1`, `sandbox-2`, … passing over those that are taken.
#[derive(Default)]
struct Names {
    taken: BTreeMap<String, u32>,
}

impl Names {
    fn take(&mut self, name: &str) -> String {
        let name = host_name(name);
        self.taken.insert(name.clone(), 1);
        name
    }

    fn next(&mut self, stem: &str) -> String {
        let stem = host_name(stem);
        loop {
            let number = self.taken.entry(format!("{stem}-")).or_insert(0);
            *number += 1;
            let name = format!("{stem}-{number}");
            if self.taken.insert(name.clone(), 1).is_none() {
                return name;
            }
        }
    }
}

/// A device type may hold what a host name may not.
fn host_name(text: &str) -> String {
    let safe = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' };
    let name: String = text.chars().take(40).map(safe).collect();
    let name = name.trim_matches('-').to_owned();
    if name.is_empty() { "device".into() } else { name }
}
