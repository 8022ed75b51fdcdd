//! Every course of what is unknown, and every order of events of each: slow, simple, and without the group's code.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use convoke_flow::{Call, Failing, Flow, Origin, Step};
use convoke_group::CallKind;

/// What the search found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// Some order of some course ends well.
    pub(crate) some_end: bool,
    /// Every order of every course does.
    pub(crate) all_end: bool,
}

/// A step of a course.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Do {
    Call(CallKind, String, Option<String>),
    Fork(Vec<Do>),
    /// Waits for what was forked since the number of forks was this.
    Join,
    Begin,
    /// The member leaves: its guests are gone.
    End,
    /// A call that may fail, and what is done then and otherwise.
    Try {
        call: Box<Do>,
        timed: bool,
        done: Vec<Do>,
        failed: Vec<Do>,
    },
}

/// States of one course that are looked at.
const MOST_WORLDS: usize = 5_000;

/// What every order of every course comes to; `None` when there are more than `most` courses, or one is too large.
pub(crate) fn search(flow: &Flow, most: usize) -> Option<Found> {
    let mut ids = BTreeSet::new();
    for member in &flow.members {
        names(&member.steps, &mut ids);
    }
    let mut courses: Vec<Vec<Vec<Do>>> = vec![Vec::new()];
    for member in &flow.members {
        let mut own: Vec<Vec<Do>> = scope(&member.steps, &ids);
        own.iter_mut().for_each(|own| own.push(Do::End));
        if courses.len() * own.len() > most {
            return None;
        }
        courses = courses
            .iter()
            .flat_map(|course| {
                own.iter().map(|own| {
                    let mut course = course.clone();
                    course.push(own.clone());
                    course
                })
            })
            .collect();
    }
    let mut found = Found { some_end: false, all_end: true };
    for course in courses {
        let mut seen = HashSet::new();
        explore(flow, World::new(&course), &mut seen, &mut found);
        if seen.len() > MOST_WORLDS {
            return None;
        }
    }
    Some(found)
}

fn names(steps: &[Step], ids: &mut BTreeSet<String>) {
    for step in steps {
        match step {
            Step::Call(call) => ids.extend(call.id.known().map(str::to_owned)),
            Step::Block(block) => names(&block.body, ids),
            Step::Definition(definition) => names(&definition.body, ids),
            Step::Choice(choice) => choice.ways.iter().for_each(|way| names(way, ids)),
            Step::Repeat(repeat) => names(&repeat.body, ids),
            Step::Beside(body) => names(body, ids),
            Step::Join | Step::Read(_) | Step::Stop(_) | Step::Opaque(_) => {}
        }
    }
}

fn scope(steps: &[Step], ids: &BTreeSet<String>) -> Vec<Vec<Do>> {
    let mut courses: Vec<Vec<Do>> = sequence(steps, ids).into_iter().map(|(course, _)| course).collect();
    for course in &mut courses {
        course.insert(0, Do::Begin);
        course.push(Do::Join);
    }
    courses
}

/// Every way through these steps, and whether it stops.
///
/// What comes after an attempt belongs to its ways, of which one may stop; so an attempt is not looked for within a choice.
fn sequence(steps: &[Step], ids: &BTreeSet<String>) -> Vec<(Vec<Do>, bool)> {
    let mut courses = vec![(Vec::new(), false)];
    for (at, step) in steps.iter().enumerate() {
        if let Some((tries, timed)) = attempt(step, ids) {
            let (none, mut after) = (Vec::new(), &steps[at + 1..]);
            let (mut done, mut failed) = (&none, &none);
            if let Some(Step::Choice(choice)) = after.first().filter(|step| is_of_call(step)) {
                (done, failed, after) = (&choice.ways[0], &choice.ways[1], &after[1..]);
            }
            // To be late is no more than to fail where that does nothing but end the script.
            let nothing = matches!(failed.as_slice(), [Step::Stop(_)]) || done.is_empty() && failed.is_empty();
            let timed = timed && !nothing;
            let mut next = Vec::new();
            for (course, stopped) in courses {
                if stopped {
                    next.push((course, true));
                    continue;
                }
                for rest in sequence(after, ids) {
                    for done in sequence(done, ids) {
                        for failed in sequence(failed, ids) {
                            let whole = |(way, stops): &(Vec<Do>, bool)| {
                                let rest = if *stops { &[][..] } else { &rest.0 };
                                way.iter().chain(rest).cloned().collect::<Vec<Do>>()
                            };
                            for call in &tries {
                                let (done, failed) = (whole(&done), whole(&failed));
                                let tried = Do::Try { call: Box::new(call.clone()), timed, done, failed };
                                next.push((course.iter().cloned().chain([tried]).collect(), false));
                            }
                        }
                    }
                }
            }
            return next;
        }
        let ways = ways(step, ids);
        let mut next = Vec::new();
        for (course, stopped) in courses {
            if stopped {
                next.push((course, true));
                continue;
            }
            for (way, stops) in &ways {
                let mut course: Vec<Do> = course.clone();
                course.extend(way.iter().cloned());
                next.push((course, *stops));
            }
        }
        next.dedup();
        courses = next;
    }
    courses
}

