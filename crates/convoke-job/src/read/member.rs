//! One member from its definition, LAVA's split form (job-definition.md §12.2): the input of a dispatcher.

use super::cursor::{At, Findings, scalar_text};
use super::roles::ON_SYNC_TIMEOUT;
use super::{context, environment, member_blocks, roles, timeout, top};
use crate::diagnostic::Diagnostic;
use crate::ids::{JobId, RoleName, SubId};
use crate::job::MemberNames;
use crate::member::{GroupMember, MemberJob, Membership, OnSyncTimeout, Place};
use crate::node::Node;

impl MemberJob {
    /// Reads one member's definition, as split by [`crate::Job::split`] or by LAVA. A definition without
    /// `protocols.lava-multinode` is a single-device job. The member is there when nothing found is an error.
    pub fn from_definition(root: &Node, job_id: JobId) -> (Option<MemberJob>, Vec<Diagnostic>) {
        let mut findings = Findings::default();
        let member = read(root, job_id, &mut findings);
        let sound = !findings.0.iter().any(Diagnostic::is_error);
        (member.filter(|_| sound), findings.0)
    }
}

fn read(root: &Node, job_id: JobId, findings: &mut Findings) -> Option<MemberJob> {
    let at = At::root(root);
    let top = top::top(&at, findings);
    if at.get("job_name").is_none() {
        let finding = at.error_at_name("schema.missing", "`job_name` is required");
        findings.push(finding.help("add `job_name:` with a short description"));
    }
    let protocol = at.get("protocols").and_then(|protocols| protocols.get("lava-multinode"));
    let group = protocol.as_ref().map(|at| membership(at, job_id, findings));
    // A group keeps what was in the role beside its other keys, a single-device job has it at the top.
    let of_role = protocol.as_ref().unwrap_or(&at);
    let environment =
        of_role.get("environment").map(|at| environment::environment(&at, "schema.type", findings)).unwrap_or_default();
    let context = at
        .get("context")
        .map(|at| {
            // Which variables an instance allows was checked when the job was submitted.
            let keys: Vec<String> = at.entries().map(|(key, _)| key.text.clone()).collect();
            context::context(&at, &keys, findings)
        })
        .unwrap_or_default();
    let place = place(&at, of_role, findings);
    let blocks = member_blocks(root, group.is_some(), findings);
    let group = match group {
        Some(group) => Some(group?),
        None => None,
    };
    let sub_id = protocol
        .as_ref()
        .and_then(|at| at.get("sub_id"))
        .and_then(|at| findings.integer(&at, "schema.type", 0))
        .unwrap_or(0);
    Some(MemberJob {
        job_id,
        job_name: top.name?,
        sub_id: SubId(sub_id),
        definition: root.to_value(),
        place: place?,
        context,
        environment,
        secrets: top.secrets,
        timeouts: top.timeouts,
        group,
        blocks,
    })
}

fn place(at: &At<'_>, of_role: &At<'_>, findings: &mut Findings) -> Option<Place> {
    if at.get("connection").is_some() {
        let host = at.get("host_role").and_then(|host| findings.filled_text(&host, "role.unknown-host"));
        if at.get("host_role").is_none() {
            let finding = at.error_at_name("role.host-role-missing", "`connection` needs a `host_role`");
            findings.push(finding.help("name the role whose device is connected to"));
        }
        return Some(Place::Guest { host_role: RoleName::new(host?) });
    }
    let Some(type_at) = at.get("device_type") else {
        findings
            .push(at.error_at_name("schema.missing", "`device_type` is required").help("add the type of the device"));
        return None;
    };
    let device_type = findings.filled_text(&type_at, "schema.type")?;
    let rest = roles::pins(of_role, findings);
    Some(Place::Device {
        device_type: crate::DeviceType::new(device_type),
        device: rest.device.map(|device| device.value),
        worker: rest.worker.map(|worker| worker.value),
        tags: rest.tags.into_iter().map(|tag| tag.value).collect(),
    })
}

fn membership(at: &At<'_>, job_id: JobId, findings: &mut Findings) -> Option<Membership> {
    let mut required = |key: &str| {
        let found = at.get(key);
        if found.is_none() {
            findings.push(
                at.error_at_name("schema.missing", format!("`{key}` is required in a member's definition"))
                    .help("is this a whole job? split it first"),
            );
        }
        found
    };
    let (role, target_group, size) = (required("role"), required("target_group"), required("group_size"));
    let role = role.and_then(|at| findings.filled_text(&at, "schema.type"));
    let target_group = target_group.and_then(|at| findings.filled_text(&at, "schema.type"));
    let size = size.and_then(|at| findings.integer(&at, "schema.type", 1));
    let expect_role = at.get("expect_role").and_then(|at| findings.filled_text(&at, "role.unknown-expect"));
    let delayed_start =
        at.get("request").and_then(|at| findings.word(&at, "role.request", &["lava-start", "lava_start"])).is_some();
    let hostname =
        at.get("member-names").and_then(|at| findings.word(&at, "multinode.member-names", &["job-id", "hostname"]));
    let on_sync_timeout =
        at.get("on-sync-timeout").and_then(|at| findings.word(&at, "multinode.on-sync-timeout", &ON_SYNC_TIMEOUT));
    Some(Membership {
        role: RoleName::new(role?),
        target_group: target_group?,
        size: size?,
        members: members(at, job_id),
        timeout: at.get("timeout").and_then(|at| timeout::timeout(&at, findings).0),
        essential: at.get("essential").and_then(|at| findings.boolean(&at, "role.essential")).unwrap_or(false),
        expect_role: expect_role.map(RoleName::new),
        delayed_start,
        member_names: if hostname.as_deref() == Some("hostname") { MemberNames::Hostname } else { MemberNames::JobId },
        on_sync_timeout: match on_sync_timeout.as_deref() {
            Some("stop-definition") => OnSyncTimeout::StopDefinition,
            Some("fail-job") => OnSyncTimeout::FailJob,
            _ => OnSyncTimeout::Continue,
        },
    })
}

/// Our list of members, or what LAVA's `roles` map tells of it: names and roles. Only the member's own line has its number
/// there, the others are numbered as they come.
fn members(at: &At<'_>, job_id: JobId) -> Vec<GroupMember> {
    if let Some(list) = at.get("members") {
        return list.items().filter_map(|item| GroupMember::from_value(&item.node.to_value())).collect();
    }
    let own = at.get("sub_id").and_then(|at| scalar_text(at.node)??.parse::<u32>().ok()).unwrap_or(0);
    let own_name = job_id.to_string();
    let mut others = (0..).filter(|number| *number != own);
    at.get("roles")
        .into_iter()
        .flat_map(|roles| roles.entries().collect::<Vec<_>>())
        .filter_map(|(key, role)| {
            Some(GroupMember {
                name: key.text.clone(),
                role: RoleName::new(scalar_text(role.node)??),
                sub_id: SubId(if key.text == own_name { own } else { others.next()? }),
                guest: false,
                device: None,
            })
        })
        .collect()
}
