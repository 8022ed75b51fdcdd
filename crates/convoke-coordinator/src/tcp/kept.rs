//! The connection that a coordinator of ours keeps for the next request.
//!
//! While nobody needs it, a small task holds it and reads: nothing may come but the end, and when that comes the
//! connection is closed on this side too, at once. That is also how the coordinator learns that the last reply arrived.

use std::sync::{Mutex, PoisonError};

use tokio::io::AsyncReadExt;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::stream::Stream;

/// At most one connection.
#[derive(Debug, Default)]
pub(super) struct Kept(Mutex<Option<Keeper>>);

#[derive(Debug)]
struct Keeper {
    /// Dropped without a word, it closes the connection.
    give: oneshot::Sender<()>,
    task: JoinHandle<Option<Stream>>,
}

impl Kept {
    /// The connection, if there is one and it has not been closed meanwhile.
    pub(super) async fn take(&self) -> Option<Stream> {
        let Keeper { give, task } = self.place().take()?;
        give.send(()).ok()?;
        task.await.ok().flatten()
    }

    /// Keeps a connection for the next request.
    pub(super) fn put(&self, mut stream: Stream) {
        let (give, asked) = oneshot::channel();
        // Ends by itself when the connection is taken or closed, or this is dropped.
        let task = tokio::spawn(async move {
            let mut byte = [0];
            tokio::select! {
                biased;
                _ = stream.read(&mut byte) => None,
                asked = asked => asked.is_ok().then_some(stream),
            }
        });
        *self.place() = Some(Keeper { give, task });
    }

    fn place(&self) -> std::sync::MutexGuard<'_, Option<Keeper>> {
        // It is there or not: what a panicking holder left is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
