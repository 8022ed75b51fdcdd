//! Notices what a kernel says when it is in trouble: panics, oopses, lockups, warnings (device-side.md §3, §8.1).
//!
//! Only what the kernel itself prints counts: a line with its time stamp, wherever in a user's line it stands, or, as time
//! stamps may be off, a line that begins with the words of a panic. The same record printed again (`dmesg`) counts once.
//! Memory is bounded: a long line is cut, and of very many faults the first are kept.

use std::collections::BTreeSet;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The kernel has stopped.
    Panic,
    /// A part of it has: an oops, a bug, a lockup.
    Oops,
    /// It goes on.
    Warning,
}

/// One fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) kind: Kind,
    /// The line that shows it, without its time stamp.
    pub(crate) line: String,
}

impl Kind {
    /// `kernel panic`, `kernel oops` or `kernel warning`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Panic => "kernel panic",
            Kind::Oops => "kernel oops",
            Kind::Warning => "kernel warning",
        }
    }
}

/// What the kernel's lines say. Those that begin so count without a time stamp, too, where the last column says it.
const SIGNS: &[(&str, Kind, bool)] = &[
    ("Kernel panic - not syncing", Kind::Panic, true),
    ("Unable to handle kernel", Kind::Oops, true),
    ("BUG: unable to handle", Kind::Oops, true),
    ("BUG: kernel NULL pointer", Kind::Oops, true),
    ("Internal error: Oops", Kind::Oops, true),
    ("general protection fault", Kind::Oops, false),
    ("Oops: ", Kind::Oops, true),
    ("Oops - ", Kind::Oops, true),
    ("kernel BUG at", Kind::Oops, true),
    ("BUG: ", Kind::Oops, false),
    ("invalid opcode: ", Kind::Oops, false),
    ("Unhandled fault", Kind::Oops, false),
    ("detected stalls on CPUs", Kind::Oops, false),
    ("blocked for more than", Kind::Oops, false),
    ("WARNING: ", Kind::Warning, false),
];

/// Bytes kept of a line.
const LINE: usize = 512;
/// Faults kept.
const MOST: usize = 100;

/// Looks for faults in the bytes of a console.
#[derive(Debug, Default)]
pub(crate) struct FaultWatch {
    line: Vec<u8>,
    /// Records seen, time stamps and all.
    seen: BTreeSet<String>,
}

impl FaultWatch {
    /// The faults that these bytes complete.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Vec<Fault> {
        let mut found = Vec::new();
        for &byte in bytes {
            if byte == b'\n' || byte == b'\r' {
                if !self.line.is_empty() {
                    found.extend(self.complete());
                }
                self.line.clear();
            } else if self.line.len() < LINE {
                self.line.push(byte);
            }
        }
        found
    }

    fn complete(&mut self) -> Option<Fault> {
        let line = String::from_utf8_lossy(&self.line);
        let (stamp, text) = match record(&line) {
            Some((stamp, text)) => (Some(stamp), text),
            None => (None, line.trim()),
        };
        let kind = SIGNS.iter().find_map(|(sign, kind, bare)| {
            let there = if stamp.is_some() { text.contains(sign) } else { *bare && text.starts_with(sign) };
            there.then_some(*kind)
        })?;
        let printable = text.chars().filter(|letter| !letter.is_control()).collect::<String>();
        let key = format!("{}{printable}", stamp.unwrap_or_default());
        if self.seen.len() >= MOST && kind != Kind::Panic || !self.seen.insert(key) {
            return None;
        }
        Some(Fault { kind, line: printable.trim().to_owned() })
    }
}

/// Time stamp and text of the last kernel record in a line.
fn record(line: &str) -> Option<(&str, &str)> {
    line.match_indices('[').rev().find_map(|(at, _)| {
        let rest = &line[at + 1..];
        let (stamp, text) = rest.split_once(']')?;
        let (seconds, fraction) = stamp.trim_start().split_once('.')?;
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(seconds) || fraction.len() != 6 || !digits(fraction) {
            return None;
        }
        // A caller's id may follow: `[    T1]`.
        let text = match text.strip_prefix('[').and_then(|text| text.split_once(']')) {
            Some((caller, text)) if caller.trim_start().starts_with(['T', 'C']) => text,
            _ => text,
        };
        Some((stamp, text.trim()))
    })
}

#[cfg(test)]
mod tests {
    use super::{FaultWatch, Kind};

    #[track_caller]
    fn check(text: &str, expected: &[(Kind, &str)]) {
        let seen = |faults: Vec<super::Fault>| faults.into_iter().map(|f| (f.kind, f.line)).collect::<Vec<_>>();
        let expected: Vec<_> = expected.iter().map(|(kind, line)| (*kind, (*line).to_owned())).collect();
        assert_eq!(seen(FaultWatch::default().feed(text.as_bytes())), expected, "{text}");
        let mut slow = FaultWatch::default();
        let bytewise = text.bytes().flat_map(|byte| slow.feed(&[byte])).collect();
        assert_eq!(seen(bytewise), expected, "{text} byte by byte");
    }

    #[test]
    fn what_the_kernel_says_is_told_apart_from_what_programs_say() {
        let panic = "Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100";
        check(&format!("[    1.234567] {panic}\r\n"), &[(Kind::Panic, panic)]);
        check(&format!("[    1.234567][    T1] {panic}\n"), &[(Kind::Panic, panic)]);
        check(&format!("{panic}\r\n"), &[(Kind::Panic, panic)]);
        check(&format!("echo {panic}\r\n"), &[]);
        check("ab[   12.000001] BUG: soft lockup - CPU#0\r\nc\r\n", &[(Kind::Oops, "BUG: soft lockup - CPU#0")]);
        check("[    2.000000] WARNING: CPU: 0 PID: 1\n", &[(Kind::Warning, "WARNING: CPU: 0 PID: 1")]);
        check("WARNING: no such file\nBUG: mine\n[x] BUG: y\n[1.2] BUG: z\n", &[]);
    }

    #[test]
    fn a_record_counts_once_and_a_line_is_bounded() {
        let line = "[    2.000000] Oops: 0002 [#1]\r\n";
        check(&line.repeat(3), &[(Kind::Oops, "Oops: 0002 [#1]")]);
        let mut watch = FaultWatch::default();
        assert_eq!(watch.feed(&vec![b'['; 1_000_000]), []);
        assert!(watch.line.len() <= super::LINE);
        for number in 0..1000 {
            watch.feed(format!("\n[    2.{number:06}] Oops: 1\n").as_bytes());
        }
        assert_eq!(watch.seen.len(), super::MOST);
    }
}
