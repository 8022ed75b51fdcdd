//! The table after a run: the calls that were made, laid over the planned ones.
//!
//! Whoever reads the record of a run gives the calls; what was planned stands where it came, and below where its member
//! stopped when it did not.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use super::acts::{Act, What, Who};
use super::layout::lay;
use super::{About, Came, Cell, End, Kind, Note, Table, Tense, VERSION};

/// A member of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Taker {
    /// Its number in the group.
    pub sub_id: u32,
    /// Its role; empty in a single-device job.
    pub role: String,
    /// How people call it: `client.2`.
    pub label: String,
    /// When and why it failed, when it did: seconds since the run started, and words.
    pub stopped: Option<(f64, String)>,
}

/// A call that was made.
#[derive(Clone, Debug, PartialEq)]
pub struct CallMade {
    /// Who made it, by its number in the group.
    pub member: u32,
    /// Which: send, wait, wait-all, sync or assemble.
    pub kind: Kind,
    /// The message ID.
    pub id: String,
    /// The role of a wait-all.
    pub role: Option<String>,
    /// The pipeline action whose request it was; absent when a test shell made it.
    pub action: Option<String>,
    /// How long it might wait, in seconds.
    pub limit_s: Option<f64>,
    /// Seconds since the run started.
    pub at_s: f64,
    /// Members that were still missing the last time that some were, by number.
    pub missing: Vec<u32>,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It was satisfied, or accepted.
    Done {
        /// Seconds after it was made.
        after_s: f64,
    },
    /// It was refused.
    Refused {
        /// Seconds after it was made.
        after_s: f64,
        /// Why, in words.
        why: String,
    },
    /// The record ends before it was answered.
    Open,
}

impl Table {
    /// The table of what happened. Calls stand in the order in which they were made; `plan` is the table from before the
    /// run, when there is one.
    pub fn happened(job: &str, takers: &[Taker], calls: &[CallMade], plan: Option<&Table>) -> Table {
        let mut calls: Vec<&CallMade> = calls.iter().filter(|call| is_told(call)).collect();
        calls.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
        let labels: HashMap<u32, &str> = takers.iter().map(|taker| (taker.sub_id, taker.label.as_str())).collect();
        let mut acts: Vec<Act<'_>> = calls.iter().enumerate().map(|(order, call)| act(call, order, &labels)).collect();
        let mut made: HashMap<u32, Vec<usize>> = HashMap::new();
        for (index, call) in calls.iter().enumerate() {
            made.entry(call.member).or_default().push(index);
        }
        let mut sequences = Vec::with_capacity(takers.len());
        for taker in takers {
            let made = made.remove(&taker.sub_id).unwrap_or_default();
            let planned = plan.map(|plan| planned(plan, taker.sub_id)).unwrap_or_default();
            sequences.push(merge(taker, &made, &planned, &calls, &mut acts));
        }
        let facts = Facts::of(&calls, takers);
        let who = who(takers);
        let mut laid = lay(&who, &acts, &sequences, &|index| facts.needs(index, &calls));
        let notes = say_why(&mut laid.cells);
        Table {
            version: VERSION,
            job: job.to_owned(),
            tense: Tense::Happened,
            verdict: plan.and_then(|plan| plan.verdict.clone()),
            columns: laid.columns,
            rows: laid.rows,
            cells: laid.cells,
            notes,
        }
    }
}

/// That a group came together is told only when it did not.
fn is_told(call: &CallMade) -> bool {
    call.kind != Kind::Assemble || !matches!(call.outcome, Outcome::Done { .. })
}

fn who(takers: &[Taker]) -> Vec<Who<'_>> {
    let mut counts: HashMap<&str, u32> = HashMap::new();
    let numbers: Vec<u32> = takers
        .iter()
        .map(|taker| {
            let count = counts.entry(&taker.role).or_default();
            *count += 1;
            *count
        })
        .collect();
    let of = |taker: &Taker| counts.get(taker.role.as_str()).copied().unwrap_or(1);
    let each = takers.iter().zip(numbers);
    each.map(|(taker, number)| Who { sub_id: taker.sub_id, role: &taker.role, number, of: of(taker) }).collect()
}

