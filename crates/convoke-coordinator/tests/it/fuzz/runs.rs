//! The kept inputs, then random ones: mutations of kept inputs, or new. A few seconds as a rule, as long as
//! `CONVOKE_FUZZ_SECONDS` says when it is set.

use std::panic::catch_unwind;
use std::path::Path;
use std::time::{Duration, Instant};

use super::{service, wire};
use crate::random::Random;

#[test]
fn any_bytes_are_read_without_harm() {
    run("wire", 5000, wire::check);
}

#[test]
fn any_requests_are_answered_as_the_rules_of_a_group_say() {
    run("service", 600, service::check);
}

fn run(target: &str, inputs: u32, check: fn(&[u8])) {
    let mut corpus: Vec<Vec<u8>> = Vec::new();
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut files: Vec<_> = std::fs::read_dir(&dir).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    for file in files {
        corpus.push(std::fs::read(file).unwrap());
    }
    assert!(!corpus.is_empty(), "{}: no inputs", dir.display());
    for input in &corpus {
        one(check, input);
    }
    let seconds = std::env::var("CONVOKE_FUZZ_SECONDS").ok();
    let seconds = seconds.map(|text| text.parse().expect("CONVOKE_FUZZ_SECONDS is a number of seconds"));
    let end = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let mut random = Random::new(0x5eed);
    let mut count = 0;
    while end.map_or(count < inputs, |end| Instant::now() < end) {
        one(check, &mutated(&mut random, &corpus));
        count += 1;
    }
}

fn one(check: fn(&[u8]), input: &[u8]) {
    if catch_unwind(|| check(input)).is_err() {
        panic!("failed with the input {}", input.escape_ascii());
    }
}

fn byte(random: &mut Random) -> u8 {
    random.next().to_le_bytes()[0]
}

fn mutated(random: &mut Random, corpus: &[Vec<u8>]) -> Vec<u8> {
    if random.below(3) == 0 {
        return (0..random.below(200)).map(|_| byte(random)).collect();
    }
    let mut input = corpus[random.below(corpus.len())].clone();
    for _ in 0..1 + random.below(6) {
        let (at, until) = (random.below(input.len() + 1), random.below(input.len() + 1));
        let (at, until) = (at.min(until), at.max(until));
        match random.below(4) {
            0 => input.insert(at, byte(random)),
            1 => drop(input.drain(at..until.min(at + 9))),
            2 => {
                let other = &corpus[random.below(corpus.len())];
                let from = random.below(other.len() + 1);
                let piece = other[from..(from + 30).min(other.len())].to_vec();
                input.splice(at..at, piece);
            }
            _ => {
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= 1 << random.below(8);
                }
            }
        }
    }
    input
}
