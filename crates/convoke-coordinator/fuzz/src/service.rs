//! Any sequence of requests, to the whole service beside the rules of a group.
#![no_main]
#![allow(dead_code)]

#[path = "../../tests/it/fuzz/mod.rs"]
mod fuzz;

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::service::check(data));
