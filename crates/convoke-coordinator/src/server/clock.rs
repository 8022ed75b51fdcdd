//! The time of the groups: counted from the Unix epoch, so that it means the same after a restart, and never running
//! backwards while the server runs, whatever is done to the machine's clock.

use std::time::{Duration, SystemTime};

use convoke_group::Time;
use tokio::time::Instant;

#[derive(Debug)]
pub(super) struct Clock {
    started: Instant,
    epoch: Duration,
}

impl Clock {
    pub(super) fn start() -> Self {
        let epoch = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        Self { started: Instant::now(), epoch }
    }

    pub(super) fn now(&self) -> Time {
        Time(self.epoch + self.started.elapsed())
    }
}
