//! The loop of the test shell: reads, flushes, answers, until the runner ends or something cuts it off.

use std::ops::ControlFlow;

use convoke_job::member::Place;
use convoke_job::pipeline::PlannedAction;
use convoke_journal::ResultValue;
use convoke_overlay::scanner::Scanner;
use convoke_overlay::signal::Signal;
use serde_json::Map;
use tokio::time::Instant;

use crate::actions::Outcome;
use crate::console::{Attached, Came, ConsoleLink, Trouble};
use crate::context::Context;
use crate::device::ConsoleEnd;
use crate::error::{ActionError, ErrorClass};
use crate::limits::{CONSOLE_GONE, Deadline, Nature, SCANNER_IDLE, SIGNAL};
use crate::prompt::{self, Wait};
use crate::testshell::line::Line;
use crate::testshell::reboot::RebootWatch;
use crate::testshell::requests::Requests;
use crate::testshell::suites::Suites;
use crate::testshell::visit;

/// What ends the scan: the runner's EXIT, or an error.
pub(super) type Flow = ControlFlow<Result<(), ActionError>>;

/// One running test action.
pub(super) struct Shell<'a> {
    pub(super) ctx: &'a Context,
    pub(super) action: &'a PlannedAction,
    pub(super) deadline: &'a Deadline,
    pub(super) link: &'a ConsoleLink,
    /// The device's own console, when the test runs on another one: what its kernel says counts here too.
    pub(super) beside: Option<&'a ConsoleLink>,
    pub(super) scanner: Scanner,
    /// Since when a signal has begun without an end.
    pub(super) unfinished: Option<Instant>,
    pub(super) suites: Suites,
    pub(super) requests: Requests,
    pub(super) line: Line,
    pub(super) reboot: Option<RebootWatch>,
    pub(super) began: Instant,
    /// Names of all members, at which a helper cuts a reply.
    pub(super) members: Vec<String>,
    /// The stage.
    pub(super) number: usize,
    /// An earlier attempt was cut off.
    pub(super) again: bool,
    /// Suites whose installation failed.
    pub(super) failed_install: Option<String>,
    /// The runner has ended.
    pub(super) exited: bool,
    /// Why the rest of the block is left out: a wait failed.
    pub(super) stopped: Option<String>,
}

/// What happens to the device while its own console is not read.
async fn trouble(beside: Option<&ConsoleLink>) -> Trouble {
    match beside {
        Some(link) => link.trouble().await,
        None => std::future::pending().await,
    }
}

