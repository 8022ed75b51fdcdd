//! What one member runs: the input of a dispatcher, typed from a member's definition.
//!
//! Shapes: job-definition.md §5–§9, §12, §13. Durations are whole or fractional seconds as given in the job; a value
//! the job does not give is `None` and resolved by the pipeline (§3.3).

use std::time::Duration;

use serde_json::{Map, Value};

use crate::console_test::{Monitor, Script};
use crate::ids::{DeviceName, DeviceType, JobId, RoleName, SubId, Tag};
use crate::job::MemberNames;

/// One member of a group (or the only member of a single-device job).
#[derive(Clone, Debug)]
pub struct MemberJob {
    /// Its job id; the decimal text names it on the device.
    pub job_id: JobId,
    /// The submission's `job_name`.
    pub job_name: String,
    /// Its number in the group; 0 for a single-device job.
    pub sub_id: SubId,
    /// The whole definition in LAVA's split form (§12.2), for `definition.yaml`.
    pub definition: Value,
    /// What kind of device it needs.
    pub place: Place,
    /// `context`: overrides of device-template variables.
    pub context: Map<String, Value>,
    /// `environment` for the test shell: nested data flattened to `A_key` and `A_0`, values as text, booleans 1 and 0.
    pub environment: Vec<(String, String)>,
    /// `secrets`: name and value.
    pub secrets: Vec<(String, String)>,
    /// The `timeouts` block.
    pub timeouts: Timeouts,
    /// The MultiNode part; `None` for a single-device job.
    pub group: Option<Membership>,
    /// The deploy, boot, test and command blocks in order.
    pub blocks: Vec<Block>,
}

/// Where a member runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// On a device of its own.
    Device {
        /// Wanted type.
        device_type: DeviceType,
        /// Exact device, when pinned.
        device: Option<DeviceName>,
        /// Worker, when pinned.
        worker: Option<String>,
        /// The device must carry all of these.
        tags: Vec<Tag>,
    },
    /// In a connection to another member's device (a guest, §13).
    Guest {
        /// The role whose device hosts the connection.
        host_role: RoleName,
    },
}

/// `protocols.lava-multinode` of a member.
#[derive(Clone, Debug)]
pub struct Membership {
    /// Its role.
    pub role: RoleName,
    /// Name of the group (`target_group`).
    pub target_group: String,
    /// Members in the group, guests included.
    pub size: u32,
    /// All members of the group in splitting order, filled at assignment (§12.4 and its `[R]` extension).
    pub members: Vec<GroupMember>,
    /// Limit of one MultiNode call from the test shell (§3.5); role before group default, else `None` (30 s).
    pub timeout: Option<Duration>,
    /// An incomplete end of this member cancels the others.
    pub essential: bool,
    /// Delayed start: wait for `lava_start` from this role before anything else (§6.5).
    pub expect_role: Option<RoleName>,
    /// Whether `request: lava-start` was given.
    pub delayed_start: bool,
    /// How members are called in the MultiNode API (the group option `member-names`).
    pub member_names: MemberNames,
    /// What an expired wait in the test shell does besides failing the call (the group option `on-sync-timeout`, §14).
    pub on_sync_timeout: OnSyncTimeout,
}

/// What a wait of the test shell that expired, or that can no longer be satisfied, does besides failing the call (§14).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnSyncTimeout {
    /// Nothing: the script sees the helper's exit status and decides.
    #[default]
    Continue,
    /// The running definition ends as failed and the rest of its test block does not run, as in LAVA. The job goes on.
    StopDefinition,
    /// The job fails.
    FailJob,
}

/// One line of the group table on the device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupMember {
    /// The member's name in the MultiNode API.
    pub name: String,
    /// Its role.
    pub role: RoleName,
    /// Its number.
    pub sub_id: SubId,
    /// Whether it is a guest (listed only by `lava-group --all`).
    pub guest: bool,
    /// Its device, or the host's device for a guest.
    pub device: Option<DeviceName>,
}

/// The `timeouts` block of a job (§3.2).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Timeouts {
    /// Limit of the whole job.
    pub job: Option<Duration>,
    /// Default limit of an action.
    pub action: Option<Duration>,
    /// Default limit of a connection.
    pub connection: Option<Duration>,
    /// Limits of actions by name.
    pub actions: Vec<(String, Duration)>,
    /// Limits of connections by action name.
    pub connections: Vec<(String, Duration)>,
    /// How long the job may wait for devices.
    pub queue: Option<Duration>,
}

/// One entry of `actions`.
#[derive(Clone, Debug)]
pub struct Block {
    /// Keys common to all blocks.
    pub common: Common,
    /// What it does.
    pub kind: BlockKind,
    /// All keys as given, for methods that need more than the typed part.
    pub parameters: Map<String, Value>,
}

