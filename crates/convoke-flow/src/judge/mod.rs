//! Whether a job can end, and why not.
//!
//! ```text
//! Flow ─▶ program: classes of members that do the same, without what is not really unknown
//!            │
//!            ├─ lower(Most) ─▶ play: does not end ─▶ it cannot end; causes
//!            ├─ lower(Least) ▶ play: ends ─────────▶ it can end
//!            └─ choices, while they are few: both bounds of every course
//!                              all end ─▶ it can end; none does ─▶ it cannot; else unknown; causes
//! ```
//!
//! A call whose failure does not end its script (`lava-wait x || …`) is first taken to succeed, as all are. Where the job
//! does not end for certain then, it is judged again with the ways that such calls take when they fail; see `attempts`.
//!
//! When nothing is unknown both bounds are the same play, and the verdict is exact: every order of events comes to it.
//! The rules are those of `convoke_group`, which plays; nothing here decides whether a wait is satisfied.
//!
//! One thing stands beside the rules: a guest is gone when its host has ended, which no message tells. See `guests`.

mod attempts;
mod causes;
mod choices;
mod guests;
mod held;
pub(crate) mod lower;
mod play;
mod possible;
mod program;
pub(crate) mod reason;
mod shown;
mod told;

use std::collections::HashSet;

use crate::model::{Flow, Step};
use crate::played::Played;
use crate::walk;
use causes::Scene;
pub(crate) use guests::before_end;
use lower::{Bound, Facts, Thread, Unit, lower};
use play::Play;
use possible::Possible;
use program::{Attempts, Class, Program, classes};
use reason::{Reason, Verdict};
pub(crate) use told::no_final_sync;

/// Courses of what is unknown that are tried one by one.
const MOST_COURSES: usize = 1 << 10;
/// Acts that are played for that at most; a few hundred milliseconds.
const MOST_ACTS: usize = 1 << 19;

/// What became of judging a flow.
#[derive(Clone, Debug)]
pub struct Judgement<'a> {
    /// Whether the job can end.
    pub verdict: Verdict,
    /// Why not; or exactly what is unknown. Empty only for [`Verdict::CanEnd`], which may come with what is a mistake all
    /// the same.
    pub reasons: Vec<Reason<'a>>,
    /// Every call with what it met.
    pub played: Played<'a>,
}

/// Judges a flow. Takes time in proportion to the calls of members that do different things.
pub fn judge(flow: &Flow) -> Judgement<'_> {
    let first = judge_classes(flow, &classes(flow, Attempts::Succeed), Attempts::Succeed);
    let tested = |step: &Step| matches!(step, Step::Call(call) if call.is_tested());
    if !flow.members.iter().any(|member| walk::any(&member.steps, &tested)) {
        return first;
    }
    let attempts = if first.verdict == Verdict::CanEnd { Attempts::MayFail } else { Attempts::MayBeLate };
    let classes = classes(flow, attempts);
    if first.verdict == Verdict::CanEnd && !classes.iter().any(|class| attempts::any_timed(&class.program.ops)) {
        return first;
    }
    let mut judgement = judge_classes(flow, &classes, attempts);
    if judgement.verdict == Verdict::CanEnd {
        // What a script provides for may be a mistake all the same.
        let provided = |reason: &Reason| reason.waits.iter().all(|wait| wait.call.is_tested());
        let reasons = first
            .reasons
            .into_iter()
            .filter(|reason| reason.is_mistake() && !reason.waits.is_empty() && provided(reason));
        judgement.reasons = reasons.map(|reason| Reason { provided: true, behind: Vec::new(), ..reason }).collect();
    }
    judgement
}