fn is_of_call(step: &Step) -> bool {
    matches!(step, Step::Choice(choice) if choice.of_call)
}

/// The call of an attempt, and whether it is timed.
fn attempt(step: &Step, ids: &BTreeSet<String>) -> Option<(Vec<Do>, bool)> {
    let Step::Call(call) = step else { return None };
    let Origin::Helper { failing: Failing::GoesOn, timed, .. } = &call.origin else { return None };
    Some((calls(call, ids).into_iter().flatten().collect(), *timed))
}

fn ways(step: &Step, ids: &BTreeSet<String>) -> Vec<(Vec<Do>, bool)> {
    let go_on = |courses: Vec<Vec<Do>>| courses.into_iter().map(|course| (course, false)).collect();
    match step {
        Step::Block(block) => go_on(scope(&block.body, ids)),
        Step::Definition(definition) => go_on(scope(&definition.body, ids)),
        Step::Call(call) => go_on(calls(call, ids)),
        Step::Choice(choice) => choice.ways.iter().flat_map(|way| sequence(way, ids)).collect(),
        // Two rounds more than the least show what any number does in these small flows.
        Step::Repeat(repeat) => (repeat.least..=repeat.least + 2)
            .flat_map(|times| {
                let body: Vec<Step> = std::iter::repeat_n(repeat.body.clone(), times as usize).flatten().collect();
                sequence(&body, ids)
            })
            .collect(),
        Step::Beside(body) => go_on(scope(body, ids).into_iter().map(|body| vec![Do::Fork(body)]).collect()),
        Step::Join => go_on(vec![vec![Do::Join, Do::Begin]]),
        Step::Read(_) => go_on(vec![Vec::new()]),
        Step::Stop(_) => vec![(Vec::new(), true)],
        Step::Opaque(_) => {
            let mut ways = vec![(Vec::new(), false), (Vec::new(), true)];
            for id in ids {
                for kind in [CallKind::Send, CallKind::Wait, CallKind::Sync] {
                    ways.push((vec![Do::Call(kind, id.clone(), None)], false));
                }
            }
            ways
        }
    }
}