impl Shell<'_> {
    /// A comment, harmless in any shell, and the prompt it provokes. Gives what came before the prompt.
    pub(super) async fn prompt(&mut self, attached: &Attached<'_>) -> Result<Vec<u8>, ActionError> {
        self.prompt_after(attached, "#").await
    }

    /// A line that prepares the device for the test; the prompt comes back when it is done.
    pub(super) async fn prepare(&mut self, attached: &Attached<'_>, line: &str) -> Result<(), ActionError> {
        self.prompt_after(attached, line).await.map(drop)
    }

    async fn prompt_after(&mut self, attached: &Attached<'_>, line: &str) -> Result<Vec<u8>, ActionError> {
        let wait = Wait {
            name: self.action.name,
            prompts: self.ctx.wanted_prompts(self.action),
            check: Some(line),
            cut_off: self.again,
            connection: self.action.connection_limit,
            deadline: self.deadline,
            nature: Nature::Test,
        };
        prompt::wait(&self.ctx.log, self.link, attached, wait).await.map(|seen| seen.bytes)
    }

    /// Types the lines that start the runner.
    pub(super) fn start(&mut self) {
        let dir = self.ctx.results_dir();
        let stage = format!("{dir}/{}", self.number);
        self.ctx.log.debug(format_args!("using {dir}, stage {}", self.number));
        self.type_line(&format!("export SHELL={}", self.ctx.info.shell));
        self.type_line(&format!(". {dir}/environment"));
        if self.again {
            // The runner has renamed its list so that a reboot does not run it again.
            let conf = format!("{stage}/lava-test-runner.conf");
            self.type_line(&format!("for f in {conf}-*; do [ ! -e \"$f\" ] || mv \"$f\" {conf}; done"));
        }
        self.type_line(&format!("{dir}/bin/lava-test-runner {stage}"));
        self.began = Instant::now();
    }

    pub(super) fn type_line(&mut self, line: &str) {
        self.scanner.typed(format!("{line}\n").as_bytes());
        self.link.type_line(line);
    }

    /// What came before the runner was started: only requests of processes that an earlier block left behind count, and
    /// of an attempt that was cut off only its sends.
    pub(super) fn early(&mut self, bytes: &[u8]) {
        let again = self.again;
        let mut scanner = Scanner::new(Vec::new());
        let mut signals = scanner.feed(bytes);
        signals.extend(scanner.flush());
        for signal in signals {
            match signal {
                Signal::Request(request) if !again || request.kind().is_none() => self.request(request, None),
                Signal::Frame(frame) if !again => {
                    let now = self.line.now();
                    let events = self.line.link.frame(&frame, now);
                    // A runner does not end before it was started.
                    let _ = self.line_events(events);
                }
                Signal::GaveUp { kind, message_id } => self.requests.give_up(kind, &message_id),
                _ => {}
            }
        }
    }

    pub(super) async fn scan(&mut self, attached: &Attached<'_>) -> Result<(), ActionError> {
        let mut idle: Option<Instant> = None;
        loop {
            let flush_at = idle.unwrap_or_else(|| Instant::now() + SCANNER_IDLE);
            let (line_due, exit_at, link) = (self.line.due(), self.line.exit_at, self.link);
            tokio::select! {
                biased;
                () = self.ctx.cancel.cancelled() => return Err(self.ctx.stopped()),
                () = self.deadline.reached() => {
                    return Err(self.passed());
                }
                done = self.requests.next() => self.answered(done)?,
                () = visit::wanted(link) => self.ask_for_shell(),
                read = attached.read(), if !self.exited => {
                    let flow = match read {
                        Ok(Came::Reset) => self.rebooted(),
                        Ok(Came::Panicked(line)) => self.panicked(&line),
                        Ok(Came::Bytes(bytes)) => {
                            // Before its echo is looked at.
                            self.scanner.typed(&self.link.take_typed_beside());
                            idle = Some(Instant::now() + SCANNER_IDLE);
                            self.bytes(&bytes)
                        }
                        Err(end) => {
                            let flow = self.closed(&end);
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
                trouble = trouble(self.beside), if !self.exited => {
                    let flow = match trouble {
                        Trouble::Panicked(line) => self.panicked(&line),
                        Trouble::Reset => self.rebooted(),
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
                () = tokio::time::sleep_until(line_due.unwrap_or(flush_at)), if line_due.is_some() => {
                    if let ControlFlow::Break(result) = self.line_tick() {
                        result?;
                        self.exited = true;
                    }
                }
                () = tokio::time::sleep_until(exit_at.unwrap_or(flush_at)), if exit_at.is_some() && !self.exited => {
                    self.ctx.log.warning("the runner's EXIT did not come; all its suites have ended, so it has too");
                    self.exited = true;
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
            if self.stopped.is_some() {
                return Ok(());
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
                return self.rebooted();
            }
            rest = &rest[at..];
        }
        self.text(rest)
    }

    /// The runner is gone: there is nothing to wait for.
    fn rebooted(&mut self) -> Flow {
        let signals = self.scanner.flush();
        self.signals(signals)?;
        let error = ActionError::test(format!("{}: device rebooted", self.action.name));
        ControlFlow::Break(Err(error))
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

    /// Time is up: what ran, and what the console showed last.
    fn passed(&self) -> ActionError {
        let mut error = self.deadline.passed(self.action.name, Nature::Test);
        if let Some(suite) = self.suites.open_suite() {
            error.message.push_str(&format!("; suite {suite} was running"));
        }
        let lines = self.link.last_lines();
        if !lines.is_empty() {
            error.message.push_str(&format!("; the console's last lines: {lines}"));
        }
        error
    }

    /// Nothing will come any more.
    fn panicked(&mut self, line: &str) -> Flow {
        let signals = self.scanner.flush();
        self.signals(signals)?;
        let error = ActionError::test(format!("{}: the kernel panicked: {line}", self.action.name));
        ControlFlow::Break(Err(error.reason("kernel-panic")))
    }

    fn closed(&mut self, end: &ConsoleEnd) -> Flow {
        let signals = self.scanner.flush();
        self.signals(signals)?;
        let mut error = self.link.ended(self.action.name, end, "");
        // A test that ends its own machine has failed as a test.
        if error.class == ErrorClass::Job {
            error.class = ErrorClass::Test;
        }
        // A guest's connection says nothing about the health of its host's device (job-definition.md §13).
        if matches!(self.ctx.job.place, Place::Guest { .. }) {
            error.class = ErrorClass::Job;
        }
        ControlFlow::Break(Err(error))
    }

    /// Closes what is open and says how the action ended.
    pub(super) fn finish(mut self, result: Result<(), ActionError>) -> Outcome {
        let now = self.began.elapsed();
        let why = match (&result, &self.stopped) {
            (Err(error), _) => error.message.clone(),
            (Ok(()), Some(why)) => why.clone(),
            (Ok(()), None) => "the runner has ended".to_owned(),
        };
        self.line_ends();
        for request in self.requests.withdraw() {
            let extra = Map::from_iter([("error_msg".to_owned(), format!("withdrawn: {why}").into())]);
            self.result_of_call(&request, ResultValue::Fail, None, extra);
        }
        self.suites.finish(&why, now);
        self.note();
        if (result.is_err() || self.stopped.is_some()) && !self.exited && !self.link.is_closed() {
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
            if self.stopped.is_none() {
                self.ctx.log.info("ok: the test shell has completed");
            }
            None
        })
    }
}
