//! One definition per member, in LAVA's split form (job-definition.md §12).
//!
//! A member is always read from its definition, here as in a dispatcher that gets the definition in a file: there is
//! one way from text to [`MemberJob`]. Members are numbered in the order of the roles in the document, then of the
//! instances.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::ids::{DeviceName, JobId, RoleName, SubId};
use crate::job::{Group, Job, JobKind, MemberNames, Role, resolve_member_name};
use crate::member::{GroupMember, MemberJob, Place};
use crate::node::Node;

/// Copied unchanged from the submission, in this order (§12.2 step 2).
const COPIED: [&str; 8] =
    ["job_name", "timeouts", "priority", "visibility", "notify", "metadata", "reboot_to_fastboot", "secrets"];
/// Moved from the role to the top level (step 3).
const MOVED: [&str; 4] = ["device_type", "connection", "host_role", "context"];

impl Job {
    /// The members, ids counted from `first_id`. `target_group` names the group; a single-device job has one member
    /// without a group, and its definition is the document.
    pub fn split(&self, target_group: &str, first_id: u64) -> Vec<MemberJob> {
        let definitions = match &self.kind {
            JobKind::Single(_) => vec![Value::Object(self.document.clone())],
            JobKind::Group(group) => self.definitions(group, target_group),
        };
        let expected = definitions.len();
        let members: Vec<MemberJob> = definitions
            .into_iter()
            .enumerate()
            .filter_map(|(k, definition)| {
                let id = JobId(first_id.saturating_add(k as u64));
                MemberJob::from_definition(&Node::from_value(&definition), id).0
            })
            .collect();
        debug_assert_eq!(members.len(), expected, "a member's definition of a checked job can be read");
        members
    }

    /// The first member of every role that has any, as [`Job::split`] numbers them; the others of a role differ from it
    /// in their numbers only. For a look at a large group that does not make all of it.
    pub fn first_of_each_role(&self) -> Vec<MemberJob> {
        let JobKind::Group(group) = &self.kind else { return self.split("", 0) };
        self.some_definitions(group, "group", |_| 1)
            .iter()
            .filter_map(|definition| MemberJob::from_definition(&Node::from_value(definition), JobId(0)).0)
            .collect()
    }

    fn definitions(&self, group: &Group, target_group: &str) -> Vec<Value> {
        self.some_definitions(group, target_group, |count| count)
    }

    /// Those of at most `most(count)` members of every role with `count`.
    fn some_definitions(&self, group: &Group, target_group: &str, most: impl Fn(u32) -> u32) -> Vec<Value> {
        let size = self.size();
        let mut out = Vec::new();
        let mut sub_id = 0;
        for role in &group.roles {
            let count = role.count.value;
            let first = sub_id;
            sub_id += count as usize;
            let Some(keys) = self.role_keys(role.name.value.as_str()) else { continue };
            let actions = self.actions_of(&role.name.value);
            for k in 0..count.min(most(count)) {
                out.push(self.definition(role, keys, &actions, target_group, size, first + k as usize));
            }
        }
        out
    }

    fn protocol(&self) -> Option<&Map<String, Value>> {
        self.document.get("protocols")?.get("lava-multinode")?.as_object()
    }

    fn role_keys(&self, role: &str) -> Option<&Map<String, Value>> {
        self.protocol()?.get("roles")?.get(role)?.as_object()
    }

    /// The actions of a role, `role` in them replaced by its name (step 1).
    fn actions_of(&self, role: &RoleName) -> Value {
        let all = self.document.get("actions").and_then(Value::as_array).into_iter().flatten();
        all.zip(&self.actions)
            .filter(|(_, action)| action.roles.contains(role))
            .map(|(value, _)| {
                let mut value = value.clone();
                for block in value.as_object_mut().into_iter().flat_map(Map::values_mut) {
                    if block.is_null() {
                        *block = json!({});
                    }
                    if let Some(block) = block.as_object_mut() {
                        block.insert("role".into(), Value::from(role.as_str()));
                    }
                }
                value
            })
            .collect()
    }

