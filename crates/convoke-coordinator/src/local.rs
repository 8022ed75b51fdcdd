//! A group within this process.
//!
//! ```text
//! client ──request──▶ ┌────────────┐ ──answer (one channel a call)──▶ client
//! client ──request──▶ │ group task │
//!          one timer ▶│  owns the  │ ──GroupEvent──▶ whoever records
//!                     │   Group    │
//!                     └────────────┘
//! ```
//!
//! One task owns the [`Group`] and takes requests in the order they were sent; nobody else touches it, and nothing
//! polls. A waiting call is woken by one message on its own channel. The only timer is armed at the group's next
//! deadline. Requests go through an unbounded channel so that leaving and withdrawing work from anywhere, also while
//! something is dropped.
//!
//! The task ends when the last [`LocalGroup`] and the last client are gone. A call made when there is no task any more
//! (the runtime is shutting down) is refused.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use convoke_group::{Answer, Call, Group, GroupName, MemberName, MessageId, Refusal, RoleName, WaitId, WaitView};
use tokio::sync::{mpsc, oneshot};

use crate::client::{CallOptions, GroupClient, LocalFuture};
use crate::clock::Clock;
use crate::event::GroupEvent;
use crate::task::{GroupTask, Request};

/// A handle on a group within this process. Clones are handles on the same group.
#[derive(Clone, Debug)]
pub struct LocalGroup {
    requests: mpsc::UnboundedSender<Request>,
    next_wait: Arc<AtomicU64>,
    clock: Clock,
}

impl LocalGroup {
    /// Starts a group of `size` members on the current tokio runtime. What happens in it goes to `events`; a receiver
    /// that is dropped is no harm.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn start(name: GroupName, size: NonZeroUsize, events: mpsc::UnboundedSender<GroupEvent>) -> Self {
        let (requests, inbox) = mpsc::unbounded_channel();
        let clock = Clock::default();
        // The task ends by itself: it lives as long as somebody can send it a request.
        tokio::spawn(GroupTask::new(Group::new(name, size), clock.clone(), events).run(inbox));
        Self { requests, next_wait: Arc::new(AtomicU64::new(1)), clock }
    }

    /// Registers a member and returns its connection. A further client of the same member is the same member, in the
    /// role it first registered with. A stranger to a full group gets a client whose calls are refused.
    pub fn client(&self, member: MemberName, role: RoleName) -> Arc<dyn GroupClient> {
        self.send(Request::Register { member: member.clone(), role });
        Arc::new(LocalClient { group: self.clone(), member })
    }

    /// The parked calls of the group, in the order of parking.
    pub async fn waits(&self) -> Vec<WaitView> {
        let (reply, waits) = oneshot::channel();
        self.send(Request::Waits { reply });
        waits.await.unwrap_or_default()
    }

    /// What stops the group and lets it go on. It does not keep the group alive.
    pub fn brake(&self) -> Brake {
        Brake { requests: self.requests.downgrade() }
    }

    /// The clock of its limits.
    pub fn clock(&self) -> Clock {
        self.clock.clone()
    }

    fn send(&self, request: Request) {
        // Without a task there is nobody to tell; whoever waits for an answer finds its channel closed.
        let _ = self.requests.send(request);
    }
}

/// Stops a group, for somebody who wants to look.
#[derive(Clone, Debug)]
pub struct Brake {
    requests: mpsc::WeakUnboundedSender<Request>,
}

impl Brake {
    /// From now on the group stops whenever a wait or sync of one of these IDs is satisfied, before it is answered: no
    /// call is answered and the clock stands still until [`Brake::go_on`]. An empty list stops it no more.
    pub fn stop_at(&self, message_ids: Vec<MessageId>) {
        self.send(Request::StopAt { message_ids });
    }

    /// Answers what was held back since the group stopped. Harmless when it did not.
    pub fn go_on(&self) {
        self.send(Request::GoOn);
    }

    fn send(&self, request: Request) {
        // A group that is gone has nothing to stop.
        if let Some(requests) = self.requests.upgrade() {
            let _ = requests.send(request);
        }
    }
}

struct LocalClient {
    group: LocalGroup,
    member: MemberName,
}

impl GroupClient for LocalClient {
    fn call(&self, call: Call, options: CallOptions) -> LocalFuture<'_, Answer> {
        Box::pin(async move {
            let wait = WaitId(self.group.next_wait.fetch_add(1, Ordering::Relaxed));
            let (reply, answer) = oneshot::channel();
            self.group.send(Request::Call {
                wait,
                member: self.member.clone(),
                call,
                limit: options.limit,
                quiet: options.quiet,
                call_id: options.call_id,
                reply,
            });
            let mut open = OpenCall { group: &self.group, wait, answered: false };
            let answer = answer.await;
            open.answered = true;
            answer.unwrap_or_else(|_| ended())
        })
    }

    fn leave(&self, why: &str) {
        self.group.send(Request::Leave { member: self.member.clone(), why: why.to_owned() });
    }

    fn waits(&self) -> LocalFuture<'_, Vec<WaitView>> {
        Box::pin(self.group.waits())
    }

    fn clock(&self) -> Clock {
        self.group.clock()
    }
}

/// Withdraws its call when it is dropped before the answer has reached the caller. That includes an answer that was
/// already on its way: the group then knows that it was lost.
struct OpenCall<'a> {
    group: &'a LocalGroup,
    wait: WaitId,
    answered: bool,
}

impl Drop for OpenCall<'_> {
    fn drop(&mut self) {
        if !self.answered {
            self.group.send(Request::Withdraw { wait: self.wait });
        }
    }
}

fn ended() -> Answer {
    let why = "the group's coordinator has ended".to_owned();
    Answer::Refused { refusal: Refusal::Invalid { what: "the call".to_owned(), why, hint: None } }
}
