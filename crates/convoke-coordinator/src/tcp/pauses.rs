//! How long to wait before a coordinator that could not be asked is asked again: growing, but bounded.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

/// The pauses of one call.
#[derive(Debug)]
pub(super) struct Pauses(Duration);

impl Pauses {
    pub(super) fn new() -> Self {
        Pauses(FIRST)
    }

    /// The next pause: twice the one before, at most [`LONGEST`].
    pub(super) fn next(&mut self) -> Duration {
        let pause = self.0;
        self.0 = (pause * 2).min(LONGEST);
        pause
    }

    /// It answers again.
    pub(super) fn reset(&mut self) {
        self.0 = FIRST;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound() {
        let mut pauses = Pauses::new();
        let taken: Vec<Duration> = (0..10).map(|_| pauses.next()).collect();
        assert!(taken.windows(2).all(|pair| pair[0] <= pair[1]));
        assert_eq!((taken[0], taken[9]), (FIRST, LONGEST));
        pauses.reset();
        assert_eq!(pauses.next(), FIRST);
    }
}
