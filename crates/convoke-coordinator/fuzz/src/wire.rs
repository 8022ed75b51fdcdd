//! Any bytes, to the reader of frames, JSON, requests and replies.
#![no_main]
#![allow(dead_code)]

#[path = "../../tests/it/fuzz/mod.rs"]
mod fuzz;

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::wire::check(data));
