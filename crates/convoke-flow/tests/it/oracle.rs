//! An oracle for the verdict: plays whole flows through a `convoke_group::Group`, every member for itself, in any order.
//!
//! It knows nothing of how the verdict is found: no classes of members, no bounds, no causes. Where a flow leaves
//! something open it tries every course, as long as they are few.

use convoke_flow::{Call, Flow, Step, Text};
use convoke_group::{
    Answer, Call as GroupCall, CallKind, Group, GroupName, Input, MemberName, MessageId, Output, Quiet, RoleName, Time,
    WaitId,
};

/// Courses that are tried at most.
const COURSES: usize = 512;

/// What plays come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Every course ends.
    Ends,
    /// None does.
    Stuck,
    /// Some do.
    Depends,
    /// Courses are too many, or hold what cannot be played.
    Untold,
}

/// Plays all courses of a flow, each in several orders.
pub(crate) fn fate(flow: &Flow) -> Fate {
    let mut turns = Turns::default();
    let (mut ends, mut stuck) = (0, 0);
    for _ in 0..COURSES {
        let Some(members) = course(flow, &mut turns) else { return Fate::Untold };
        let mut orders = (0..3).map(|seed| play(flow, &members, seed));
        let first = orders.next().unwrap();
        // The rules are monotone: no order of events comes to anything else.
        assert!(orders.all(|other| other == first), "the order of events matters");
        if first {
            ends += 1
        } else {
            stuck += 1
        }
        if !turns.next() {
            return match (ends, stuck) {
                (_, 0) => Fate::Ends,
                (0, _) => Fate::Stuck,
                _ => Fate::Depends,
            };
        }
    }
    Fate::Untold
}

/// Which way is taken at each fork of a course: a number with as many digits as there are forks.
#[derive(Default)]
struct Turns {
    taken: Vec<(usize, usize)>,
    at: usize,
}

impl Turns {
    fn take(&mut self, ways: usize) -> usize {
        if self.at == self.taken.len() {
            self.taken.push((0, ways));
        }
        self.at += 1;
        self.taken[self.at - 1].0
    }

    /// The next course; false after the last.
    fn next(&mut self) -> bool {
        self.at = 0;
        while let Some((way, ways)) = self.taken.pop() {
            if way + 1 < ways {
                self.taken.push((way + 1, ways));
                return true;
            }
        }
        false
    }
}

/// What a member does one after the other.
enum Act<'a> {
    Call(&'a Call),
    Fork(Vec<Act<'a>>),
    Join,
}

fn course<'a>(flow: &'a Flow, turns: &mut Turns) -> Option<Vec<Vec<Act<'a>>>> {
    flow.members
        .iter()
        .map(|member| {
            let mut acts = Vec::new();
            walk(&member.steps, turns, &mut acts).map(|_| acts)
        })
        .collect()
}

/// Whether the script goes on; `None` when something cannot be played.
fn walk<'a>(steps: &'a [Step], turns: &mut Turns, acts: &mut Vec<Act<'a>>) -> Option<bool> {
    for step in steps {
        let goes_on = match step {
            Step::Call(call) => {
                if [Some(&call.id), call.role.as_ref()].into_iter().flatten().any(|text| text.known().is_none()) {
                    return None;
                }
                acts.push(Act::Call(call));
                true
            }
            Step::Block(block) => {
                walk(&block.body, turns, acts)?;
                true
            }
            Step::Definition(definition) => {
                walk(&definition.body, turns, acts)?;
                acts.push(Act::Join);
                true
            }
            // What calls nothing and ends nothing is the same every way.
            Step::Choice(choice) if !choice.ways.iter().flatten().any(matters) => true,
            Step::Choice(choice) => walk(&choice.ways[turns.take(choice.ways.len())], turns, acts)?,
            Step::Repeat(repeat) if !repeat.body.iter().any(matters) => true,
            Step::Repeat(repeat) => {
                let mut goes_on = true;
                for _ in 0..repeat.least as usize + turns.take(3) {
                    goes_on = goes_on && walk(&repeat.body, turns, acts)?;
                }
                goes_on
            }
            Step::Beside(body) => {
                let mut beside = Vec::new();
                walk(body, turns, &mut beside)?;
                acts.push(Act::Fork(beside));
                true
            }
            Step::Join => {
                acts.push(Act::Join);
                true
            }
            Step::Read(_) => true,
            Step::Stop(_) => false,
            Step::Opaque(_) => return None,
        };
        if !goes_on {
            return Some(false);
        }
    }
    Some(true)
}

