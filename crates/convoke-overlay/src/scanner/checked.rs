//! Signals with a checksum and a number (device-side.md §8.4): `<LAVA_SIGNAL_TESTCASE … #TAG-12.29b1>`.
//!
//! The checksum covers everything from behind `<` to the number, so neither a value nor a number can change unnoticed.
//! Values of such a signal may hold any byte, as `%` and three octal digits. `#0` is checked but not counted. The tag is
//! the runner's for one suite: a process that an earlier suite has left behind goes on with the numbers of that one.

use std::collections::BTreeSet;

use crate::link::crc::crc;
use crate::link::text::unescape;
use crate::signal::Signal;

/// What the end of a signal says about the rest of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trailer<'a> {
    /// Whole: the signal without it, as `<…>`'s inner text, its tag and its number.
    Good(&'a str, &'a str, u32),
    /// What is left of one.
    Damaged,
    /// There is none.
    Missing,
}

/// Looks at a signal, `<` to `>`.
pub(super) fn trailer(text: &str) -> Trailer<'_> {
    let inner = text.strip_prefix('<').and_then(|text| text.strip_suffix('>')).unwrap_or(text);
    let good = || {
        let (signal, mark) = inner.rsplit_once(" #")?;
        let (number, sum) = mark.split_once('.')?;
        let (tag, number) = number.split_once('-').unwrap_or(("", number));
        let plain = number.bytes().all(|byte| byte.is_ascii_digit()) && sum.len() == 4;
        let sum = u16::from_str_radix(sum, 16).ok().filter(|_| plain)?;
        let covered = &inner[..inner.len() - 5];
        let value: u32 = number.parse().ok()?;
        (crc(covered.as_bytes()) == sum).then_some(Trailer::Good(signal, tag, value))
    };
    good().unwrap_or_else(|| if looks_damaged(inner) { Trailer::Damaged } else { Trailer::Missing })
}

/// Whether a signal without a whole trailer seems to have had one: a `#` and a digit anywhere in its last word, or a dot
/// and four digits of a sum at its end.
fn looks_damaged(inner: &str) -> bool {
    let last = inner.split_ascii_whitespace().next_back().unwrap_or_default().as_bytes();
    let number = last.windows(2).any(|two| two[0] == b'#' && two[1].is_ascii_digit());
    let sum = last.len() >= 5 && {
        let end = &last[last.len() - 5..];
        end[0] == b'.' && end[1..].iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    number || sum || last.starts_with(b"#")
}

/// The same signal with its values as they were before they were escaped.
pub(super) fn unescaped(signal: Signal) -> Signal {
    let plain = |text: String| match unescape(text.as_bytes()) {
        Some(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        None => text,
    };
    match signal {
        Signal::TestCase { case, result, measurement, units } => {
            Signal::TestCase { case: plain(case), result, measurement, units: units.map(plain) }
        }
        Signal::TestReference { case, result, url } => {
            Signal::TestReference { case: plain(case), result, url: plain(url) }
        }
        Signal::StartTestCase(case) => Signal::StartTestCase(plain(case)),
        Signal::EndTestCase(case) => Signal::EndTestCase(plain(case)),
        Signal::TestSetStart(name) => Signal::TestSetStart(plain(name)),
        Signal::TestRaise(text) => Signal::TestRaise(plain(text)),
        Signal::TestFeedback(text) => Signal::TestFeedback(plain(text)),
        Signal::TestEvent(text) => Signal::TestEvent(plain(text)),
        other => other,
    }
}

/// A number beyond the next by more than this is none of ours.
const FARTHEST: u32 = 100_000;

/// Which numbers of a suite have come.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    /// All below have come, or are missing.
    next: u32,
    missing: BTreeSet<u32>,
}

impl Numbers {
    /// Takes a number. `None` when it has come before, else whether it fills a gap.
    pub(super) fn take(&mut self, number: u32) -> Option<bool> {
        let next = self.next.max(1);
        if number < next {
            return self.missing.remove(&number).then_some(true);
        }
        if number - next > FARTHEST || self.missing.len() > FARTHEST as usize {
            return None;
        }
        self.missing.extend(next..number);
        self.next = number + 1;
        Some(false)
    }

    /// All up to `last` have come, or are given up.
    pub(super) fn settle(&mut self, last: u32) {
        self.next = self.next.max(last.saturating_add(1));
        self.missing.clear();
    }

    /// What is missing when `last` is the last one.
    pub(super) fn missing(&self, last: u32) -> Vec<u32> {
        let beyond = self.next.max(1)..=last;
        self.missing.iter().copied().chain(beyond.take(FARTHEST as usize)).collect()
    }
}
