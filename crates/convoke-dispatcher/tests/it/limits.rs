//! Limits, attempts and the end from outside, on a paused clock.
use crate::support::Bench;

#[tokio::test(start_paused = true)]
async fn placeholder() {
    let _ = Bench::new();
}
