//! Many clients in one thread: each is a script that says what to do next. Every request has a connection of its own, but
//! when the server says that it keeps the one on which it replied.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{Timespec, epoll};
use rustix::fd::OwnedFd;

use super::socket;

/// Events that are taken from the system at once.
const EVENTS: usize = 256;

/// What has happened to a client.
pub(super) enum Event<'a> {
    /// It begins, or its pause is over.
    Go,
    /// The body of the reply.
    Reply(&'a [u8]),
    /// There was no reply: the connection was refused, reset or closed.
    Lost,
}

/// What a client does next.
pub(super) enum Action {
    /// Sends this frame, and then closes its sending side or leaves it open.
    Ask { frame: Arc<[u8]>, half_close: bool },
    /// Does nothing for so long.
    Pause(Duration),
    /// Has finished.
    Done,
}

pub(super) trait Client {
    fn next(&mut self, event: Event<'_>) -> Action;
}

/// What came of a run.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    /// Replies that came before the end.
    pub(super) replies: u64,
    /// Requests without a reply.
    pub(super) lost: u64,
    /// Requests that were on their way when everything ended.
    pub(super) open: usize,
    /// Clients that were not done when everything ended.
    pub(super) unfinished: usize,
    /// From the start to the end of the last client.
    pub(super) elapsed: Duration,
}

pub(super) struct Engine<C> {
    epoll: OwnedFd,
    port: u16,
    places: Vec<Place<C>>,
    pauses: BinaryHeap<Reverse<(Instant, usize)>>,
    connections: usize,
    open: usize,
    done: usize,
    tally: Tally,
    until: Instant,
}

struct Place<C> {
    client: C,
    socket: Option<OwnedFd>,
    /// The connection of the last reply, when it is kept for what is asked next.
    kept: Option<OwnedFd>,
    /// The request that could not be sent yet.
    unsent: Option<(Arc<[u8]>, bool)>,
    reply: Vec<u8>,
}

impl<C: Client> Engine<C> {
    pub(super) fn new(port: u16, clients: Vec<C>) -> io::Result<Self> {
        let place = |client| Place { client, socket: None, kept: None, unsent: None, reply: Vec::new() };
        Ok(Self {
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            port,
            places: clients.into_iter().map(place).collect(),
            pauses: BinaryHeap::new(),
            connections: 0,
            open: 0,
            done: 0,
            tally: Tally::default(),
            until: Instant::now(),
        })
    }

    /// Runs the clients until all are done or `time` has passed, and then for up to `drain` until no request is open.
    pub(super) fn run(&mut self, time: Duration, drain: Duration) -> io::Result<Tally> {
        let start = Instant::now();
        self.until = start + time;
        self.connections = start.elapsed().subsec_nanos() as usize;
        for index in 0..self.places.len() {
            self.step(index, Some(Event::Go));
        }
        let mut events: Vec<epoll::Event> = Vec::with_capacity(EVENTS);
        let mut block = vec![0; 64 << 10];
        loop {
            let now = Instant::now();
            while let Some(Reverse((at, index))) = self.pauses.peek().copied()
                && at <= now
            {
                self.pauses.pop();
                self.step(index, Some(Event::Go));
            }
            let over = now >= self.until;
            if self.done == self.places.len() || over && (self.open == 0 || now >= self.until + drain) {
                break;
            }
            let limit = if over { self.until + drain } else { self.until };
            let next = self.pauses.peek().map_or(limit, |Reverse((at, _))| limit.min(*at));
            let wait = Timespec::try_from(next.saturating_duration_since(now)).map_err(io::Error::other)?;
            events.clear();
            epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), Some(&wait))?;
            for event in &events {
                let (data, flags) = (event.data, event.flags);
                self.ready(usize::try_from(data.u64()).unwrap_or(0), flags, &mut block);
            }
        }
        self.tally.open = self.open;
        self.tally.unfinished = self.places.len() - self.done;
        self.tally.elapsed = start.elapsed();
        Ok(self.tally)
    }

    pub(super) fn clients(&self) -> impl Iterator<Item = &C> {
        self.places.iter().map(|place| &place.client)
    }

    fn ready(&mut self, index: usize, flags: epoll::EventFlags, block: &mut [u8]) {
        let place = &mut self.places[index];
        let Some(socket) = &place.socket else { return };
        if let Some((frame, half_close)) = place.unsent.take() {
            match socket::send(socket, &frame, half_close) {
                Ok(true) => {
                    let _ = epoll::modify(&self.epoll, socket, data(index), epoll::EventFlags::IN);
                }
                Ok(false) => place.unsent = Some((frame, half_close)),
                Err(_) => self.close(index, true),
            }
            return;
        }
        if flags.is_empty() {
            return;
        }
        match socket::receive(socket, block) {
            Ok(None) => {}
            Ok(Some([])) | Err(_) => self.close(index, true),
            Ok(Some(bytes)) => {
                place.reply.extend_from_slice(bytes);
                if socket::body(&place.reply).is_some() {
                    self.close(index, false);
                }
            }
        }
    }

    fn close(&mut self, index: usize, lost: bool) {
        let place = &mut self.places[index];
        let socket = place.socket.take();
        place.kept = socket.filter(|_| !lost && socket::body(&place.reply).is_some_and(socket::is_kept));
        self.open -= 1;
        if lost {
            self.tally.lost += 1;
        } else if Instant::now() < self.until {
            self.tally.replies += 1;
        }
        self.step(index, if lost { Some(Event::Lost) } else { None });
    }

    /// Does what a client does next; without an event a reply has come.
    fn step(&mut self, index: usize, event: Option<Event<'_>>) {
        let place = &mut self.places[index];
        let event = event.unwrap_or_else(|| Event::Reply(socket::body(&place.reply).unwrap_or_default()));
        let action = place.client.next(event);
        place.reply.clear();
        let kept = place.kept.take();
        match action {
            Action::Done => self.done += 1,
            Action::Pause(time) => self.pauses.push(Reverse((Instant::now() + time, index))),
            Action::Ask { frame, half_close } => {
                if Instant::now() < self.until {
                    self.ask(index, kept, frame, half_close);
                }
            }
        }
    }

    fn ask(&mut self, index: usize, kept: Option<OwnedFd>, frame: Arc<[u8]>, half_close: bool) {
        let place = &mut self.places[index];
        // One that was closed meanwhile is replaced.
        if let Some(socket) = kept
            && matches!(socket::send(&socket, &frame, half_close), Ok(true))
        {
            place.socket = Some(socket);
            self.open += 1;
            return;
        }
        self.connections += 1;
        let begun = socket::connect(socket::address(self.connections, self.port)).and_then(|socket| {
            // On one machine a connection is up as soon as it is asked for, unless the other side has no room.
            let sent = socket::send(&socket, &frame, half_close)?;
            let flags = if sent { epoll::EventFlags::IN } else { epoll::EventFlags::OUT };
            epoll::add(&self.epoll, &socket, data(index), flags)?;
            Ok((socket, sent))
        });
        match begun {
            Ok((socket, sent)) => {
                place.socket = Some(socket);
                place.unsent = (!sent).then_some((frame, half_close));
                self.open += 1;
            }
            Err(_) => {
                self.tally.lost += 1;
                self.pauses.push(Reverse((Instant::now() + Duration::from_millis(100), index)));
            }
        }
    }
}

fn data(index: usize) -> epoll::EventData {
    epoll::EventData::new_u64(index as u64)
}
