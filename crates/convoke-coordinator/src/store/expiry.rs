//! When a group nobody asks for any more is to be forgotten.
//!
//! A group whose dispatchers died is never cleared (coordinator-protocol.md §7.1 D15), so it expires; one that anybody
//! still asks for never does. A poll that changes nothing is not worth a record, so the log alone does not say who is
//! alive: the driver keeps an [`Entry::Seen`](super::Entry::Seen) when one [is due](Expiry::is_mark_due). The log is then
//! at most an eighth of the limit behind, and as long after a start nothing expires, so that clients have time to ask.

use std::time::Duration;

use convoke_group::Time;

/// How long a group is kept after it was last asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// The limit.
    pub keep: Duration,
}

impl Default for Expiry {
    /// One week.
    fn default() -> Self {
        Self { keep: Duration::from_secs(7 * 24 * 60 * 60) }
    }
}

impl Expiry {
    /// Whether a request that changes nothing should be recorded with an [`Entry::Seen`](super::Entry::Seen):
    /// `last_record` is the time of the group's last record.
    pub fn is_mark_due(&self, last_record: Time, now: Time) -> bool {
        since(last_record, now) > self.keep / 8
    }

    /// Whether a group is to be forgotten: `last_record` is the time of its last record, `started` the time at which this
    /// process began to serve. A clock that was set back makes nothing expire. A driver never asks for a group that has
    /// a held request.
    pub fn is_due(&self, last_record: Time, started: Time, now: Time) -> bool {
        since(last_record, now) > self.keep && since(started, now) > self.keep / 8
    }
}

fn since(earlier: Time, now: Time) -> Duration {
    now.0.saturating_sub(earlier.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(days: u64) -> Time {
        Time(Duration::from_secs(days * 24 * 60 * 60))
    }

    #[test]
    fn a_group_is_kept_a_week_and_then_forgotten() {
        let expiry = Expiry::default();
        assert!(!expiry.is_due(days(10), days(0), days(17)));
        assert!(expiry.is_due(days(10), days(0), days(18)));
    }

    #[test]
    fn nothing_expires_right_after_a_start_or_when_the_clock_was_set_back() {
        let expiry = Expiry::default();
        assert!(!expiry.is_due(days(0), days(100), days(100)));
        assert!(expiry.is_due(days(0), days(100), days(101)));
        assert!(!expiry.is_due(days(20), days(0), days(10)));
    }

    #[test]
    fn a_group_that_is_polled_is_marked_before_it_could_expire() {
        let expiry = Expiry::default();
        let mut last_record = days(0);
        for hour in 0..24 * 30 {
            let now = Time(Duration::from_secs(hour * 60 * 60));
            assert!(!expiry.is_due(last_record, days(0), now), "expired in hour {hour}");
            if expiry.is_mark_due(last_record, now) {
                last_record = now;
            }
        }
    }
}
