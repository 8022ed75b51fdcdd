//! The task that owns a group: requests in, answers and events out, one timer.
//!
//! Everything the group puts out is delivered before the next request is taken. A caller or listener that is gone is no
//! error: the caller has sent its withdrawal, and nobody has to listen.

use std::collections::HashMap;

use convoke_group::{
    Answer, Call, CallKind, Group, Input, MemberName, MessageId, Output, Quiet, RoleName, Time, WaitId, WaitView,
};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use crate::event::{GroupEvent, WaitingCall};

/// What a handle or a client asks of the task.
#[derive(Debug)]
pub(crate) enum Request {
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

/// The owner of a group.
pub(crate) struct GroupTask {
    group: Group,
    epoch: Instant,
    callers: HashMap<WaitId, Caller>,
    events: mpsc::UnboundedSender<GroupEvent>,
}

impl GroupTask {
    pub(crate) fn new(group: Group, epoch: Instant, events: mpsc::UnboundedSender<GroupEvent>) -> Self {
        Self { group, epoch, callers: HashMap::new(), events }
    }

    /// Takes requests until nobody is left who could send one.
    pub(crate) async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Request>) {
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
