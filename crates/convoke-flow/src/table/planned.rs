//! The table before a run, from a flow and one play of it.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ptr;

use convoke_group::CallKind;

use super::acts::{Act, What, Who};
use super::layout::lay;
use super::{About, End, Kind, Note, Spot, Table, Tense, VERSION};
use crate::judge::Judgement;
use crate::model::{Call, Flow, Origin, Place, Repeat, Run, Step, Text, Unknown, Why};
use crate::played::{Met, Played, PlayedCall};

impl Table {
    /// The table of a flow that was judged, with the verdict and, for each call that is never satisfied, why.
    pub fn judged(job: &str, flow: &Flow, judgement: &Judgement<'_>) -> Table {
        // A call that is only held up by another one has that one's reason.
        let mut whys: HashMap<*const Call, String> = HashMap::new();
        for reason in &judgement.reasons {
            let message = reason.message(flow);
            for waiting in reason.waits.iter().chain(&reason.behind) {
                whys.entry(ptr::from_ref(waiting.call)).or_insert_with(|| message.clone());
            }
        }
        let played = &judgement.played;
        let why = |index: usize| whys.get(&ptr::from_ref(played.calls[index].call)).cloned();
        Table { verdict: Some(judgement.verdict.as_str().to_owned()), ..Table::planned(job, flow, played, why) }
    }

    /// The table of a flow that was played. `why` says, for the index of a call that is not satisfied, why that is.
    pub fn planned<'a>(
        job: &str,
        flow: &'a Flow,
        played: &'a Played<'a>,
        why: impl Fn(usize) -> Option<String>,
    ) -> Table {
        let mut notes = Notes { flow, known: HashMap::new(), all: Vec::new() };
        let mut made = Making { acts: Vec::with_capacity(played.calls.len()), sequences: Vec::new() };
        let mut bodies: HashMap<*const Step, Body<'a>> = HashMap::new();
        let mut calls: Vec<Vec<usize>> = vec![Vec::new(); flow.members.len()];
        let times = crate::times::times(flow, played);
        for (index, call) in played.calls.iter().enumerate() {
            if let Some(member) = calls.get_mut(call.member) {
                member.push(index);
            }
            let steps = flow.members.get(call.member).map(|member| &*member.steps).unwrap_or_default();
            let body = bodies.entry(steps.as_ptr()).or_insert_with(|| Body::of(steps));
            let repeats = body.calls.get(&ptr::from_ref(call.call)).map(|(_, repeats)| &repeats[..]);
            let why = if matches!(call.met, Met::Satisfied(_)) { None } else { why(index) };
            let mut act = act(call, index, repeats.unwrap_or_default(), why, &mut notes);
            if act.end == End::Done {
                let latest = times.latest[index].map(|latest| latest.as_secs_f64());
                act.over_s = (Some(times.earliest[index].as_secs_f64()), latest);
            }
            made.acts.push(act);
        }
        for (index, member) in flow.members.iter().enumerate() {
            // Of those that do the same one was played, the first.
            let by = played.played_by.get(index).copied().unwrap_or(index);
            let sequence = if by < index {
                made.sequences[by].clone()
            } else {
                let body = bodies.entry(member.steps.as_ptr()).or_insert_with(|| Body::of(&member.steps));
                made.sequence(body, &calls[index], played, &mut notes)
            };
            made.sequences.push(sequence);
        }
        let who: Vec<Who<'_>> = flow
            .members
            .iter()
            .map(|member| Who {
                sub_id: member.sub_id.0,
                role: member.role.as_str(),
                number: member.number,
                of: member.of,
            })
            .collect();
        let laid = lay(&who, &made.acts, &made.sequences, &|act| match played.calls.get(act).map(|call| &call.met) {
            Some(Met::Satisfied(by)) => Cow::Borrowed(&by[..]),
            _ => Cow::default(),
        });
        Table {
            version: VERSION,
            job: job.to_owned(),
            tense: Tense::Planned,
            verdict: None,
            columns: laid.columns,
            rows: laid.rows,
            cells: laid.cells,
            notes: notes.all,
        }
    }
}

