//! The document around the blocks: names, limits, roles, and what has no counterpart.

use serde_json::{Map, Value, json};

use super::{Assembled, Assembly};
use crate::legacy::deploy;
use crate::legacy::model::Role;

impl Assembly<'_, '_> {
    pub(super) fn finish(mut self) -> Assembled {
        let document = self.document;
        let mut head = Map::new();
        let mut put = |key: &str, value: Value| head.insert(key.to_owned(), value);
        let name = document.job_name.clone().unwrap_or_else(|| {
            if document.single { "legacy job".to_owned() } else { "legacy multinode job".to_owned() }
        });
        put("job_name", name.into());
        put("visibility", self.visibility());
        put("priority", document.priority.clone().unwrap_or_else(|| "medium".to_owned()).into());
        let limit = json!({ "seconds": document.timeout });
        put("timeouts", json!({"job": {"minutes": self.minutes()}, "action": limit, "connection": limit}));
        let metadata = self.metadata();
        if !metadata.is_empty() {
            put("metadata", metadata.into());
        }
        let mut multinode = None;
        let mut roles = Vec::new();
        if document.single {
            head.extend(self.role_keys(&document.roles[0], false));
        } else {
            let mut keys = Map::new();
            keys.insert("timeout".to_owned(), limit);
            if self.options.hostname_members {
                keys.insert("member-names".to_owned(), "hostname".into());
            }
            multinode = Some(keys);
            for (place, role) in document.roles.iter().enumerate() {
                let keys = self.role_keys(role, true);
                let slave = if role.slave { ", a slave: another member boots it" } else { "" };
                roles.push((role.name.clone(), keys, format!("device_group[{place}]{slave}")));
            }
        }
        Assembled { head, multinode, roles, blocks: self.blocks }
    }

    fn role_keys(&mut self, role: &Role, counted: bool) -> Map<String, Value> {
        let mut keys = Map::new();
        keys.insert("device_type".to_owned(), role.device_type.as_str().into());
        if counted {
            keys.insert("count".to_owned(), role.count.into());
        }
        // A device that nobody knows the type of is rehearsed on any sandbox.
        let stand_in = self.options.rehearse && role.device_type == "sandbox";
        if let Some(device) = role.device.as_ref().filter(|_| !stand_in) {
            keys.insert("device".to_owned(), device.as_str().into());
        }
        if !role.tags.is_empty() {
            keys.insert("tags".to_owned(), json!(role.tags));
        }
        if let Some(context) = deploy::context(role, self.notes) {
            keys.insert("context".to_owned(), context);
        }
        keys
    }

    /// The longest role, one more poll, and five minutes, in whole minutes.
    fn minutes(&mut self) -> u64 {
        let of = |place: usize| -> u64 {
            self.blocks.iter().filter(|block| block.roles.contains(&place)).map(|block| block.seconds).sum()
        };
        let longest = (0..self.document.roles.len()).map(of).max().unwrap_or_default();
        self.notes.assume("timeouts.job: the limits of the longest role's actions, one more \"timeout\", and 300 s");
        (longest + self.document.timeout + 300).div_ceil(60)
    }

    /// Who may see the job, by the stream its results went to.
    fn visibility(&mut self) -> Value {
        let stream = self.submitted.as_ref().and_then(|(_, stream)| stream.as_deref());
        let Some(stream) = stream else {
            self.notes.assume("visibility: personal, because no results are submitted");
            return "personal".into();
        };
        self.notes.assume("visibility: by the bundle stream");
        let parts: Vec<&str> = stream.split('/').filter(|part| !part.is_empty()).collect();
        match parts.as_slice() {
            ["private", "team", team, ..] => json!({ "group": [team] }),
            ["private", ..] => "personal".into(),
            _ => "public".into(),
        }
    }

    /// What has no counterpart in v2, and what the actions say of themselves.
    fn metadata(&mut self) -> Map<String, Value> {
        let mut legacy = Map::new();
        let (server, stream) = self.submitted.take().unwrap_or_default();
        let known = [
            ("logging_level", self.document.logging_level.clone()),
            ("bundle-server", server),
            ("bundle-stream", stream),
        ];
        for (key, value) in known {
            if let Some(value) = value {
                legacy.insert(key.to_owned(), value.into());
            }
        }
        let slaves: Vec<&str> =
            self.document.roles.iter().filter(|role| role.slave).map(|role| role.name.as_str()).collect();
        if !slaves.is_empty() {
            legacy.insert("slaves".to_owned(), json!(slaves));
        }
        let mut metadata = Map::new();
        if !legacy.is_empty() {
            metadata.insert("legacy".to_owned(), legacy.into());
        }
        metadata.extend(std::mem::take(&mut self.metadata));
        metadata
    }
}
