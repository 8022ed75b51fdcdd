//! Device configurations as LAVA renders them, and what is made of them.
#![allow(clippy::unwrap_used)]

mod dictionary;
mod machine;
