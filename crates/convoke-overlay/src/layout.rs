//! The overlay of one member as a list of files, and its archive (device-side.md §1).

use convoke_job::member::{Definition, GroupMember};

use crate::definition::TestDefinition;

/// Everything the overlay of one member is made from.
#[derive(Clone, Debug)]
pub struct OverlayPlan {
    /// Job id as text: the name of the directory, `lava-<id>`, and the member's own name unless `self_name` differs.
    pub job_id: String,
    /// The results directory on the device, absolute, `%s` already replaced: `/lava-9001`.
    pub results_dir: String,
    /// First line of every helper, for example `/bin/sh`.
    pub shell: String,
    /// `environment` file: names and values in order (device-side.md §1.2).
    pub environment: Vec<(String, String)>,
    /// `secrets` file.
    pub secrets: Vec<(String, String)>,
    /// The MultiNode data files; `None` for a single-device job.
    pub group: Option<GroupTable>,
    /// One entry a test block of the namespace, in order.
    pub stages: Vec<Stage>,
    /// Distro of the deployment (`os:`), for `deps-<distro>` and the package helpers; `None` is generic.
    pub distro: Option<String>,
    /// Storage, addresses and other device data for `lava-target-*`: file name under `device/` and text.
    pub device_files: Vec<(String, String)>,
}

/// What `multinode/` holds (§1.3).
#[derive(Clone, Debug)]
pub struct GroupTable {
    /// This member's name.
    pub self_name: String,
    /// Its role.
    pub role: String,
    /// All members.
    pub members: Vec<GroupMember>,
}

/// One test action.
#[derive(Clone, Debug, Default)]
pub struct Stage {
    /// Its definitions in order.
    pub definitions: Vec<StagedDefinition>,
}

/// One definition with its files.
#[derive(Clone, Debug)]
pub struct StagedDefinition {
    /// Number over all definitions of the namespace; the suite is `<index>_<name>`.
    pub index: usize,
    /// The job's entry.
    pub entry: Definition,
    /// The definition.
    pub definition: TestDefinition,
    /// Its document, re-dumped into `testdef.yaml`.
    pub document: serde_json::Value,
    /// `<job id>_<level of the repo action>`.
    pub uuid: String,
    /// Commit that was fetched.
    pub commit: Option<String>,
    /// Archives (uncompressed tar) unpacked into the definition's directory, in order: the checkout, then git-repos
    /// (their entries already under the destination's name).
    pub files: Vec<std::path::PathBuf>,
}

impl StagedDefinition {
    /// The suite: `<index>_<name>`.
    pub fn suite(&self) -> String {
        format!("{}_{}", self.index, self.entry.name)
    }
}
