//! The dispatcher's side of the link: one transaction for each id of a console.
//!
//! ```text
//!        Q                 all parts              answer()              last A
//! (none) ──▶ Asking ──────────────────▶ Running ───────────▶ Replying ────────▶ gone, f
//!                                          │ X                   │ ten times no sign
//!                                          ▼                     ▼
//!                                        gone                  Silent ── any sign ──▶ Replying
//! ```
//!
//! A request is carried out once however often its parts come. A reply is typed part by part, the next after the last
//! was taken. Nothing is typed for an id after its `f`. Memory is bounded by [`OPEN`] transactions.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::frame::{Frame, Kind, LONGEST};
use super::text::{LinkRequest, Reply};

/// The most transactions at once; a device that begins more loses the oldest.
const OPEN: usize = 256;
/// Ids remembered as finished.
const REMEMBERED: usize = 256;
/// A part of a reply is typed again after so long,
const AGAIN: Duration = Duration::from_secs(1);
/// (and the time it takes to type), and given up after so many times without any sign of the helper.
const TRIES: u32 = 10;
/// Bytes of an acknowledgement.
const ACKNOWLEDGE: u32 = 40;

/// What has to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum LinkEvent {
    /// Type this line.
    Type(String),
    /// A request is whole: carry it out and say the [`Link::answer`].
    Asked {
        /// The transaction.
        id: u16,
        /// What is asked.
        request: LinkRequest,
    },
    /// Nobody waits for this any more.
    Withdrawn {
        /// The transaction.
        id: u16,
    },
    /// The device has taken the reply.
    Taken {
        /// The transaction.
        id: u16,
    },
    /// The device has given no sign for so long that the reply is taken for lost.
    NotTaken {
        /// The transaction.
        id: u16,
    },
}

/// The transactions of one console.
#[derive(Debug, Default)]
pub struct Link {
    open: BTreeMap<u16, Transaction>,
    finished: VecDeque<u16>,
    /// Lines that were typed again, and frames that came damaged.
    repeated: u64,
    began: u64,
    /// How long one byte takes to type.
    pace: Duration,
}

#[derive(Debug)]
struct Transaction {
    parts: Vec<Option<String>>,
    state: State,
    number: u64,
    /// Which part was acknowledged last, and when that has been typed.
    acknowledged: (u16, Duration),
}

#[derive(Debug)]
enum State {
    Asking,
    Running,
    Replying { parts: Vec<String>, at: usize, tries: u32, next: Duration },
    Silent { parts: Vec<String>, at: usize },
}

impl Link {
    /// A console without transactions.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same where typing takes so long a byte.
    #[must_use]
    pub fn typing_at(self, pace: Duration) -> Self {
        Link { pace, ..self }
    }

    /// After so long a part of a reply is typed again.
    fn again(&self) -> Duration {
        AGAIN + self.pace * u32::from(LONGEST)
    }

    /// How often something had to be typed or asked for again.
    pub fn repeated(&self) -> u64 {
        self.repeated
    }

    /// A whole frame came.
    pub fn frame(&mut self, frame: &Frame, now: Duration) -> Vec<LinkEvent> {
        let mut out = Vec::new();
        match frame.kind {
            Kind::Request => self.request(frame, now, &mut out),
            Kind::Received => self.received(frame, now, &mut out),
            Kind::Probe => self.probe(frame, now, &mut out),
            Kind::Ended if self.open.remove(&frame.id).is_some() => {
                self.remember(frame.id);
                out.push(LinkEvent::Withdrawn { id: frame.id });
            }
            // The echo of what was typed, or another dispatcher.
            _ => {}
        }
        out
    }

    /// A damaged frame came, whose fields in front seem to say this: a request can be had again at once.
    pub fn damaged(&mut self, frame: &Frame) -> Vec<LinkEvent> {
        if frame.kind != Kind::Request {
            return Vec::new();
        }
        self.repeated += 1;
        vec![say(Kind::Again, frame.id, frame.part, frame.of)]
    }

    fn request(&mut self, frame: &Frame, now: Duration, out: &mut Vec<LinkEvent>) {
        let at = usize::from(frame.part - 1);
        let known = self.open.get(&frame.id).is_some_and(|known| {
            known.parts.len() == usize::from(frame.of)
                && known.parts[at].as_ref().is_none_or(|text| *text == frame.text)
        });
        if !known {
            // Another helper has come to the same id; whoever had it does not live.
            if self.open.remove(&frame.id).is_some() {
                out.push(LinkEvent::Withdrawn { id: frame.id });
            }
            self.make_room(out);
            self.finished.retain(|id| *id != frame.id);
            let parts = vec![None; usize::from(frame.of)];
            self.began += 1;
            let transaction =
                Transaction { parts, state: State::Asking, number: self.began, acknowledged: (0, Duration::ZERO) };
            self.open.insert(frame.id, transaction);
        }
        let (again, pace) = (self.again(), self.pace);
        let Some(transaction) = self.open.get_mut(&frame.id) else { return };
        // A helper that asks again while the answer is still being typed needs no second one.
        if transaction.acknowledged.0 != frame.part || transaction.acknowledged.1 <= now {
            transaction.acknowledged = (frame.part, now + pace * ACKNOWLEDGE);
            out.push(say(Kind::Acknowledge, frame.id, frame.part, frame.of));
        }
        if !matches!(transaction.state, State::Asking) {
            self.repeated += 1;
            return transaction.sign(now, again);
        }
        transaction.parts[at] = Some(frame.text.clone());
        let Some(text) = transaction.parts.iter().cloned().collect::<Option<String>>() else { return };
        transaction.state = State::Running;
        match LinkRequest::parse(&text) {
            Ok(request) => out.push(LinkEvent::Asked { id: frame.id, request }),
            Err(why) => out.extend(self.answer(frame.id, &Reply::Nack(why), now)),
        }
    }

