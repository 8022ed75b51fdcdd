//! Many groups at once, each member doing what a job does: group_data, send, wait-all, sync, clear_group.

use std::time::{Duration, Instant};

use super::engine::{Action, Client, Engine, Event};
use super::numbers::{Numbers, table};
use super::requests::{Manner, Member, Word, word};
use super::servers::{Bench, Side};
use super::{Effort, threads};

/// Members of a group.
const SIZE: usize = 4;
/// LAVA's least pause between two polls; the packaged file says 3 s.
const POLL_DELAY: Duration = Duration::from_secs(1);
/// How long our client waits after a connection that brought no reply.
const AGAIN: Duration = Duration::from_millis(100);
/// Members of ours that have not ended by then are counted; those of lava-coordinator after [`Effort::patience`].
const LIMIT: Duration = Duration::from_secs(40);

const CASES: [(Side, Manner); 5] = [
    (Side::Debian, Manner::Lava),
    (Side::Memory, Manner::Lava),
    (Side::Disk, Manner::Lava),
    (Side::Memory, Manner::Ours),
    (Side::Disk, Manner::Ours),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Assemble,
    Send,
    WaitAll,
    Sync,
    Clear,
    Ended,
}

/// One member's job.
struct Job {
    member: Member,
    step: Step,
    requests: u64,
    refused: bool,
}

impl Job {
    fn ask(&mut self) -> Action {
        let frame = match self.step {
            Step::Assemble => self.member.group_data(SIZE),
            Step::Send => self.member.send("ready"),
            Step::WaitAll => self.member.wait_all("ready"),
            Step::Sync => self.member.sync("go"),
            Step::Clear => self.member.clear(SIZE),
            Step::Ended => return Action::Done,
        };
        self.requests += 1;
        let keeps = self.member.manner == Manner::Ours && self.step != Step::Clear;
        Action::Ask { frame, half_close: !keeps }
    }
}

impl Client for Job {
    fn next(&mut self, event: Event<'_>) -> Action {
        match event {
            Event::Go => self.ask(),
            Event::Lost => Action::Pause(if self.member.manner == Manner::Lava { POLL_DELAY } else { AGAIN }),
            Event::Reply(body) => match word(body) {
                Word::Wait if self.member.manner == Manner::Lava => Action::Pause(POLL_DELAY),
                Word::Wait => self.ask(),
                Word::Ack | Word::GroupData => {
                    self.step = match self.step {
                        Step::Assemble => Step::Send,
                        Step::Send => Step::WaitAll,
                        Step::WaitAll => Step::Sync,
                        Step::Sync => Step::Clear,
                        Step::Clear | Step::Ended => Step::Ended,
                    };
                    self.ask()
                }
                Word::Other => {
                    self.refused = true;
                    Action::Done
                }
            },
        }
    }
}

pub(super) fn run(bench: &Bench, effort: &Effort) -> Result<(), String> {
    let mut rows = Vec::new();
    for groups in [100, 1000] {
        let rounds = if groups == 100 { effort.rounds.div_ceil(3) } else { 1 };
        let mut times: [Numbers; CASES.len()] = Default::default();
        let mut requests: [Numbers; CASES.len()] = Default::default();
        let mut troubles: [(u64, usize, usize); CASES.len()] = Default::default();
        for _ in 0..rounds {
            for (place, (side, manner)) in CASES.into_iter().enumerate() {
                let mut running = bench.start(side)?;
                let limit = if side == Side::Debian { effort.patience } else { LIMIT };
                let outcome = all(running.port, groups, manner, limit)?;
                times[place].push(outcome.time.as_secs_f64());
                requests[place].push(outcome.requests as f64);
                let (lost, unfinished, refused) = &mut troubles[place];
                *lost += outcome.lost;
                *unfinished = outcome.unfinished.max(*unfinished);
                *refused += outcome.refused;
                if side == Side::Debian && !running.lives() {
                    println!("lava-coordinator ended while {groups} groups used it");
                }
            }
        }
        for (place, (side, manner)) in CASES.into_iter().enumerate() {
            let (lost, unfinished, refused) = troubles[place];
            let client = if manner == Manner::Lava { "LAVA's, polling each second" } else { "ours, held" };
            let members = groups * SIZE;
            rows.push(vec![
                groups.to_string(),
                side.name().to_owned(),
                client.to_owned(),
                if unfinished > 0 { format!("over {:.0}", times[place].median()) } else { times[place].spread(2) },
                format!("{:.1}", requests[place].median() / members as f64),
                lost.to_string(),
                format!("{unfinished} of {members}"),
                refused.to_string(),
            ]);
        }
    }
    let head = [
        "groups of 4",
        "server",
        "client",
        "s until all have ended",
        "requests a member",
        "requests without a reply",
        "members not done then",
        "refused",
    ];
    table("Groups at once: group_data, send, wait_all, sync, clear_group", &head, &rows);
    Ok(())
}

struct Outcome {
    time: Duration,
    requests: u64,
    lost: u64,
    unfinished: usize,
    refused: usize,
}

fn all(port: u16, groups: usize, manner: Manner, limit: Duration) -> Result<Outcome, String> {
    let threads = threads();
    let mut shares: Vec<Vec<Job>> = (0..threads).map(|_| Vec::new()).collect();
    for number in 0..groups * SIZE {
        // The members of a group do not come one after the other.
        let (group, place) = (number % groups, number / groups);
        let member = Member::new(format!("82e8a308-eb50-4997-92e4-{group:012}"), place, manner);
        shares[number % threads].push(Job { member, step: Step::Assemble, requests: 0, refused: false });
    }
    let start = Instant::now();
    let run = |share: Vec<Job>| -> std::io::Result<Outcome> {
        let mut engine = Engine::new(port, share)?;
        let tally = engine.run(limit, Duration::ZERO)?;
        Ok(Outcome {
            time: tally.elapsed,
            requests: engine.clients().map(|job| job.requests).sum(),
            lost: tally.lost,
            unfinished: tally.unfinished,
            refused: engine.clients().filter(|job| job.refused).count(),
        })
    };
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let started: Vec<_> = shares.into_iter().map(|share| scope.spawn(move || run(share))).collect();
        started.into_iter().map(std::thread::ScopedJoinHandle::join).collect()
    });
    let mut sum = Outcome { time: Duration::ZERO, requests: 0, lost: 0, unfinished: 0, refused: 0 };
    for outcome in outcomes {
        let one = outcome.map_err(|_| "the load failed")?.map_err(|error| format!("the load: {error}"))?;
        sum.requests += one.requests;
        sum.lost += one.lost;
        sum.unfinished += one.unfinished;
        sum.refused += one.refused;
    }
    sum.time = start.elapsed();
    Ok(sum)
}
