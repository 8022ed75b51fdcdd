//! What the log is told of requests and groups: one line an event, with who and what as fields.
//!
//! Strangers must not fill the disk: of each kind of line so many may come at once, and so many a second after that. What
//! is left out is counted, and the next line of the kind says how many there were. Lines at DEBUG are not limited: whoever
//! asks for every request gets every request.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

/// Lines of one kind at once: all that a few hundred groups begin and end with.
const AT_ONCE: f64 = 5_000.0;
/// Lines of one kind a second, in the long run: some 100 MB a day.
const A_SECOND: f64 = 5.0;

/// The kinds of lines that strangers cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A connection was refused.
    Connection,
    /// What came is no request.
    Unread,
    /// A request is refused.
    Nack,
    /// What happens to groups.
    Group,
    /// The state is not kept.
    State,
}

#[derive(Debug, Default)]
pub(super) struct Reports {
    kinds: [Mutex<Bucket>; 5],
    /// Lines left out.
    pub(super) left_out: AtomicU64,
}

#[derive(Debug)]
struct Bucket {
    lines: f64,
    filled: Option<Instant>,
    left_out: u64,
}

impl Default for Bucket {
    fn default() -> Self {
        Self { lines: AT_ONCE, filled: None, left_out: 0 }
    }
}

impl Bucket {
    fn take(&mut self, now: Instant) -> Option<u64> {
        let passed = self.filled.map_or(0.0, |filled| now.saturating_duration_since(filled).as_secs_f64());
        self.filled = Some(now);
        self.lines = (self.lines + passed * A_SECOND).min(AT_ONCE);
        if self.lines < 1.0 {
            self.left_out += 1;
            return None;
        }
        self.lines -= 1.0;
        Some(std::mem::take(&mut self.left_out))
    }
}

impl Reports {
    /// Whether a line of this kind may be logged; if so, says first how many were left out before it.
    pub(super) fn may(&self, kind: Kind) -> bool {
        let Some(bucket) = self.kinds.get(kind as usize) else { return true };
        // Two numbers: what a panicking holder left is whole.
        let taken = bucket.lock().unwrap_or_else(PoisonError::into_inner).take(Instant::now());
        match taken {
            None => {
                self.left_out.fetch_add(1, Ordering::Relaxed);
                false
            }
            Some(0) => true,
            Some(left_out) => {
                tracing::warn!(left_out, "too many lines like the next one were left out");
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_flood_is_cut_and_what_was_left_out_is_counted() {
        let (mut bucket, start) = (Bucket::default(), Instant::now());
        let logged = (0..9_000).filter(|_| bucket.take(start).is_some()).count();
        assert_eq!(logged, 5_000);
        let later = start + Duration::from_secs(1);
        assert_eq!(bucket.take(later), Some(4_000));
        assert_eq!((0..9_000).filter_map(|_| bucket.take(later)).collect::<Vec<_>>(), [0; 4]);
    }
}
