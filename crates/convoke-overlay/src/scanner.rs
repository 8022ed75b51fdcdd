//! Console bytes in, signals out (device-side.md §4.1, §8.2, §8.5).

use crate::signal::Signal;

/// Scans one console for one test action.
#[derive(Debug, Default)]
pub struct Scanner {}

impl Scanner {
    /// A scanner that knows which suites and uuids this stage may start, in order (§8.5).
    pub fn new(_suites: Vec<(String, String)>) -> Self {
        Scanner {}
    }

    /// Switches on a definition's `parse.pattern`, compiled by the caller's word; off with `None`.
    pub fn set_pattern(&mut self, _pattern: Option<crate::definition::ParsePattern>) {}

    /// Tells what the dispatcher typed, so that its echo is not obeyed.
    pub fn typed(&mut self, _bytes: &[u8]) {}

    /// Takes bytes as they came, and returns what they complete.
    pub fn feed(&mut self, _bytes: &[u8]) -> Vec<Signal> {
        Vec::new()
    }

    /// No more bytes will come, or none came for a while: what was held back is released.
    pub fn flush(&mut self) -> Vec<Signal> {
        Vec::new()
    }
}
