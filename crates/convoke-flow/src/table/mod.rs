//! The flow table: a column a role, a row a matched call, blank rows where a role waits.
//!
//! It is what the MultiNode documentation asks test writers to draw by hand before they write a job. Before a run it is
//! made from a [`Played`](crate::Played) flow ([`Table::planned`]); afterwards from the calls that were made, laid over
//! the planned ones ([`Table::happened`]), so that the two can be put side by side.
//!
//! ```text
//! Flow + Played ─┐
//!                ├─► acts, one a call ──► columns, rows ──► Table ──► text, SVG, JSON
//! calls of a run ┘        (acts.rs)        (layout.rs)
//! ```
//!
//! # Columns and rows
//!
//! Members of a role that do the same share a column. A call stands in the row in which its member comes to it and
//! reaches down to the row in which what it waits for is there. Every send has a row of its own, so that a row has one
//! event: a send with the waits that it ends, or a sync that completes. Rows are an order in which it can happen (or
//! did), not times.
//!
//! The JSON form is [`Table`] as it serialises; docs/flow.md describes it.

mod acts;
mod grid;
mod happened;
mod label;
mod layout;
mod planned;
mod svg;
mod text;
mod times;

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

pub use happened::{CallMade, Outcome, Taker};
pub use svg::svg;
pub use text::{Look, text};

/// Version of the form that a table has in JSON and in a journal. What an older reader may skip does not raise it.
pub const VERSION: u32 = 1;

/// A flow table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// Version of this form, [`VERSION`].
    pub version: u32,
    /// Name of the job.
    pub job: String,
    /// `planned` or `happened`.
    pub tense: Tense,
    /// `can-end`, `cannot-end` or `unknown`; absent from a table that was made without judging.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<String>,
    /// The roles, in the order of the job.
    pub columns: Vec<Column>,
    /// How many rows there are.
    pub rows: usize,
    /// What stands in them, in the order in which it happens.
    pub cells: Vec<Cell>,
    /// What cells refer to by index.
    pub notes: Vec<Note>,
}

/// Whether a table speaks of what is to come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tense {
    /// What the job says.
    #[default]
    Planned,
    /// What a run did.
    Happened,
}

/// Members of a role that do the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// How it is headed: `server`, `server ×2`, `client.3`, `client.1–4`.
    pub label: String,
    /// The role; empty in a single-device job.
    pub role: String,
    /// Their numbers in the group.
    pub members: Vec<u32>,
}

/// A call, or something else a member does, with the rows it takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// Index into [`Table::columns`].
    pub column: usize,
    /// The row in which the member comes to it, from 0.
    pub row: usize,
    /// The row in which it is over; the same for what does not wait. Absent when that row never comes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<usize>,
    /// What it is.
    pub kind: Kind,
    /// As one would write it: `lava-wait-all ready server`, `deploy & boot`.
    pub text: String,
    /// The message ID of a call, as written when it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The role that a wait-all waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The pipeline action whose request it is, when no test shell makes the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// How long it may wait, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_s: Option<f64>,
    /// Before a run: when it is over at the earliest, in seconds since the group is complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earliest_s: Option<f64>,
    /// Before a run: when it is over at the latest; absent where no limit ends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_s: Option<f64>,
    /// What comes of it.
    pub end: End,
    /// The cells that satisfy it, by index: the sends of a wait, all arrivals at a sync.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<usize>,
    /// What is to be said about it: indices into [`Table::notes`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<usize>,
    /// Where it is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Spot>,
    /// After a run: when it came, for each member of the column that came to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub came: Vec<Came>,
}

/// What stands in a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// `lava-send`
    Send,
    /// `lava-wait`
    Wait,
    /// `lava-wait-all`
    WaitAll,
    /// `lava-sync`
    Sync,
    /// Waiting until the group is complete; only after a run, and only when it mattered.
    Assemble,
    /// Blocks in which nothing is called: deploy, boot.
    Blocks,
    /// What a member runs by itself before its next call.
    Runs,
    /// A script of which not even the calls are known.
    Script,
    /// The end of a member that failed elsewhere than in a call; only after a run.
    Stopped,
}

/// What comes of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// It is done, or what it waits for comes.
    Done,
    /// What it waits for never comes; after a run: it failed.
    Never,
    /// Whether it is made, or what it waits for comes, cannot be known before a run; after one: it was not over when the
    /// record ends.
    Unknown,
    /// After a run: the member did not get so far.
    NotReached,
}

/// When a member came to a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Came {
    /// Its number in the group.
    pub member: u32,
    /// Seconds since the run started.
    pub at_s: f64,
    /// Seconds until it was answered; absent when it never was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waited_s: Option<f64>,
    /// Labels of those it waited for, the last to come.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waited_for: Vec<String>,
    /// Why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// Something to be said about cells.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Note {
    /// What it is about.
    pub about: About,
    /// A lower-case fragment.
    pub text: String,
    /// Where it is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Spot>,
}

/// What a note is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum About {
    /// Something that cannot be known before a run.
    Unknown,
    /// A call that is repeated.
    Repeat,
    /// Why a call never ends.
    Never,
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Spot {
    /// Name of the file, as the user gave it.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
}

impl Table {
    /// The rows a cell takes. One that never ends reaches to the last row.
    pub fn span(&self, cell: &Cell) -> RangeInclusive<usize> {
        let last = cell.until.unwrap_or(self.rows.saturating_sub(1));
        cell.row..=last.max(cell.row)
    }

    /// The number that people see of a row: those before the first call have none.
    pub fn number(&self, row: usize) -> Option<usize> {
        let calls = self
            .cells
            .iter()
            .filter(|cell| !matches!(cell.kind, Kind::Blocks | Kind::Runs))
            .map(|cell| cell.row)
            .min()?;
        (row >= calls).then(|| row - calls + 1)
    }
}
