//! The calls of every member in order, with what cannot be known before a run.
//!
//! A [`Flow`] holds for each member a list of [`Step`]s: a small structured programme in which everything that could be
//! decided from the texts at hand has been decided (`$(lava-role)`, loops over known words, `case` on known values), and
//! what depends on the device is kept as a [`Choice`], a [`Repeat`] or an opaque step, each with the reason and the place.
//! Nothing is guessed silently.
//!
//! It assumes that a call which is satisfied succeeds, and that other commands may do either. Whatever hangs on the exit
//! status of either is a [`Choice`], which says whether it is a call that decides.

use std::sync::Arc;
use std::time::Duration;

use convoke_group::{CallKind, RoleName};
use convoke_job::{Source, Span, SubId};

/// The flow of one job.
#[derive(Clone, Debug)]
pub struct Flow {
    /// The texts that places point into; the first is the job, the others are files of repositories at hand.
    pub texts: Vec<Source>,
    /// All members in splitting order, guests included. A single-device job has one, and no calls.
    pub members: Vec<Member>,
    /// How long a member may take from its start.
    pub limit: Option<Duration>,
}

/// One member.
#[derive(Clone, Debug)]
pub struct Member {
    /// Its number in the group.
    pub sub_id: SubId,
    /// Its role.
    pub role: RoleName,
    /// Its number among the members of its role, from 1.
    pub number: u32,
    /// How many members its role has.
    pub of: u32,
    /// For a guest: index into [`Flow::members`] of the member whose device hosts it.
    pub host: Option<usize>,
    /// What it does. Members of a role share it unless it depends on the member itself.
    pub steps: Arc<[Step]>,
}

/// One thing a member does, as far as the group is concerned.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// A deploy, boot, test or command block.
    Block(Block),
    /// One test definition within a test block.
    Definition(Definition),
    /// A call of the MultiNode API.
    Call(Call),
    /// One of several ways, and it is not known which.
    Choice(Choice),
    /// A body that runs an unknown number of times.
    Repeat(Repeat),
    /// A body that runs beside what follows (`command &`); it is joined by [`Step::Join`], or at the end of its
    /// definition.
    Beside(Vec<Step>),
    /// Waits for all that the script has started to run beside it so far.
    Join,
    /// The script reads data that a call has left in the cache file.
    Read(Read),
    /// The script of the enclosing definition ends here (`exit`). Within a [`Choice`] only that way ends.
    Stop(Place),
    /// Something of which not even the calls are known: it may make any call, or end the script.
    Opaque(Unknown),
}

/// A deploy, boot, test or command block.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// `deploy`, `boot`, `test` or `command`.
    pub kind: &'static str,
    /// For example `actions[2].test`.
    pub path: String,
    /// Where it stands.
    pub place: Place,
    /// It has failed when it takes longer.
    pub limit: Duration,
    /// What happens in it.
    pub body: Vec<Step>,
}

/// One test definition.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    /// Its name in the job.
    pub name: String,
    /// Where it stands.
    pub place: Place,
    /// What its scripts do.
    pub body: Vec<Step>,
    /// What passes between its last call and its end.
    pub rest: Pause,
}

/// One call of the MultiNode API.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// Send, wait, wait-all or sync.
    pub kind: CallKind,
    /// The message ID.
    pub id: Text,
    /// The role a wait-all waits for.
    pub role: Option<Text>,
    /// What a send sends, in order: key and value.
    pub data: Vec<(Text, Text)>,
    /// Who makes it.
    pub origin: Origin,
    /// How long it may wait.
    pub limit: Duration,
    /// What passes before it.
    pub after: Arc<Pause>,
    /// Where it is written.
    pub place: Place,
}

/// What passes between two calls of a script, or its beginning and the first: at least the sleeps.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pause {
    /// What is run in it that takes its time, in order: the first few programs and scripts without calls. For people;
    /// where a branch hangs on the device, those of one of its ways.
    pub runs: Arc<[Run]>,
    /// What certainly sleeps in it, in order.
    pub sleeps: Arc<[Sleep]>,
    /// There is a call before it, and nothing else in it takes time.
    pub is_exact: bool,
}

impl Pause {
    /// How long the sleeps take.
    pub fn time(&self) -> Duration {
        self.sleeps.iter().fold(Duration::ZERO, |time, sleep| time.saturating_add(sleep.time))
    }
}

