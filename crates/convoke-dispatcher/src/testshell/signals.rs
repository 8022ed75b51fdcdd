//! What each signal of a device does, and what its requests are answered.

use std::ops::ControlFlow;
use std::time::Duration;

use convoke_group::{Answer, Refusal};
use convoke_job::member::OnSyncTimeout;
use convoke_journal::{Body, LogLevel, ResultValue};
use convoke_overlay::link::{Kind, Reply};
use convoke_overlay::reply;
use convoke_overlay::signal::{DeviceRequest, Signal};
use serde_json::{Map, Value};

use crate::calls;
use crate::error::ActionError;
use crate::testshell::line::Answered;
use crate::testshell::requests::{Done, words};
use crate::testshell::shell::{Flow, Shell};
use crate::testshell::suites::{Case, value};

/// A helper that is not ours reads its reply as a line of a terminal, which holds no more.
const OLD_LINE: usize = 4000;

impl Shell<'_> {
    pub(super) fn signals(&mut self, signals: Vec<Signal>) -> Flow {
        for signal in signals {
            let flow = self.signal(signal);
            self.note();
            flow?;
        }
        ControlFlow::Continue(())
    }

    fn signal(&mut self, signal: Signal) -> Flow {
        let now = self.began.elapsed();
        let log = &self.ctx.log;
        match signal {
            Signal::RunnerExit => return ControlFlow::Break(Ok(())),
            Signal::InstallFail => {
                let suite = self.suites.install_failed(now);
                let suite = suite.unwrap_or_else(|| format!("a definition of stage {}", self.number));
                log.error(format_args!("unable to start stage {}: the install steps of {suite} failed", self.number));
                self.failed_install.get_or_insert(suite);
            }
            Signal::StartRun { suite, .. } => {
                self.suites.start(&suite, now);
            }
            Signal::EndRun { suite, .. } => {
                self.suites.end(&suite, now);
            }
            Signal::SuiteExited { suite, status } => {
                self.suites.exited(&suite, status, now);
            }
            Signal::StartTestCase(case) => self.suites.mark(case, true),
            Signal::EndTestCase(case) => self.suites.mark(case, false),
            Signal::TestCase { case, result, measurement, units }
            | Signal::Pattern { case, result, measurement, units } => {
                let units = units.filter(|_| measurement.is_some());
                let case = Case { name: case, result: value(result), measurement, units, ..Case::default() };
                self.suites.case(case, now);
            }
            Signal::TestSetStart(name) => self.suites.set(Some(name)),
            Signal::TestSetStop => self.suites.set(None),
            Signal::TestReference { case, result, url } => {
                let case = Case { name: case, result: value(result), reference: Some(url), ..Case::default() };
                self.suites.case(case, now);
            }
            Signal::TestRaise(text) => {
                let text = if text.trim().is_empty() { "the test raised an error".into() } else { text };
                return ControlFlow::Break(Err(ActionError::test(text)));
            }
            Signal::TestFeedback(namespace) => {
                // The lines of further connections are in the log as they come.
                if !self.ctx.consoles.has_own(&namespace) {
                    log.line(LogLevel::Feedback, format_args!("namespace {namespace} has no console of its own"));
                }
            }
            Signal::TestEvent(text) => log.line(LogLevel::Event, text),
            Signal::ReturnCode(_) => {}
            Signal::Request(request) => self.request(request, None),
            Signal::Frame(frame) if frame.kind == Kind::Visited => self.visited(&frame),
            Signal::Frame(frame) => {
                let at = self.line.now();
                let events = self.line.link.frame(&frame, at);
                return self.line_events(events);
            }
            Signal::DamagedFrame(frame) => {
                let events = self.line.link.damaged(&frame);
                return self.line_events(events);
            }
            Signal::Lost { suite, numbers } => {
                let shown: Vec<String> = numbers.iter().take(20).map(u32::to_string).collect();
                let more = if numbers.len() > 20 { ", …" } else { "" };
                self.suites.lost(&format!(
                    "{} results of {suite} were lost on the console: number {}{more}",
                    numbers.len(),
                    shown.join(", ")
                ));
            }
            Signal::GaveUp { kind, message_id } => self.requests.give_up(kind, &message_id),
            Signal::DependenciesFailed { suite, status } => self.suites.dependencies_failed(&suite, status),
            Signal::Warning { text, why } => log.warning(format_args!("odd, but obeyed: {text} ({why})")),
            Signal::Ignored { text, why } => log.warning(format_args!("not obeyed: {text} ({why})")),
        }
        ControlFlow::Continue(())
    }

    pub(super) fn request(&mut self, request: DeviceRequest, id: Option<u16>) {
        let limit = calls::limit(None, &self.ctx.job, self.deadline.remaining());
        self.requests.push(request, id, limit);
    }

    /// Types the reply and records the result. What a failed wait does besides is the group's choice.
    pub(super) fn answered(&mut self, done: Done) -> Result<(), ActionError> {
        if let Some(id) = done.id {
            return self.answered_frames(id, done);
        }
        let Done { request, answered, unread, .. } = done;
        let mut extra = Map::new();
        let mut failed = None;
        let line = match answered.answer {
            Answer::Refused { refusal } => {
                extra = told(&refusal);
                let why = refusal.clone().with_facts(Vec::new()).to_string();
                let line = request.kind().map(|kind| reply::nack(kind, Some(&why)));
                failed = Some(refusal).filter(|refusal| !matches!(refusal, Refusal::Invalid { .. }));
                line
            }
            Answer::Done { messages } => request.kind().and_then(|kind| {
                let messages: Vec<_> =
                    messages.into_iter().map(|(name, data)| (name.as_str().to_owned(), data)).collect();
                let line = reply::reply(kind, &messages, &self.members).map_err(|error| error.to_string());
                let whole = line.and_then(|line| match line.len() {
                    // Helpers of this job would have asked in frames.
                    long if long > OLD_LINE && self.scanner.is_checked() => Err(format!(
                        "the reply has {long} bytes; a helper that asks in the old form can take {OLD_LINE}"
                    )),
                    _ => Ok(line),
                });
                whole.map_or_else(
                    |error| {
                        // The call itself was satisfied, so nothing else says this.
                        self.ctx.log.error(&error);
                        extra.insert("error_msg".into(), error.clone().into());
                        request.kind().map(|kind| reply::nack(kind, Some(&error)))
                    },
                    Some,
                )
            }),
        };
        if let Some(line) = line.filter(|_| !unread) {
            self.type_line(line.trim_end_matches('\n'));
        }
        let result = if extra.is_empty() { ResultValue::Pass } else { ResultValue::Fail };
        self.result_of_call(&request, result, Some(answered.duration), extra);
        self.consequence(failed)
    }

    /// The same on the checked link, where anything can be carried and a send is answered too.
    fn answered_frames(&mut self, id: u16, done: Done) -> Result<(), ActionError> {
        let Done { request, answered, .. } = done;
        let mut extra = Map::new();
        let mut failed = None;
        let reply = match answered.answer {
            Answer::Refused { refusal } => {
                extra = told(&refusal);
                let why = refusal.clone().with_facts(Vec::new()).to_string();
                failed = Some(refusal).filter(|refusal| !matches!(refusal, Refusal::Invalid { .. }));
                Reply::Nack(why)
            }
            Answer::Done { messages } => {
                let messages: Vec<_> =
                    messages.into_iter().map(|(name, data)| (name.as_str().to_owned(), data)).collect();
                reply::pairs(&messages).map_or_else(
                    |error| {
                        self.ctx.log.error(&error);
                        extra.insert("error_msg".into(), error.to_string().into());
                        Reply::Nack(error.to_string())
                    },
                    Reply::Ok,
                )
            }
        };
        let result = if extra.is_empty() { ResultValue::Pass } else { ResultValue::Fail };
        let duration = Some(answered.duration);
        self.answer_call(id, &reply, Answered { request, result, duration, extra });
        self.consequence(failed)
    }

    fn consequence(&mut self, failed: Option<Refusal>) -> Result<(), ActionError> {
        let choice = self.ctx.job.group.as_ref().map(|group| group.on_sync_timeout).unwrap_or_default();
        match (failed, choice) {
            (None, _) | (_, OnSyncTimeout::Continue) => Ok(()),
            (Some(refusal), OnSyncTimeout::StopDefinition) => {
                self.stopped = Some(format!("stopped, as the group asks for with on-sync-timeout: {refusal}"));
                Ok(())
            }
            (Some(refusal), OnSyncTimeout::FailJob) => Err(calls::refused(self.action.name, &refusal)),
        }
    }

    pub(super) fn result_of_call(
        &mut self,
        request: &DeviceRequest,
        result: ResultValue,
        duration: Option<Duration>,
        extra: Map<String, Value>,
    ) {
        let (kind, message_id) = words(request);
        let name = format!("multinode-{kind}-{message_id}").to_lowercase();
        self.suites.call(Case { name, result, duration, extra, ..Case::default() });
        self.note();
    }

    /// Records what the suites have to say.
    pub(super) fn note(&mut self) {
        for body in self.suites.take() {
            match body {
                Body::Result(record) => self.ctx.log.result(record),
                body => self.ctx.log.record(body),
            }
        }
    }
}

/// What the result of a refused call says. What other members' consoles show stands here and is not typed to the device,
/// where it does not belong and is not needed.
fn told(refusal: &Refusal) -> Map<String, Value> {
    let mut extra = Map::from_iter([("error_msg".to_owned(), refusal.to_string().into())]);
    // An empty list says nothing and would hide the message where there is room for one only.
    let mut list = |key: &str, words: &[String]| {
        if !words.is_empty() {
            extra.insert(key.into(), Value::from(words.to_vec()));
        }
    };
    list("missing", calls::missing(refusal));
    list("facts", refusal.facts());
    extra
}
