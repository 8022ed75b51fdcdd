//! Fuzz targets as functions of bytes. Here they are given the kept inputs and random ones; `cargo xtask fuzz` gives them
//! inputs that are led by the coverage of the code (`crates/convoke-coordinator/fuzz`, which is built from these files).

mod oracle;
pub(crate) mod service;
mod steps;
pub(crate) mod wire;

#[cfg(test)]
mod runs;
