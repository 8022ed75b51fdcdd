//! The regular expressions of a job, in Python's syntax: prompts and patterns of results.
//!
//! Compiled here alone, so that what passes a check also runs.

use fancy_regex::{Regex, RegexBuilder};

/// A text that is no regular expression: why, on one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PatternError(String);

/// Compiles a pattern; `^` and `$` match at every line.
pub fn compile(pattern: &str) -> Result<Regex, PatternError> {
    RegexBuilder::new(pattern)
        .multi_line(true)
        .build()
        .map_err(|cause| PatternError(cause.to_string().split_whitespace().collect::<Vec<_>>().join(" ")))
}
