//! The MultiNode requests of a test shell: each waits on its own while the console is read on.
//!
//! A request never overtakes a `lava-send` that the device printed before it: the device does not wait for the answer
//! to a send, so its order is kept here. Waits run side by side. The limit of a wait counts from its arrival.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use convoke_group::{Answer, Call, MessageId, Quiet, Refusal, RoleName};
use convoke_overlay::signal::DeviceRequest;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde_json::Value;
use tokio::time::Instant;

use crate::calls::{Answered, Caller};

/// A request with its answer.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) request: DeviceRequest,
    pub(crate) answered: Answered,
}

/// The requests of one test action.
pub(crate) struct Requests {
    /// `None` in a single-device job: everything is refused.
    caller: Option<Caller>,
    /// Not yet made, with when it came and its limit.
    waiting: VecDeque<(DeviceRequest, Instant, Duration)>,
    /// Not yet answered, in the order they came.
    open: Vec<DeviceRequest>,
    /// A send is on its way.
    sending: bool,
    running: FuturesUnordered<Pin<Box<dyn Future<Output = Done> + Send>>>,
}

impl Requests {
    pub(crate) fn new(caller: Option<Caller>) -> Self {
        Requests {
            caller,
            waiting: VecDeque::new(),
            open: Vec::new(),
            sending: false,
            running: FuturesUnordered::new(),
        }
    }

    /// A request came; `limit` counts from now.
    pub(crate) fn push(&mut self, request: DeviceRequest, limit: Duration) {
        self.open.push(request.clone());
        self.waiting.push_back((request, Instant::now(), limit));
        self.start();
    }

    fn start(&mut self) {
        while !self.sending {
            let Some((request, came, limit)) = self.waiting.pop_front() else { return };
            self.sending = is_send(&request);
            let caller = self.caller.clone();
            self.running.push(Box::pin(async move {
                let answered = match caller {
                    None => no_group(&request),
                    Some(caller) => {
                        let (call, quiet) = call_of(&request);
                        let left = limit.saturating_sub(came.elapsed());
                        let mut answered = caller.call(call, left, quiet, "shell").await;
                        answered.duration = came.elapsed();
                        answered
                    }
                };
                Done { request, answered }
            }));
        }
    }

    /// The next answer; never when nothing is asked.
    pub(crate) async fn next(&mut self) -> Done {
        match self.running.next().await {
            Some(done) => {
                if let Some(at) = self.open.iter().position(|open| *open == done.request) {
                    self.open.remove(at);
                }
                if is_send(&done.request) {
                    self.sending = false;
                    self.start();
                }
                done
            }
            None => std::future::pending().await,
        }
    }

    /// Withdraws what has not been answered, and tells what it was.
    pub(crate) fn withdraw(&mut self) -> Vec<DeviceRequest> {
        self.waiting.clear();
        self.running.clear();
        std::mem::take(&mut self.open)
    }

    /// Whether a send has not been answered yet.
    pub(crate) fn sends_left(&self) -> bool {
        self.sending || self.waiting.iter().any(|(request, ..)| is_send(request))
    }
}

fn is_send(request: &DeviceRequest) -> bool {
    matches!(request, DeviceRequest::Send { .. })
}

fn no_group(request: &DeviceRequest) -> Answered {
    let refusal = Refusal::Invalid {
        what: format!("lava-{}", words(request).0.replace('_', "-")),
        why: "the job has no group: it is a single-device job".into(),
        hint: None,
    };
    Answered { answer: Answer::Refused { refusal }, duration: Duration::ZERO }
}

/// LAVA's word for the call in result names, and the ID.
pub(crate) fn words(request: &DeviceRequest) -> (&'static str, &str) {
    match request {
        DeviceRequest::Send { message_id, .. } => ("send", message_id),
        DeviceRequest::Wait { message_id, .. } => ("wait", message_id),
        DeviceRequest::WaitAll { message_id, .. } => ("wait_all", message_id),
        DeviceRequest::Sync { message_id, .. } => ("sync", message_id),
    }
}

fn call_of(request: &DeviceRequest) -> (Call, Quiet) {
    let certain = |quiet: bool| if quiet { Quiet::Certain } else { Quiet::Unknown };
    match request {
        DeviceRequest::Send { message_id, data } => {
            let data = data.iter().map(|(key, value)| (key.clone(), Value::String(value.clone())));
            let message = Value::Object(data.collect());
            (Call::Send { message_id: MessageId::new(message_id), message }, Quiet::Unknown)
        }
        DeviceRequest::Wait { message_id, quiet } => {
            (Call::Wait { message_id: MessageId::new(message_id) }, certain(*quiet))
        }
        DeviceRequest::WaitAll { message_id, role, quiet } => {
            let role = role.as_ref().map(RoleName::new);
            (Call::WaitAll { message_id: MessageId::new(message_id), role }, certain(*quiet))
        }
        DeviceRequest::Sync { message_id, quiet } => {
            (Call::Sync { message_id: MessageId::new(message_id) }, certain(*quiet))
        }
    }
}
