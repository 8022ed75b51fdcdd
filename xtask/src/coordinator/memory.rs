//! What a server keeps in memory: groups that nobody asks for, and connections that are held.

use std::io;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::Effort;
use super::engine::{Action, Client, Engine, Event};
use super::numbers::table;
use super::requests::{Manner, Member};
use super::servers::{Bench, Running, Side};

/// Members of a group.
const SIZE: usize = 4;
const GROUPS: usize = 10_000;
const PARKED: usize = 10_000;
/// Clients that register the members.
const CLIENTS: usize = 8;
/// Registering may take so long.
const LIMIT: Duration = Duration::from_secs(60);
/// The longest time until everything that was asked is held.
const SETTLE: Duration = Duration::from_secs(3);

/// Makes requests one after the other.
struct List(std::vec::IntoIter<Member>);

impl Client for List {
    fn next(&mut self, event: Event<'_>) -> Action {
        match (event, self.0.next()) {
            (Event::Lost, _) | (_, None) => Action::Done,
            (_, Some(member)) => Action::Ask { frame: member.group_data(SIZE), half_close: true },
        }
    }
}

/// Waits for what nobody sends.
struct Parked(Member);

impl Client for Parked {
    fn next(&mut self, event: Event<'_>) -> Action {
        match event {
            Event::Go => Action::Ask { frame: self.0.wait("never"), half_close: false },
            Event::Reply(_) | Event::Lost => Action::Done,
        }
    }
}

pub(super) fn run(bench: &Bench, effort: &Effort) -> Result<(), String> {
    raise_open_files();
    let mut rows = Vec::new();
    for side in [Side::Debian, Side::Memory, Side::Disk] {
        if side == Side::Debian && effort.rounds == 1 {
            continue;
        }
        let running = bench.start(side)?;
        let empty = running.resident_kb();
        let groups = register(&running, side, "idle", GROUPS).map_err(|error| format!("{}: {error}", side.name()))?;
        let with_groups = running.resident_kb();
        let held = if side == Side::Debian {
            "– (holds nothing)".to_owned()
        } else {
            drop(running);
            let running = bench.start(side)?;
            let failed = |error| format!("{}: {error}", side.name());
            register(&running, side, "parked", PARKED / SIZE).map_err(failed)?;
            let before = running.resident_kb();
            let after = park(&running).map_err(failed)?;
            format!("{:.0} ({:.1} kB each)", (after - before) / 1024.0, (after - before) / PARKED as f64)
        };
        rows.push(vec![
            side.name().to_owned(),
            format!("{:.0}", empty / 1024.0),
            format!("{:.0} ({:.1} kB each)", with_groups / 1024.0, (with_groups - empty) / groups as f64),
            held,
        ]);
    }
    let head = ["server", "MB at start", "MB with 10,000 idle groups of 4", "MB more with 10,000 held requests"];
    table("Memory (resident)", &head, &rows);
    Ok(())
}

/// Makes groups; how many there are.
fn register(running: &Running, side: Side, name: &str, groups: usize) -> io::Result<usize> {
    let members = |client: usize| -> Vec<Member> {
        (client * groups / CLIENTS..(client + 1) * groups / CLIENTS)
            .flat_map(|group| (0..SIZE).map(move |number| (group, number)))
            .map(|(group, number)| Member::new(format!("{name}-eb50-4997-92e4-{group:012}"), number, Manner::Lava))
            .collect()
    };
    let lists = (0..CLIENTS).map(|client| List(members(client).into_iter())).collect();
    let tally = Engine::new(running.port, lists)?.run(LIMIT, Duration::ZERO)?;
    // lava-coordinator resets a few of so many connections: its groups are there nearly all.
    if side != Side::Debian && (tally.unfinished > 0 || tally.lost > 0) {
        return Err(io::Error::other(format!("{} requests were made, {} lost", tally.replies, tally.lost)));
    }
    Ok(groups)
}

/// Holds requests; the memory meanwhile, in kB.
fn park(running: &Running) -> io::Result<f64> {
    let parked = (0..PARKED)
        .map(|number| {
            Parked(Member::new(format!("parked-eb50-4997-92e4-{:012}", number / SIZE), number % SIZE, Manner::Ours))
        })
        .collect();
    let mut engine = Engine::new(running.port, parked)?;
    let tally = engine.run(SETTLE, Duration::ZERO)?;
    if tally.unfinished < PARKED {
        return Err(io::Error::other(format!("{} of {PARKED} requests are held", tally.unfinished)));
    }
    Ok(running.resident_kb())
}

fn raise_open_files() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        // Without it the system says that there are too many.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    }
}
