//! The task that owns a group: requests in, answers and events out, one timer.
//!
//! Everything the group puts out is delivered before the next request is taken, unless the group was stopped: then answers
//! are held back until it goes on. A caller or listener that is gone is no error: the caller has sent its withdrawal, and
//! nobody has to listen.

use std::collections::HashMap;
use std::time::Duration;

use convoke_group::{
    Answer, Call, CallKind, Group, Input, MemberName, MessageId, Output, Quiet, RoleName, Time, WaitId, WaitView,
};
use tokio::sync::{mpsc, oneshot};

use crate::clock::Clock;
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
        /// From when the task takes it.
        limit: Option<Duration>,
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
    StopAt {
        message_ids: Vec<MessageId>,
    },
    GoOn,
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
    clock: Clock,
    callers: HashMap<WaitId, Caller>,
    events: mpsc::UnboundedSender<GroupEvent>,
    /// IDs at which the group stops before a wait for them is answered.
    stops: Vec<MessageId>,
    /// Where it has stopped, and the answers that are held back since.
    stopped: Option<(MessageId, Vec<(WaitId, Answer)>)>,
}

impl GroupTask {
    pub(crate) fn new(group: Group, clock: Clock, events: mpsc::UnboundedSender<GroupEvent>) -> Self {
        Self { group, clock, callers: HashMap::new(), events, stops: Vec::new(), stopped: None }
    }

    /// Takes requests until nobody is left who could send one.
    pub(crate) async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Request>) {
        loop {
            let due = self.group.next_deadline();
            let clock = self.clock.clone();
            let due = async {
                match due {
                    Some(due) => clock.sleep_until(due.0).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                request = inbox.recv() => match request {
                    Some(request) => self.handle(request),
                    None => return,
                },
                () = due => self.apply(Input::Tick),
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
            Request::Call { wait, member, call, limit, quiet, call_id, reply } => {
                let caller =
                    Caller { reply, call: WaitingCall { member: member.clone(), call_id }, about: About::new(&call) };
                self.callers.insert(wait, caller);
                let deadline = limit.and_then(|limit| self.clock.now().checked_add(limit)).map(Time);
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
            Request::StopAt { message_ids } => self.stops = message_ids,
            Request::GoOn => self.go_on(),
        }
    }

    fn apply(&mut self, input: Input) {
        let outputs = self.outputs(input);
        self.deliver(outputs);
    }

    fn outputs(&mut self, input: Input) -> Vec<Output> {
        self.group.apply(input, Time(self.clock.now()))
    }

    fn deliver(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Answer { wait, member, answer } => {
                    if let Answer::Refused { refusal } = &answer {
                        tracing::debug!(%member, %refusal, "call refused");
                    }
                    self.answer(wait, answer);
                }
                Output::Waiting { waits, missing, unregistered } => self.waiting(&waits, missing, unregistered),
                Output::ProbablyStuck { waits } => self.tell(GroupEvent::ProbablyStuck { waits }),
            }
        }
    }

    /// Gives an answer to its caller, unless the group stands still or is to stop here.
    fn answer(&mut self, wait: WaitId, answer: Answer) {
        let Some(caller) = self.callers.get(&wait) else { return };
        let About { kind, message_id, .. } = &caller.about;
        // Who sends does not wait for anybody, so nothing is released there.
        let waited = !matches!(kind, CallKind::Send | CallKind::Assemble) && matches!(answer, Answer::Done { .. });
        if self.stopped.is_none() && waited && self.stops.contains(message_id) {
            let message_id = message_id.clone();
            self.clock.stop();
            self.stopped = Some((message_id.clone(), Vec::new()));
            self.tell(GroupEvent::Stopped { message_id });
        }
        if let Some((_, held)) = &mut self.stopped {
            held.push((wait, answer));
            if waited {
                // Nobody is missing any more, and still it waits.
                self.waiting(&[wait], Vec::new(), 0);
            }
        } else if let Some(caller) = self.callers.remove(&wait) {
            // A caller that is gone has sent its withdrawal.
            let _ = caller.reply.send(answer);
        }
    }

    fn go_on(&mut self) {
        let Some((message_id, held)) = self.stopped.take() else { return };
        let stood = self.clock.go_on();
        self.tell(GroupEvent::WentOn { message_id, stood });
        for (wait, answer) in held {
            if let Some(caller) = self.callers.remove(&wait) {
                let _ = caller.reply.send(answer);
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