fn judge_classes<'a>(flow: &'a Flow, classes: &[Class<'a>], attempts: Attempts) -> Judgement<'a> {
    let home: Vec<usize> = (0..classes.len()).collect();
    let possible = Possible::of(classes);
    let programs: Vec<&[program::Op]> = classes.iter().map(|class| class.program.ops.as_slice()).collect();
    let facts = Facts::of(&programs);
    let most = units(classes, Bound::Most, &facts);
    let mut play = Play::new(&most, &facts);
    let may_end = play.run();

    if !facts.unknown || !may_end {
        let verdict = if may_end { Verdict::CanEnd } else { Verdict::CannotEnd };
        let played = shown::played(flow, classes, &play, None);
        let scene = Scene { flow, units: &most, doing: classes, possible: &possible, classes, home: &home };
        let reasons = if may_end { Vec::new() } else { scene.causes(&mut play) };
        return guests::judge(flow, Judgement { verdict, reasons, played }, attempts);
    }
    let least = units(classes, Bound::Least, &facts);
    let mut sure = Play::new(&least, &facts);
    let must_end = sure.run();
    let mut played = shown::played(flow, classes, &play, Some(&sure));
    if must_end {
        return guests::judge(flow, Judgement { verdict: Verdict::CanEnd, reasons: Vec::new(), played }, attempts);
    }
    let (verdict, reasons) = match courses(classes) {
        Some(Courses::All(only)) => {
            if let Some(course) = only {
                let mut play = Play::new(&course.most, &course.facts);
                play.run();
                played = shown::played(flow, &course.doing, &play, None);
            }
            (Verdict::CanEnd, Vec::new())
        }
        Some(Courses::None(course, is_only)) => {
            // Of the same course on both sides, so that what would help in another one is not counted on.
            let possible = Possible::of(&course.doing);
            let home: Vec<usize> = (0..course.doing.len()).collect();
            let doing = &course.doing;
            let scene = Scene { flow, units: &course.most, doing, possible: &possible, classes: doing, home: &home };
            let mut play = Play::new(&course.most, &course.facts);
            play.run();
            if is_only {
                played = shown::played(flow, &course.doing, &play, None);
            }
            (Verdict::CannotEnd, scene.causes(&mut play))
        }
        Some(Courses::Some(course)) => {
            let least = units(&course.doing, Bound::Least, &course.facts);
            let mut play = Play::new(&least, &course.facts);
            play.run();
            let (doing, home) = (&course.doing, &course.home);
            let scene = Scene { flow, units: &least, doing, possible: &possible, classes, home };
            (Verdict::Unknown, scene.causes(&mut play))
        }
        None => {
            let scene = Scene { flow, units: &least, doing: classes, possible: &possible, classes, home: &home };
            (Verdict::Unknown, scene.causes(&mut sure))
        }
    };
    guests::judge(flow, Judgement { verdict, reasons, played }, attempts)
}

fn units<'a>(classes: &[Class<'a>], bound: Bound, facts: &Facts) -> Vec<Unit<'a>> {
    let threads = |class: &Class<'a>| -> Vec<Thread<'a>> { lower(&class.program.ops, bound, facts) };
    classes.iter().map(|class| Unit { role: class.role.clone(), threads: threads(class) }).collect()
}

