//! The test shell: starts the runner, then scans the console until the runner's EXIT (device-side.md §3, §4).
//!
//! ```text
//! `#` ─→ prompt ─→ export SHELL, environment, runner ─→ ┌ bytes ─→ scanner ─→ suites ─→ journal
//!                                                       │               └──→ requests ─→ group
//!                                                       └ answer ─→ reply typed, result recorded
//! ```
//!
//! | module | is about |
//! |---|---|
//! | [`suites`] | which suite is open, what it reported, how it ends |
//! | [`requests`] | MultiNode requests, each on its own |
//! | [`reboot`] | a device that boots while a suite is open |
//!
//! It fails with the action's limit, the stop of the member, the end of the console, a test's own raise, a reboot, or a
//! definition whose installation failed. However it ends, an open suite is closed as failed first.

pub(crate) mod reboot;
pub(crate) mod requests;
pub(crate) mod suites;

use std::ops::ControlFlow;
use std::time::Duration;

use convoke_group::Answer;
use convoke_job::member::Place;
use convoke_journal::{LogLevel, ResultValue};
use convoke_overlay::reply;
use convoke_overlay::scanner::Scanner;
use convoke_overlay::signal::{DeviceRequest, Signal};
use serde_json::{Map, Value};
use tokio::time::Instant;

use crate::actions::Outcome;
use crate::calls;
use crate::console::ConsoleLink;
use crate::context::Context;
use crate::error::{ActionError, ErrorClass};
use crate::limits::{CONSOLE_GONE, Deadline, Nature, SCANNER_IDLE, SIGNAL};
use crate::prompt::{self, Wait};
use convoke_job::pipeline::PlannedAction;
use reboot::RebootWatch;
use requests::{Done, Requests, words};
use suites::{Case, SuitePlan, Suites, value};

/// Runs the definitions of the action's block.
pub(crate) async fn run(ctx: &mut Context, action: &PlannedAction, deadline: &Deadline) -> Outcome {
    let Some((number, plans)) = suite_plans(ctx, action) else {
        return Err(ActionError::job(format!("{}: the block has no definitions", action.name)));
    };
    if ctx.console.is_none() || !ctx.deployed {
        let lacks = if ctx.deployed { "boot" } else { "deploy" };
        return Err(ActionError::job(format!(
            "{}: no {lacks} block comes before this test: add one for namespace {}",
            action.name, action.namespace
        )));
    }
    let again = ctx.started.insert(number, ctx.started.get(&number).map_or(0, |count| count + 1)).is_some();
    let ctx = &*ctx;
    let Some(link) = ctx.console.as_ref() else { return Ok(None) };
    let attached = link.attach();
    let mut shell = Shell {
        ctx,
        action,
        deadline,
        link,
        scanner: scanner(&plans)?,
        unfinished: None,
        suites: Suites::new(plans, &action.namespace),
        requests: Requests::new(ctx.caller()),
        reboot: ctx.kernel_console.then(RebootWatch::default),
        began: Instant::now(),
        members: ctx.members().iter().map(|member| member.name.clone()).collect(),
        number,
        failed_install: None,
        exited: false,
    };
    let early = tokio::select! {
        biased;
        () = ctx.cancel.cancelled() => return Err(ctx.stopped()),
        early = shell.prompt(&attached) => early?,
    };
    shell.start(again);
    shell.early(&early, again);
    let result = shell.scan(&attached).await;
    shell.finish(result)
}

/// A scanner for these suites.
fn scanner(plans: &[SuitePlan]) -> Result<Scanner, ActionError> {
    let mut scanner = Scanner::new(plans.iter().map(|plan| (plan.suite.clone(), plan.uuid.clone())).collect());
    for plan in plans {
        if let Some(pattern) = &plan.parse {
            let wrong = |error| ActionError::job(format!("test definition {}: {error}", plan.suite));
            scanner.add_pattern(&plan.suite, pattern).map_err(wrong)?;
        }
    }
    Ok(scanner)
}

/// The suites of the action's block as the fetched definitions say.
fn suite_plans(ctx: &Context, action: &PlannedAction) -> Option<(usize, Vec<SuitePlan>)> {
    let (number, stage) = ctx.stages.of_block(action.block?)?;
    let plans = stage.definitions.iter().map(|plan| {
        let fetched = plan.fetched.as_ref();
        let mut facts = Map::new();
        facts.insert("path".into(), plan.entry.path.clone().into());
        if let Some(staged) = fetched {
            let source = crate::actions::overlay::source(&plan.entry, &staged.document);
            facts.extend(source);
            if let Some(commit) = &staged.commit {
                facts.insert("commit_id".into(), commit.clone().into());
            }
        }
        let expected = plan.entry.expected.clone();
        SuitePlan {
            suite: plan.suite(),
            uuid: fetched.map(|staged| staged.uuid.clone()).unwrap_or_default(),
            expected: expected.or_else(|| fetched.and_then(|staged| staged.definition.expected.clone())),
            parse: fetched.and_then(|staged| staged.definition.parse.clone()),
            facts,
        }
    });
    Some((number, plans.collect()))
}

