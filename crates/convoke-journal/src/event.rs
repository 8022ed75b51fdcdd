//! The events of a run. Version 1 of `journal.jsonl`: one JSON object a line, unknown fields and unknown bodies are
//! skipped by readers.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Version of this format. A reader refuses a journal with a higher one; additions that old readers may skip do not
/// raise it.
pub const VERSION: u32 = 1;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Number in the journal, from 0, without gaps.
    pub seq: u64,
    /// Wall-clock time, for people.
    pub at: jiff::Timestamp,
    /// Nanoseconds since the run started, monotonic, for durations.
    pub elapsed_ns: u64,
    /// `sub_id` of the member it is about; `None` for the group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<u32>,
    /// What happened.
    #[serde(flatten)]
    pub body: Body,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Body {
    /// First event of every journal.
    RunStarted {
        /// Version of this format.
        version: u32,
        /// `convoke 0.1.0`.
        program: String,
        /// The job file as given.
        job_file: String,
        /// `job_name`.
        job_name: String,
        /// Group name (`target_group`).
        group: String,
        /// Whether it is a rehearsal.
        rehearsal: bool,
        /// All members in order.
        members: Vec<MemberInfo>,
        /// Secret values are never here; their number is, so that a reader knows that `[MASKED]` may occur.
        secrets: usize,
    },
    /// A warning of the check.
    Diagnostic {
        /// Code.
        code: String,
        /// `warning` or `error`.
        severity: String,
        /// Text.
        message: String,
        /// Line in the job file, from 1; 0 when it is about the whole file.
        line: usize,
    },
    /// The flow of the calls as it was planned, in the form that whoever planned it gives it.
    Planned {
        /// The flow.
        flow: serde_json::Value,
    },
    /// A member got its device.
    DeviceAllocated {
        /// Name.
        device: String,
        /// Type.
        device_type: String,
        /// Addresses at which the others reach it, as far as the lab knows them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        addresses: Vec<String>,
    },
    /// A member's own definition in split form, for `definition.yaml`.
    Definition {
        /// The definition.
        definition: serde_json::Value,
    },
    /// A member's state changed.
    MemberState {
        /// New state.
        state: MemberState,
        /// What it does, for the live line: `deploy`, `boot`, `test 0_server`.
        stage: Stage,
    },
    /// A pipeline action starts.
    ActionStarted {
        /// `1.3.2`
        level: String,
        /// LAVA's name.
        name: String,
        /// Its limit in seconds.
        timeout_s: f64,
        /// Namespace.
        namespace: String,
    },
    /// A pipeline action ended.
    ActionEnded {
        /// `1.3.2`
        level: String,
        /// LAVA's name.
        name: String,
        /// How long it took.
        duration_s: f64,
        /// Namespace.
        namespace: String,
        /// What went wrong, when it failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failure: Option<Failure>,
    },
    /// An attempt of an action failed and the action is tried again: what its results said does not count any more.
    AttemptFailed {
        /// `1.3.2`
        level: String,
        /// LAVA's name.
        name: String,
        /// Number of the attempt, from 1.
        attempt: u32,
    },
    /// A line for the log.
    Log {
        /// Level.
        level: LogLevel,
        /// Text, secrets masked.
        text: String,
    },
    /// What was typed to the console (level `input`), secrets masked.
    Input {
        /// Text with its line end.
        text: String,
    },
    /// Bytes from the console, as they came, secrets masked. Text when they are UTF-8, else base64.
    Console {
        /// The bytes when they are text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
        /// The bytes when they are not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        base64: Option<String>,
        /// The namespace of a further connection of the device; none for its own console.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        connection: Option<String>,
    },
    /// The scanner saw a STARTTC or ENDTC: the log position for results.
    TestCaseMark {
        /// Case.
        case: String,
        /// True for STARTTC.
        start: bool,
    },
    /// A test suite begins.
    SuiteStarted {
        /// `<index>_<name>`
        suite: String,
    },
    /// A test suite ended; its own result is a separate `Result` in suite `lava`.
    SuiteEnded {
        /// `<index>_<name>`
        suite: String,
    },
    /// A result.
    Result(ResultRecord),
    /// A member made a MultiNode call.
    CallMade {
        /// The member's number for this call, unique in the run.
        call_id: u64,
        /// `send`, `wait`, `wait_all`, `sync`, `group_data`.
        call: String,
        /// ID.
        message_id: String,
        /// Role of a wait-all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        role: Option<String>,
        /// Data of a send.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        data: Vec<(String, String)>,
        /// `shell` or the pipeline action's name.
        from: String,
        /// Limit in seconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit_s: Option<f64>,
    },
    /// A waiting member's state: who is missing. Recorded when a wait is parked, and whenever the set changes.
    Waiting {
        /// The call.
        call_id: u64,
        /// Members still missing, by `sub_id`.
        missing: Vec<u32>,
    },
    /// A MultiNode call was answered, and the reply is on its way (typed to the console, or given to the action).
    CallAnswered {
        /// The call.
        call_id: u64,
        /// Whether it was satisfied.
        ok: bool,
        /// Why not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// Senders and their data.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        messages: Vec<(String, serde_json::Value)>,
    },
    /// The group is probably stuck: who waits for what.
    ProbablyStuck {
        /// One line a waiting member.
        waits: Vec<String>,
    },
    /// A wait for this ID is satisfied, and the user wanted the group to stop there (`--break`): no call is answered and no
    /// limit runs until the group goes on.
    Stopped {
        /// ID.
        message_id: String,
    },
    /// The group that was stopped goes on.
    WentOn {
        /// Where it was stopped.
        message_id: String,
        /// For how long, in seconds.
        stood_s: f64,
    },
    /// A member ended.
    MemberEnded {
        /// Verdict.
        health: Health,
        /// What ended it, when not Complete.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failure: Option<Failure>,
    },
    /// The user, or an essential member's end, cancels the group.
    Canceling {
        /// Why.
        why: String,
    },
    /// Last event of every finished run.
    RunEnded {
        /// Verdict of the group.
        health: Health,
        /// `sub_id` of the first member that failed, and what.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        first_failure: Option<(u32, Failure)>,
        /// Exit status of the command.
        exit_status: i32,
    },
    /// Something a newer writer knows.
    #[serde(other)]
    Unknown,
}

