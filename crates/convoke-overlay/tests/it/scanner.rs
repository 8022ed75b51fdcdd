//! Console bytes in, signals out.

use std::io::Read;

use convoke_overlay::scanner::Scanner;
use convoke_overlay::signal::{DeviceRequest, Signal, Verdict};
use proptest::prelude::*;

const SUITES: [(&str, &str); 2] = [("0_a", "7_1.1.3.1"), ("1_b", "7_1.1.3.5")];

fn scanner() -> Scanner {
    Scanner::new(SUITES.iter().map(|(suite, uuid)| (suite.to_string(), uuid.to_string())).collect())
}

fn scan(text: &[u8]) -> Vec<Signal> {
    let mut scanner = scanner();
    let mut out = scanner.feed(text);
    out.extend(scanner.flush());
    out
}

fn recording() -> Vec<u8> {
    let packed = include_bytes!("../fixtures/40-printk-interleave.raw.gz");
    let mut out = Vec::new();
    flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut out).unwrap();
    out
}

fn cases(signals: &[Signal]) -> Vec<String> {
    signals
        .iter()
        .filter_map(|signal| match signal {
            Signal::TestCase { case, .. } | Signal::Pattern { case, .. } => Some(case.clone()),
            _ => None,
        })
        .collect()
}

#[test]
fn kernel_records_inside_signals_cost_no_result_at_any_chunk_size() {
    let bytes = recording();
    let wanted: Vec<String> = (1..=200).map(|n| format!("tc-{n}")).collect();
    for size in 1..=64 {
        let mut scanner = Scanner::new(vec![("0_noise".into(), "9001_1.1.3.1".into())]);
        let mut signals: Vec<Signal> = bytes.chunks(size).flat_map(|chunk| scanner.feed(chunk)).collect();
        signals.extend(scanner.flush());
        let mut found = cases(&signals);
        found.sort_by_key(|case| case[3..].parse::<u32>().unwrap());
        assert_eq!(found, wanted, "chunk size {size}");
        assert!(matches!(signals.first(), Some(Signal::StartRun { .. })));
        assert_eq!(signals.last(), Some(&Signal::RunnerExit));
    }
}