fn act<'a>(call: &'a CallMade, order: usize, labels: &HashMap<u32, &str>) -> Act<'a> {
    let (end, waited_s, refused) = match &call.outcome {
        Outcome::Done { after_s } => (End::Done, Some(*after_s), None),
        Outcome::Refused { after_s, why } => (End::Never, Some(*after_s), Some(why.clone())),
        Outcome::Open => (End::Unknown, None, None),
    };
    let label = |member: &u32| labels.get(member).map_or_else(|| format!("member {member}"), ToString::to_string);
    Act {
        what: What::Call {
            kind: call.kind,
            id: Cow::Borrowed(&call.id),
            role: call.role.as_deref().map(Cow::Borrowed),
            action: call.action.as_deref().map(Cow::Borrowed),
        },
        end,
        notes: Vec::new(),
        order,
        limit_s: call.limit_s,
        over_s: (None, None),
        place: None,
        came: Some(Came {
            member: call.member,
            at_s: call.at_s,
            waited_s,
            waited_for: call.missing.iter().map(label).collect(),
            refused,
        }),
    }
}

/// What was planned for a member.
fn planned(plan: &Table, sub_id: u32) -> Vec<&Cell> {
    let column = plan.columns.iter().position(|column| column.members.contains(&sub_id));
    plan.cells.iter().filter(|cell| Some(cell.column) == column).collect()
}

/// What a member did, with what was planned between it and after it. Of what was planned, a call that hangs on something
/// and did not come is no call that was not reached.
fn merge<'a>(
    taker: &'a Taker,
    made: &[usize],
    planned: &[&'a Cell],
    calls: &[&'a CallMade],
    acts: &mut Vec<Act<'a>>,
) -> Vec<usize> {
    let mut sequence = Vec::with_capacity(made.len() + 1);
    let mut rest = planned;
    for &index in made {
        if let Some(at) = rest.iter().position(|cell| is_of(calls[index], cell)) {
            for cell in rest[..at].iter().filter(|cell| is_quiet(cell)) {
                sequence.push(add(cell, End::Done, index, acts));
            }
            acts[index].place.clone_from(&rest[at].place);
            rest = &rest[at + 1..];
        }
        sequence.push(index);
    }
    if made.is_empty() {
        let blocks = rest.iter().take_while(|cell| cell.kind == Kind::Blocks);
        blocks.for_each(|cell| sequence.push(add(cell, End::Done, 0, acts)));
    }
    // A call that failed says itself where its member stopped.
    let failed = made.last().is_some_and(|last| acts[*last].end == End::Never);
    if let (Some((at_s, why)), false) = (&taker.stopped, failed) {
        let order = calls.partition_point(|call| call.at_s <= *at_s);
        let refused = Some(why.clone());
        let came = Came { member: taker.sub_id, at_s: *at_s, waited_s: None, waited_for: Vec::new(), refused };
        let (what, end, came) = (What::Stopped, End::Never, Some(came));
        sequence.push(acts.len());
        acts.push(Act { what, end, notes: Vec::new(), order, limit_s: None, over_s: (None, None), place: None, came });
    }
    let certain = |cell: &&&Cell| !is_quiet(cell) && !matches!(cell.kind, Kind::Script | Kind::Stopped) && !hangs(cell);
    for cell in rest.iter().filter(certain) {
        sequence.push(add(cell, End::NotReached, usize::MAX, acts));
    }
    sequence
}

/// What a member does besides calling: it is done when the call that follows it is made.
fn is_quiet(cell: &Cell) -> bool {
    matches!(cell.kind, Kind::Blocks | Kind::Runs)
}

fn is_of(call: &CallMade, cell: &Cell) -> bool {
    let known = |cell: &Cell| cell.id.as_deref().is_some_and(|id| fits(id, &call.id)) && cell.role == call.role;
    // An ID that was not known before the run may have been any.
    cell.kind == call.kind && (known(cell) || hangs(cell))
}

/// Whether it was not known if the call is made, or of which ID. What never ends is known to be made.
fn hangs(cell: &Cell) -> bool {
    !cell.notes.is_empty() && cell.end != End::Never
}

/// Whether an ID is the planned one, in which names of members that are given at the start stand as `‹client 2›`.
fn fits(planned: &str, made: &str) -> bool {
    let Some((before, rest)) = planned.split_once('‹') else { return planned == made };
    let Some((_, after)) = rest.split_once('›') else { return planned == made };
    let Some(made) = made.strip_prefix(before) else { return false };
    let ends = made.char_indices().map(|(at, _)| at).chain([made.len()]);
    ends.filter(|end| *end > 0).any(|end| fits(after, &made[end..]))
}

fn add<'a>(cell: &'a Cell, end: End, order: usize, acts: &mut Vec<Act<'a>>) -> usize {
    let what = match cell.kind {
        Kind::Blocks => What::Blocks(cell.text.split(" & ").collect()),
        Kind::Runs => What::Runs(Cow::Borrowed(&cell.text)),
        kind => What::Call {
            kind,
            id: Cow::Borrowed(cell.id.as_deref().unwrap_or_default()),
            role: cell.role.as_deref().map(Cow::Borrowed),
            action: cell.action.as_deref().map(Cow::Borrowed),
        },
    };
    let (place, limit_s) = (cell.place.clone(), cell.limit_s);
    acts.push(Act { what, end, notes: Vec::new(), order, limit_s, over_s: (None, None), place, came: None });
    acts.len() - 1
}

