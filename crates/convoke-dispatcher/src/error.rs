//! How a member fails: class, message, reason (job-definition.md §16).

pub use convoke_journal::{ErrorClass, Failure};

/// An error that ends an action.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct ActionError {
    /// Class.
    pub class: ErrorClass,
    /// One line: what, where, what to do.
    pub message: String,
    /// Orthogonal reason, for example `guest.unreachable`.
    pub reason: Option<String>,
    /// Whether another member's failure caused this one.
    pub consequence: bool,
}

impl ActionError {
    /// An error of `class`.
    pub fn new(class: ErrorClass, message: impl Into<String>) -> Self {
        ActionError { class, message: message.into(), reason: None, consequence: false }
    }

    /// The lab failed.
    pub fn infrastructure(message: impl Into<String>) -> Self {
        Self::new(ErrorClass::Infrastructure, message)
    }

    /// The job is wrong.
    pub fn job(message: impl Into<String>) -> Self {
        Self::new(ErrorClass::Job, message)
    }

    /// The test failed as a test.
    pub fn test(message: impl Into<String>) -> Self {
        Self::new(ErrorClass::Test, message)
    }

    /// Adds the reason.
    #[must_use]
    pub fn reason(mut self, reason: &str) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Marks it as a consequence of another member's failure.
    #[must_use]
    pub fn consequence(mut self) -> Self {
        self.consequence = true;
        self
    }
}

impl From<convoke_artifact::Error> for ActionError {
    fn from(error: convoke_artifact::Error) -> Self {
        ActionError::new(class_of(error.fault), error.message)
    }
}

/// The class of what cannot be had.
pub(crate) fn class_of(fault: convoke_artifact::Fault) -> ErrorClass {
    match fault {
        convoke_artifact::Fault::Job => ErrorClass::Job,
        convoke_artifact::Fault::Lab => ErrorClass::Infrastructure,
        convoke_artifact::Fault::Bug => ErrorClass::Bug,
    }
}
