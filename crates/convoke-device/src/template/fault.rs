//! What is wrong with a template, and where.

use std::error::Error as _;
use std::fmt;

use minijinja::{Error, ErrorKind};

/// Why a template cannot be rendered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateFault {
    /// What is wrong.
    pub message: String,
    /// Path and line of the template that is at fault, as far as it is known.
    pub place: Option<(String, usize)>,
    /// The paths of the templates that were needed until then, the one that was rendered first, then what it extends,
    /// and so on.
    pub chain: Vec<String>,
}

impl TemplateFault {
    /// The fault, with the templates that were needed so far.
    pub(super) fn of(error: &Error, used: &[(String, String)]) -> TemplateFault {
        let place =
            |name: &str| used.iter().find(|(known, _)| known == name).map_or(name, |(_, place)| place).to_owned();
        // The innermost error says what is wrong; those around it how one came there.
        let mut inner = error;
        let mut sources: Option<&dyn std::error::Error> = error.source();
        while let Some(source) = sources {
            if let Some(more) = source.downcast_ref::<Error>() {
                inner = more;
            }
            sources = source.source();
        }
        let named = inner.name().or(error.name());
        let line = inner.line().or(error.line());
        let message = match (inner.kind(), inner.detail()) {
            (ErrorKind::OutOfFuel, _) => "it does not come to an end".to_owned(),
            (ErrorKind::TemplateNotFound, Some(detail)) => format!("template not found: {detail}"),
            (ErrorKind::WriteFailure, _) => error.source().map_or_else(|| inner.to_string(), ToString::to_string),
            (ErrorKind::InvalidOperation, Some(detail)) => detail.to_owned(),
            (ErrorKind::UndefinedError, None) => "a value is used that is not defined".to_owned(),
            (kind, None) => kind.to_string(),
            (kind, Some(detail)) => format!("{kind}: {detail}"),
        };
        TemplateFault {
            message,
            place: named.map(|name| (place(name), line.unwrap_or(0))),
            chain: used.iter().map(|(_, place)| place.clone()).collect(),
        }
    }
}

impl fmt::Display for TemplateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((place, line)) = &self.place {
            write!(f, "{place}:{line}: ")?;
        }
        f.write_str(&self.message)?;
        if self.chain.len() > 1 {
            write!(f, " ({})", self.chain.join(" → "))?;
        }
        Ok(())
    }
}

impl std::error::Error for TemplateFault {}
