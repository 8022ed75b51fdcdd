//! The MultiNode requests of a test shell: each waits on its own while the console is read on.
//!
//! A helper that is ended while it waits takes its request back: nothing is typed for it, for the next helper that waits
//! would take that for its own reply.
//!
//! A request never overtakes a `lava-send` that the device printed before it: the device does not wait for the answer
//! to a send, so its order is kept here. Waits run side by side. The limit of a wait counts from its arrival.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use convoke_coordinator::{Clock, Moment};
use convoke_group::{Answer, Call, MessageId, Quiet, Refusal, RoleName};
use convoke_overlay::signal::{DeviceRequest, RequestKind};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::calls::{Answered, Caller};

/// A request with its answer.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) request: DeviceRequest,
    pub(crate) answered: Answered,
    /// The transaction of the checked link that it came in.
    pub(crate) id: Option<u16>,
    /// Nobody reads a reply any more.
    pub(crate) unread: bool,
}

/// A request that has not been answered yet.
struct Open {
    number: u64,
    id: Option<u16>,
    request: DeviceRequest,
    given_up: CancellationToken,
}

/// One that has not been made yet.
struct Queued {
    number: u64,
    id: Option<u16>,
    request: DeviceRequest,
    came: Moment,
    limit: Duration,
    given_up: CancellationToken,
}

/// A request on its way: its number and its answer.
type Running = Pin<Box<dyn Future<Output = (u64, Done)> + Send>>;

/// The requests of one test action.
pub(crate) struct Requests {
    clock: Clock,
    /// `None` in a single-device job: everything is refused.
    caller: Option<Caller>,
    waiting: VecDeque<Queued>,
    /// In the order they came.
    open: Vec<Open>,
    /// How many have come.
    count: u64,
    /// A send is on its way.
    sending: bool,
    running: FuturesUnordered<Running>,
}

impl Requests {
    pub(crate) fn new(caller: Option<Caller>) -> Self {
        Requests {
            clock: caller.as_ref().map(Caller::clock).unwrap_or_default(),
            caller,
            waiting: VecDeque::new(),
            open: Vec::new(),
            count: 0,
            sending: false,
            running: FuturesUnordered::new(),
        }
    }

    /// A request came, in transaction `id` or as a line; `limit` counts from now.
    pub(crate) fn push(&mut self, request: DeviceRequest, id: Option<u16>, limit: Duration) {
        let (number, given_up) = (self.count, CancellationToken::new());
        self.count += 1;
        self.open.push(Open { number, id, request: request.clone(), given_up: given_up.clone() });
        self.waiting.push_back(Queued { number, id, request, came: self.clock.now(), limit, given_up });
        self.start();
    }

    /// The helper behind the oldest such request has ended. Harmless when it has been answered meanwhile.
    pub(crate) fn give_up(&mut self, kind: RequestKind, message_id: &str) {
        let open = self.open.iter().find(|open| {
            open.id.is_none()
                && open.request.kind() == Some(kind)
                && open.request.message_id() == message_id
                && !open.given_up.is_cancelled()
        });
        if let Some(open) = open {
            open.given_up.cancel();
        }
    }

    /// The helper of transaction `id` has ended. A send goes on: it needs nobody to wait for it.
    pub(crate) fn give_up_id(&mut self, id: u16) {
        for open in self.open.iter().filter(|open| open.id == Some(id) && !is_send(&open.request)) {
            open.given_up.cancel();
        }
    }

    /// A transaction in which a helper of the checked link waits, the one that has waited longest.
    pub(crate) fn waiting(&self) -> Option<u16> {
        self.open
            .iter()
            .filter(|open| !is_send(&open.request) && !open.given_up.is_cancelled())
            .find_map(|open| open.id)
    }

    fn start(&mut self) {
        while !self.sending {
            let Some(Queued { number, id, request, came, limit, given_up }) = self.waiting.pop_front() else { return };
            self.sending = is_send(&request);
            let (caller, clock) = (self.caller.clone(), self.clock.clone());
            self.running.push(Box::pin(async move {
                let answer = async {
                    match caller {
                        None => no_group(&request),
                        Some(caller) => {
                            let (call, quiet) = call_of(&request);
                            caller.call(call, limit.saturating_sub(clock.since(came)), quiet, "shell").await.answer
                        }
                    }
                };
                let answer = tokio::select! {
                    biased;
                    () = given_up.cancelled() => no_reader(&request),
                    answer = answer => answer,
                };
                let answered = Answered { answer, duration: clock.since(came) };
                (number, Done { request, answered, id, unread: given_up.is_cancelled() })
            }));
        }
    }

    /// The next answer; never when nothing is asked.
    pub(crate) async fn next(&mut self) -> Done {
        match self.running.next().await {
            Some((number, done)) => {
                self.open.retain(|open| open.number != number);
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
        std::mem::take(&mut self.open).into_iter().map(|open| open.request).collect()
    }

    /// Whether a send has not been answered yet.
    pub(crate) fn sends_left(&self) -> bool {
        self.sending || self.waiting.iter().any(|queued| is_send(&queued.request))
    }
}

fn is_send(request: &DeviceRequest) -> bool {
    matches!(request, DeviceRequest::Send { .. })
}

fn no_group(request: &DeviceRequest) -> Answer {
    let what = format!("lava-{}", words(request).0.replace('_', "-"));
    refused(what, "the job has no group: it is a single-device job")
}

fn no_reader(request: &DeviceRequest) -> Answer {
    let (kind, message_id) = words(request);
    refused(format!("lava-{} {message_id}", kind.replace('_', "-")), "withdrawn: its helper was ended while it waited")
}

fn refused(what: String, why: &str) -> Answer {
    Answer::Refused { refusal: Refusal::Invalid { what, why: why.into(), hint: None } }
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
