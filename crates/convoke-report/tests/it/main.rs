//! The story, the page and the trace, from journals. The page in a real Chromium.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs)]

mod browser;
mod details;
mod large;
mod page;
mod small;
mod story;
mod trace;
