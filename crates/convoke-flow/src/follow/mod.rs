//! Follows a script without running it: which calls it makes, as far as that can be told.
//!
//! Commands are followed with what is known of variables, files and output. Where a decision depends on the device both
//! ways are followed, and what is known after them is what both agree on. It assumes that a call succeeds, and that a
//! command whose failure would end the script (`set -e`) does not fail; `docs/decisions/flow-of-scripts.md` has the rest.
//! Everything is bounded, so every script is followed to an end.
//!
//! | module | is about |
//! |---|---|
//! | `draft` | the steps while jumps in them are open |
//! | `value` | what is known of a text |
//! | `state` | what is known at one point of a script |
//! | `lists`, `compound`, `loops`, `functions` | the parts of the language |
//! | `outcomes` | what a script does when a call fails |
//! | `expand`, `arithmetic`, `pattern`, `conditions` | words to values |
//! | `simple`, `builtins`, `programs`, `scripts` | commands |
//! | `jobs` | what runs beside the script |
//! | `traps` | what a shell does at its end |
//! | `helpers` | the helper commands of a test |
//! | `tools` | programs that make text of text |

mod arithmetic;
mod builtins;
mod compound;
mod conditions;
mod draft;
mod expand;
mod functions;
mod helpers;
mod jobs;
mod lists;
mod loops;
mod outcomes;
mod pattern;
mod programs;
mod scripts;
mod simple;
mod state;
mod tools;
mod traps;
mod value;

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use convoke_job::Span;

use crate::model::{Pause, Place, Step, Unknown, Why};
use crate::read::ByteMap;
use crate::shell::ast::Script;
use draft::{Draft, Frame, FrameId};
use state::{Output, State, Status};

pub(crate) use expand::OWN_NAME;
pub(crate) use scripts::{File, Files};
pub(crate) use value::{Named, Naming};

/// Commands followed for one script of a definition.
const MOST_COMMANDS: usize = 50_000;
/// Steps of one script of a definition.
const MOST_STEPS: usize = 10_000;
/// Choices in one script of a definition: what a call hangs on is kept for each call.
const MOST_CHOICES: usize = 1_000;
/// Levels of commands within commands, functions and scripts included.
const MOST_LEVELS: usize = 32;

/// What a script is followed with.
pub(crate) struct Setting<'a> {
    /// Who is who.
    pub(crate) naming: &'a Naming,
    /// The files of the definition's directory.
    pub(crate) files: &'a mut dyn Files,
    /// Exported variables.
    pub(crate) environment: &'a [(String, String)],
    /// Variables of the script that are not exported.
    pub(crate) parameters: &'a [(String, String)],
    /// The limit of a call.
    pub(crate) limit: Duration,
    /// What has passed before it.
    pub(crate) pause: Pause,
    /// A call that fails returns to the script.
    pub(crate) goes_on: bool,
    /// It is `run.sh`, which is ended by a command that fails, and whose end is that of the definition; not `install.sh`.
    pub(crate) errexit: bool,
}

/// A script's text, and where it stands in a text of the flow.
pub(crate) struct Given<'a> {
    pub(crate) text: &'a str,
    pub(crate) map: ByteMap,
    pub(crate) index: usize,
    /// What runs it, when that is another text.
    pub(crate) from: Option<Arc<Place>>,
}

/// What came of following a script.
pub(crate) struct Followed {
    pub(crate) steps: Vec<Step>,
    /// It certainly ends with a status other than 0.
    pub(crate) failed: bool,
    /// They depend on which member of its role it is.
    pub(crate) is_own: bool,
    /// What passes between its last call and its end.
    pub(crate) pause: Pause,
}

/// Follows a script.
pub(crate) fn follow(given: Given<'_>, setting: Setting<'_>) -> Followed {
    let script = Rc::new(crate::shell::parse::script(given.text));
    let unit = Rc::new(Unit {
        script: Rc::clone(&script),
        text: given.text.into(),
        map: Some(given.map),
        index: given.index,
        from: given.from,
        bash: false,
    });
    let stops = setting.errexit;
    let mut follower = Follower {
        unit: Rc::clone(&unit),
        naming: setting.naming,
        files: setting.files,
        limit: setting.limit,
        goes_on: setting.goes_on,
        timed: false,
        frames: Vec::new(),
        next_frame: 0,
        tested: 0,
        looked_at: 0,
        level: 0,
        calls: 0,
        commands: 0,
        steps: 0,
        choices: 0,
        wrapped: None,
        is_own: false,
        substituted: false,
        decided_by: None,
        wanted_key: None,
        processes: Vec::new(),
        jobs: Vec::new(),
        left: false,
        parsed: HashMap::new(),
    };
    let too_long = Why::TooMuch(format!("a text has more than {} KiB", state::MOST_BYTES / 1024));
    let too_long = follower.unknown(too_long, Span::default());
    let mut state = State::new(setting.environment, setting.parameters, setting.errexit, too_long);
    state.pause = setting.pause;
    let mut out = Vec::new();
    let exit = follower.enter(Frame::shell());
    let end = follower.script(&script, state, &mut out);
    let exits = follower.leave();
    let mut end = follower.meet(exits.into_iter().chain(end));
    if !stops || end.as_ref().is_some_and(|end| end.last.is_some()) {
        out = draft::resolve(out, exit);
        end = end.and_then(|end| follower.last_commands(end, &mut out));
    }
    let failed = end.as_ref().is_some_and(|end| end.status.is_failure());
    let pause = end.map(|end| Pause { is_exact: false, ..end.pause }).unwrap_or_default();
    Followed { steps: draft::finish(out, exit), failed, is_own: follower.is_own, pause }
}

