//! Any text, as the script of a definition.
#![no_main]
// The modules are those of the tests, with more in them than is used here.
#![allow(dead_code, clippy::unwrap_used)]

#[path = "../../tests/it/fuzz.rs"]
mod fuzz;
#[path = "../../tests/it/one.rs"]
mod one;

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::script(data));
