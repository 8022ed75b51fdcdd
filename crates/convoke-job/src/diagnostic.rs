//! One finding about a document: a stable code, what is wrong, where, and how to mend it.

use crate::source::{Source, Span};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The job runs, but probably not as meant.
    Warning,
    /// The job is refused.
    Error,
}

impl Severity {
    /// `error` or `warning`.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

/// A place in the document with a few words about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What is there; may be empty for the primary place.
    pub text: String,
}

/// One finding. Messages are lower-case fragments without a full stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Stable dotted code, for example `role.count` (job-definition.md §11.2).
    pub code: &'static str,
    /// Error or warning.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    pub help: Option<String>,
    /// Path of the finding in the document, for example `roles.client.count` or `actions[2].test.role[1]`.
    pub path: String,
    /// Places, the primary one first. Empty only when the finding is about the whole document.
    pub labels: Vec<Label>,
}

impl Diagnostic {
    /// An error at one place.
    pub fn error(code: &'static str, path: impl Into<String>, span: Span, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, path, span, message)
    }

    /// A warning at one place.
    pub fn warning(code: &'static str, path: impl Into<String>, span: Span, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, path, span, message)
    }

    fn new(
        severity: Severity,
        code: &'static str,
        path: impl Into<String>,
        span: Span,
        message: impl Into<String>,
    ) -> Self {
        Diagnostic {
            code,
            severity,
            message: message.into(),
            help: None,
            path: path.into(),
            labels: vec![Label { span, text: String::new() }],
        }
    }

    /// Adds how to mend it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Says what is at the primary place.
    #[must_use]
    pub fn at(mut self, text: impl Into<String>) -> Self {
        if let Some(label) = self.labels.first_mut() {
            label.text = text.into();
        }
        self
    }

    /// Adds another place.
    #[must_use]
    pub fn also(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: text.into() });
        self
    }

    /// The finding for programs: `{"code", "severity", "message", "help", "path", "spans": [{"line", "column",
    /// "end_line", "end_column", "label"}]}`; lines and columns from 1, the end is one past the last character.
    pub fn to_json(&self, source: &Source) -> serde_json::Value {
        let spans: Vec<_> = self
            .labels
            .iter()
            .map(|label| {
                let (start, end) = (source.position(label.span.start), source.position(label.span.end));
                serde_json::json!({
                    "line": start.line,
                    "column": start.column,
                    "end_line": end.line,
                    "end_column": end.column,
                    "label": label.text,
                })
            })
            .collect();
        serde_json::json!({
            "code": self.code,
            "severity": self.severity.as_str(),
            "message": self.message,
            "help": self.help,
            "path": self.path,
            "spans": spans,
        })
    }

    /// Whether the job is refused because of this.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}