/// One text of commands: a script, or the argument of `eval`.
pub(crate) struct Unit {
    pub(crate) script: Rc<Script>,
    pub(crate) text: Rc<str>,
    /// Where its bytes stand; none when it is the whole text of that index.
    pub(crate) map: Option<ByteMap>,
    /// Index into the texts of the flow.
    pub(crate) index: usize,
    /// The command that runs it.
    pub(crate) from: Option<Arc<Place>>,
    /// It is run by bash.
    pub(crate) bash: bool,
}

impl Unit {
    fn place(&self, span: Span) -> Place {
        let span = self.map.as_ref().map_or(span, |map| map.span(span));
        Place { text: self.index, span, from: self.from.clone() }
    }
}

/// One script being followed.
pub(crate) struct Follower<'a> {
    unit: Rc<Unit>,
    naming: &'a Naming,
    files: &'a mut dyn Files,
    limit: Duration,
    goes_on: bool,
    /// Within `timeout`.
    timed: bool,
    frames: Vec<Frame>,
    next_frame: usize,
    /// Conditions one stands in: `set -e` means nothing there.
    tested: usize,
    /// As `tested`, but within what a condition runs, too: somebody looks at the status in the end.
    looked_at: usize,
    level: usize,
    /// Functions and scripts one stands in.
    calls: usize,
    commands: usize,
    steps: usize,
    choices: usize,
    /// The `lava-test-case` around the commands.
    wrapped: Option<Place>,
    is_own: bool,
    /// A substitution has run since this was last asked.
    substituted: bool,
    /// What decided last between several ways.
    decided_by: Option<Rc<Unknown>>,
    /// The key that a filter of the cache file's text looks for.
    wanted_key: Option<String>,
    /// What `<(…)` printed, by the number of its path.
    processes: Vec<Output>,
    /// How the jobs ended, by their numbers.
    jobs: Vec<Option<Status>>,
    /// A shell has ended while jobs of its own, with calls, may still run.
    left: bool,
    /// Scripts that have been read, by the index of their text.
    parsed: HashMap<usize, Rc<Script>>,
}

impl Follower<'_> {
    fn place(&self, span: Span) -> Place {
        self.unit.place(span)
    }

    fn unknown(&self, why: Why, span: Span) -> Unknown {
        Unknown { why, place: self.place(span) }
    }

    /// Text of the unit, as written.
    fn written(&self, span: Span) -> &str {
        self.unit.text.get(span.start..span.end).unwrap_or_default()
    }

    fn enter(&mut self, mut frame: Frame) -> FrameId {
        let id = FrameId(self.next_frame);
        self.next_frame += 1;
        frame.id = id;
        self.frames.push(frame);
        id
    }

    /// Leaves the innermost frame; the states that jumped to its end.
    fn leave(&mut self) -> Vec<State> {
        self.frames.pop().map(|frame| frame.states).unwrap_or_default()
    }

    fn push(&mut self, step: Draft, out: &mut Vec<Draft>) {
        self.steps += 1;
        out.push(step);
    }

    /// Whether the script is too long to be followed further; to write out loops, when `of` is 2.
    fn is_exhausted(&self, of: usize) -> bool {
        self.commands > MOST_COMMANDS / of || self.steps > MOST_STEPS / of || self.choices > MOST_CHOICES / of
    }

    /// Gives up: from here on anything may happen.
    fn give_up(&mut self, why: Why, span: Span, state: State, out: &mut Vec<Draft>) -> Option<State> {
        let unknown = self.unknown(why, span);
        let place = unknown.place.clone();
        self.push(Draft::Step(Box::new(Step::Opaque(unknown))), out);
        self.exit(place, state, out)
    }

    /// The commands of a script in order.
    fn script(&mut self, script: &Script, state: State, out: &mut Vec<Draft>) -> Option<State> {
        let state = self.list(&script.list, state, out)?;
        match &script.error {
            None => Some(state),
            Some(error) => self.give_up(Why::Unreadable(error.message.clone()), error.span, state, out),
        }
    }
}