fn act<'a>(
    played: &'a PlayedCall<'a>,
    order: usize,
    repeats: &[&'a Repeat],
    why: Option<String>,
    notes: &mut Notes<'a>,
) -> Act<'a> {
    let call = played.call;
    let end = match &played.met {
        Met::Satisfied(_) => End::Done,
        Met::Lost => End::Never,
        Met::Unknown => End::Unknown,
    };
    let mut said = Vec::new();
    for unknown in &played.only_if {
        if !repeats.iter().any(|repeat| repeat.least > 0 && ptr::eq(&raw const repeat.unknown, *unknown)) {
            said.push(notes.unknown(unknown));
        }
    }
    for repeat in repeats {
        said.push(notes.repeat(repeat));
    }
    for text in std::iter::once(&call.id).chain(&call.role) {
        if let Text::Unknown { unknown, .. } = text {
            said.push(notes.unknown(unknown));
        }
    }
    if let Some(text) = why.filter(|_| said.is_empty() || end == End::Never) {
        let about = if end == End::Never { About::Never } else { About::Unknown };
        said.push(notes.add(Note { about, text, place: None }));
    }
    said.dedup();
    Act {
        what: What::Call {
            kind: match call.kind {
                CallKind::Send => Kind::Send,
                CallKind::Wait => Kind::Wait,
                CallKind::WaitAll => Kind::WaitAll,
                CallKind::Sync => Kind::Sync,
                CallKind::Assemble => Kind::Assemble,
            },
            id: call.id.shown().into(),
            role: call.role.as_ref().map(|role| role.shown().into()),
            action: match &call.origin {
                Origin::Request { action, .. } => Some(action.into()),
                Origin::DelayedStart => Some("delayed start".into()),
                Origin::Interactive => Some("interactive".into()),
                Origin::Helper { .. } => None,
            },
        },
        end,
        notes: said,
        order,
        limit_s: Some(call.limit.as_secs_f64()),
        over_s: (None, None),
        place: notes.spot(&call.place),
        came: None,
    }
}

/// What members run by themselves is shown of those that call no more often: a longer table is for its calls.
const MOST_CALLS: usize = 12;
/// Characters of a command that are shown.
const LONGEST: usize = 32;

/// The acts, and who does which.
struct Making<'a> {
    acts: Vec<Act<'a>>,
    sequences: Vec<Vec<usize>>,
}

impl<'a> Making<'a> {
    /// What a member does: its calls, and between them what else its steps hold.
    fn sequence(&mut self, body: &Body<'a>, calls: &[usize], played: &Played<'a>, notes: &mut Notes<'a>) -> Vec<usize> {
        let mut sequence = Vec::with_capacity(calls.len() + 1);
        let (mut passed, mut order) = (0, 0);
        for &index in calls {
            let call: *const Call = played.calls[index].call;
            if let Some((at, _)) = body.calls.get(&call).filter(|(at, _)| *at >= passed) {
                self.between(&body.others, passed..*at, order, notes, &mut sequence);
                passed = *at + 1;
            }
            if calls.len() <= MOST_CALLS {
                self.runs(&played.calls[index].call.after.runs, order, notes, &mut sequence);
            }
            order = index;
            sequence.push(index);
        }
        let stopped = calls.last().is_some_and(|last| played.calls[*last].met == Met::Lost);
        if !stopped {
            self.between(&body.others, passed..usize::MAX, order, notes, &mut sequence);
        }
        sequence
    }

    /// What a member runs before its next call: the first program, and how many more.
    fn runs(&mut self, runs: &[Run], order: usize, notes: &Notes<'a>, sequence: &mut Vec<usize>) {
        let Some((first, more)) = runs.split_first() else { return };
        let mut text = first.text.to_string();
        if let Some((end, _)) = text.char_indices().nth(LONGEST) {
            text.truncate(end);
            text.push('…');
        }
        if !more.is_empty() {
            text.push_str(&format!(", {} more", more.len()));
        }
        self.other(What::Runs(text.into()), End::Done, Vec::new(), order, sequence);
        if let Some(act) = self.acts.last_mut() {
            act.place = notes.spot(&first.place);
        }
    }

