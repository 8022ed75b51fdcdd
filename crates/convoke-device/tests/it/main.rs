//! Device configurations as LAVA renders them, how they are rendered, and what is made of them.
#![allow(clippy::unwrap_used)]

mod dictionary;
mod machine;
mod templates;
