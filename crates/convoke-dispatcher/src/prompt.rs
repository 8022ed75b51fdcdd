//! Waiting for a prompt on a console (device-side.md §3).
//!
//! The check line is typed at once, again after half of the limit and then every tenth of it: a kernel message may have
//! cut the prompt. Where a helper may still be asking, Ctrl-C goes before each of these, from the first tenth on. The limit is the action's connection limit, never beyond its deadline.

use std::time::Duration;

use convoke_overlay::prompt::PromptMatcher;
use tokio::time::Instant;

use crate::console::{Attached, Came, ConsoleLink};
use crate::error::ActionError;
use crate::limits::{CONSOLE_GONE, Deadline, Nature, SCANNER_IDLE, Seconds};
use crate::log::Log;

/// One wait: for what, for how long, and on whose behalf.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wait<'a> {
    /// The action's name.
    pub(crate) name: &'a str,
    /// Regular expressions.
    pub(crate) prompts: &'a [String],
    /// The line that provokes a prompt; empty forces one with a bare LF, `None` types nothing.
    pub(crate) check: Option<&'a str>,
    /// A helper of an attempt that was cut off may still be asking.
    pub(crate) cut_off: bool,
    /// The action's connection limit.
    pub(crate) connection: Duration,
    /// The action's deadline.
    pub(crate) deadline: &'a Deadline,
    /// Which error the passing of the deadline is. Silence beyond the connection limit is always the job's.
    pub(crate) nature: Nature,
}

/// What was found.
#[derive(Debug)]
pub(crate) struct Seen {
    /// Which pattern matched.
    pub(crate) index: usize,
    /// Everything that was read, the newest part of it.
    pub(crate) bytes: Vec<u8>,
}

/// Bytes kept of what was read while waiting.
const KEPT: usize = 64 * 1024;

/// A matcher for regular expressions; a bad one is the job's error.
pub(crate) fn matcher(prompts: &[String]) -> Result<PromptMatcher, ActionError> {
    PromptMatcher::new(prompts).map_err(|error| ActionError::job(error.to_string()))
}

/// Types the check, if any, and waits for one of the prompts.
pub(crate) async fn wait(
    log: &Log,
    link: &ConsoleLink,
    attached: &Attached<'_>,
    wait: Wait<'_>,
) -> Result<Seen, ActionError> {
    let Wait { name, prompts, check, cut_off, connection, deadline, .. } = wait;
    let mut matcher = matcher(prompts)?;
    let clock = deadline.clock();
    // In this order, so that this limit never passes after the deadline it is taken from: it has more to say.
    let started = clock.now();
    let limit = connection.min(deadline.remaining());
    log.debug(format_args!("{name}: waits for one of {prompts:?} (timeout {})", Seconds(limit)));
    let again = |line: Option<&str>| line.into_iter().for_each(|line| link.type_line(line));
    again(check);
    let mut bytes = Vec::new();
    let tenth = (limit / 10).max(Duration::from_millis(1));
    let mut next_check = match check {
        None => limit,
        Some(_) if cut_off => tenth,
        Some(_) => limit / 2,
    };
    let mut quiet_at = None;
    loop {
        tokio::select! {
            biased;
            read = attached.read() => match read {
                Ok(Came::Panicked(line)) => {
                    let message = format!("{name}: the kernel panicked before a prompt came: {line}");
                    return Err(ActionError::job(message).reason("kernel-panic"));
                }
                Ok(Came::Reset) => log.info(format_args!("{name}: the device was reset")),
                Ok(Came::Bytes(chunk)) => {
                    let mut rest = chunk.as_slice();
                    while !rest.is_empty() {
                        // What stands in later lines is for whoever reads next.
                        let end = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |at| at + 1);
                        let (line, later) = rest.split_at(end);
                        rest = later;
                        bytes.extend_from_slice(line);
                        let surplus = bytes.len().saturating_sub(KEPT);
                        bytes.drain(..surplus);
                        if let Some(found) = matcher.feed(line) {
                            attached.put_back(rest);
                            return Ok(Seen { index: found.prompt, bytes });
                        }
                    }
                    quiet_at = Some(Instant::now() + SCANNER_IDLE);
                    // A device that never stops printing must not outlast the limit.
                    if clock.since(started) >= limit {
                        return Err(no_prompt(&wait, link));
                    }
                }
                Err(end) => {
                    // Time for whoever stops this member to say so first.
                    tokio::time::sleep(CONSOLE_GONE).await;
                    return Err(link.ended(name, &end, " before a prompt came"));
                }
            },
            () = tokio::time::sleep_until(quiet_at.unwrap_or_else(Instant::now)), if quiet_at.is_some() => {
                quiet_at = None;
                if let Some(found) = matcher.flush() {
                    return Ok(Seen { index: found.prompt, bytes });
                }
            }
            () = clock.sleep_until(started.saturating_add(next_check)) => {
                if next_check >= limit {
                    return Err(no_prompt(&wait, link));
                }
                log.debug(format_args!("{name}: no prompt yet, trying again"));
                if cut_off {
                    link.interrupt();
                }
                again(check);
                next_check = (next_check + tenth).min(limit);
            }
        }
    }
}

fn no_prompt(wait: &Wait<'_>, link: &ConsoleLink) -> ActionError {
    let Wait { name, prompts, connection, deadline, .. } = wait;
    let last = link.last_lines();
    let last = if last.is_empty() { "nothing came from it".into() } else { format!("its last lines: {last}") };
    if deadline.remaining().is_zero() {
        let mut error = deadline.passed(name, wait.nature);
        error.message = format!("{}: the console showed none of the prompts {prompts:?}; {last}", error.message);
        return error;
    }
    ActionError::job(format!(
        "{name}: the console showed none of the prompts {prompts:?} within {}; {last}",
        Seconds(*connection)
    ))
}