    fn make_room(&mut self, out: &mut Vec<LinkEvent>) {
        if self.open.len() < OPEN {
            return;
        }
        let oldest = self.open.iter().min_by_key(|(_, transaction)| transaction.number).map(|(id, _)| *id);
        if let Some(id) = oldest {
            self.open.remove(&id);
            out.push(LinkEvent::Withdrawn { id });
        }
    }

    fn received(&mut self, frame: &Frame, now: Duration, out: &mut Vec<LinkEvent>) {
        let again = self.again();
        let Some(transaction) = self.open.get_mut(&frame.id) else { return };
        transaction.sign(now, again);
        let State::Replying { parts, at, next, .. } = &mut transaction.state else { return };
        if usize::from(frame.part) != *at + 1 || usize::from(frame.of) != parts.len() {
            return;
        }
        *at += 1;
        *next = now + again;
        if *at < parts.len() {
            out.push(reply_part(frame.id, parts, *at));
            return;
        }
        out.push(say(Kind::Finished, frame.id, frame.part, frame.of));
        out.push(LinkEvent::Taken { id: frame.id });
        self.open.remove(&frame.id);
        self.remember(frame.id);
    }

    fn probe(&mut self, frame: &Frame, now: Duration, out: &mut Vec<LinkEvent>) {
        let (id, again) = (frame.id, self.again());
        match self.open.get_mut(&id) {
            Some(transaction) => {
                transaction.sign(now, again);
                match &transaction.state {
                    State::Asking => out.push(say(Kind::Unknown, id, 1, 1)),
                    State::Running => out.push(say(Kind::Waiting, id, 1, 1)),
                    State::Replying { parts, at, .. } | State::Silent { parts, at } => {
                        self.repeated += 1;
                        out.push(reply_part(id, parts, *at));
                    }
                }
            }
            None if self.finished.contains(&id) => {}
            None => out.push(say(Kind::Unknown, id, 1, 1)),
        }
    }

    fn remember(&mut self, id: u16) {
        if self.finished.len() == REMEMBERED {
            self.finished.pop_front();
        }
        self.finished.push_back(id);
    }

    /// The answer to a request. Harmless when nobody waits for it any more.
    pub fn answer(&mut self, id: u16, reply: &Reply, now: Duration) -> Vec<LinkEvent> {
        let again = self.again();
        let Some(transaction) = self.open.get_mut(&id).filter(|open| matches!(open.state, State::Running)) else {
            return Vec::new();
        };
        let parts = reply.parts();
        let first = reply_part(id, &parts, 0);
        transaction.state = State::Replying { parts, at: 0, tries: 0, next: now + again };
        vec![first]
    }

    /// When [`Link::tick`] has something to do.
    pub fn due(&self) -> Option<Duration> {
        let next = |transaction: &Transaction| match transaction.state {
            State::Replying { next, .. } => Some(next),
            _ => None,
        };
        self.open.values().filter_map(next).min()
    }

    /// Types again what was not taken.
    pub fn tick(&mut self, now: Duration) -> Vec<LinkEvent> {
        let mut out = Vec::new();
        let again = self.again();
        for (&id, transaction) in &mut self.open {
            let State::Replying { parts, at, tries, next } = &mut transaction.state else { continue };
            if *next > now {
                continue;
            }
            if *tries == TRIES {
                transaction.state = State::Silent { parts: std::mem::take(parts), at: *at };
                out.push(LinkEvent::NotTaken { id });
                continue;
            }
            *tries += 1;
            *next = now + again;
            self.repeated += 1;
            out.push(reply_part(id, parts, *at));
        }
        out
    }
}

impl Transaction {
    /// Its helper lives.
    fn sign(&mut self, now: Duration, again: Duration) {
        match &mut self.state {
            State::Replying { tries, .. } => *tries = 0,
            State::Silent { parts, at } => {
                self.state = State::Replying { parts: std::mem::take(parts), at: *at, tries: 0, next: now + again };
            }
            State::Asking | State::Running => {}
        }
    }
}

fn say(kind: Kind, id: u16, part: u16, of: u16) -> LinkEvent {
    LinkEvent::Type(Frame::about(kind, id, part, of).line())
}

fn reply_part(id: u16, parts: &[String], at: usize) -> LinkEvent {
    let of = u16::try_from(parts.len()).unwrap_or(u16::MAX);
    let part = u16::try_from(at + 1).unwrap_or(u16::MAX);
    let text = parts.get(at).cloned().unwrap_or_default();
    LinkEvent::Type(Frame { kind: Kind::Reply, id, part, of, text }.line())
}
