//! Flows by hand. Each call stands on a line of its own in the text of the flow, which is written from the steps.

use std::sync::Arc;
use std::time::Duration;

use convoke_flow::{
    Block, Call, Choice, Definition, Failing, Flow, Member, Origin, Pause, Place, Repeat, Step, Text, Unknown, Why,
};
use convoke_group::{CallKind, RoleName};
use convoke_job::{Source, Span, SubId};

/// A member-to-be: role, how many, host role, steps.
#[derive(Clone, Debug)]
pub(crate) struct Role {
    pub(crate) name: &'static str,
    pub(crate) count: u32,
    pub(crate) host: Option<&'static str>,
    pub(crate) steps: Vec<Step>,
}

pub(crate) fn role(name: &'static str, steps: Vec<Step>) -> Role {
    Role { name, count: 1, host: None, steps }
}

impl Role {
    pub(crate) fn times(mut self, count: u32) -> Self {
        self.count = count;
        self
    }

    pub(crate) fn on(mut self, host: &'static str) -> Self {
        self.host = Some(host);
        self
    }
}

/// The flow of these roles, with places in a text that is made of their steps.
pub(crate) fn flow(roles: Vec<Role>) -> Flow {
    let mut text = String::new();
    let mut members: Vec<Member> = Vec::new();
    let hosts: Vec<(usize, &str)> = roles
        .iter()
        .scan(0, |first, role| {
            let at = *first;
            *first += role.count as usize;
            Some((at, role.name))
        })
        .collect();
    for mut role in roles {
        text.push_str(&format!("{}:\n", role.name));
        place_all(&mut role.steps, &mut text);
        let steps: Arc<[Step]> = role.steps.into();
        for number in 1..=role.count {
            members.push(Member {
                sub_id: SubId(members.len() as u32),
                role: RoleName::new(role.name),
                number,
                of: role.count,
                host: role.host.and_then(|host| hosts.iter().find(|(_, name)| *name == host)).map(|(at, _)| *at),
                steps: steps.clone(),
            });
        }
    }
    Flow { texts: vec![Source::new("job.yaml", text)], members, limit: None }
}

fn place_all(steps: &mut [Step], text: &mut String) {
    for step in steps {
        match step {
            Step::Block(block) => {
                block.place = line(text, block.kind);
                place_all(&mut block.body, text);
            }
            Step::Definition(definition) => {
                definition.place = line(text, &definition.name.clone());
                place_all(&mut definition.body, text);
            }
            Step::Call(call) => {
                let words = words(call);
                call.place = line(text, &words);
                for text in [Some(&mut call.id), call.role.as_mut()].into_iter().flatten() {
                    if let Text::Unknown { unknown, .. } = text {
                        unknown.place = call.place.clone();
                    }
                }
                if let Origin::Helper { wrapped: Some(place), .. } = &mut call.origin {
                    *place = call.place.clone();
                }
            }
            Step::Choice(choice) => {
                choice.unknown.place = line(text, "if command");
                choice.ways.iter_mut().for_each(|way| place_all(way, text));
            }
            Step::Repeat(repeat) => {
                repeat.unknown.place = line(text, "while command");
                place_all(&mut repeat.body, text);
            }
            Step::Beside(body) => place_all(body, text),
            Step::Join => {}
            Step::Read(read) => read.place = line(text, "grep cache"),
            Step::Stop(place) => *place = line(text, "exit"),
            Step::Opaque(unknown) => unknown.place = line(text, "./script"),
        }
    }
}

fn words(call: &Call) -> String {
    let helper = match call.kind {
        CallKind::Send => "lava-send",
        CallKind::Wait => "lava-wait",
        CallKind::WaitAll => "lava-wait-all",
        CallKind::Sync | CallKind::Assemble => "lava-sync",
    };
    let mut words = format!("{helper} {}", call.id.shown());
    if let Some(role) = &call.role {
        words.push_str(&format!(" {}", role.shown()));
    }
    for (key, value) in &call.data {
        words.push_str(&format!(" {}={}", key.shown(), value.shown()));
    }
    words
}

