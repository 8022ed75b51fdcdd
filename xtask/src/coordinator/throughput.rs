//! Requests a second: clients that ask again as soon as they are answered.

use std::sync::Arc;
use std::time::Duration;

use super::engine::{Action, Client, Engine, Event, Tally};
use super::numbers::{Numbers, table};
use super::requests::{Manner, Member, Word, word};
use super::servers::{Bench, Running, Side};
use super::{Effort, threads};

const SIDES: [Side; 5] = [Side::Bare, Side::Debian, Side::Memory, Side::Disk, Side::Tmpfs];
/// Members of a group.
const GROUP: usize = 4;
/// IDs that a client sends in turn, each again and again.
const IDS: usize = 8;
/// How long requests on their way may take at the end of a measurement; what has no reply then counts as lost.
const DRAIN: Duration = Duration::from_secs(2);

/// What is asked again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ask {
    /// `lava_send`: changes the group, so a log has to keep it.
    Send,
    /// `lava_wait` for what nobody sends: the poll of a waiting dispatcher.
    Poll,
}

struct Looping {
    register: Option<Arc<[u8]>>,
    frames: Vec<Arc<[u8]>>,
    next: usize,
    refused: bool,
}

impl Client for Looping {
    fn next(&mut self, event: Event<'_>) -> Action {
        if let Event::Reply(body) = event
            && word(body) == Word::Other
        {
            self.refused = true;
            return Action::Done;
        }
        let frame = self.register.take().unwrap_or_else(|| {
            self.next += 1;
            Arc::clone(&self.frames[self.next % self.frames.len()])
        });
        Action::Ask { frame, half_close: true }
    }
}

pub(super) fn run(bench: &Bench, effort: &Effort) -> Result<(), String> {
    let mut rows = Vec::new();
    for (ask, clients) in [(Ask::Send, 1), (Ask::Send, 16), (Ask::Send, 128), (Ask::Send, 1000), (Ask::Poll, 128)] {
        let mut rates: [Numbers; SIDES.len()] = Default::default();
        let mut ratios: [Numbers; SIDES.len()] = Default::default();
        let mut costs: [Numbers; SIDES.len()] = Default::default();
        let mut lost = [0; SIDES.len()];
        for _ in 0..effort.rounds {
            for (place, side) in SIDES.into_iter().enumerate() {
                let mut running = bench.start(side)?;
                let before = running.processor_us();
                let tally = measure(&running, ask, clients, effort.time)?;
                costs[place].push((running.processor_us() - before) / tally.replies.max(1) as f64);
                let rate = tally.replies as f64 / effort.time.as_secs_f64();
                rates[place].push(rate);
                let bare = if place == 0 { rate } else { rates[0].last() };
                ratios[place].push(rate / bare);
                lost[place] += tally.lost;
                if side != Side::Debian && !running.lives() {
                    return Err(format!("{} has ended", side.name()));
                }
            }
        }
        for (place, side) in SIDES.into_iter().enumerate() {
            let what = if ask == Ask::Send { "send" } else { "poll" };
            rows.push(vec![
                format!("{clients}, {what}"),
                side.name().to_owned(),
                rates[place].spread(0),
                format!("{:.0} %", ratios[place].median() * 100.0),
                format!("{:.1}", rates[place].median() / rates[1].median()),
                format!("{:.1}", costs[place].median()),
                lost[place].to_string(),
            ]);
        }
    }
    let head = [
        "clients",
        "server",
        "requests/s",
        "of the bare server",
        "times lava-coordinator",
        "µs of processor a request",
        "lost",
    ];
    table("Requests per second", &head, &rows);
    Ok(())
}

fn measure(running: &Running, ask: Ask, clients: usize, time: Duration) -> Result<Tally, String> {
    let threads = threads().min(clients);
    let mut shares: Vec<Vec<Looping>> = (0..threads).map(|_| Vec::new()).collect();
    for number in 0..clients {
        let member = Member::new(format!("load-{}", number / GROUP), number % GROUP, Manner::Lava);
        let frames = match ask {
            Ask::Send => (0..IDS).map(|id| member.send(&format!("id-{id}"))).collect(),
            Ask::Poll => vec![member.wait("never")],
        };
        let register = Some(member.group_data(GROUP));
        shares[number % threads].push(Looping { register, frames, next: number, refused: false });
    }
    let run = |share: Vec<Looping>| -> std::io::Result<(Tally, bool)> {
        let mut engine = Engine::new(running.port, share)?;
        let tally = engine.run(time, DRAIN)?;
        let refused = engine.clients().any(|client| client.refused);
        Ok((tally, refused))
    };
    let tallies: Vec<_> = std::thread::scope(|scope| {
        let started: Vec<_> = shares.into_iter().map(|share| scope.spawn(move || run(share))).collect();
        started.into_iter().map(std::thread::ScopedJoinHandle::join).collect()
    });
    let mut sum = Tally::default();
    for tally in tallies {
        let (tally, refused) = tally.map_err(|_| "the load failed")?.map_err(|error| format!("the load: {error}"))?;
        if refused {
            return Err("a request was refused".to_owned());
        }
        sum.replies += tally.replies;
        sum.lost += tally.lost + tally.open as u64;
    }
    Ok(sum)
}