    /// What stands at these places. Blocks that follow one another are one act.
    fn between(
        &mut self,
        others: &[(usize, Other<'a>)],
        places: std::ops::Range<usize>,
        order: usize,
        notes: &mut Notes<'a>,
        sequence: &mut Vec<usize>,
    ) {
        let start = others.partition_point(|(at, _)| *at < places.start);
        let mut blocks = Vec::new();
        for (_, other) in others[start..].iter().take_while(|(at, _)| *at < places.end) {
            match other {
                Other::Block(kind) => blocks.push(*kind),
                Other::Script(unknown) => {
                    self.blocks(&mut blocks, order, sequence);
                    let note = notes.unknown(unknown);
                    self.other(What::Script("a script"), End::Unknown, vec![note], order, sequence);
                }
            }
        }
        self.blocks(&mut blocks, order, sequence);
    }

    fn blocks(&mut self, blocks: &mut Vec<&'static str>, order: usize, sequence: &mut Vec<usize>) {
        if !blocks.is_empty() {
            self.other(What::Blocks(std::mem::take(blocks)), End::Done, Vec::new(), order, sequence);
        }
    }

    fn other(&mut self, what: What<'a>, end: End, notes: Vec<usize>, order: usize, sequence: &mut Vec<usize>) {
        sequence.push(self.acts.len());
        self.acts.push(Act { what, end, notes, order, limit_s: None, over_s: (None, None), place: None, came: None });
    }
}

/// The steps of a member in order.
#[derive(Default)]
struct Body<'a> {
    /// The place of each call, and what repeats it.
    calls: HashMap<*const Call, (usize, Vec<&'a Repeat>)>,
    /// What else there is, with its place.
    others: Vec<(usize, Other<'a>)>,
    next: usize,
}

enum Other<'a> {
    /// A block in which nothing is called.
    Block(&'static str),
    /// A script of which not even the calls are known.
    Script(&'a Unknown),
}

impl<'a> Body<'a> {
    fn of(steps: &'a [Step]) -> Self {
        let mut body = Self::default();
        body.take(steps, &mut Vec::new());
        body
    }

    fn take(&mut self, steps: &'a [Step], repeats: &mut Vec<&'a Repeat>) {
        for step in steps {
            match step {
                Step::Block(block) => {
                    let before = self.next;
                    self.take(&block.body, repeats);
                    if self.next == before {
                        self.others.push((self.next, Other::Block(block.kind)));
                        self.next += 1;
                    }
                }
                Step::Definition(definition) => self.take(&definition.body, repeats),
                Step::Call(call) => {
                    self.calls.insert(ptr::from_ref(call), (self.next, repeats.clone()));
                    self.next += 1;
                }
                Step::Choice(choice) => choice.ways.iter().for_each(|way| self.take(way, repeats)),
                Step::Repeat(repeat) => {
                    repeats.push(repeat);
                    self.take(&repeat.body, repeats);
                    repeats.pop();
                }
                Step::Beside(steps) => self.take(steps, repeats),
                Step::Opaque(unknown) => {
                    self.others.push((self.next, Other::Script(unknown)));
                    self.next += 1;
                }
                Step::Join | Step::Read(_) | Step::Stop(_) => {}
            }
        }
    }
}

/// Why something is not known before a run.
fn words(why: &Why) -> String {
    format!("depends on {}", crate::words::why(why))
}

/// What is to be said, each thing once.
struct Notes<'a> {
    flow: &'a Flow,
    known: HashMap<Note, usize>,
    all: Vec<Note>,
}

impl<'a> Notes<'a> {
    fn add(&mut self, note: Note) -> usize {
        if let Some(&known) = self.known.get(&note) {
            return known;
        }
        self.known.insert(note.clone(), self.all.len());
        self.all.push(note);
        self.all.len() - 1
    }

    fn unknown(&mut self, unknown: &'a Unknown) -> usize {
        let place = self.spot(&unknown.place);
        self.add(Note { about: About::Unknown, text: words(&unknown.why), place })
    }

    fn repeat(&mut self, repeat: &'a Repeat) -> usize {
        let place = self.spot(&repeat.unknown.place);
        let times = match repeat.least {
            0 => "any number of times".to_owned(),
            1 => "at least once".to_owned(),
            least => format!("at least {least} times"),
        };
        self.add(Note { about: About::Repeat, text: format!("{times}; {}", words(&repeat.unknown.why)), place })
    }

    fn spot(&self, place: &Place) -> Option<Spot> {
        let text = self.flow.texts.get(place.text)?;
        Some(Spot { file: text.name().to_owned(), line: text.position(place.span.start).line })
    }
}
