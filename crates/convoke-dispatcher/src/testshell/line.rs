//! The checked link of a test shell (device-side.md §8.4): what its frames ask, and what they are answered.
//!
//! The result of a call is recorded when the device has taken the reply: a wait that was satisfied but whose reply never
//! arrived has failed for the test. What is still on its way when the action ends is recorded as it was answered.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

use convoke_journal::ResultValue;
use convoke_overlay::link::{Link, LinkEvent, LinkRequest, Reply, SuiteEnd};
use convoke_overlay::signal::DeviceRequest;
use serde_json::{Map, Value};
use tokio::time::Instant;

use crate::limits::RUNNER_EXIT;
use crate::testshell::shell::{Flow, Shell};

/// What is asked for again so often without anything of it coming is lost.
const ROUNDS: u32 = 10;
/// So many signals are asked for at once.
const AT_ONCE: usize = 100;

/// The state of the link in one test action.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) link: Link,
    /// What times are counted from.
    opened: Instant,
    /// Results of calls that are answered, until the device has the answer.
    answered: BTreeMap<u16, Answered>,
    /// How many signals were missing the last time, and how often they were asked for in vain.
    missing: (usize, u32),
    /// The transaction that ended the last suite.
    last: Option<u16>,
    /// When the runner's EXIT is taken for lost.
    pub(super) exit_at: Option<Instant>,
}

/// The result of a call.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) request: DeviceRequest,
    pub(super) result: ResultValue,
    pub(super) duration: Option<Duration>,
    pub(super) extra: Map<String, Value>,
}

impl Line {
    /// A link whose typing takes `pace` a byte.
    pub(super) fn new(pace: Duration) -> Self {
        Line {
            link: Link::new().typing_at(pace),
            opened: Instant::now(),
            answered: BTreeMap::new(),
            missing: (0, 0),
            last: None,
            exit_at: None,
        }
    }

    pub(super) fn now(&self) -> Duration {
        self.opened.elapsed()
    }

    /// When something has to be typed again.
    pub(super) fn due(&self) -> Option<Instant> {
        self.link.due().map(|due| self.opened + due)
    }
}

impl Shell<'_> {
    /// Types again what the device has not taken.
    pub(super) fn line_tick(&mut self) -> Flow {
        let now = self.line.now();
        let events = self.line.link.tick(now);
        self.line_events(events)
    }

    pub(super) fn line_events(&mut self, events: Vec<LinkEvent>) -> Flow {
        for event in events {
            match event {
                // A shell has the console: it would be a command there. It is typed again.
                LinkEvent::Type(_) if self.is_visited() => {}
                LinkEvent::Type(line) => self.link.type_line(&line),
                LinkEvent::Asked { id, request } => self.asked(id, request)?,
                LinkEvent::Withdrawn { id } => {
                    self.requests.give_up_id(id);
                    self.took(id, None);
                }
                LinkEvent::Taken { id } => {
                    if self.line.last == Some(id) {
                        self.line.exit_at = Some(Instant::now() + RUNNER_EXIT);
                    }
                    self.took(id, None);
                }
                LinkEvent::NotTaken { id } => self.took(id, Some("the device did not take the reply")),
            }
        }
        ControlFlow::Continue(())
    }

    fn asked(&mut self, id: u16, request: LinkRequest) -> Flow {
        match request {
            LinkRequest::Call(request) => {
                self.request(request, Some(id));
                ControlFlow::Continue(())
            }
            LinkRequest::Begin => {
                self.scanner.begin_checked();
                self.reply(id, &Reply::Ok(Vec::new()))
            }
            LinkRequest::End(end) => self.suite_ends(id, &end),
        }
    }

    fn suite_ends(&mut self, id: u16, end: &SuiteEnd) -> Flow {
        let last_try = self.line.missing.1 >= ROUNDS;
        match self.scanner.end_suite(end, last_try) {
            Ok(signals) => {
                self.line.missing = (0, 0);
                if end.left == 0 {
                    self.line.last = Some(id);
                }
                self.signals(signals)?;
                self.reply(id, &Reply::Ok(Vec::new()))
            }
            Err(mut missing) => {
                let (before, rounds) = self.line.missing;
                self.line.missing = (missing.len(), if missing.len() == before { rounds + 1 } else { 0 });
                self.ctx.log.debug(format_args!(
                    "{}: {} signals were damaged on the console; asking for them again",
                    end.suite,
                    missing.len()
                ));
                missing.truncate(AT_ONCE);
                self.reply(id, &Reply::Resend(missing))
            }
        }
    }

    fn reply(&mut self, id: u16, reply: &Reply) -> Flow {
        let now = self.line.now();
        let events = self.line.link.answer(id, reply, now);
        self.line_events(events)
    }

    /// Types the answer to a call, and keeps its result until it is taken.
    pub(super) fn answer_call(&mut self, id: u16, reply: &Reply, answered: Answered) {
        let now = self.line.now();
        let events = self.line.link.answer(id, reply, now);
        let typed = !events.is_empty();
        self.line.answered.insert(id, answered);
        // An answer only types; what is asked comes in frames.
        let _ = self.line_events(events);
        if !typed {
            self.took(id, None);
        }
    }

    fn took(&mut self, id: u16, why: Option<&str>) {
        let Some(Answered { request, mut result, duration, mut extra }) = self.line.answered.remove(&id) else {
            return;
        };
        if let Some(why) = why {
            result = ResultValue::Fail;
            extra.insert("error_msg".into(), why.into());
        }
        self.result_of_call(&request, result, duration, extra);
    }

    /// The action ends: what was answered is recorded.
    pub(super) fn line_ends(&mut self) {
        for id in self.line.answered.keys().copied().collect::<Vec<_>>() {
            self.took(id, None);
        }
        let repeated = self.line.link.repeated();
        if repeated > 0 {
            self.ctx.log.info(format_args!("the console damaged frames: {repeated} were sent again"));
        }
        if repeated > 0 && !self.scanner.is_checked() {
            self.ctx.log.error(
                "the console is so bad that the runner gave the checked link up: results and messages of this test may \
                 be damaged or lost",
            );
        }
    }
}
