//! What a user's signals do to a command that runs members.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::failure::Failure;
use crate::output;

/// Ctrl-C, SIGTERM and SIGHUP.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Signals {
    pub(super) fn listen() -> Result<Signals, Failure> {
        let one = |kind| signal(kind).map_err(|error| Failure::Lab(format!("signals cannot be listened to: {error}")));
        Ok(Signals {
            interrupt: one(SignalKind::interrupt())?,
            terminate: one(SignalKind::terminate())?,
            hang_up: one(SignalKind::hangup())?,
        })
    }

    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hang_up.recv() => {}
        }
    }

    /// The first signal cancels; the second one ends the process, and with it everything that it started.
    pub(super) async fn cancel(mut self, cancel: CancellationToken) {
        self.next().await;
        cancel.cancel();
        self.next().await;
        crate::attend::restore();
        output::eprint("interrupted again: ending at once\n");
        std::process::exit(130);
    }
}