/// Keys common to all blocks (§5).
#[derive(Clone, Debug, Default)]
pub struct Common {
    /// `timeout`.
    pub timeout: Option<Duration>,
    /// `timeout.skip`.
    pub skip: bool,
    /// Block-level `timeouts` by action name.
    pub timeouts: Vec<(String, Duration)>,
    /// Requests of named actions, in order (§6).
    pub requests: Vec<Request>,
    /// `namespace`, default `common`.
    pub namespace: Option<String>,
    /// `connection-namespace`.
    pub connection_namespace: Option<String>,
    /// `failure_retry`.
    pub failure_retry: Option<u32>,
    /// `failure_retry_interval`.
    pub failure_retry_interval: Option<Duration>,
    /// `repeat`.
    pub repeat: Option<u32>,
}

/// What a block does.
#[derive(Clone, Debug)]
pub enum BlockKind {
    /// `deploy`.
    Deploy {
        /// `to`.
        to: String,
        /// `os`.
        os: Option<String>,
    },
    /// `boot`.
    Boot {
        /// `method`.
        method: String,
        /// `prompts`: regular expressions; empty when the method has a default.
        prompts: Vec<String>,
        /// `auto_login`.
        auto_login: Option<AutoLogin>,
        /// `parameters.hostID` and `parameters.host_key`.
        host_address: Option<(String, String)>,
    },
    /// `test`.
    Test(TestKind),
    /// `command`.
    Command {
        /// Name of the device's user command.
        name: String,
    },
}

/// `auto_login` (§8).
#[derive(Clone, Debug)]
pub struct AutoLogin {
    /// Pattern of the login prompt.
    pub login_prompt: String,
    /// User name.
    pub username: String,
    /// Pattern of the password prompt and the password.
    pub password: Option<(String, String)>,
    /// Commands typed after login.
    pub login_commands: Vec<String>,
}

/// Kinds of test block (§9).
#[derive(Clone, Debug)]
pub enum TestKind {
    /// `definitions`, run in the test shell.
    Definitions(Vec<Definition>),
    /// `monitors`, run over the console.
    Monitors(Vec<Monitor>),
    /// `interactive`.
    Interactive(Vec<Script>),
    /// `services`.
    Services(Vec<Value>),
}

/// One entry of `definitions` (§9.1, device-side.md §5.1).
#[derive(Clone, Debug)]
pub struct Definition {
    /// `name`.
    pub name: String,
    /// Where it comes from.
    pub from: DefinitionFrom,
    /// `path` of the definition in its source.
    pub path: String,
    /// `parameters` then `params`, in order; `None` is null.
    pub parameters: Vec<(String, Option<String>)>,
    /// `skip_install`.
    pub skip_install: Vec<String>,
    /// `lava-signal: kmsg`.
    pub kmsg: bool,
    /// `expected`, when given by the job.
    pub expected: Option<Vec<String>>,
}

/// Where a definition comes from.
#[derive(Clone, Debug)]
pub enum DefinitionFrom {
    /// `from: inline`: the definition itself.
    Inline(Value),
    /// `from: git`.
    Git {
        /// URL or path.
        repository: String,
        /// `branch`.
        branch: Option<String>,
        /// `revision`.
        revision: Option<String>,
        /// `shallow`, default true unless `revision` is given.
        shallow: bool,
        /// `history`, default true: keep `.git`.
        history: bool,
        /// `recursive`.
        recursive: bool,
    },
    /// `from: url` (or `tar` with a URL): an archive.
    Url {
        /// The URL.
        repository: String,
        /// `compression`, else by suffix.
        compression: Option<String>,
        /// `strip-components`.
        strip_components: u32,
        /// `headers`.
        headers: Vec<(String, String)>,
        /// `md5sum`, `sha256sum`, `sha512sum`: algorithm and hex digest.
        checksums: Vec<(String, String)>,
    },
}

/// A MultiNode call by a named action of a block (§6.1).
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Name of the action that makes it.
    pub action: String,
    /// What is called.
    pub call: RequestCall,
    /// `messageID`.
    pub message_id: String,
    /// `message`: for a send the data, for a wait the template; values as text.
    pub message: Vec<(String, String)>,
    /// `timeout`, else the protocol's.
    pub timeout: Option<Duration>,
}

/// What a [`Request`] calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestCall {
    /// `lava-send`.
    Send,
    /// `lava-wait`.
    Wait,
    /// `lava-wait-all`, of one role when given.
    WaitAll(Option<RoleName>),
    /// `lava-sync`.
    Sync,
}

/// The namespace of a block that gives none.
pub const COMMON_NAMESPACE: &str = "common";

impl Block {
    /// Its namespace.
    pub fn namespace(&self) -> &str {
        self.common.namespace.as_deref().unwrap_or(COMMON_NAMESPACE)
    }

    /// The namespace whose console it uses.
    pub fn connection_namespace(&self) -> &str {
        self.common.connection_namespace.as_deref().unwrap_or_else(|| self.namespace())
    }
}

impl MemberJob {
    /// The role, or the job's only member.
    pub fn role(&self) -> Option<&RoleName> {
        self.group.as_ref().map(|group| &group.role)
    }
}