impl Body {
    /// The bytes of a `Console` event; `None` for any other.
    pub fn console_bytes(&self) -> Option<std::borrow::Cow<'_, [u8]>> {
        crate::encode::console_bytes(self)
    }
}

/// Who takes part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemberInfo {
    /// Number in the group.
    pub sub_id: u32,
    /// Job id.
    pub job_id: u64,
    /// Name in the MultiNode API.
    pub name: String,
    /// Role; empty for a single-device job.
    pub role: String,
    /// Device type, or `guest of <role>`.
    pub device_type: String,
    /// Essential role.
    pub essential: bool,
    /// Nothing runs for it: its calls are made from an earlier run, or as the user says (`--only`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub played: bool,
}

/// Where a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MemberState {
    /// Waits for the group or for its delayed start.
    Starting,
    /// Works.
    Running,
    /// Cleans up.
    Ending,
    /// Done.
    Finished,
}

impl Stage {
    /// A word for people: `deploy`, `boot`, `test 0`.
    pub fn describe(&self) -> String {
        match self {
            Stage::Assembling => "assembling".into(),
            Stage::DelayedStart => "delayed start".into(),
            Stage::Deploy => "deploy".into(),
            Stage::Boot => "boot".into(),
            Stage::Test(number) => format!("test {number}"),
            Stage::Command => "command".into(),
            Stage::Finalize => "finalize".into(),
        }
    }
}

/// What a member is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Nothing yet.
    Assembling,
    /// Waits for `lava_start`.
    DelayedStart,
    /// Deploys.
    Deploy,
    /// Boots.
    Boot,
    /// Tests; the block's number from 0.
    Test(u32),
    /// Runs a user command.
    Command,
    /// Finalizes.
    Finalize,
}

