//! How long judging a large job takes: members of few roles, and members that all do something else.

#![allow(missing_docs, clippy::print_stdout)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use convoke_flow::{Call, Failing, Flow, Member, Origin, Place, Step, Text, judge};
use convoke_group::{CallKind, RoleName};
use convoke_job::{Source, Span, SubId};

const MEMBERS: u32 = 1000;
const CALLS: u32 = 100;
const RUNS: usize = 11;

fn main() {
    let roles = flow(|member| ["server", "client"][usize::from(member > 0)].to_owned(), |_, round| format!("r{round}"));
    measure("1,000 members of 2 roles, 100 barriers each", &roles);
    let each = flow(|member| format!("role-{member}"), |_, round| format!("r{round}"));
    measure("1,000 roles of one member, 100 barriers each", &each);
    let own = flow(
        |_| "peer".to_owned(),
        |member, round| if round == 0 { format!("m{member}") } else { format!("r{round}") },
    );
    measure("1,000 members that differ, 100 calls each, stuck in 1,000 barriers", &own);
}

fn flow(role: impl Fn(u32) -> String, id: impl Fn(u32, u32) -> String) -> Flow {
    let mut members: Vec<Member> = Vec::new();
    for member in 0..MEMBERS {
        let steps: Arc<[Step]> = (0..CALLS).map(|round| sync(&id(member, round))).collect();
        let steps = match members.last() {
            Some(last) if last.steps == steps => last.steps.clone(),
            _ => steps,
        };
        let role = RoleName::new(role(member));
        members.push(Member { sub_id: SubId(member), role, number: member + 1, of: MEMBERS, host: None, steps });
    }
    Flow { texts: vec![Source::new("job.yaml", "")], members, limit: None }
}

fn sync(id: &str) -> Step {
    Step::Call(Call {
        kind: CallKind::Sync,
        id: Text::Known(id.into()),
        role: None,
        data: Vec::new(),
        origin: Origin::Helper { wrapped: None, failing: Failing::Ends, timed: false },
        limit: Duration::from_secs(60),
        after: Arc::default(),
        place: Place { text: 0, span: Span::default(), from: None },
    })
}

fn measure(what: &str, flow: &Flow) {
    let mut times: Vec<f64> = (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            let judgement = judge(flow);
            let time = start.elapsed().as_secs_f64() * 1000.0;
            std::hint::black_box(judgement.verdict);
            time
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!("{what}: {:.1} ms ({:.1} … {:.1})", times[RUNS / 2], times[0], times[RUNS - 1]);
}
