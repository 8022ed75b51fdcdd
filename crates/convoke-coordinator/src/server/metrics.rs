//! What the server counts.
//!
//! Counting is a few relaxed additions a request and takes no lock. What can be read off the groups is not counted but read
//! when somebody asks (`exposition.rs`).

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::measure::{Histogram, TIMES, WAITS};

/// The words of requests; the last one stands for what is no request.
pub(super) const REQUESTS: [&str; 9] = [
    "group_data",
    "lava_send",
    "lava_wait",
    "lava_wait_all",
    "lava_sync",
    "clear_group",
    "aggregate",
    "complete",
    "other",
];

/// The words of replies; the last one is a close without a reply.
pub(super) const ANSWERS: [&str; 5] = ["ack", "group_data", "wait", "nack", "none"];

/// Why a connection was closed before there was a request.
pub(super) const UNREAD: [&str; 4] = ["broken", "gone", "late", "tls"];

/// Which limit refused a connection.
pub(super) const LIMITS: [&str; 2] = ["all", "address"];

#[derive(Debug, Default)]
pub(super) struct Metrics {
    pub(super) answers: [[Counter; ANSWERS.len()]; REQUESTS.len()],
    /// From a request to its reply, by request, of those that were answered at once.
    pub(super) seconds: [Histogram; REQUESTS.len()],
    /// The same of those that were held.
    pub(super) held_seconds: [Histogram; REQUESTS.len()],
    pub(super) received: Counter,
    pub(super) sent: Counter,
    pub(super) accepted: Counter,
    pub(super) refused: [Counter; LIMITS.len()],
    pub(super) unread: [Counter; UNREAD.len()],
    pub(super) ended: Counter,
    pub(super) expired: Counter,
}

#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, number: u64) {
        self.0.fetch_add(number, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Metrics {
    /// A request was answered; `answer` is none for a close without a reply. `took` says whether it was held, and the
    /// time from the request to the reply.
    pub(super) fn answered(&self, request: &str, answer: Option<&str>, took: Option<(bool, Duration)>) {
        let request = place(&REQUESTS, request);
        self.answers[request][place(&ANSWERS, answer.unwrap_or("none"))].add(1);
        match took {
            Some((true, time)) => self.held_seconds[request].observe_time(&WAITS, time),
            Some((false, time)) => self.seconds[request].observe_time(&TIMES, time),
            None => {}
        }
    }

    /// A connection was refused by a limit.
    pub(super) fn refused(&self, limit: &str) {
        self.refused[place(&LIMITS, limit)].add(1);
    }

    /// A connection ended before there was a request.
    pub(super) fn unread(&self, why: &str) {
        self.unread[place(&UNREAD, why)].add(1);
    }
}

/// The place of a word, or the last one.
fn place(words: &[&str], word: &str) -> usize {
    words.iter().position(|known| *known == word).unwrap_or(words.len() - 1)
}
