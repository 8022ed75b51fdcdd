//! What members do, one after the other, as a table is made from it: before a run and after.

use std::borrow::Cow;
use std::hash::{Hash, Hasher};

use super::{Came, End, Kind, Spot};

/// A member, as columns are headed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Who<'a> {
    /// Its number in the group.
    pub(crate) sub_id: u32,
    /// Its role.
    pub(crate) role: &'a str,
    /// Its number in the role, from 1.
    pub(crate) number: u32,
    /// How many members the role has.
    pub(crate) of: u32,
}

/// One thing that a member does.
#[derive(Clone, Debug)]
pub(crate) struct Act<'a> {
    /// What.
    pub(crate) what: What<'a>,
    /// What comes of it.
    pub(crate) end: End,
    /// Indices into the notes of the table.
    pub(crate) notes: Vec<usize>,
    /// It stands after every act with a smaller number that it needs, its own member's earlier ones among them.
    pub(crate) order: usize,
    /// How long it may wait, in seconds.
    pub(crate) limit_s: Option<f64>,
    /// When it is over, at the earliest and at the latest.
    pub(crate) over_s: (Option<f64>, Option<f64>),
    /// Where it is written.
    pub(crate) place: Option<Spot>,
    /// When it came.
    pub(crate) came: Option<Came>,
}

/// What a member does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum What<'a> {
    /// A call.
    Call {
        /// Which.
        kind: Kind,
        /// Its ID, as written when it is not known.
        id: Cow<'a, str>,
        /// The role of a wait-all.
        role: Option<Cow<'a, str>>,
        /// The action whose request it is.
        action: Option<Cow<'a, str>>,
    },
    /// Blocks in which nothing is called.
    Blocks(Vec<&'a str>),
    /// Programs that it runs by itself, in words.
    Runs(Cow<'a, str>),
    /// A script that is not known, in words.
    Script(&'a str),
    /// The member failed.
    Stopped,
}

impl What<'_> {
    /// Its kind.
    pub(crate) fn kind(&self) -> Kind {
        match self {
            What::Call { kind, .. } => *kind,
            What::Blocks(_) => Kind::Blocks,
            What::Runs(_) => Kind::Runs,
            What::Script(_) => Kind::Script,
            What::Stopped => Kind::Stopped,
        }
    }

    /// As one would write it.
    pub(crate) fn text(&self) -> String {
        let role = |role: &Option<Cow<'_, str>>| role.as_ref().map(|role| format!(" {role}")).unwrap_or_default();
        match self {
            What::Call { kind: Kind::Send, id, .. } => format!("lava-send {id}"),
            What::Call { kind: Kind::Wait, id, .. } => format!("lava-wait {id}"),
            What::Call { kind: Kind::WaitAll, id, role: of, .. } => format!("lava-wait-all {id}{}", role(of)),
            What::Call { kind: Kind::Sync, id, .. } => format!("lava-sync {id}"),
            What::Call { .. } => "group assembly".into(),
            What::Blocks(blocks) => blocks.join(" & "),
            What::Runs(words) => words.clone().into_owned(),
            What::Script(words) => (*words).to_owned(),
            What::Stopped => "stopped".into(),
        }
    }
}

/// All that one member does, for telling whether another does the same.
pub(crate) struct Doing<'a, 'b> {
    pub(crate) acts: &'b [Act<'a>],
    pub(crate) sequence: &'b [usize],
}

impl Doing<'_, '_> {
    fn parts(&self) -> impl Iterator<Item = (&What<'_>, End, &[usize])> {
        self.sequence.iter().map(|index| &self.acts[*index]).map(|act| (&act.what, act.end, &act.notes[..]))
    }
}

impl PartialEq for Doing<'_, '_> {
    fn eq(&self, other: &Self) -> bool {
        self.sequence.len() == other.sequence.len() && self.parts().eq(other.parts())
    }
}

impl Eq for Doing<'_, '_> {}

impl Hash for Doing<'_, '_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.sequence.len().hash(state);
        self.parts().for_each(|part| part.hash(state));
    }
}
