//! Where a member is: what it does, what it did last, what its console showed last.
//!
//! The same facts stand in the live view, in the line about a wait that lasts long, and in the message of a wait that timed
//! out.

use super::member::Member;
use crate::event::{Health, ResultValue, Stage};

/// Characters kept of a console's last line.
const LINE: usize = 80;

/// Where a member is, as far as its events tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Its verdict, when it has ended.
    pub health: Option<Health>,
    /// `boot`, `test 0`; none before it has begun.
    pub stage: Option<String>,
    /// The innermost pipeline action that runs.
    pub action: Option<String>,
    /// The running suite.
    pub suite: Option<String>,
    /// The running test case.
    pub case: Option<String>,
    /// The last test case that has a result, of the running suite.
    pub last_result: Option<(String, ResultValue)>,
    /// The command that the test shell runs, as its trace told last.
    pub step: Option<String>,
    /// The call it waits in, as one would type it.
    pub waits: Option<String>,
    /// The last line of its console that is neither empty nor a signal, and when its last byte came, nanoseconds since
    /// the run started.
    pub line: Option<(String, u64)>,
}

impl Member {
    /// Where it is.
    pub fn position(&self) -> Position {
        let testing = matches!(self.stage, Some(Stage::Test(_)));
        let suite = self.suite.clone().filter(|_| testing);
        let of_suite = |suite: &String| {
            let last = self.results.iter().rev().find(|result| result.record.definition == *suite)?;
            Some((last.record.case.clone(), last.record.result))
        };
        Position {
            health: self.health,
            stage: self.stage.as_ref().map(Stage::describe),
            action: self.actions.last().map(|(_, name)| name.clone()),
            last_result: suite.as_ref().and_then(of_suite),
            case: self.case.clone().filter(|_| suite.is_some()),
            step: self.step.clone().filter(|_| suite.is_some()),
            suite,
            waits: self.waits().map(super::Call::command),
            line: self.console.newest(),
        }
    }
}

impl Position {
    /// What it does, without its console: `test 0, lava-test-shell, suite 0_smoke, test case ping`.
    pub fn doing(&self) -> String {
        if let Some(health) = self.health {
            return format!("ended, {}", health.as_str());
        }
        let Some(stage) = &self.stage else { return "not begun".into() };
        let mut text = stage.clone();
        if let Some(action) = &self.action {
            text.push_str(&format!(", {action}"));
        }
        if let Some(suite) = &self.suite {
            text.push_str(&format!(", suite {}", printable(suite)));
        }
        match (&self.case, &self.last_result) {
            (Some(case), _) => text.push_str(&format!(", test case {}", printable(case))),
            (None, Some((case, result))) => {
                text.push_str(&format!(", last result {} {}", printable(case), result.as_str()));
            }
            (None, None) => {}
        }
        match (&self.waits, &self.step) {
            (Some(call), _) => text.push_str(&format!(", waits in {}", printable(call))),
            (None, Some(step)) => text.push_str(&format!(", runs `{}`", printable(step))),
            (None, None) => {}
        }
        text
    }

    /// The last line of its console and how long ago: `last console line "login: " 48 s ago`; none of a member that has
    /// ended.
    pub fn console(&self, now_ns: u64) -> Option<String> {
        if self.health.is_some() {
            return None;
        }
        Some(match &self.line {
            Some((line, at)) => format!("last console line \"{line}\" {} ago", ago(now_ns.saturating_sub(*at))),
            None => "nothing on its console yet".into(),
        })
    }

    /// What it does, with its verb: `is in boot, auto-login-action`.
    pub fn state(&self) -> String {
        let verb = match (self.health, &self.stage) {
            (Some(_), _) | (_, None) => "has",
            (None, Some(_)) => "is in",
        };
        format!("{verb} {}", self.doing())
    }

    /// All of it as one sentence without a subject: `is in boot, auto-login-action, last console line "login:" 48 s ago`.
    pub fn describe(&self, now_ns: u64) -> String {
        let console = self.console(now_ns).map(|console| format!(", {console}")).unwrap_or_default();
        format!("{}{console}", self.state())
    }
}

/// `48 s`, `3 min 05 s`, `2 h 10 min`.
pub fn ago(ns: u64) -> String {
    let seconds = ns / 1_000_000_000;
    match seconds {
        0..=59 => format!("{seconds} s"),
        60..=3599 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// A console line as one may put it into a message: without escape sequences and control characters, of a line that was
/// drawn over itself the last state, cut to a reasonable length. What would be a signal on another console is none.
pub(super) fn printable(text: &str) -> String {
    let mut out = String::new();
    let mut letters = text.trim_end_matches(['\r', '\n']).chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\x1b' => match letters.next() {
                // CSI: parameters, then one letter; OSC: up to BEL or ST; else the one character is all.
                Some('[') => drop(letters.find(|end| ('\x40'..='\x7e').contains(end))),
                Some(']') => {
                    while letters.next_if(|end| !matches!(end, '\x07' | '\x1b')).is_some() {}
                    if letters.next() == Some('\x1b') {
                        letters.next();
                    }
                }
                Some('(' | ')') => drop(letters.next()),
                _ => {}
            },
            '\r' => out.clear(),
            '\x08' => drop(out.pop()),
            '\t' => out.push(' '),
            letter if letter.is_control() => {}
            letter => out.push(letter),
        }
    }
    let out = out.replace("<LAVA", "<_LAVA");
    let out = out.trim();
    if out.chars().count() <= LINE {
        return out.to_owned();
    }
    let cut: String = out.chars().take(LINE - 1).collect();
    format!("{}…", cut.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_console_line_controls_nothing_in_a_message() {
        for (line, shown) in [
            ("\x1b[31mred\x1b[0m\r", "red"),
            ("\x1b]0;title\x07\x1b]8;;x\x1b\\text \x1b(Bend", "text end"),
            (" 10 %\r 55 %", "55 %"),
            ("log\x08\x08\x08in:\x00\x07", "in:"),
            ("<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=x RESULT=pass>", "<_LAVA_SIGNAL_TESTCASE TEST_CASE_ID=x RESULT=pass>"),
            ("\x1b[", ""),
            ("\x1b", ""),
        ] {
            assert_eq!(printable(line), shown, "{line:?}");
        }
        assert_eq!(printable(&"é".repeat(500)).chars().count(), LINE);
    }

    #[test]
    fn times_are_short() {
        for (seconds, shown) in [(0, "0 s"), (59, "59 s"), (65, "1 min 05 s"), (7800, "2 h 10 min")] {
            assert_eq!(ago(seconds * 1_000_000_000), shown);
        }
    }
}