fn calls(call: &Call, ids: &BTreeSet<String>) -> Vec<Vec<Do>> {
    let role = call.role.as_ref().map(|role| role.shown().to_owned());
    let one = |id: &str| vec![Do::Call(call.kind, id.to_owned(), role.clone())];
    match call.id.known() {
        Some(id) => vec![one(id)],
        None => {
            // What stands before the unknown part is known.
            let known = call.id.shown().split('$').next().unwrap_or_default();
            let like = ids.iter().filter(|id| id.starts_with(known));
            like.map(|id| one(id)).chain([one(&format!("{known} and something else"))]).collect()
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    members: Vec<Vec<Thread>>,
    sent: BTreeMap<String, BTreeSet<usize>>,
    arrived: BTreeMap<String, BTreeSet<usize>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Thread {
    ahead: Vec<Do>,
    /// For every open scope, the threads that were forked in it.
    scopes: Vec<Vec<usize>>,
    /// In this sync.
    synced: Option<String>,
}

impl World {
    fn new(course: &[Vec<Do>]) -> Self {
        let thread = |ahead: &Vec<Do>| vec![Thread { ahead: ahead.clone(), scopes: Vec::new(), synced: None }];
        let members = course.iter().map(thread).collect();
        Self { members, sent: BTreeMap::new(), arrived: BTreeMap::new() }
    }

    fn is_done(&self, member: usize) -> bool {
        self.members[member].iter().all(|thread| !calls_ahead(&thread.ahead))
    }
}

fn calls_ahead(ahead: &[Do]) -> bool {
    ahead.iter().any(|next| match next {
        Do::Call(..) => true,
        Do::Try { .. } => true,
        Do::Fork(body) => calls_ahead(body),
        Do::Begin | Do::Join | Do::End => false,
    })
}

fn explore(flow: &Flow, world: World, seen: &mut HashSet<World>, found: &mut Found) {
    if seen.len() > MOST_WORLDS || (found.some_end && !found.all_end) || !seen.insert(world.clone()) {
        return;
    }
    let mut moved = false;
    for member in 0..world.members.len() {
        // Who has lost its host does nothing more.
        if flow.members[member].host.is_some_and(|host| world.members[host][0].ahead.is_empty()) {
            continue;
        }
        for thread in 0..world.members[member].len() {
            let mut next = world.clone();
            if step(flow, &mut next, member, thread) {
                moved = true;
                explore(flow, next, seen, found);
            }
            // One that has its own time may give up at any moment.
            let mut next = world.clone();
            if fail(&mut next, member, thread, true) {
                explore(flow, next, seen, found);
            }
        }
    }
    if !moved {
        // Whoever has waited longest gives up first, and that may be anybody: also one whose script ends then.
        let gives_up = |thread: &Thread| matches!(thread.ahead.first(), Some(Do::Call(..)));
        found.all_end &= !world.members.iter().flatten().any(gives_up);
        for member in 0..world.members.len() {
            for thread in 0..world.members[member].len() {
                let mut next = world.clone();
                if fail(&mut next, member, thread, false) {
                    moved = true;
                    explore(flow, next, seen, found);
                }
            }
        }
    }
    if !moved {
        let ended = (0..world.members.len()).all(|member| world.is_done(member));
        found.some_end |= ended;
        found.all_end &= ended;
    }
}

/// Lets a thread that stands at an attempt give it up; returns whether it does.
fn fail(world: &mut World, member: usize, thread: usize, timed_only: bool) -> bool {
    let now = &mut world.members[member][thread];
    let Some(Do::Try { call, timed, failed, .. }) = now.ahead.first().cloned() else { return false };
    if timed_only && (!timed || satisfied_call(world, &call)) {
        return false;
    }
    let now = &mut world.members[member][thread];
    if let Some(id) = now.synced.take() {
        world.arrived.entry(id).or_default().remove(&member);
    }
    world.members[member][thread].ahead.splice(..1, failed);
    true
}

/// Whether a wait would be over at once.
fn satisfied_call(world: &World, call: &Do) -> bool {
    matches!(call, Do::Call(CallKind::Wait, id, _) if world.sent.get(id).is_some_and(|sent| !sent.is_empty()))
}

/// Makes the next step of a thread; returns whether it could.
fn step(flow: &Flow, world: &mut World, member: usize, thread: usize) -> bool {
    let all = world.members.len();
    let Some(next) = world.members[member][thread].ahead.first().cloned() else { return false };
    if let Do::Try { call, done, .. } = next {
        // As the call alone, and what is done then after it.
        let now = &mut world.members[member][thread];
        let tried = now.ahead[0].clone();
        now.ahead[0] = *call;
        let before = now.ahead.len();
        let moved = step(flow, world, member, thread);
        let now = &mut world.members[member][thread];
        if moved && now.ahead.len() < before {
            now.ahead.splice(..0, done);
        } else {
            now.ahead[0] = tried;
        }
        return moved;
    }
    match &next {
        Do::End => {}
        Do::Begin => world.members[member][thread].scopes.push(Vec::new()),
        Do::Fork(body) => {
            let started = world.members[member].len();
            let forked = Thread { ahead: body.clone(), scopes: Vec::new(), synced: None };
            world.members[member].push(forked);
            world.members[member][thread].scopes.last_mut().expect("a scope is open").push(started);
        }
        Do::Join => {
            let forked = world.members[member][thread].scopes.last().cloned().unwrap_or_default();
            if forked.iter().any(|forked| !world.members[member][*forked].ahead.is_empty()) {
                return false;
            }
            world.members[member][thread].scopes.pop();
        }
        Do::Call(CallKind::Send, id, _) => {
            world.sent.entry(id.clone()).or_default().insert(member);
        }
        Do::Call(CallKind::Sync, id, _) => {
            let now = &mut world.members[member][thread];
            if now.synced.is_some() {
                return false;
            }
            now.synced = Some(id.clone());
            let arrived = world.arrived.entry(id.clone()).or_default();
            arrived.insert(member);
            if arrived.len() == all {
                arrived.clear();
                for thread in world.members.iter_mut().flatten() {
                    if thread.synced.as_ref() == Some(id) {
                        thread.synced = None;
                        if let Do::Try { done, .. } = thread.ahead.remove(0) {
                            thread.ahead.splice(..0, done);
                        }
                    }
                }
            }
            return true;
        }
        Do::Call(CallKind::Wait, id, _) => {
            if world.sent.get(id).is_none_or(BTreeSet::is_empty) {
                return false;
            }
        }
        Do::Call(CallKind::WaitAll, id, role) => {
            let needed: Vec<usize> = (0..all)
                .filter(|member| role.as_ref().is_none_or(|role| flow.members[*member].role.as_str() == role))
                .collect();
            let sent = world.sent.get(id).cloned().unwrap_or_default();
            if needed.is_empty() || !needed.iter().all(|member| sent.contains(member)) {
                return false;
            }
        }
        Do::Call(CallKind::Assemble, ..) | Do::Try { .. } => {}
    }
    world.members[member][thread].ahead.remove(0);
    true
}
