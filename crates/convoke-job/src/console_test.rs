//! Tests that need a console and nothing on the device: monitors and interactive scripts (job-definition.md §9.2, §9.3).

use std::time::Duration;

use crate::member::RequestCall;

/// Watches what a device prints between two texts. Its suite has its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Monitor {
    /// `name`.
    pub name: String,
    /// Pattern of what comes before the first result.
    pub start: String,
    /// Pattern of what comes after the last one.
    pub end: String,
    /// Pattern of a result, with the groups `test_case_id`, `result` and perhaps `measurement`, `units`.
    pub pattern: String,
    /// `fixupdict`: from the text of `result` to pass, fail, skip, unknown.
    pub fixup: Vec<(String, String)>,
    /// `expected`: cases that must be reported, and the only ones that may be.
    pub expected: Option<Vec<String>>,
}

/// Commands that are typed on a console, and what they must bring about. Its suite has its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// `name`.
    pub name: String,
    /// Patterns of the prompts, at least one.
    pub prompts: Vec<String>,
    /// `echo: discard`: what was typed comes back and is no output.
    pub discard_echo: bool,
    /// `expected`: cases that must be reported, and the only ones that may be.
    pub expected: Option<Vec<String>>,
    /// `script`, in order.
    pub steps: Vec<Step>,
}

/// One step of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Something is typed or only waited for.
    Command(CommandStep),
    /// A call of the group.
    Call(CallStep),
}

/// A step that types, or only waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandStep {
    /// `name`: the case of its result; without one there is none.
    pub name: Option<String>,
    /// `command`: typed with a line end; `None` types nothing. `{NAME}` stands for a variable.
    pub command: Option<String>,
    /// `delay`: pause before it.
    pub delay: Duration,
    /// Whether a prompt is waited for after a message was seen.
    pub wait_for_prompt: bool,
    /// Patterns that make it pass. When there are any, a prompt without one of them makes it fail.
    pub successes: Vec<String>,
    /// Patterns that make it fail.
    pub failures: Vec<FailureMessage>,
}

/// One of `failures`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailureMessage {
    /// Pattern.
    pub message: String,
    /// Class of the error that ends the job; without one the script goes on.
    pub exception: Option<StepException>,
    /// Text of that error.
    pub error: Option<String>,
}

/// The class of an error that a step asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepException {
    /// `InfrastructureError`.
    Infrastructure,
    /// `JobError`.
    Job,
    /// `TestError`.
    Test,
}

/// A step that calls the group: `lava-send: "id key=value"`, `lava-wait: id`, `lava-wait-all: "id role=R"`, `lava-sync: id`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallStep {
    /// What is called.
    pub call: RequestCall,
    /// Message ID.
    pub message_id: String,
    /// Data of a send. `{NAME}` in a value stands for a variable.
    pub data: Vec<(String, String)>,
}

impl StepException {
    /// The names a job has for them.
    pub const NAMES: [&str; 3] = ["InfrastructureError", "JobError", "TestError"];

    /// The class of a name.
    pub fn of(name: &str) -> Option<StepException> {
        let at = Self::NAMES.iter().position(|known| *known == name)?;
        Some([StepException::Infrastructure, StepException::Job, StepException::Test][at])
    }
}
