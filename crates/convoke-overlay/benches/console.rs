//! How fast a console is scanned: `cargo xtask bench console`.
//!
//! Output as a busy device prints it (kernel records, a compiler, a test suite that reports by lines, signals, colours,
//! a progress bar), in the pieces a dispatcher reads, on one core, with everything on: demultiplexing, cleaning, echo,
//! signals, a definition's `parse.pattern`. The limit is a plain copy of the same pieces, measured in turn, so that a slow
//! machine slows both sides. Times are those on the processor. Output without a single line end is scanned too, and the memory
//! that all of this takes is compared with what the first round took: it must not grow.

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::disallowed_methods, missing_docs)]

use std::time::Duration;

use convoke_overlay::definition::ParsePattern;
use convoke_overlay::scanner::Scanner;

/// What a dispatcher reads at once.
const PIECE: usize = 16 * 1024;
/// Bytes a round.
const TOTAL: usize = 256 << 20;
const ROUNDS: usize = 5;
/// A copy takes so little time that one of them would be below what the system's clock of a process tells apart.
const COPIES: u32 = 32;

fn main() {
    let block = output();
    let rounds = TOTAL / block.len();
    println!(
        "{} MB of output a round, {ROUNDS} rounds, one core; median (least … most)",
        rounds * block.len() / 1_000_000
    );
    let flood = flood();
    let mut samples: Vec<[f64; 4]> = Vec::new();
    let mut found = 0;
    let mut first = None;
    for _ in 0..ROUNDS {
        let plain = copy(&block, rounds);
        let (time, signals) = scan(&block, rounds, true);
        let (bare, _) = scan(&block, rounds, false);
        let (endless, _) = scan(&flood, rounds, true);
        found = signals;
        let speed = |time: Duration| (rounds * block.len()) as f64 / 1e6 / time.as_secs_f64();
        samples.push([speed(plain), speed(time), speed(bare), speed(endless)]);
        first.get_or_insert_with(peak);
    }
    let line = |name: &str, value: &dyn Fn(&[f64; 4]) -> f64, unit: &str| {
        let mut values: Vec<f64> = samples.iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        println!("{name}: {:.1}{unit} ({:.1} … {:.1})", values[ROUNDS / 2], values[0], values[ROUNDS - 1]);
    };
    line("a plain copy", &|row| row[0], " MB/s");
    line("scanned, with a parse.pattern", &|row| row[1], " MB/s");
    line("scanned, without", &|row| row[2], " MB/s");
    line("scanned, no line end anywhere, with a parse.pattern", &|row| row[3], " MB/s");
    line("ratio of copy to scan", &|row| row[0] / row[1], "");
    let (first, last) = (first.unwrap_or_default(), peak());
    println!("{found} signals a round; peak memory of the process: {first} kB in the first round, {last} kB in all");
    // Pages of the allocator come and go; what a round leaves behind would be thousands of times as much.
    assert!(last <= first + 1024, "memory grows with what is scanned");
}

fn copy(block: &[u8], rounds: usize) -> Duration {
    let mut to = vec![0; PIECE];
    let start = on_processor();
    for _ in 0..rounds * COPIES as usize {
        for piece in block.chunks(PIECE) {
            to[..piece.len()].copy_from_slice(piece);
            std::hint::black_box(&mut to);
        }
    }
    (on_processor() - start) / COPIES
}

fn scan(block: &[u8], rounds: usize, pattern: bool) -> (Duration, usize) {
    let mut scanner = Scanner::new(vec![("0_bench".into(), "1_1.1.3.1".into())]);
    if pattern {
        let parse = ParsePattern {
            pattern: r"^(?P<test_case_id>[a-zA-Z0-9_.-]+):\s+(?P<result>PASS|FAIL|SKIP)".into(),
            fixup: [("PASS", "pass"), ("FAIL", "fail"), ("SKIP", "skip")].map(|(a, b)| (a.into(), b.into())).to_vec(),
        };
        scanner.add_pattern("0_bench", &parse).unwrap();
    }
    scanner.typed(b"/lava-1/bin/lava-test-runner /lava-1/0\n<LAVA_WAIT_COMPLETE 101:a=1>\n<LAVA_SYNC_COMPLETE>\n");
    scanner.feed(b"<LAVA_SIGNAL_STARTRUN 0_bench 1_1.1.3.1>\r\n");
    let mut signals = 0;
    let start = on_processor();
    for _ in 0..rounds {
        for piece in block.chunks(PIECE) {
            signals += scanner.feed(piece).len();
        }
    }
    (on_processor() - start, signals)
}

/// About 4 MB of lines.
fn output() -> Vec<u8> {
    let mut out = Vec::new();
    let mut number = 0_u64;
    while out.len() < 4 << 20 {
        number += 1;
        let text = match number % 16 {
            0 => format!(
                "[ {:4}.{:06}] usb 1-1: new high-speed USB device number {} using xhci_hcd\r\n",
                number / 1000,
                number % 1_000_000,
                number % 120
            ),
            1 | 2 => format!(
                "[{:5}.{:06}] EXT4-fs (mmcblk0p2): mounted filesystem with ordered data mode, quota {}\r\n",
                number / 900,
                number % 1_000_000,
                number
            ),
            3..=7 => format!(
                "  CC [M]  drivers/net/ethernet/vendor{}/module_{}.o  gcc -Wall -O2 -D__KERNEL__ -Iinclude -c -o x{}.o\r\n",
                number % 37,
                number,
                number
            ),
            8 | 9 => format!(
                "\x1b[32mtest_{number}.c:{}\x1b[0m: checking <stdio.h> and [options] array[{}] done\r\n",
                number % 400,
                number % 9
            ),
            10 => format!("suite.case-{number}: PASS\r\n"),
            11 => format!("+ ./run --iterations={} --output /tmp/result.{}\r\n", number % 100, number),
            12 if number % 64 == 12 => {
                format!("<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=case-{number} RESULT=pass UNITS=s MEASUREMENT=1.25>\r\n")
            }
            12 => "downloading  12%\rdownloading  57%\rdownloading 100%\r\n".into(),
            13 => format!(
                "{:04x}: {}\r\n",
                number % 65_536,
                "de ad be ef 00 11 22 33 44 55 66 77 88 99 aa bb cc dd ee ff"
            ),
            _ => format!(
                "The quick brown fox {number} jumps over the lazy dog; bogomips 48.00, flags fpu vme de pse tsc msr\r\n"
            ),
        };
        out.extend(text.into_bytes());
    }
    out
}

/// As much without a line end, with the beginning of a signal now and then.
fn flood() -> Vec<u8> {
    let mut out = vec![b'x'; output().len()];
    out.chunks_mut(100_000).for_each(|piece| {
        if let Some(start) = piece.first_chunk_mut::<13>() {
            *start = *b"<LAVA_SIGNAL_";
        }
    });
    out
}

/// How long this process has run on a processor: what others do meanwhile does not count.
fn on_processor() -> Duration {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap();
    Duration::from_nanos(text.split_whitespace().next().unwrap().parse().unwrap())
}

/// In kB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<u64>().ok()).unwrap_or(0)
}
