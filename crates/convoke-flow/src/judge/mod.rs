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
//! When nothing is unknown both bounds are the same play, and the verdict is exact: every order of events comes to it.
//! The rules are those of `convoke_group`, which plays; nothing here decides whether a wait is satisfied.
//!
//! One thing stands beside the rules: a guest is gone when its host has ended, which no message tells. See `guests`.

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

use crate::model::{Call, Flow, Origin};
use crate::played::{Met, Played};
use causes::Scene;
pub(crate) use guests::before_end;
use lower::{Bound, Facts, Thread, Unit, lower};
use play::Play;
use possible::Possible;
use program::{Class, Program, classes};
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

impl Judgement<'_> {
    /// A call that is never satisfied and whose status the script looks at: it may go on in a way of its own, which was not
    /// followed, so that the job may end all the same, however badly.
    pub fn provided_for(&self) -> Option<&Call> {
        let tested = |call: &Call| matches!(call.origin, Origin::Helper { tested: true, .. });
        let lost = self.played.calls.iter().filter(|played| played.met == Met::Lost);
        lost.map(|played| played.call).find(|call| tested(call))
    }
}

/// Judges a flow. Takes time in proportion to the calls of members that do different things.
pub fn judge(flow: &Flow) -> Judgement<'_> {
    let classes = classes(flow);
    let home: Vec<usize> = (0..classes.len()).collect();
    let possible = Possible::of(&classes);
    let programs: Vec<&[program::Op]> = classes.iter().map(|class| class.program.ops.as_slice()).collect();
    let facts = Facts::of(&programs);
    let most = units(&classes, Bound::Most, &facts);
    let mut play = Play::new(&most, &facts);
    let may_end = play.run();
    let scene = |units, doing, home| Scene { flow, units, doing, possible: &possible, classes: &classes, home };

    if !facts.unknown || !may_end {
        let verdict = if may_end { Verdict::CanEnd } else { Verdict::CannotEnd };
        let played = shown::played(flow, &classes, &play, None);
        let reasons = if may_end { Vec::new() } else { scene(&most, &classes, &home).causes(&mut play) };
        return guests::judge(flow, Judgement { verdict, reasons, played });
    }
    let least = units(&classes, Bound::Least, &facts);
    let mut sure = Play::new(&least, &facts);
    let must_end = sure.run();
    let played = shown::played(flow, &classes, &play, Some(&sure));
    if must_end {
        return guests::judge(flow, Judgement { verdict: Verdict::CanEnd, reasons: Vec::new(), played });
    }
    let (verdict, reasons) = match courses(&classes) {
        Some(Courses::All) => (Verdict::CanEnd, Vec::new()),
        Some(Courses::None(course)) => {
            // Of the same course on both sides, so that what would help in another one is not counted on.
            let possible = Possible::of(&course.doing);
            let home: Vec<usize> = (0..course.doing.len()).collect();
            let scene =
                Scene { possible: &possible, classes: &course.doing, ..scene(&course.most, &course.doing, &home) };
            let mut play = Play::new(&course.most, &course.facts);
            play.run();
            (Verdict::CannotEnd, scene.causes(&mut play))
        }
        Some(Courses::Some(course)) => {
            let least = units(&course.doing, Bound::Least, &course.facts);
            let mut play = Play::new(&least, &course.facts);
            play.run();
            let scene = scene(&least, &course.doing, &course.home);
            (Verdict::Unknown, scene.causes(&mut play))
        }
        None => (Verdict::Unknown, scene(&least, &classes, &home).causes(&mut sure)),
    };
    guests::judge(flow, Judgement { verdict, reasons, played })
}

fn units<'a>(classes: &[Class<'a>], bound: Bound, facts: &Facts) -> Vec<Unit<'a>> {
    let threads = |class: &Class<'a>| -> Vec<Thread<'a>> { lower(&class.program.ops, bound, facts) };
    classes.iter().map(|class| Unit { role: class.role.clone(), threads: threads(class) }).collect()
}

/// What trying every course came to.
enum Courses<'a> {
    All,
    None(Course<'a>),
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

/// Tries every course; `None` when there are too many, or none to choose from.
fn courses<'a>(classes: &[Class<'a>]) -> Option<Courses<'a>> {
    // Members of a class decide for themselves.
    let mut deciding: Vec<(usize, Vec<usize>, Vec<usize>)> = Vec::new();
    for (index, class) in classes.iter().enumerate() {
        let ways = choices::choices(&class.program.ops);
        if ways.is_empty() {
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
    if all.is_empty() || count > MOST_COURSES || count.saturating_mul(acts) > MOST_ACTS {
        return None;
    }
    let (mut ends, mut fails) = (true, true);
    let mut open = None;
    for number in 0..count {
        let course = course(classes, &deciding, &all, number);
        let mut most = Play::new(&course.most, &course.facts);
        let may_end = most.run();
        let must_end = may_end
            && (!course.facts.unknown || {
                let least = units(&course.doing, Bound::Least, &course.facts);
                Play::new(&least, &course.facts).run()
            });
        ends &= must_end;
        fails &= !may_end;
        if !must_end && open.is_none() {
            open = Some(course);
        }
        if !ends && !fails {
            break;
        }
    }
    match open {
        None => Some(Courses::All),
        Some(course) if fails => Some(Courses::None(course)),
        Some(course) => Some(Courses::Some(course)),
    }
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
    let programs: Vec<&[program::Op]> = doing.iter().map(|class| class.program.ops.as_slice()).collect();
    let facts = Facts::of(&programs);
    let most = units(&doing, Bound::Most, &facts);
    Course { doing, home: deciding.iter().map(|(index, ..)| *index).collect(), facts, most }
}
