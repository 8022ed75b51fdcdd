//! Any bytes, to the reader of frames, JSON, requests and replies.
#![no_main]
// The module is that of the tests, with the targets of both programs in it; each calls its own.
#![allow(dead_code)]

#[path = "../../tests/it/fuzz/mod.rs"]
mod fuzz;

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::wire::check(data));