/// Level of a log line (device-side.md §10).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogLevel {
    /// Details.
    Debug,
    /// Progress.
    Info,
    /// Odd, but the run goes on.
    Warning,
    /// Something failed.
    Error,
    /// `lava-test-event`.
    Event,
    /// From another connection.
    Feedback,
    /// The text of an error that ended an action.
    Exception,
}

impl LogLevel {
    /// The word of device-side.md §10.
    pub fn as_str(self) -> &'static str {
        match self {
            LogLevel::Debug => "debug",
            LogLevel::Info => "info",
            LogLevel::Warning => "warning",
            LogLevel::Error => "error",
            LogLevel::Event => "event",
            LogLevel::Feedback => "feedback",
            LogLevel::Exception => "exception",
        }
    }
}

/// One result.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ResultRecord {
    /// Suite: `lava` or `<index>_<name>`.
    pub definition: String,
    /// Case.
    pub case: String,
    /// Value.
    pub result: ResultValue,
    /// Measurement as written by the test, a checked number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measurement: Option<String>,
    /// Units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub units: Option<String>,
    /// Test set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<String>,
    /// Reference URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Duration in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<f64>,
    /// Pipeline level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
    /// Namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Further keys: `uuid`, `path`, `repository`, `revision`, `commit_id`, `error_msg`, `error_type`, `extra`, `missing`.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub extra: serde_json::Map<String, serde_json::Value>,
}

/// Value of a result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResultValue {
    /// pass
    Pass,
    /// fail
    Fail,
    /// skip
    Skip,
    /// unknown
    #[default]
    Unknown,
}

impl ResultValue {
    /// `pass`, `fail`, `skip` or `unknown`.
    pub fn as_str(self) -> &'static str {
        match self {
            ResultValue::Pass => "pass",
            ResultValue::Fail => "fail",
            ResultValue::Skip => "skip",
            ResultValue::Unknown => "unknown",
        }
    }
}

/// Verdict of a member or group (job-definition.md §15).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Health {
    /// The pipeline ran to its end.
    Complete,
    /// It ended with an error.
    Incomplete,
    /// It was cancelled.
    Canceled,
}

impl Health {
    /// `Complete`, `Incomplete` or `Canceled`.
    pub fn as_str(self) -> &'static str {
        match self {
            Health::Complete => "Complete",
            Health::Incomplete => "Incomplete",
            Health::Canceled => "Canceled",
        }
    }
}

/// Class of an error (job-definition.md §16).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ErrorClass {
    /// The lab failed.
    Infrastructure,
    /// The job's data are wrong, or one of its limits passed.
    Job,
    /// The test failed as a test.
    Test,
    /// A test action's limit passed.
    LAVATimeout,
    /// An action-level request, group assembly or delayed start expired.
    MultinodeTimeout,
    /// Device or lab configuration.
    Configuration,
    /// Our bug.
    Bug,
    /// Cancelled.
    Canceled,
}

impl ErrorClass {
    /// LAVA's `error_type`.
    pub fn as_str(self) -> &'static str {
        match self {
            ErrorClass::Infrastructure => "Infrastructure",
            ErrorClass::Job => "Job",
            ErrorClass::Test => "Test",
            ErrorClass::LAVATimeout => "LAVATimeout",
            ErrorClass::MultinodeTimeout => "MultinodeTimeout",
            ErrorClass::Configuration => "Configuration",
            ErrorClass::Bug => "Bug",
            ErrorClass::Canceled => "Canceled",
        }
    }
}

/// What ended a member or an action.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// Class.
    pub class: ErrorClass,
    /// One line: what, where, what to do.
    pub message: String,
    /// Orthogonal reason (§16): `group.member-lost`, `host-gone`, `sync-timeout`, `essential-failed`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether another member's failure caused this one; a consequence, not a cause.
    #[serde(default)]
    pub consequence: bool,
}

/// Nanoseconds of a duration, saturating.
pub fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
