//! Counting how long things take and how large they are, by a few atomic additions.
//!
//! Every scale has the same number of steps, so that what is measured has a fixed size and is read without a lock. A
//! reader may see one observation in part; the next look is right again.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Steps of a scale.
pub const STEPS: usize = 16;

/// Upper ends of the steps, in microseconds: what takes as long as a request or a disk takes.
pub const TIMES: [u64; STEPS] = [
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    10_000_000,
];

/// The same for what waits for others.
pub const WAITS: [u64; STEPS] = [
    1_000,
    10_000,
    50_000,
    100_000,
    500_000,
    1_000_000,
    5_000_000,
    10_000_000,
    30_000_000,
    60_000_000,
    120_000_000,
    300_000_000,
    600_000_000,
    1_800_000_000,
    3_600_000_000,
    14_400_000_000,
];

/// Upper ends of the steps of a number of things.
pub const COUNTS: [u64; STEPS] = [1, 2, 3, 4, 6, 8, 12, 16, 32, 64, 128, 256, 512, 1_024, 2_048, 4_096];

/// Counts observations by size.
#[derive(Debug, Default)]
pub(crate) struct Histogram {
    counts: [AtomicU64; STEPS],
    beyond: AtomicU64,
    sum: AtomicU64,
}

/// What was observed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Distribution {
    /// Observations of each step, and not of the ones below it.
    pub counts: [u64; STEPS],
    /// Observations beyond the last step.
    pub beyond: u64,
    /// The sum of all.
    pub sum: u64,
}

impl Histogram {
    pub(crate) fn observe(&self, scale: &[u64; STEPS], value: u64) {
        let step = scale.partition_point(|end| *end < value);
        self.counts.get(step).unwrap_or(&self.beyond).fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    pub(crate) fn observe_time(&self, scale: &[u64; STEPS], time: Duration) {
        self.observe(scale, u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    pub(crate) fn read(&self) -> Distribution {
        let mut counts = [0; STEPS];
        for (read, count) in counts.iter_mut().zip(&self.counts) {
            *read = count.load(Ordering::Relaxed);
        }
        Distribution { counts, beyond: self.beyond.load(Ordering::Relaxed), sum: self.sum.load(Ordering::Relaxed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_belongs_to_the_first_step_that_does_not_end_below_it() {
        let histogram = Histogram::default();
        for value in [0, 1, 2, 5, 4_096, 4_097] {
            histogram.observe(&COUNTS, value);
        }
        let seen = histogram.read();
        assert_eq!((seen.counts[0], seen.counts[1], seen.counts[4], seen.counts[STEPS - 1]), (2, 1, 1, 1));
        assert_eq!((seen.beyond, seen.sum), (1, 8_201));
    }
}
