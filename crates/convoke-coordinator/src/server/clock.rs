//! The time of the groups: counted from the Unix epoch, so that it means the same after a restart, and never running
//! backwards, whatever is done to the machine's clock while the server runs or between two runs.

use std::time::{Duration, SystemTime};

use convoke_group::Time;
use tokio::time::Instant;

#[derive(Debug)]
pub(super) struct Clock {
    started: Instant,
    epoch: Duration,
}

impl Clock {
    /// A clock that goes on after `last`, the time of the last record that was kept: a group whose time lies ahead of the
    /// clock would end every wait at once.
    pub(super) fn start(last: Time) -> Self {
        let epoch = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().max(last.0);
        Self { started: Instant::now(), epoch }
    }

    pub(super) fn now(&self) -> Time {
        Time(self.epoch + self.started.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_set_back_goes_on_after_the_last_record() {
        let ahead = Time(SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default() + Duration::from_secs(3600));
        assert!(Clock::start(ahead).now() >= ahead);
        assert!(Clock::start(Time::default()).now() < ahead);
    }
}
