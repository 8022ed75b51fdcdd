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

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use convoke_group::{
    Answer, Call, CallKind, Group, GroupName, Input, MemberName, MessageId, Output, Quiet, Refusal, RoleName, Time,
    WaitId, WaitView,
};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use crate::client::{CallOptions, GroupClient, LocalFuture};
use crate::event::{GroupEvent, WaitingCall};

/// A handle on a group within this process. Clones are handles on the same group.
#[derive(Clone, Debug)]
pub struct LocalGroup {
    requests: mpsc::UnboundedSender<Request>,
    next_wait: Arc<AtomicU64>,
    epoch: Instant,
}

impl LocalGroup {
    /// Starts a group of `size` members on the current tokio runtime. What happens in it goes to `events`; a receiver
    /// that is dropped is no harm.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn start(name: GroupName, size: NonZeroUsize, events: mpsc::UnboundedSender<GroupEvent>) -> Self {
        let (requests, inbox) = mpsc::unbounded_channel();
        let epoch = Instant::now();
        let task = GroupTask { group: Group::new(name, size), epoch, callers: HashMap::new(), events };
        tokio::spawn(task.run(inbox));
        Self { requests, next_wait: Arc::new(AtomicU64::new(1)), epoch }
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

    fn send(&self, request: Request) {
        // Without a task there is nobody to tell; whoever waits for an answer finds its channel closed.
        let _ = self.requests.send(request);
    }
}

#[derive(Debug)]
enum Request {
    Register {
        member: MemberName,
        role: RoleName,
    },
    Call {
        wait: WaitId,
        member: MemberName,
        call: Call,
        deadline: Option<Time>,
        quiet: Quiet,
        call_id: Option<u64>,
        reply: oneshot::Sender<Answer>,
    },
    Withdraw {
        wait: WaitId,
    },
    Leave {
        member: MemberName,
        why: String,
    },
    Waits {
        reply: oneshot::Sender<Vec<WaitView>>,
    },
}

struct LocalClient {
    group: LocalGroup,
    member: MemberName,
}

impl GroupClient for LocalClient {
    fn call(&self, call: Call, options: CallOptions) -> LocalFuture<'_, Answer> {
        Box::pin(async move {
            let wait = WaitId(self.group.next_wait.fetch_add(1, Ordering::Relaxed));
            let deadline = options.limit.and_then(|limit| self.group.epoch.elapsed().checked_add(limit)).map(Time);
            let (reply, answer) = oneshot::channel();
            self.group.send(Request::Call {
                wait,
                member: self.member.clone(),
                call,
                deadline,
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

/// What the task keeps of an unanswered call.
struct Caller {
    reply: oneshot::Sender<Answer>,
    call: WaitingCall,
    about: About,
}

/// What a call is about, as events say it.
#[derive(Clone)]
struct About {
    kind: CallKind,
    message_id: MessageId,
    wait_role: Option<RoleName>,
}

impl About {
    fn new(call: &Call) -> Self {
        let wait_role = if let Call::WaitAll { role, .. } = call { role.clone() } else { None };
        Self { kind: call.kind(), message_id: call.message_id(), wait_role }
    }
}

struct GroupTask {
    group: Group,
    epoch: Instant,
    callers: HashMap<WaitId, Caller>,
    events: mpsc::UnboundedSender<GroupEvent>,
}

impl GroupTask {
    async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Request>) {
        loop {
            let due = self.group.next_deadline().and_then(|deadline| self.epoch.checked_add(deadline.0));
            tokio::select! {
                request = inbox.recv() => match request {
                    Some(request) => self.handle(request),
                    None => return,
                },
                () = until(due) => self.apply(Input::Tick),
            }
        }
    }

    fn handle(&mut self, request: Request) {
        match request {
            Request::Register { member, role } => {
                let known = self.group.members().len();
                let registered = GroupEvent::Registered { member: member.clone(), role: role.clone() };
                let outputs = self.outputs(Input::Register { member, role });
                if self.group.members().len() > known {
                    self.tell(registered);
                }
                self.deliver(outputs);
            }
            Request::Call { wait, member, call, deadline, quiet, call_id, reply } => {
                let caller =
                    Caller { reply, call: WaitingCall { member: member.clone(), call_id }, about: About::new(&call) };
                self.callers.insert(wait, caller);
                self.apply(Input::Call { wait, member, call, deadline, quiet });
            }
            Request::Withdraw { wait } => {
                self.callers.remove(&wait);
                self.apply(Input::Withdraw { wait });
            }
            Request::Leave { member, why } => {
                let is_there = |group: &Group| group.members().iter().any(|m| m.name == member && m.left.is_none());
                let was_there = is_there(&self.group);
                let outputs = self.outputs(Input::Leave { member: member.clone(), why: why.clone() });
                if was_there {
                    self.tell(GroupEvent::Left { member, why });
                }
                self.deliver(outputs);
            }
            Request::Waits { reply } => {
                let _ = reply.send(self.group.waits());
            }
        }
    }

    fn apply(&mut self, input: Input) {
        let outputs = self.outputs(input);
        self.deliver(outputs);
    }

    fn outputs(&mut self, input: Input) -> Vec<Output> {
        self.group.apply(input, Time(self.epoch.elapsed()))
    }

    fn deliver(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Answer { wait, member, answer } => {
                    if let Answer::Refused { refusal } = &answer {
                        tracing::debug!(%member, %refusal, "call refused");
                    }
                    if let Some(caller) = self.callers.remove(&wait) {
                        // A caller that is gone has sent its withdrawal.
                        let _ = caller.reply.send(answer);
                    }
                }
                Output::Waiting { waits, missing, unregistered } => self.waiting(&waits, missing, unregistered),
                Output::ProbablyStuck { waits } => self.tell(GroupEvent::ProbablyStuck { waits }),
            }
        }
    }

    fn waiting(&self, waits: &[WaitId], missing: Vec<MemberName>, unregistered: usize) {
        let callers: Vec<&Caller> = waits.iter().filter_map(|wait| self.callers.get(wait)).collect();
        let Some(first) = callers.first() else { return };
        let About { kind, message_id, wait_role } = first.about.clone();
        let calls = callers.iter().map(|caller| caller.call.clone()).collect();
        self.tell(GroupEvent::Waiting { calls, kind, message_id, wait_role, missing, unregistered });
    }

    fn tell(&self, event: GroupEvent) {
        // Nobody has to listen.
        let _ = self.events.send(event);
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}
