//! The lab file as JSON Schema, for editors and for checks in other programs.
//!
//! These types describe the file; [`Lab::read`](super::Lab::read) reads it, because it must say where a mistake is. A test
//! holds both to the same keys.

#![allow(dead_code)]

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, schema_for};

/// The schema.
pub fn schema() -> Schema {
    schema_for!(LabFile)
}

/// The schema as text, as it stands in `docs/lab.schema.json`.
pub fn schema_text() -> String {
    let mut text = serde_json::to_string_pretty(&schema()).unwrap_or_default();
    text.push('\n');
    text
}

/// The devices of a lab, their workers, and how sandboxes are made.
#[derive(JsonSchema)]
#[schemars(title = "Convoke lab file", deny_unknown_fields)]
struct LabFile {
    /// Folders of LAVA's device-type templates, relative to the lab file's folder; those of LAVA's package are always searched last.
    #[schemars(default)]
    templates: Vec<String>,
    /// The devices that exist.
    #[schemars(default)]
    devices: Vec<Device>,
    /// The workers that devices hang on, by name.
    #[schemars(default)]
    workers: BTreeMap<String, Option<Worker>>,
    /// How sandboxes are made.
    sandboxes: Option<Sandboxes>,
    /// What holds for all QEMU machines.
    machines: Option<Machines>,
    /// How device types deploy and boot in jobs of the 2014 JSON format, by device type.
    #[schemars(rename = "legacy-map", default)]
    legacy_map: BTreeMap<String, Template>,
}

/// A device.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Device {
    /// Its name, and the host name of a sandbox.
    #[schemars(length(max = 63), regex(pattern = r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$"))]
    name: String,
    /// Its type, for example `sandbox`.
    #[schemars(rename = "type", length(min = 1))]
    device_type: String,
    /// What it carries beyond its type.
    #[schemars(default)]
    tags: Vec<String>,
    /// The worker it hangs on.
    worker: Option<String>,
    /// Its health; `Good` when not given. Only devices that are `Good` or `Unknown` are used.
    health: Option<DeviceHealth>,
    /// Its configuration: LAVA's device dictionary, rendered, or the path of a file with it; `*.jinja2` is rendered for each job.
    dictionary: Option<DictionaryOrFile>,
    /// Variables of the test shell.
    #[schemars(default)]
    environment: BTreeMap<String, Text>,
    /// Distro when a job's deploy does not say `os`.
    os: Option<String>,
    /// Address of this machine as a board sees it; that of the default route when not given.
    dispatcher_ip: Option<String>,
    /// Most that may be written to a sandbox's disk.
    disk: Option<Size>,
    /// Whether a QEMU machine uses hardware virtualisation.
    kvm: Option<KvmUse>,
    /// Limits that hold on this device.
    timeouts: Option<Timeouts>,
}

/// LAVA's device dictionary, or the path of a file with it, relative to the lab file's folder.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum DictionaryOrFile {
    Dictionary(BTreeMap<String, serde_json::Value>),
    File(String),
}

#[derive(JsonSchema)]
enum DeviceHealth {
    Good,
    Unknown,
    Looping,
    Bad,
    Maintenance,
    Retired,
}

/// A worker.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Worker {
    /// How many of its devices may be used at once; 0 is no limit.
    #[schemars(default)]
    job_limit: u32,
}

/// Settings of all sandboxes. A device's own settings go first.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Sandboxes {
    /// How many are made on demand, or `unlimited`. When not given: unlimited if the file lists no sandbox, else 0.
    on_demand: Option<OnDemand>,
    /// Tags of those made on demand.
    #[schemars(default)]
    tags: Vec<String>,
    /// The network of the sandboxes of a run; 10.213.0.0/16 when not given. It exists inside the run only.
    #[schemars(regex(pattern = r"^[0-9]+(\.[0-9]+){3}/[0-9]+$"))]
    network: Option<String>,
    /// Variables of the test shell.
    #[schemars(default)]
    environment: BTreeMap<String, Text>,
    /// Distro when a job's deploy does not say `os`; this machine's when not given.
    os: Option<String>,
    /// Most that may be written to the disk of one sandbox.
    disk: Option<Size>,
    /// Limits that hold on sandboxes.
    timeouts: Option<Timeouts>,
}

/// Settings of all QEMU machines. A device's own go first.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Machines {
    /// Whether they use hardware virtualisation.
    kvm: Option<KvmUse>,
}

/// `false` (`no`): never, which holds when nothing is given; `probe`: once a tiny guest has shown that it works; `true` (`yes`):
/// unproved.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum KvmUse {
    Always(bool),
    Proved(Proved),
}

#[derive(JsonSchema)]
enum Proved {
    #[schemars(rename = "probe")]
    Probe,
}

#[derive(JsonSchema)]
#[schemars(untagged)]
enum OnDemand {
    Limit(u32),
    Unlimited(Unlimited),
}

#[derive(JsonSchema)]
enum Unlimited {
    #[schemars(rename = "unlimited")]
    Unlimited,
}

/// A string; a whole number stands for its text.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum Text {
    Text(String),
    Number(i64),
}

/// Bytes, or text such as `256MiB`; at least 1 MiB.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum Size {
    Bytes(#[schemars(range(min = 1_048_576))] u64),
    Text(#[schemars(regex(pattern = r"^[0-9]+ *(B|K|KiB|M|MiB|G|GiB)?$"))] String),
}

/// Limits by action name.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Timeouts {
    /// Limits of actions.
    #[schemars(default)]
    actions: BTreeMap<String, Limit>,
    /// Limits of the silence on a connection.
    #[schemars(default)]
    connections: BTreeMap<String, Limit>,
}

/// One unit.
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum Limit {
    Days(Count),
    Hours(Count),
    Minutes(Count),
    Seconds(Count),
}

/// A whole number from 1.
#[derive(JsonSchema)]
#[schemars(transparent)]
struct Count(#[schemars(range(min = 1, max = 1_000_000))] u32);

/// How a device type deploys a disk image and boots.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Template {
    /// Keys of the deploy block, `to` among them.
    deploy: Deploy,
    /// Name of the disk image in the deploy block.
    image: Option<String>,
    /// `image_arg` of the disk image.
    image_arg: Option<String>,
    /// Keys of the boot block, `method` among them.
    boot: Boot,
}

#[derive(JsonSchema)]
struct Deploy {
    /// The deploy method.
    to: String,
}

#[derive(JsonSchema)]
struct Boot {
    /// The boot method.
    method: String,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::read;
    use super::schema;

    /// The reader and the schema know the same keys.
    #[test]
    fn the_schema_has_the_keys_that_are_read() {
        let schema = schema().to_value();
        let keys = |at: &str| {
            let mut keys: Vec<String> =
                schema.pointer(at).unwrap_or_else(|| panic!("no {at}")).as_object().unwrap().keys().cloned().collect();
            keys.sort();
            keys
        };
        let places = [
            ("/properties", read::TOP),
            ("/$defs/Device/properties", read::DEVICE),
            ("/$defs/Worker/properties", read::WORKER),
            ("/$defs/Sandboxes/properties", read::SANDBOXES),
            ("/$defs/Machines/properties", read::MACHINES),
            ("/$defs/Timeouts/properties", read::TIMEOUTS),
            ("/$defs/Template/properties", read::TEMPLATE),
        ];
        for (at, known) in places {
            let mut known: Vec<&str> = known.to_vec();
            known.sort_unstable();
            assert_eq!(keys(at), known, "{at}");
        }
    }
}
