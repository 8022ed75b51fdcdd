//! How long a barrier takes: from the last arrival to the last member's reply, when every other member is held.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{Timespec, epoll};
use rustix::fd::OwnedFd;

use super::Effort;
use super::engine::{Action, Client, Engine, Event};
use super::numbers::{Numbers, table};
use super::requests::{Manner, Member, Word, word};
use super::servers::{Bench, Running, Side};
use super::socket;

const SIDES: [Side; 3] = [Side::Memory, Side::Disk, Side::Tmpfs];
/// Members, and of how many barriers.
const SIZES: [(usize, usize); 5] = [(2, 200), (10, 200), (50, 200), (200, 60), (1000, 20)];
/// How long the other members have to arrive before the last does, and to be done with the round before.
const SETTLE: Duration = Duration::from_millis(8);
const SETTLE_EACH: Duration = Duration::from_micros(120);
/// A barrier that takes longer is stuck.
const STUCK: Duration = Duration::from_secs(10);
/// About what a record of an arrival takes.
const RECORD: usize = 320;

pub(super) fn run(bench: &Bench, effort: &Effort) -> Result<(), String> {
    let mut rows = Vec::new();
    let floor = Floor::new(&bench.folder).map_err(|error| format!("{}: {error}", bench.folder.display()))?;
    for (members, rounds) in SIZES {
        let rounds = (rounds * effort.rounds).div_ceil(5);
        let mut servers = SIDES.iter().map(|side| Group::new(bench, *side, members)).collect::<Result<Vec<_>, _>>()?;
        let mut times: [Numbers; SIDES.len()] = Default::default();
        let (mut kept, mut grown) = (Numbers::default(), Numbers::default());
        for round in 0..rounds {
            for (place, group) in servers.iter_mut().enumerate() {
                let time = group.barrier(round).map_err(|error| format!("{}: {error}", SIDES[place].name()))?;
                times[place].push(millis(time));
            }
            let failed = |error| format!("{}: {error}", bench.folder.display());
            kept.push(millis(floor.sync(round).map_err(failed)?));
            grown.push(millis(floor.grow(round).map_err(failed)?));
        }
        for (place, side) in SIDES.into_iter().enumerate() {
            let floor =
                if side == Side::Disk { format!("{:.1}", times[place].median() / kept.median()) } else { "–".into() };
            rows.push(vec![
                members.to_string(),
                side.name().to_owned(),
                times[place].spread(2),
                format!("{:.2}", times[place].percentile(99)),
                floor,
                rounds.to_string(),
            ]);
        }
        rows.push(vec![
            members.to_string(),
            "one record written and synced, room made before".to_owned(),
            kept.spread(2),
            format!("{:.2}", kept.percentile(99)),
            "1.0".to_owned(),
            rounds.to_string(),
        ]);
        rows.push(vec![
            members.to_string(),
            "the same, at the end of a growing file".to_owned(),
            grown.spread(2),
            format!("{:.2}", grown.percentile(99)),
            format!("{:.1}", grown.median() / kept.median()),
            rounds.to_string(),
        ]);
    }
    let head = ["members", "server", "ms", "99th percentile", "times one sync of the disk", "barriers"];
    table("Release of a barrier, all members but the last held", &head, &rows);
    Ok(())
}

/// A server with one full group.
struct Group {
    /// Ends with the group.
    _running: Running,
    members: Vec<Member>,
    /// Kept from one barrier to the next.
    sockets: Vec<OwnedFd>,
    epoll: OwnedFd,
}

/// Registers members, one after the other.
struct Registering {
    members: std::vec::IntoIter<Member>,
    size: usize,
}

impl Client for Registering {
    fn next(&mut self, _: Event<'_>) -> Action {
        match self.members.next() {
            Some(member) => Action::Ask { frame: member.group_data(self.size), half_close: true },
            None => Action::Done,
        }
    }
}

