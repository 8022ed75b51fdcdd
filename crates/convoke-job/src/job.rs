//! A checked job: what a submission says, with the places an inventory check points at.
//!
//! A [`Job`] exists only when its document has no error, so every one of them can be split and run.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::ids::{DeviceName, DeviceType, JobId, RoleName, SubId, Tag};
use crate::member::{Block, Timeouts};
use crate::source::Span;

/// Something with its place in the document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spanned<T> {
    /// It.
    pub value: T,
    /// Where it stands.
    pub span: Span,
}

/// A job that can be split and run.
#[derive(Clone, Debug)]
pub struct Job {
    /// `job_name`.
    pub name: String,
    /// Who may view it.
    pub visibility: Visibility,
    /// 0 to 100, larger runs first; 50 when not given.
    pub priority: u8,
    /// The `timeouts` block.
    pub timeouts: Timeouts,
    /// `secrets`: name and value.
    pub secrets: Vec<(String, String)>,
    /// One device or a group.
    pub kind: JobKind,
    /// The deploy, boot, test and command blocks in order.
    pub actions: Vec<JobAction>,
    /// The whole document, key order kept.
    pub(crate) document: Map<String, Value>,
}

/// `visibility` (§2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Visibility {
    /// Everybody.
    Public,
    /// The submitter.
    Personal,
    /// Members of all these groups.
    Groups(Vec<Spanned<String>>),
}

/// One device or a group.
#[derive(Clone, Debug)]
pub enum JobKind {
    /// A job for one device.
    Single(Wanted),
    /// A MultiNode job.
    Group(Group),
}

/// The device a role or a single-device job asks for.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Its type, or an alias of it.
    pub device_type: Spanned<DeviceType>,
    /// Exactly this device.
    pub device: Option<Spanned<DeviceName>>,
    /// A device attached to this worker.
    pub worker: Option<Spanned<String>>,
    /// It must carry all of these.
    pub tags: Vec<Spanned<Tag>>,
}

/// `protocols.lava-multinode` (§4).
#[derive(Clone, Debug)]
pub struct Group {
    /// The roles in splitting order.
    pub roles: Vec<Role>,
    /// Limit of a MultiNode call for roles that give none.
    pub timeout: Option<Duration>,
    /// How members are called in the MultiNode API.
    pub member_names: MemberNames,
}

/// One role.
#[derive(Clone, Debug)]
pub struct Role {
    /// Its name.
    pub name: Spanned<RoleName>,
    /// How many members it has; may be 0.
    pub count: Spanned<u32>,
    /// A device of its own, or a connection to another role's.
    pub kind: RoleKind,
    /// Whether its incomplete end cancels the others.
    pub essential: bool,
    /// Limit of a MultiNode call.
    pub timeout: Option<Duration>,
    /// `expect_role`.
    pub expect_role: Option<Spanned<RoleName>>,
    /// `request: lava-start`: wait for `lava_start` from `expect_role` before anything else.
    pub delayed_start: bool,
}

/// What a role runs on.
#[derive(Clone, Debug)]
pub enum RoleKind {
    /// Devices.
    Device(Wanted),
    /// Connections to the device of `host_role` (guests, §13).
    Guest {
        /// The role whose device hosts the connections.
        host_role: Spanned<RoleName>,
    },
}

/// One entry of `actions` and the roles that run it.
#[derive(Clone, Debug)]
pub struct JobAction {
    /// In the order of the document's roles; empty in a single-device job.
    pub roles: Vec<RoleName>,
    /// What it does.
    pub block: Block,
    /// Where it stands.
    pub span: Span,
    /// For example `actions[2].test`.
    pub path: String,
}

/// How members are called in the MultiNode API: the group option `member-names` (§12.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MemberNames {
    /// By decimal job id, as LAVA does today.
    #[default]
    JobId,
    /// By device name, as LAVA did until 2020.
    Hostname,
}

/// The name of a member in the MultiNode API. `device` is its own device, or its host's for a guest; without one the
/// job id names it.
pub fn resolve_member_name(
    names: MemberNames,
    job_id: JobId,
    sub_id: SubId,
    guest: bool,
    device: Option<&DeviceName>,
) -> String {
    match (names, device) {
        (MemberNames::Hostname, Some(device)) if guest => format!("{device}-{sub_id}"),
        (MemberNames::Hostname, Some(device)) => device.to_string(),
        _ => job_id.to_string(),
    }
}

impl Job {
    /// How members are called in the MultiNode API.
    pub fn member_names(&self) -> MemberNames {
        match &self.kind {
            JobKind::Single(_) => MemberNames::JobId,
            JobKind::Group(group) => group.member_names,
        }
    }

    /// How many members it has, guests included.
    pub fn size(&self) -> u32 {
        match &self.kind {
            JobKind::Single(_) => 1,
            JobKind::Group(group) => group.roles.iter().map(|role| role.count.value).sum(),
        }
    }

    /// The roles by name; empty for a single-device job.
    pub fn roles(&self) -> BTreeMap<&str, &Role> {
        match &self.kind {
            JobKind::Single(_) => BTreeMap::new(),
            JobKind::Group(group) => group.roles.iter().map(|role| (role.name.value.as_str(), role)).collect(),
        }
    }
}