fn matters(step: &Step) -> bool {
    match step {
        Step::Join | Step::Read(_) => false,
        Step::Choice(choice) => choice.ways.iter().flatten().any(matters),
        Step::Repeat(repeat) => repeat.body.iter().any(matters),
        Step::Block(block) => block.body.iter().any(matters),
        Step::Definition(definition) => definition.body.iter().any(matters),
        Step::Beside(body) => body.iter().any(matters),
        Step::Call(_) | Step::Stop(_) | Step::Opaque(_) => true,
    }
}

struct Strand<'a, 'b> {
    member: usize,
    acts: &'b [Act<'a>],
    parked: bool,
    children: Vec<usize>,
}

/// Whether all get to the end, each next act by whoever the dice says.
fn play(flow: &Flow, members: &[Vec<Act<'_>>], seed: u64) -> bool {
    let size = std::num::NonZeroUsize::new(members.len()).unwrap();
    let mut group = Group::new(GroupName::new("g"), size);
    let name = |member: usize| MemberName::new(member.to_string());
    for (index, member) in flow.members.iter().enumerate() {
        group.apply(Input::Register { member: name(index), role: member.role.clone() }, Time::default());
    }
    let mut strands: Vec<Strand<'_, '_>> = Vec::new();
    for (member, acts) in members.iter().enumerate() {
        strands.push(Strand { member, acts, parked: false, children: Vec::new() });
    }
    let mut waiting: Vec<usize> = Vec::new();
    let mut gone = vec![false; members.len()];
    let mut dice = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    loop {
        let over = |index: usize, strands: &[Strand<'_, '_>]| strands[index].acts.is_empty() && !strands[index].parked;
        for (member, gone) in gone.iter_mut().enumerate() {
            let done = strands.iter().enumerate().all(|(index, s)| s.member != member || over(index, &strands));
            if done && !*gone {
                *gone = true;
                let left = group.apply(Input::Leave { member: name(member), why: String::new() }, Time::default());
                if left.iter().any(|output| matches!(output, Output::Answer { .. })) {
                    return false;
                }
            }
        }
        let ready: Vec<usize> = (0..strands.len())
            .filter(|index| {
                let strand = &strands[*index];
                let joins = matches!(strand.acts.first(), Some(Act::Join));
                !strand.parked
                    && !strand.acts.is_empty()
                    && (!joins || strand.children.iter().all(|child| over(*child, &strands)))
            })
            .collect();
        if ready.is_empty() {
            return (0..strands.len()).all(|index| over(index, &strands));
        }
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        let index = ready[(dice % ready.len() as u64) as usize];
        let acts = strands[index].acts;
        strands[index].acts = &acts[1..];
        match &acts[0] {
            Act::Join => strands[index].children.clear(),
            Act::Fork(acts) => {
                let (member, child) = (strands[index].member, strands.len());
                strands[index].children.push(child);
                strands.push(Strand { member, acts, parked: false, children: Vec::new() });
            }
            Act::Call(call) => {
                let wait = WaitId(waiting.len() as u64);
                waiting.push(index);
                strands[index].parked = true;
                let member = name(strands[index].member);
                let input = Input::Call { wait, member, call: asked(call), deadline: None, quiet: Quiet::Unknown };
                for output in group.apply(input, Time::default()) {
                    if let Output::Answer { wait, answer, .. } = output {
                        if matches!(answer, Answer::Refused { .. }) {
                            return false;
                        }
                        strands[waiting[wait.0 as usize]].parked = false;
                    }
                }
            }
        }
    }
}

/// A call as the group takes it.
pub(crate) fn asked(call: &Call) -> GroupCall {
    let message_id = MessageId::new(call.id.shown());
    match call.kind {
        CallKind::Send => GroupCall::Send { message_id, message: serde_json::json!({}) },
        CallKind::Wait => GroupCall::Wait { message_id },
        CallKind::WaitAll => {
            let role = call.role.as_ref().map(Text::shown).map(RoleName::new);
            GroupCall::WaitAll { message_id, role }
        }
        CallKind::Sync => GroupCall::Sync { message_id },
        CallKind::Assemble => GroupCall::Assemble,
    }
}