fn line(text: &mut String, words: &str) -> Place {
    let start = text.len() + 2;
    text.push_str(&format!("  {words}\n"));
    Place { text: 0, span: Span::new(start, start + words.len()), from: None }
}

pub(crate) fn nowhere() -> Place {
    Place { text: 0, span: Span::default(), from: None }
}

pub(crate) fn known(text: &str) -> Text {
    Text::Known(Arc::from(text))
}

fn unknown() -> Unknown {
    Unknown { why: Why::Command("command".into()), place: nowhere() }
}

fn call(kind: CallKind, id: &str, role: Option<&str>) -> Call {
    let text = |text: &str| {
        if text.contains('$') {
            Text::Unknown {
                shown: Arc::from(text),
                unknown: Unknown { why: Why::Variable("n".into()), place: nowhere() },
            }
        } else {
            known(text)
        }
    };
    Call {
        kind,
        id: text(id),
        role: role.map(text),
        data: Vec::new(),
        origin: Origin::Helper { wrapped: None, failing: Failing::Ends, timed: false },
        limit: Duration::from_secs(180),
        after: Arc::default(),
        place: nowhere(),
    }
}

pub(crate) fn send(id: &str) -> Step {
    Step::Call(call(CallKind::Send, id, None))
}

pub(crate) fn wait(id: &str) -> Step {
    Step::Call(call(CallKind::Wait, id, None))
}

pub(crate) fn wait_all(id: &str) -> Step {
    Step::Call(call(CallKind::WaitAll, id, None))
}

pub(crate) fn wait_role(id: &str, role: &str) -> Step {
    Step::Call(call(CallKind::WaitAll, id, Some(role)))
}

pub(crate) fn sync(id: &str) -> Step {
    Step::Call(call(CallKind::Sync, id, None))
}

/// A delayed start for this role.
pub(crate) fn start(role: &str) -> Step {
    let mut call = call(CallKind::WaitAll, "lava_start", Some(role));
    call.origin = Origin::DelayedStart;
    Step::Call(call)
}

pub(crate) fn either(ways: Vec<Vec<Step>>) -> Step {
    Step::Choice(Choice { ways, unknown: unknown(), of_call: false })
}

/// A call whose script goes on when it fails, and what it does then; `timed` when it is not waited for long.
pub(crate) fn attempt(step: Step, timed: bool, done: Vec<Step>, failed: Vec<Step>) -> Vec<Step> {
    let Step::Call(mut call) = step else { panic!("a call") };
    call.origin = Origin::Helper { wrapped: None, failing: Failing::GoesOn, timed };
    let why = Why::Outcome { call: words(&call), failed: false };
    let unknown = Unknown { why, place: nowhere() };
    if done.is_empty() && failed.is_empty() {
        return vec![Step::Call(call)];
    }
    vec![Step::Call(call), Step::Choice(Choice { ways: vec![done, failed], unknown, of_call: true })]
}

pub(crate) fn maybe(way: Vec<Step>) -> Step {
    either(vec![way, Vec::new()])
}

pub(crate) fn repeat(least: u32, body: Vec<Step>) -> Step {
    Step::Repeat(Repeat { body, least, unknown: unknown() })
}

pub(crate) fn beside(body: Vec<Step>) -> Step {
    Step::Beside(body)
}

pub(crate) fn stop() -> Step {
    Step::Stop(nowhere())
}

pub(crate) fn opaque() -> Step {
    Step::Opaque(Unknown { why: Why::Elsewhere("https://git.example.org/t.git".into()), place: nowhere() })
}

pub(crate) fn definition(name: &str, body: Vec<Step>) -> Step {
    Step::Definition(Definition { name: name.into(), place: nowhere(), body, rest: Pause::default() })
}

pub(crate) fn block(kind: &'static str, minutes: u64, body: Vec<Step>) -> Step {
    let limit = Duration::from_secs(60 * minutes);
    Step::Block(Block { kind, path: kind.into(), place: nowhere(), limit, body })
}