impl Group {
    fn new(bench: &Bench, side: Side, size: usize) -> Result<Self, String> {
        let running = bench.start(side)?;
        let named = |manner| move |number| Member::new("barrier".to_owned(), number, manner);
        let lava: Vec<_> = (0..size).map(named(Manner::Lava)).collect();
        let registering = Registering { members: lava.into_iter(), size };
        let register = || {
            let tally = Engine::new(running.port, vec![registering])?.run(STUCK, Duration::ZERO)?;
            if tally.unfinished > 0 { Err(io::Error::other("members cannot register")) } else { Ok(()) }
        };
        register().map_err(|error| format!("{}: {error}", side.name()))?;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(|error| error.to_string())?;
        let connect = |number| -> io::Result<OwnedFd> {
            let socket = socket::connect(socket::address(number, running.port))?;
            epoll::add(&epoll, &socket, epoll::EventData::new_u64(number as u64), epoll::EventFlags::IN)?;
            Ok(socket)
        };
        let sockets = (0..size).map(connect).collect::<io::Result<_>>();
        let sockets = sockets.map_err(|error| format!("{}: {error}", side.name()))?;
        Ok(Self { _running: running, members: (0..size).map(named(Manner::Ours)).collect(), sockets, epoll })
    }

    /// One barrier; the time from the last arrival until every member has its reply.
    fn barrier(&mut self, round: usize) -> io::Result<Duration> {
        let id = format!("round-{}", round % 4);
        let Some((last, others)) = self.members.split_last() else { return Ok(Duration::ZERO) };
        for (member, socket) in others.iter().zip(&self.sockets) {
            send(socket, &member.sync(&id))?;
        }
        std::thread::sleep(SETTLE + SETTLE_EACH * u32::try_from(others.len()).unwrap_or(0));
        let frame = last.sync(&id);
        let start = Instant::now();
        send(&self.sockets[others.len()], &frame)?;
        let mut left = self.sockets.len();
        let mut events: Vec<epoll::Event> = Vec::with_capacity(1024);
        let mut block = [0; 4096];
        let limit = Timespec::try_from(STUCK).map_err(io::Error::other)?;
        while left > 0 {
            events.clear();
            epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), Some(&limit))?;
            if events.is_empty() {
                return Err(io::Error::other(format!("{left} members were not released")));
            }
            for event in &events {
                let data = event.data;
                let number = usize::try_from(data.u64()).unwrap_or(0);
                // A reply comes with one write.
                let reply = socket::receive(&self.sockets[number], &mut block)?.unwrap_or_default();
                let body = socket::body(reply).unwrap_or_default();
                if word(body) != Word::Ack || !socket::is_kept(body) {
                    return Err(io::Error::other("a member was not released"));
                }
                left -= 1;
            }
        }
        let time = start.elapsed();
        std::thread::sleep(SETTLE);
        Ok(time)
    }
}

fn send(socket: &OwnedFd, frame: &[u8]) -> io::Result<()> {
    if socket::send(socket, frame, false)? { Ok(()) } else { Err(io::Error::other("a connection does not come up")) }
}

/// What the disk itself takes.
struct Floor {
    kept: File,
    grown: File,
}

impl Floor {
    fn new(folder: &Path) -> io::Result<Self> {
        let open = |name| OpenOptions::new().write(true).create(true).truncate(true).open(folder.join(name));
        let (kept, grown) = (open("floor-kept")?, open("floor-grown")?);
        kept.write_all_at(&vec![0; 1 << 20], 0)?;
        kept.sync_all()?;
        Ok(Self { kept, grown })
    }

    fn sync(&self, round: usize) -> io::Result<Duration> {
        Self::time(&self.kept, round)
    }

    fn grow(&self, round: usize) -> io::Result<Duration> {
        Self::time(&self.grown, round)
    }

    fn time(file: &File, round: usize) -> io::Result<Duration> {
        let start = Instant::now();
        file.write_all_at(&[b'x'; RECORD], (round * RECORD) as u64)?;
        file.sync_data()?;
        Ok(start.elapsed())
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
