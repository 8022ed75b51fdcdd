//! Waiting for a prompt on a console (device-side.md §3).
//!
//! The check line is typed at once, again after half of the limit and then every tenth of it: a kernel message may have
//! cut the prompt. The limit is the action's connection limit, never beyond its deadline.

use std::time::Duration;

use fancy_regex::Regex;
use tokio::time::Instant;

use crate::console::{Attached, ConsoleLink};
use crate::error::ActionError;
use crate::limits::{Deadline, Nature, Seconds};
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
    /// The action's connection limit.
    pub(crate) connection: Duration,
    /// The action's deadline.
    pub(crate) deadline: &'a Deadline,
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

/// Looks for prompts in a stream.
#[derive(Debug)]
pub(crate) struct Matcher {
    patterns: Vec<Regex>,
    window: String,
    escape: Escape,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Escape {
    None,
    Started,
    Csi,
    Osc,
}

/// Characters in which a prompt is looked for.
const WINDOW: usize = 4096;

impl Matcher {
    /// A matcher for regular expressions; a bad one is the job's error.
    pub(crate) fn new(prompts: &[String]) -> Result<Self, ActionError> {
        let patterns = prompts
            .iter()
            .map(|prompt| {
                Regex::new(prompt).map_err(|error| {
                    let error = error.to_string().replace('\n', " ");
                    ActionError::job(format!("prompt {prompt:?} is no regular expression: {error}"))
                })
            })
            .collect::<Result<_, _>>()?;
        Ok(Matcher { patterns, window: String::new(), escape: Escape::None })
    }

    /// Takes bytes; gives the pattern that matches now.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Option<usize> {
        for part in bytes.chunks(WINDOW / 2) {
            self.clean(part);
            let surplus = self.window.chars().count().saturating_sub(WINDOW);
            self.window = self.window.chars().skip(surplus).collect();
            let found = self.patterns.iter().position(|pattern| pattern.is_match(&self.window).unwrap_or(false));
            if found.is_some() {
                self.window.clear();
                return found;
            }
        }
        None
    }

    /// Appends text without control sequences.
    fn clean(&mut self, bytes: &[u8]) {
        for c in String::from_utf8_lossy(bytes).chars() {
            self.escape = match (self.escape, c) {
                (_, '\u{1b}') => Escape::Started,
                (Escape::Started, '[') => Escape::Csi,
                (Escape::Started, ']') => Escape::Osc,
                (Escape::Csi, '\u{40}'..='\u{7e}') | (Escape::Osc, '\u{7}') => Escape::None,
                (Escape::Csi | Escape::Osc, _) => self.escape,
                (Escape::None | Escape::Started, _) => {
                    if c != '\r' {
                        self.window.push(c);
                    }
                    Escape::None
                }
            };
        }
    }
}

/// Types the check, if any, and waits for one of the prompts.
pub(crate) async fn wait(
    log: &Log,
    link: &ConsoleLink,
    attached: &Attached<'_>,
    wait: Wait<'_>,
) -> Result<Seen, ActionError> {
    let Wait { name, prompts, check, connection, deadline } = wait;
    let mut matcher = Matcher::new(prompts)?;
    let limit = connection.min(deadline.remaining());
    let started = Instant::now();
    log.debug(format_args!("{name}: waits for one of {prompts:?} (timeout {})", Seconds(limit)));
    let again = |line: Option<&str>| line.into_iter().for_each(|line| link.type_line(line));
    again(check);
    let mut bytes = Vec::new();
    let mut next_check = if check.is_some() { limit / 2 } else { limit };
    loop {
        tokio::select! {
            biased;
            read = attached.read() => match read {
                Ok(chunk) => {
                    bytes.extend_from_slice(&chunk);
                    let surplus = bytes.len().saturating_sub(KEPT);
                    bytes.drain(..surplus);
                    if let Some(index) = matcher.feed(&chunk) {
                        return Ok(Seen { index, bytes });
                    }
                    // A device that never stops printing must not outlast the limit.
                    if started.elapsed() >= limit {
                        return Err(no_prompt(&wait, link));
                    }
                }
                Err(why) => {
                    return Err(ActionError::infrastructure(format!(
                        "{name}: the console was closed ({why}) before a prompt came; its last lines: {}",
                        link.last_lines()
                    )));
                }
            },
            () = tokio::time::sleep_until(started + next_check) => {
                if next_check >= limit {
                    return Err(no_prompt(&wait, link));
                }
                log.debug(format_args!("{name}: no prompt yet, trying again"));
                again(check);
                next_check = (next_check + (limit / 10).max(Duration::from_millis(1))).min(limit);
            }
        }
    }
}

fn no_prompt(wait: &Wait<'_>, link: &ConsoleLink) -> ActionError {
    let Wait { name, prompts, connection, deadline, .. } = wait;
    let last = link.last_lines();
    let last = if last.is_empty() { "nothing came from it".into() } else { format!("its last lines: {last}") };
    if deadline.remaining().is_zero() {
        let mut error = deadline.passed(name, Nature::Job);
        error.message = format!("{}: the console showed none of the prompts {prompts:?}; {last}", error.message);
        return error;
    }
    ActionError::job(format!(
        "{name}: the console showed none of the prompts {prompts:?} within {}; {last}",
        Seconds(*connection)
    ))
}