/// A program that a member runs by itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// As it is written, on one line.
    pub text: Arc<str>,
    /// Where it is written.
    pub place: Place,
}

/// A `sleep` of a known time.
#[derive(Clone, Debug, PartialEq)]
pub struct Sleep {
    /// The time; of all rounds of a loop together.
    pub time: Duration,
    /// Where it is written.
    pub place: Place,
}

/// Who makes a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Origin {
    /// A helper command in a test shell.
    Helper {
        /// It is wrapped in `lava-test-case … --shell`: the place of that command.
        wrapped: Option<Place>,
        /// What its script does when it fails.
        failing: Failing,
        /// The script says itself how long it waits (`timeout`).
        timed: bool,
    },
    /// A request of a pipeline action (`protocols` in a block, job-definition.md §6).
    Request {
        /// Name of the action.
        action: String,
        /// The keys that a wait extracts from what it receives.
        wanted: Vec<String>,
    },
    /// A delayed start (`request: lava-start` of a role).
    DelayedStart,
    /// A step of an interactive test.
    Interactive,
}

/// What a script does when a call in it fails.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Failing {
    /// It ends, as `set -e` has it, or goes on without having looked: the call is meant to succeed.
    #[default]
    Ends,
    /// It goes on, by the second way of a choice right after the call where there is one ([`Choice::of_call`]).
    GoesOn,
    /// It goes on in a way that was not followed.
    Unknown(Box<Unknown>),
}

impl Call {
    /// Whether the script provides for its failure.
    pub fn is_tested(&self) -> bool {
        matches!(&self.origin, Origin::Helper { failing, .. } if *failing != Failing::Ends)
    }
}

/// One of several ways.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// At least two; an empty one does nothing.
    pub ways: Vec<Vec<Step>>,
    /// What decides, and why it is unknown.
    pub unknown: Unknown,
    /// The call right before it decides: the first way is taken when it succeeds, the second when it fails.
    pub of_call: bool,
}

/// A body that runs an unknown number of times.
#[derive(Clone, Debug, PartialEq)]
pub struct Repeat {
    /// What is repeated.
    pub body: Vec<Step>,
    /// It runs at least this often.
    pub least: u32,
    /// What decides, and why it is unknown.
    pub unknown: Unknown,
}

/// The script reads data of the cache file, in which the last call of the member left what it received.
#[derive(Clone, Debug, PartialEq)]
pub struct Read {
    /// The key it looks for, when that can be told.
    pub key: Option<String>,
    /// Where.
    pub place: Place,
}

/// A text of a call.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Text {
    /// It is this.
    Known(Arc<str>),
    /// It depends on something.
    Unknown {
        /// As written, for example `ready-$n`.
        shown: Arc<str>,
        /// On what.
        unknown: Unknown,
    },
}

impl Text {
    /// The text, when it is known.
    pub fn known(&self) -> Option<&str> {
        match self {
            Self::Known(text) => Some(text),
            Self::Unknown { .. } => None,
        }
    }

    /// The text, or how it is written.
    pub fn shown(&self) -> &str {
        match self {
            Self::Known(text) => text,
            Self::Unknown { shown, .. } => shown,
        }
    }
}

/// Something that cannot be known before a run.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Unknown {
    /// Why.
    pub why: Why,
    /// Where.
    pub place: Place,
}

/// Why something is unknown.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Why {
    /// It depends on what a command does or prints on the device.
    Command(String),
    /// It depends on whether a call succeeds.
    Outcome {
        /// The call as written.
        call: String,
        /// What depends on it is true when the call fails.
        failed: bool,
    },
    /// It depends on a variable whose value is not known.
    Variable(String),
    /// It depends on data that another member sends.
    Received(String),
    /// It depends on which devices are given, for example the name of the member.
    Assignment(String),
    /// The definition or a script it runs is in a repository that is not at hand.
    Elsewhere(String),
    /// The script cannot be read.
    Unreadable(String),
    /// The script is too large, or nested too deeply, to be followed to its end.
    TooMuch(String),
}

/// A place in one of the texts of a flow.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// Index into [`Flow::texts`].
    pub text: usize,
    /// Where in it.
    pub span: Span,
    /// For a place in a script: the command that ran it.
    pub from: Option<Arc<Place>>,
}
