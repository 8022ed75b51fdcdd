//! A process that has sandboxes and is killed.
use std::process::ExitCode;
pub(crate) fn main() -> Option<ExitCode> {
    None
}
