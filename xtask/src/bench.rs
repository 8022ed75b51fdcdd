//! Measures what docs/PERFORMANCE.md speaks of.

pub(crate) fn run() -> Result<(), String> {
    Err("nothing to measure yet".into())
}
