//! A conversation on a console: typing, and waiting for the first of several texts (job-definition.md §9.3).
//!
//! Unlike a wait for a prompt it goes on: what came behind a text that was found is there for the next wait. Each exchange
//! may take the action's connection limit, never beyond its deadline.

use std::time::Duration;

use convoke_coordinator::Moment;
use convoke_job::pipeline::PlannedAction;
use convoke_overlay::prompt::{Match, PromptMatcher};
use tokio::time::Instant;

use crate::console::{Attached, Came, ConsoleLink};
use crate::context::Context;
use crate::error::{ActionError, ErrorClass};
use crate::limits::{CONSOLE_GONE, Deadline, Nature, SCANNER_IDLE, Seconds};

/// One conversation.
pub(crate) struct Talk<'a> {
    ctx: &'a Context,
    link: &'a ConsoleLink,
    attached: Attached<'a>,
    action: &'a PlannedAction,
    deadline: &'a Deadline,
    matcher: PromptMatcher,
}

/// What was seen.
#[derive(Debug)]
pub(crate) struct Seen {
    /// Which pattern.
    pub(crate) pattern: usize,
    /// The text it matched.
    pub(crate) text: String,
    /// Its named groups.
    pub(crate) groups: Vec<(String, String)>,
}

impl<'a> Talk<'a> {
    pub(crate) fn new(
        ctx: &'a Context,
        link: &'a ConsoleLink,
        action: &'a PlannedAction,
        deadline: &'a Deadline,
    ) -> Self {
        Talk { ctx, link, attached: link.attach(), action, deadline, matcher: PromptMatcher::default() }
    }

    /// Types a line. What has come so far is not its output.
    pub(crate) fn type_line(&mut self, line: &str) {
        self.attached.drain();
        self.matcher.clear();
        self.link.type_line(line);
    }

    /// Waits so long.
    pub(crate) async fn pause(&self, pause: Duration) -> Result<(), ActionError> {
        tokio::select! {
            biased;
            () = self.ctx.cancel.cancelled() => Err(self.ctx.stopped()),
            () = self.deadline.reached() => Err(self.deadline.passed(self.action.name, Nature::Test)),
            () = tokio::time::sleep(pause) => Ok(()),
        }
    }

    /// Waits for one of these.
    pub(crate) async fn until(&mut self, patterns: &[String]) -> Result<Seen, ActionError> {
        self.first_of(None, patterns).await
    }

    /// Waits for the first of these; `echo`, when it comes, is left out.
    pub(crate) async fn first_of(&mut self, echo: Option<&str>, patterns: &[String]) -> Result<Seen, ActionError> {
        let limit = self.action.connection_limit.min(self.deadline.remaining());
        let until = self.deadline.clock().now().saturating_add(limit);
        self.ctx.log.debug(format_args!(
            "{}: waits for one of {patterns:?} (timeout {})",
            self.action.name,
            Seconds(limit)
        ));
        if let Some(line) = echo {
            // A literal, whatever is in it; in front of all others, so that it counts first.
            let literal: String = line.chars().flat_map(escaped).collect();
            let all: Vec<String> = std::iter::once(literal).chain(patterns.iter().cloned()).collect();
            let found = self.find(&all, patterns, until).await?;
            if found.prompt > 0 {
                let names = self.matcher.group_names(found.prompt);
                return Ok(seen(Match { prompt: found.prompt - 1, ..found }, &names));
            }
        }
        let found = self.find(patterns, patterns, until).await?;
        let names = self.matcher.group_names(found.prompt);
        Ok(seen(found, &names))
    }

    async fn find(&mut self, all: &[String], told: &[String], until: Moment) -> Result<Match, ActionError> {
        let wrong = |error: convoke_overlay::prompt::PromptError| ActionError::job(error.to_string());
        self.matcher.set_prompts(all).map_err(wrong)?;
        let mut bytes = Vec::new();
        let mut idle: Option<Instant> = None;
        loop {
            if let Some(found) = self.matcher.feed(&bytes) {
                return Ok(found);
            }
            bytes.clear();
            if self.deadline.clock().now() >= until {
                return Err(self.nothing(told));
            }
            tokio::select! {
                biased;
                () = self.ctx.cancel.cancelled() => return Err(self.ctx.stopped()),
                came = self.attached.read() => match came {
                    Ok(Came::Bytes(more)) => {
                        idle = Some(Instant::now() + SCANNER_IDLE);
                        bytes = more;
                    }
                    Ok(Came::Reset) => self.ctx.log.info(format_args!("{}: the device was reset", self.action.name)),
                    Ok(Came::Panicked(line)) => {
                        let message = format!("{}: the kernel panicked: {line}", self.action.name);
                        return Err(ActionError::test(message).reason("kernel-panic"));
                    }
                    Err(end) => {
                        if let Some(found) = self.matcher.flush() {
                            return Ok(found);
                        }
                        // Time for whoever stops this member to say so first.
                        tokio::select! {
                            biased;
                            () = self.ctx.cancel.cancelled() => return Err(self.ctx.stopped()),
                            () = tokio::time::sleep(CONSOLE_GONE) => {}
                        }
                        let mut error = self.link.ended(self.action.name, &end, &format!(" before one of {told:?} came"));
                        if error.class == ErrorClass::Job {
                            error.class = ErrorClass::Test;
                        }
                        return Err(error);
                    }
                },
                () = tokio::time::sleep_until(idle.unwrap_or_else(Instant::now)), if idle.is_some() => {
                    idle = None;
                    if let Some(found) = self.matcher.flush() {
                        return Ok(found);
                    }
                }
                () = self.deadline.clock().sleep_until(until) => return Err(self.nothing(told)),
            }
        }
    }

    /// Nothing of it came in time.
    fn nothing(&self, wanted: &[String]) -> ActionError {
        let last = self.link.last_lines();
        let last = if last.is_empty() { "nothing came from it".into() } else { format!("its last lines: {last}") };
        if self.deadline.remaining().is_zero() {
            let mut error = self.deadline.passed(self.action.name, Nature::Test);
            error.message = format!("{}: the console showed none of {wanted:?}; {last}", error.message);
            return error;
        }
        let limit = Seconds(self.action.connection_limit);
        ActionError::test(format!("{}: the console showed none of {wanted:?} within {limit}; {last}", self.action.name))
    }
}

fn seen(found: Match, names: &[Option<String>]) -> Seen {
    let groups = names.iter().zip(&found.groups).filter_map(|(name, group)| Some((name.clone()?, group.clone()?)));
    Seen { pattern: found.prompt, groups: groups.collect(), text: found.text }
}

/// A character that stands for itself in a pattern.
fn escaped(letter: char) -> impl Iterator<Item = char> {
    let special = r"\.+*?()|[]{}^$#&-~".contains(letter);
    special.then_some('\\').into_iter().chain([letter])
}
