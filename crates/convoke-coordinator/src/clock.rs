//! A clock that can be stopped: the time that counts for limits.
//!
//! A person who looks at a group that was stopped must not cost it its limits. Everything that has a limit therefore counts
//! on this clock: the group's waits and the actions, requests and exchanges of its members. Where nobody stops it, it is
//! the monotonic clock.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// The clock. Clones are the same clock.
#[derive(Clone, Debug)]
pub struct Clock {
    epoch: Instant,
    state: Arc<watch::Sender<State>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    /// How long it has stood still, up to the last time it went on.
    stood: Duration,
    /// Since when it stands still.
    since: Option<Instant>,
    /// How many hold it.
    held: u32,
}

/// A moment on a clock, from its beginning.
pub type Moment = Duration;

impl Default for Clock {
    fn default() -> Self {
        Clock { epoch: Instant::now(), state: Arc::new(watch::Sender::default()) }
    }
}

impl Clock {
    /// The time that has passed on it since it was made.
    pub fn now(&self) -> Moment {
        let State { stood, since, .. } = *self.state.borrow();
        let until = since.unwrap_or_else(Instant::now);
        until.saturating_duration_since(self.epoch).saturating_sub(stood)
    }

    /// How long a moment of it lies back.
    pub fn since(&self, moment: Moment) -> Duration {
        self.now().saturating_sub(moment)
    }

    /// Stops it, until everybody who has stopped it lets it go on.
    pub fn stop(&self) {
        self.state.send_if_modified(|state| {
            state.held += 1;
            state.since.get_or_insert_with(Instant::now);
            state.held == 1
        });
    }

    /// Lets it go on, unless somebody else holds it too, and tells how long it stood. Harmless when it runs.
    pub fn go_on(&self) -> Duration {
        let mut stood = Duration::ZERO;
        self.state.send_if_modified(|state| {
            state.held = state.held.saturating_sub(1);
            let Some(since) = state.since.take_if(|_| state.held == 0) else { return false };
            stood = since.elapsed();
            state.stood += stood;
            true
        });
        stood
    }

    /// Waits until it shows `moment`; for ever when that is beyond what can be counted.
    pub async fn sleep_until(&self, moment: Moment) {
        let mut changes = self.state.subscribe();
        loop {
            let State { stood, since, .. } = *changes.borrow_and_update();
            let due = moment.checked_add(stood).and_then(|after| self.epoch.checked_add(after));
            let asleep = async {
                match (since, due) {
                    (None, Some(due)) => tokio::time::sleep_until(due).await,
                    _ => std::future::pending().await,
                }
            };
            tokio::select! {
                () = asleep => return,
                // The sender is this clock's own.
                _ = changes.changed() => {}
            }
        }
    }

    /// What `work` gives, unless `limit` passes on this clock first.
    pub async fn timeout<T>(&self, limit: Duration, work: impl Future<Output = T>) -> Option<T> {
        let until = self.now().saturating_add(limit);
        tokio::select! {
            biased;
            done = work => Some(done),
            () = self.sleep_until(until) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn while_it_stands_no_limit_passes() {
        let clock = Clock::default();
        let started = Instant::now();
        tokio::time::sleep(10 * S).await;
        assert_eq!(clock.now(), 10 * S);
        clock.stop();
        let other = clock.clone();
        let sleeper = tokio::spawn(async move { other.sleep_until(15 * S).await });
        tokio::time::sleep(100 * S).await;
        clock.stop();
        assert_eq!(clock.now(), 10 * S);
        assert!(!sleeper.is_finished());
        assert_eq!(clock.go_on(), Duration::ZERO, "somebody else holds it");
        assert_eq!(clock.now(), 10 * S);
        assert_eq!(clock.go_on(), 100 * S);
        assert_eq!(clock.go_on(), Duration::ZERO);
        sleeper.await.expect("it wakes");
        assert_eq!((started.elapsed(), clock.now()), (115 * S, 15 * S));
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_meanwhile_puts_a_limit_off() {
        let clock = Clock::default();
        let other = clock.clone();
        tokio::spawn(async move {
            for _ in 0..3 {
                tokio::time::sleep(2 * S).await;
                other.stop();
                tokio::time::sleep(20 * S).await;
                other.go_on();
            }
        });
        let started = Instant::now();
        assert_eq!(clock.timeout(5 * S, std::future::pending::<()>()).await, None);
        assert_eq!(started.elapsed(), 45 * S);
        assert_eq!(clock.timeout(S, async { 7 }).await, Some(7));
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_beyond_all_time_never_passes() {
        let clock = Clock::default();
        assert_eq!(clock.timeout(Duration::MAX, tokio::time::sleep(1000 * S)).await, Some(()));
    }
}
