//! Black-box tests of the flow.
#![allow(clippy::unwrap_used, missing_docs)]

mod scene;
mod table;
