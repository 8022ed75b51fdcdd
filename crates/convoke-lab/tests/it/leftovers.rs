//! What is left when convoke is gone: nothing.
use crate::Scenario;
pub(crate) const ALL: &[(&str, Scenario)] = &[];
