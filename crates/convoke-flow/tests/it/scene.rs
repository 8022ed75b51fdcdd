//! Flows written in a line: `server 2: deploy; sync start, send ready; client: wait-all ready server`.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use convoke_flow::{Block, Call, Failing, Flow, Member, Met, Origin, Place, Played, PlayedCall, Step, Text};
use convoke_group::{Answer, CallKind, Group, GroupName, Input, MemberName, Output, Quiet, RoleName, Time, WaitId};
use convoke_job::{Source, Span, SubId};

use crate::oracle::asked;

/// The flow of a scene: a line a role, `ROLE [COUNT]: STEP, STEP…`; a step is a call without its `lava-`, or a block.
pub(crate) fn flow(scene: &str) -> Flow {
    let mut members = Vec::new();
    for line in scene.lines().filter(|line| !line.trim().is_empty()) {
        let (head, body) = line.split_once(':').unwrap();
        let mut head = head.split_whitespace();
        let role = head.next().unwrap();
        let of: u32 = head.next().map_or(1, |count| count.parse().unwrap());
        let at = body.as_ptr() as usize - scene.as_ptr() as usize;
        let place = Place { text: 0, span: Span::new(at, at + body.len()), from: None };
        let steps: Vec<Step> = body.split(',').map(|word| step(word.trim(), &place)).collect();
        let steps: Arc<[Step]> = steps.into();
        for _ in 1..=of {
            let sub_id = SubId(members.len() as u32);
            let role = RoleName::new(role);
            members.push(Member { sub_id, role, number: 0, of: 0, host: None, steps: steps.clone() });
        }
    }
    for index in 0..members.len() {
        let role = members[index].role.clone();
        let same = |members: &[Member]| members.iter().filter(|member| member.role == role).count() as u32;
        (members[index].number, members[index].of) = (same(&members[..=index]), same(&members));
    }
    Flow { texts: vec![Source::new("scene", scene)], members, limit: None }
}

fn step(words: &str, place: &Place) -> Step {
    let mut words = words.split_whitespace();
    let kind = match words.next().unwrap() {
        "send" => CallKind::Send,
        "wait" => CallKind::Wait,
        "wait-all" => CallKind::WaitAll,
        "sync" => CallKind::Sync,
        kind => {
            let kind = ["deploy", "boot", "test"].into_iter().find(|known| *known == kind).unwrap();
            let limit = Duration::from_secs(60);
            return Step::Block(Block { kind, path: kind.into(), place: place.clone(), limit, body: Vec::new() });
        }
    };
    let mut text = || words.next().map(|word| Text::Known(word.into()));
    Step::Call(Call {
        kind,
        id: text().unwrap(),
        role: text(),
        data: Vec::new(),
        origin: Origin::Helper { wrapped: None, failing: Failing::Ends, timed: false },
        limit: Duration::from_secs(30),
        after: Arc::default(),
        place: place.clone(),
    })
}

/// Plays a flow of nothing but calls under the rules of a group, every member as far as it comes, in turn.
pub(crate) fn play(flow: &Flow) -> Played<'_> {
    let size = std::num::NonZeroUsize::new(flow.members.len()).unwrap();
    let mut group = Group::new(GroupName::new("g"), size);
    let name = |member: usize| MemberName::new(member.to_string());
    for (index, member) in flow.members.iter().enumerate() {
        group.apply(Input::Register { member: name(index), role: member.role.clone() }, Time::default());
    }
    let calls = |member: usize| {
        flow.members[member].steps.iter().filter_map(|step| if let Step::Call(call) = step { Some(call) } else { None })
    };
    let mut todo: Vec<Vec<&Call>> = (0..flow.members.len()).map(|member| calls(member).collect()).collect();
    todo.iter_mut().for_each(|calls| calls.reverse());
    let mut made: Vec<(usize, &Call)> = Vec::new();
    let mut over: Vec<(usize, bool)> = Vec::new();
    let mut busy = vec![false; todo.len()];
    while let Some(member) = (0..todo.len()).find(|member| !busy[*member] && !todo[*member].is_empty()) {
        let call = todo[member].pop().unwrap();
        busy[member] = true;
        let wait = WaitId(made.len() as u64);
        made.push((member, call));
        let input =
            Input::Call { wait, member: name(member), call: asked(call), deadline: None, quiet: Quiet::Unknown };
        let mut outputs = group.apply(input, Time::default());
        if todo[member].is_empty() && call.kind == CallKind::Send {
            outputs.extend(group.apply(Input::Leave { member: name(member), why: String::new() }, Time::default()));
        }
        for output in outputs {
            if let Output::Answer { wait, answer, .. } = output {
                let index = wait.0 as usize;
                over.push((index, matches!(answer, Answer::Done { .. })));
                busy[made[index].0] = matches!(answer, Answer::Refused { .. });
            }
        }
    }
    played(flow, &made, &over)
}

/// The calls in the order in which they were over, with what satisfied each.
fn played<'a>(flow: &'a Flow, made: &[(usize, &'a Call)], over: &[(usize, bool)]) -> Played<'a> {
    let lost = (0..made.len()).filter(|index| !over.iter().any(|(done, _)| done == index)).map(|index| (index, false));
    let order: Vec<(usize, bool)> = over.iter().copied().chain(lost).collect();
    let place: HashMap<usize, usize> = order.iter().enumerate().map(|(place, (index, _))| (*index, place)).collect();
    let first = |kind: CallKind, id: &Text, member: usize| {
        made.iter().position(|(by, call)| *by == member && call.kind == kind && call.id == *id)
    };
    let calls = order.iter().map(|(index, done)| {
        let (member, call) = made[*index];
        let of = |kind| {
            let members = (0..flow.members.len()).filter(|member| {
                call.role.as_ref().is_none_or(|role| role.shown() == flow.members[*member].role.as_str())
            });
            let mut by: Vec<usize> =
                members.filter_map(|member| Some(place[&first(kind, &call.id, member)?])).collect();
            by.sort_unstable();
            by
        };
        let by = match call.kind {
            CallKind::Wait => of(CallKind::Send).into_iter().take(1).collect(),
            CallKind::WaitAll => of(CallKind::Send),
            CallKind::Sync => of(CallKind::Sync),
            CallKind::Send | CallKind::Assemble => Vec::new(),
        };
        PlayedCall { member, call, only_if: Vec::new(), met: if *done { Met::Satisfied(by.into()) } else { Met::Lost } }
    });
    Played { calls: calls.collect(), played_by: (0..flow.members.len()).collect() }
}