/// What trying every course came to.
enum Courses<'a> {
    /// All end; the course, if it is the only one.
    All(Option<Course<'a>>),
    /// None ends: one of them, and whether it is the only one.
    None(Course<'a>, bool),
    /// Some end, and this is one that does not, or of which it is not certain.
    Some(Course<'a>),
}

/// One course: what each member does when every choice is decided.
struct Course<'a> {
    doing: Vec<Class<'a>>,
    home: Vec<usize>,
    facts: Facts,
    most: Vec<Unit<'a>>,
}

impl<'a> Course<'a> {
    fn of(doing: Vec<Class<'a>>, home: Vec<usize>) -> Self {
        let programs: Vec<&[program::Op]> = doing.iter().map(|class| class.program.ops.as_slice()).collect();
        let facts = Facts::of(&programs);
        let most = units(&doing, Bound::Most, &facts);
        Self { doing, home, facts, most }
    }
}

/// Tries every course; `None` when there are too many, or none to choose from.
fn courses<'a>(classes: &[Class<'a>]) -> Option<Courses<'a>> {
    // Members of a class decide for themselves.
    let mut deciding: Vec<(usize, Vec<usize>, Vec<usize>)> = Vec::new();
    let mut attempts = false;
    for (index, class) in classes.iter().enumerate() {
        let ways = choices::choices(&class.program.ops);
        let tries = attempts::any(&class.program.ops);
        attempts |= tries;
        if ways.is_empty() && !tries {
            deciding.push((index, class.members.clone(), ways));
        } else {
            deciding.extend(class.members.iter().map(|member| (index, vec![*member], ways.clone())));
        }
        if deciding.len() > MOST_COURSES {
            return None;
        }
    }
    let all: Vec<usize> = deciding.iter().flat_map(|(.., ways)| ways).copied().collect();
    let count = all.iter().try_fold(1usize, |count, ways| count.checked_mul(*ways))?;
    let acts: usize = deciding.iter().map(|(index, ..)| classes[*index].program.calls.len() + 1).sum();
    if all.is_empty() && !attempts || count > MOST_COURSES || count.saturating_mul(acts) > MOST_ACTS {
        return None;
    }
    let mut plays = MOST_COURSES.min(MOST_ACTS / acts.max(1)).max(count);
    let (mut ends, mut fails) = (true, true);
    let (mut open, mut last) = (None, None);
    let mut tried = 0;
    'all: for number in 0..count {
        for course in outcomes(course(classes, &deciding, &all, number), &mut plays)? {
            let mut most = Play::new(&course.most, &course.facts);
            let may_end = most.run();
            let must_end = may_end
                && (!course.facts.unknown || {
                    let least = units(&course.doing, Bound::Least, &course.facts);
                    Play::new(&least, &course.facts).run()
                });
            ends &= must_end;
            fails &= !may_end;
            tried += 1;
            if !must_end && open.is_none() {
                open = Some(course);
            } else {
                last = Some(course);
            }
            if !ends && !fails {
                break 'all;
            }
        }
    }
    match open {
        None => Some(Courses::All(last.filter(|course| tried == 1 && !course.facts.unknown))),
        Some(course) if fails => {
            let is_only = tried == 1 && !course.facts.unknown;
            Some(Courses::None(course, is_only))
        }
        Some(course) => Some(Courses::Some(course)),
    }
}

/// What may come of a course, as attempts in it fail. Where more than those is unknown, they are left to the bounds.
fn outcomes<'a>(course: Course<'a>, plays: &mut usize) -> Option<Vec<Course<'a>>> {
    if !course.doing.iter().any(|class| attempts::any(&class.program.ops)) {
        return Some(vec![course]);
    }
    let mut open = vec![attempts::Failed::new()];
    let mut known: HashSet<attempts::Failed> = HashSet::new();
    let mut outcomes = Vec::new();
    while let Some(failed) = open.pop() {
        *plays = plays.checked_sub(1)?;
        let decided = Course::of(attempts::decided(&course.doing, &failed), course.home.clone());
        if decided.facts.unknown {
            return Some(vec![course]);
        }
        let mut play = Play::new(&decided.most, &decided.facts);
        let held = if play.run() { Vec::new() } else { play.held_calls() };
        let (next, all) = attempts::next(&course.doing, &failed, &held);
        if next.is_empty() || !all {
            outcomes.push(decided);
        }
        open.extend(next.into_iter().filter(|next| known.insert(next.clone())));
    }
    Some(outcomes)
}

/// The course with this number, counting the ways of all choices as digits.
fn course<'a>(
    classes: &[Class<'a>],
    deciding: &[(usize, Vec<usize>, Vec<usize>)],
    ways: &[usize],
    mut number: usize,
) -> Course<'a> {
    let mut decisions = ways.iter().map(|ways| {
        let way = number % ways;
        number /= ways;
        way
    });
    let mut doing = Vec::new();
    for (index, members, _) in deciding {
        let class = &classes[*index];
        let ops = choices::decide(&class.program.ops, &mut decisions);
        // The calls keep the numbers that they have in the class.
        let program = Program { ops, calls: class.program.calls.clone() };
        doing.push(Class { members: members.clone(), role: class.role.clone(), program });
    }
    Course::of(doing, deciding.iter().map(|(index, ..)| *index).collect())
}