/// What ends the scan: the runner's EXIT, or an error.
type Flow = ControlFlow<Result<(), ActionError>>;

struct Shell<'a> {
    ctx: &'a Context,
    action: &'a PlannedAction,
    deadline: &'a Deadline,
    link: &'a ConsoleLink,
    scanner: Scanner,
    /// Since when a signal has begun without an end.
    unfinished: Option<Instant>,
    suites: Suites,
    requests: Requests,
    reboot: Option<RebootWatch>,
    began: Instant,
    /// Names of all members, at which a helper cuts a reply.
    members: Vec<String>,
    /// The stage.
    number: usize,
    /// Suites whose installation failed.
    failed_install: Option<String>,
    /// The runner has ended.
    exited: bool,
}

impl Shell<'_> {
    /// A comment, harmless in any shell, and the prompt it provokes. Gives what came before the prompt.
    async fn prompt(&mut self, attached: &crate::console::Attached<'_>) -> Result<Vec<u8>, ActionError> {
        let wait = Wait {
            name: self.action.name,
            prompts: self.ctx.wanted_prompts(),
            check: Some("#"),
            connection: self.action.connection_limit,
            deadline: self.deadline,
        };
        prompt::wait(&self.ctx.log, self.link, attached, wait).await.map(|seen| seen.bytes)
    }

    /// Types the lines that start the runner.
    fn start(&mut self, again: bool) {
        let dir = self.ctx.results_dir();
        let stage = format!("{dir}/{}", self.number);
        self.ctx.log.debug(format_args!("using {dir}, stage {}", self.number));
        self.type_line(&format!("export SHELL={}", self.ctx.info.shell));
        self.type_line(&format!(". {dir}/environment"));
        if again {
            // The runner has renamed its list so that a reboot does not run it again.
            let conf = format!("{stage}/lava-test-runner.conf");
            self.type_line(&format!("for f in {conf}-*; do mv \"$f\" {conf}; done"));
        }
        self.type_line(&format!("{dir}/bin/lava-test-runner {stage}"));
        self.began = Instant::now();
    }

    fn type_line(&mut self, line: &str) {
        self.scanner.typed(format!("{line}\n").as_bytes());
        self.link.type_line(line);
    }

    /// What came before the runner was started: only requests of processes that an earlier block left behind count, and
    /// of an attempt that was cut off only its sends.
    fn early(&mut self, bytes: &[u8], again: bool) {
        let mut scanner = Scanner::new(Vec::new());
        let mut signals = scanner.feed(bytes);
        signals.extend(scanner.flush());
        for signal in signals {
            match signal {
                Signal::Request(request) if !again || request.kind().is_none() => self.request(request),
                _ => {}
            }
        }
    }

    async fn scan(&mut self, attached: &crate::console::Attached<'_>) -> Result<(), ActionError> {
        let mut idle: Option<Instant> = None;
        loop {
            let flush_at = idle.unwrap_or_else(|| Instant::now() + SCANNER_IDLE);
            tokio::select! {
                biased;
                () = self.ctx.cancel.cancelled() => return Err(self.ctx.stopped()),
                () = tokio::time::sleep_until(self.deadline.at) => {
                    return Err(self.deadline.passed(self.action.name, Nature::Test));
                }
                done = self.requests.next() => self.answered(done),
                read = attached.read(), if !self.exited => {
                    let flow = match read {
                        Ok(bytes) => {
                            idle = Some(Instant::now() + SCANNER_IDLE);
                            self.bytes(&bytes)
                        }
                        Err(why) => {
                            let flow = self.closed(&why);
                            // Time for whoever stops this member to say so first.
                            tokio::select! {
                                biased;
                                () = self.ctx.cancel.cancelled() => return Err(self.ctx.stopped()),
                                () = tokio::time::sleep(CONSOLE_GONE) => flow,
                            }
                        }
                    };
                    if let ControlFlow::Break(result) = flow {
                        result?;
                        self.exited = true;
                    }
                }
                () = tokio::time::sleep_until(flush_at), if idle.is_some() => {
                    idle = None;
                    let signals = self.scanner.flush();
                    if let ControlFlow::Break(result) = self.signals(signals) {
                        result?;
                        self.exited = true;
                    }
                }
                () = tokio::time::sleep_until(self.unfinished.unwrap_or(flush_at)), if self.unfinished.is_some() => {
                    self.unfinished = None;
                    let signals = self.scanner.give_up();
                    if let ControlFlow::Break(result) = self.signals(signals) {
                        result?;
                        self.exited = true;
                    }
                }
            }
            // A send is done when the group has it, not when the script has ended.
            if self.exited && !self.requests.sends_left() {
                return Ok(());
            }
        }
    }

    fn bytes(&mut self, bytes: &[u8]) -> Flow {
        let mut rest = bytes;
        while let Some(at) = self.reboot.as_mut().and_then(|watch| watch.feed(rest)) {
            self.text(&rest[..at])?;
            if self.suites.is_open() {
                let error = ActionError::test(format!("{}: device rebooted", self.action.name));
                return ControlFlow::Break(Err(error));
            }
            rest = &rest[at..];
        }
        self.text(rest)
    }

    fn text(&mut self, bytes: &[u8]) -> Flow {
        let signals = self.scanner.feed(bytes);
        self.unfinished = match self.unfinished {
            _ if !self.scanner.unfinished() => None,
            Some(at) if signals.is_empty() => Some(at),
            _ => Some(Instant::now() + SIGNAL),
        };
        self.signals(signals)
    }

    fn closed(&mut self, why: &str) -> Flow {
        let signals = self.scanner.flush();
        self.signals(signals)?;
        let message =
            format!("{}: the console was closed ({why}); its last lines: {}", self.action.name, self.link.last_lines());
        // A guest's connection says nothing about the health of its host's device (job-definition.md §13).
        let guest = matches!(self.ctx.job.place, Place::Guest { .. });
        let class = if guest { ErrorClass::Job } else { ErrorClass::Infrastructure };
        ControlFlow::Break(Err(ActionError::new(class, message)))
    }

    fn signals(&mut self, signals: Vec<Signal>) -> Flow {
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
                log.line(LogLevel::Feedback, format_args!("namespace {namespace} has no console of its own"));
            }
            Signal::TestEvent(text) => log.line(LogLevel::Event, text),
            Signal::ReturnCode(_) => {}
            Signal::Request(request) => self.request(request),
            Signal::DependenciesFailed { suite, status } => self.suites.dependencies_failed(&suite, status),
            Signal::Warning { text, why } => log.warning(format_args!("odd, but obeyed: {text} ({why})")),
            Signal::Ignored { text, why } => log.warning(format_args!("not obeyed: {text} ({why})")),
        }
        ControlFlow::Continue(())
    }

    fn request(&mut self, request: DeviceRequest) {
        let limit = calls::limit(None, &self.ctx.job, self.deadline.remaining());
        self.requests.push(request, limit);
    }

    /// Types the reply and records the result.
    fn answered(&mut self, done: Done) {
        let Done { request, answered } = done;
        let mut extra = Map::new();
        let mut refuse = |why: String, missing: &[String]| {
            extra.insert("error_msg".into(), why.clone().into());
            extra.insert("missing".into(), Value::from(missing.to_vec()));
            request.kind().map(|kind| reply::nack(kind, Some(&why)))
        };
        let line = match answered.answer {
            Answer::Refused { refusal } => refuse(refusal.to_string(), calls::missing(&refusal)),
            Answer::Done { messages } => request.kind().and_then(|kind| {
                let messages: Vec<_> =
                    messages.into_iter().map(|(name, data)| (name.as_str().to_owned(), data)).collect();
                reply::reply(kind, &messages, &self.members).map_or_else(
                    |error| {
                        // The call itself was satisfied, so nothing else says this.
                        self.ctx.log.error(&error);
                        refuse(error.to_string(), &[])
                    },
                    Some,
                )
            }),
        };
        if let Some(line) = line {
            self.type_line(line.trim_end_matches('\n'));
        }
        let result = if extra.is_empty() { ResultValue::Pass } else { ResultValue::Fail };
        self.result_of_call(&request, result, Some(answered.duration), extra);
    }

    fn result_of_call(
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
    fn note(&mut self) {
        for body in self.suites.take() {
            match body {
                convoke_journal::Body::Result(record) => self.ctx.log.result(record),
                body => self.ctx.log.record(body),
            }
        }
    }

    /// Closes what is open and says how the action ended.
    fn finish(mut self, result: Result<(), ActionError>) -> Outcome {
        let now = self.began.elapsed();
        let why = match &result {
            Ok(()) => "the runner has ended".to_owned(),
            Err(error) => error.message.clone(),
        };
        for request in self.requests.withdraw() {
            let extra = Map::from_iter([("error_msg".to_owned(), format!("withdrawn: {why}").into())]);
            self.result_of_call(&request, ResultValue::Fail, None, extra);
        }
        self.suites.finish(&why, now);
        self.note();
        if result.is_err() && !self.exited && self.link.closed().is_none() {
            // Gives the shell back to whatever comes next: another attempt, or the next block after `skip`.
            self.link.interrupt();
        }
        if let Some(suite) = self.failed_install {
            self.ctx.log.result(convoke_journal::ResultRecord {
                definition: "lava".into(),
                case: format!("stage_{}", self.number),
                result: ResultValue::Fail,
                namespace: Some(self.action.namespace.clone()),
                ..Default::default()
            });
            result?;
            return Err(ActionError::test(format!(
                "Unable to start test stage {}: the install steps of {suite} failed",
                self.number
            )));
        }
        result.map(|()| {
            self.ctx.log.info("ok: the test shell has completed");
            None
        })
    }
}