    fn definition(
        &self,
        role: &Role,
        keys: &Map<String, Value>,
        actions: &Value,
        target_group: &str,
        size: u32,
        k: usize,
    ) -> Value {
        let mut out = Map::new();
        out.insert("actions".into(), actions.clone());
        for (from, names) in [(&self.document, &COPIED[..]), (keys, &MOVED[..])] {
            for name in names {
                if let Some(value) = from.get(*name) {
                    out.insert((*name).into(), value.clone());
                }
            }
        }
        let mut protocol = Map::new();
        protocol.insert("target_group".into(), target_group.into());
        protocol.insert("role".into(), role.name.value.as_str().into());
        protocol.insert("group_size".into(), size.into());
        protocol.insert("sub_id".into(), k.into());
        for (name, value) in keys {
            if name != "count" && !MOVED.contains(&name.as_str()) && !protocol.contains_key(name) {
                protocol.insert(name.clone(), value.clone());
            }
        }
        // Unlike in LAVA, what the role says goes before what the group says (§4).
        for (name, value) in self.protocol().into_iter().flatten() {
            if name != "roles" && !protocol.contains_key(name) {
                protocol.insert(name.clone(), value.clone());
            }
        }
        let mut protocols = Map::new();
        protocols.insert("lava-multinode".into(), Value::Object(protocol));
        for (name, value) in self.document.get("protocols").and_then(Value::as_object).into_iter().flatten() {
            if name != "lava-multinode" {
                protocols.insert(name.clone(), value.clone());
            }
        }
        out.insert("protocols".into(), Value::Object(protocols));
        Value::Object(out)
    }

    /// Tells every member who is in the group, once devices are chosen (§12.4). `devices[k]` is the device of the
    /// member with number k; guests have none. Both LAVA's `roles` map, of device members only, and our `members` list
    /// go into each definition.
    pub fn assign(&self, members: &mut [MemberJob], devices: &[Option<DeviceName>]) {
        assign(members, self.member_names(), devices);
    }

    /// What `convoke split` prints: the definitions by role, in order of the roles. The member of a single-device job
    /// is listed below `single`.
    pub fn split_value(&self, members: &[MemberJob]) -> Value {
        let mut roles = Map::new();
        match &self.kind {
            JobKind::Single(_) => {
                let definitions = members.iter().map(|member| member.definition.clone()).collect();
                roles.insert("single".into(), Value::Array(definitions));
            }
            JobKind::Group(group) => {
                for role in &group.roles {
                    let mine = members.iter().filter(|member| member.role() == Some(&role.name.value));
                    let definitions = mine.map(|member| member.definition.clone()).collect();
                    roles.insert(role.name.value.to_string(), Value::Array(definitions));
                }
            }
        }
        json!({ "roles": roles })
    }
}

fn assign(members: &mut [MemberJob], names: MemberNames, devices: &[Option<DeviceName>]) {
    let own = |at: usize| devices.get(at).cloned().flatten();
    let mut hosts: BTreeMap<&RoleName, DeviceName> = BTreeMap::new();
    for (at, member) in members.iter().enumerate() {
        if let (Some(role), Some(device), Place::Device { .. }) = (member.role(), own(at), &member.place) {
            hosts.entry(role).or_insert(device);
        }
    }
    let table: Vec<GroupMember> = members
        .iter()
        .enumerate()
        .filter_map(|(at, member)| {
            let (guest, device) = match &member.place {
                Place::Device { .. } => (false, own(at)),
                Place::Guest { host_role } => (true, hosts.get(host_role).cloned()),
            };
            let name = resolve_member_name(names, member.job_id, member.sub_id, guest, device.as_ref());
            Some(GroupMember { name, role: member.role()?.clone(), sub_id: member.sub_id, guest, device })
        })
        .collect();
    let roles: Map<String, Value> = table
        .iter()
        .filter(|member| !member.guest)
        .map(|member| (member.name.clone(), member.role.as_str().into()))
        .collect();
    let list: Vec<Value> = table
        .iter()
        .map(|member| {
            json!({
                "id": member.name,
                "sub_id": member.sub_id,
                "role": member.role,
                "kind": if member.guest { "guest" } else { "device" },
                "device": member.device,
            })
        })
        .collect();
    for member in members {
        let Some(group) = &mut member.group else { continue };
        group.members = table.clone();
        if let Some(protocol) =
            member.definition.pointer_mut("/protocols/lava-multinode").and_then(Value::as_object_mut)
        {
            protocol.insert("roles".into(), Value::Object(roles.clone()));
            protocol.insert("members".into(), Value::Array(list.clone()));
        }
    }
}

impl GroupMember {
    /// A line of the group table from its form in a definition.
    pub(crate) fn from_value(value: &Value) -> Option<Self> {
        Some(GroupMember {
            name: value.get("id")?.as_str()?.to_owned(),
            role: RoleName::new(value.get("role")?.as_str()?),
            sub_id: SubId(u32::try_from(value.get("sub_id")?.as_u64()?).ok()?),
            guest: value.get("kind")?.as_str()? == "guest",
            device: value.get("device").and_then(Value::as_str).map(DeviceName::new),
        })
    }
}
