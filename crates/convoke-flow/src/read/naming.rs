//! The members of a group, with the names that the job itself gives (job-definition.md §12.1).

use convoke_job::job::{Group, MemberNames, Role, RoleKind};
use convoke_job::resolve_member_name;
use convoke_job::{DeviceName, JobId, SubId};

use crate::follow::{Named, Naming};

/// Names are known before devices are given only where roles ask for devices by name and members are called by them.
pub(super) fn of(group: &Group) -> Naming {
    let by_job = group.member_names == MemberNames::JobId;
    let mut members = Vec::new();
    for role in &group.roles {
        let guest = matches!(role.kind, RoleKind::Guest { .. });
        let device = device(role, &group.roles).filter(|_| !by_job);
        for number in 1..=role.count.value {
            let sub_id = SubId(u32::try_from(members.len()).unwrap_or(u32::MAX));
            let name =
                device.map(|device| resolve_member_name(group.member_names, JobId(0), sub_id, guest, Some(device)));
            members.push(Named { role: role.name.value.clone(), number, of: role.count.value, guest, name });
        }
    }
    Naming { members, own: 0, by_job }
}

/// The device a role asks for; a guest's is its host's.
fn device<'a>(role: &'a Role, roles: &'a [Role]) -> Option<&'a DeviceName> {
    match &role.kind {
        RoleKind::Device(wanted) => wanted.device.as_ref().map(|device| &device.value),
        RoleKind::Guest { host_role } => {
            let host = roles.iter().find(|role| role.name.value == host_role.value)?;
            match &host.kind {
                RoleKind::Device(wanted) => wanted.device.as_ref().map(|device| &device.value),
                RoleKind::Guest { .. } => None,
            }
        }
    }
}