/// Who satisfied what: nothing is decided here, the group has decided; this says by whom.
struct Facts<'a> {
    /// By ID, each member's first send.
    sends: HashMap<&'a str, BTreeMap<u32, usize>>,
    /// By ID, each member's arrivals.
    arrivals: HashMap<&'a str, BTreeMap<u32, Vec<usize>>>,
    roles: HashMap<u32, &'a str>,
}

impl<'a> Facts<'a> {
    fn of(calls: &[&'a CallMade], takers: &'a [Taker]) -> Self {
        let roles = takers.iter().map(|taker| (taker.sub_id, taker.role.as_str())).collect();
        let mut facts = Self { sends: HashMap::new(), arrivals: HashMap::new(), roles };
        for (index, call) in calls.iter().enumerate() {
            match call.kind {
                Kind::Send => {
                    facts.sends.entry(&call.id).or_default().entry(call.member).or_insert(index);
                }
                Kind::Sync => {
                    facts.arrivals.entry(&call.id).or_default().entry(call.member).or_default().push(index);
                }
                _ => {}
            }
        }
        facts
    }

    /// Empty for what was not satisfied, and for what is no call.
    fn needs(&self, index: usize, calls: &[&CallMade]) -> Cow<'static, [usize]> {
        let Some(call) = calls.get(index).filter(|call| matches!(call.outcome, Outcome::Done { .. })) else {
            return Cow::default();
        };
        let sends = self.sends.get(call.id.as_str());
        let of_role = |member: &u32| call.role.as_deref().is_none_or(|role| self.roles.get(member) == Some(&role));
        match call.kind {
            Kind::Wait => sends.and_then(|sends| sends.values().min()).copied().into_iter().collect(),
            Kind::WaitAll => {
                let needed = sends.into_iter().flatten().filter(|(member, _)| of_role(member));
                needed.map(|(_, index)| *index).collect()
            }
            Kind::Sync => {
                let arrivals = self.arrivals.get(call.id.as_str());
                let own = arrivals.and_then(|arrivals| arrivals.get(&call.member));
                let Some(round) = own.and_then(|own| own.iter().position(|arrival| *arrival == index)) else {
                    return Cow::default();
                };
                arrivals.into_iter().flatten().filter_map(|(_, arrivals)| arrivals.get(round)).copied().collect()
            }
            _ => Cow::default(),
        }
    }
}

/// Says of every cell that failed why it did, in the words that its first member was told.
fn say_why(cells: &mut [Cell]) -> Vec<Note> {
    let mut notes: Vec<Note> = Vec::new();
    for cell in cells {
        let Some(why) = cell.came.iter().find_map(|came| came.refused.clone()) else { continue };
        let note = Note { about: About::Never, text: why, place: None };
        let index = notes.iter().position(|other| *other == note).unwrap_or_else(|| {
            notes.push(note);
            notes.len() - 1
        });
        cell.notes.push(index);
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn names_of_members_are_filled_in_at_the_start() {
        assert!(fits("ready", "ready") && !fits("ready", "ready-2"));
        assert!(fits("turn-of-‹client 1›", "turn-of-1002") && !fits("turn-of-‹client 1›", "turn-of-"));
        assert!(fits("‹a›-to-‹b 2›!", "1001-to-1003!") && !fits("‹a›-to-‹b 2›!", "1001-to-1003"));
    }
}
