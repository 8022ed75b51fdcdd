//! What a dispatcher needs from a coordinator, wherever it is.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use convoke_group::{Answer, Call, Quiet, WaitView};

use crate::clock::Clock;

/// A boxed future, so that the trait can be an object.
pub type LocalFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// How a call is made.
#[derive(Clone, Copy, Debug, Default)]
pub struct CallOptions {
    /// Limit of the wait, counted from the first poll of the call's future; `None` waits for ever. Give the moment at
    /// which the caller really gives up: the smaller of the call's limit and what is left of the action's. The rule of
    /// the stuck group concludes from it whose wait ends first.
    pub limit: Option<Duration>,
    /// What the device says of itself. [`Quiet::Certain`] holds for the group only when everything the device sent
    /// before has reached it: make the call after its earlier sends were answered.
    pub quiet: Quiet,
    /// The caller's own number for this call, handed back in [`GroupEvent::Waiting`](crate::GroupEvent::Waiting).
    pub call_id: Option<u64>,
}

/// One member's connection to its group. Registration has happened before it exists. Dropping the future of a call
/// withdraws the call. Dropping the client does not make the member leave: only [`GroupClient::leave`] does.
pub trait GroupClient: Send + Sync {
    /// Makes one call and waits for its answer.
    fn call(&self, call: Call, options: CallOptions) -> LocalFuture<'_, Answer>;

    /// Tells the group that this member has ended, and why. Later calls are refused. Harmless when repeated.
    fn leave(&self, why: &str);

    /// The parked waits of the whole group, for progress lines, or of a group elsewhere those of this member; empty when
    /// the coordinator cannot tell. Times are on the coordinator's clock.
    fn waits(&self) -> LocalFuture<'_, Vec<WaitView>>;

    /// The clock on which limits count: calls' and those of whatever the caller does meanwhile. That of a group elsewhere is
    /// the caller's own.
    fn clock(&self) -> Clock {
        Clock::default()
    }

    /// Why the coordinator could not be asked, with its address; none when it has answered the last request, whatever
    /// it said. A call that ends while there is trouble did not fail for what other members did.
    fn trouble(&self) -> Option<String> {
        None
    }
}
