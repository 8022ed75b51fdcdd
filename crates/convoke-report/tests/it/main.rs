//! The story, the page and the trace, from journals.
#![allow(clippy::unwrap_used, missing_docs)]

mod large;
