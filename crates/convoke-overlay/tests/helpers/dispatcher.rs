//! The other end of the checked link: what the dispatcher does with a console, over a line that may damage bytes.
//!
//! The line is simulated: every byte advances its clock as 115,200 baud would, so nothing depends on the machine's speed.
//! When the device is silent, the clock goes on to whatever is due next.

use std::collections::VecDeque;
use std::time::Duration;

use convoke_overlay::link::{Link, LinkEvent, LinkRequest, Reply};
use convoke_overlay::scanner::Scanner;
use convoke_overlay::signal::{DeviceRequest, Signal};

use crate::console::Console;
use crate::tally::Tally;

/// How long the device may be silent before the dispatcher's clock jumps.
const SILENCE: Duration = Duration::from_millis(120);
/// So often in a row before the test fails.
const PATIENCE: u32 = 500;
/// One byte at 115,200 baud.
const BYTE: Duration = Duration::from_nanos(1_000_000_000 / 11_520);
/// The FIFO of a UART.
const FIFO: usize = 16;

/// What a line does to bytes, by chance, always the same for a seed.
pub(crate) struct Damage {
    state: u64,
    /// Of a million bytes so many are dropped, doubled and have a bit flipped.
    pub(crate) dropped: u64,
    pub(crate) doubled: u64,
    pub(crate) flipped: u64,
    /// A record of the kernel comes after so many bytes of the device; 0 is never.
    pub(crate) record_every: usize,
    since: usize,
    /// How often something was done.
    pub(crate) done: u64,
    /// How many bytes went over the line.
    pub(crate) bytes: u64,
}

impl Damage {
    pub(crate) fn none() -> Self {
        Self::new(1, 0, 0)
    }

    /// Drops, doubles and flips `rate` bytes of a million each.
    pub(crate) fn new(seed: u64, rate: u64, record_every: usize) -> Self {
        Damage {
            state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            dropped: rate,
            doubled: rate,
            flipped: rate,
            record_every,
            since: 0,
            done: 0,
            bytes: 0,
        }
    }

    pub(crate) fn random(&mut self, below: u64) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state >> 11) % below
    }

    /// The bytes as they arrive; `records` of the kernel only come from the device.
    fn pass(&mut self, bytes: &[u8], records: bool) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len() + 16);
        for &byte in bytes {
            self.bytes += 1;
            self.since += usize::from(records);
            if records
                && self.record_every > 0
                && self.since >= self.record_every
                && self.bytes.is_multiple_of(FIFO as u64)
            {
                self.since = 0;
                out.extend(b"[   12.345678] usb 1-1: new high-speed USB device number 7 using xhci\r\n");
            }
            let chance = self.random(1_000_000);
            let (drop, double) = (self.dropped, self.dropped + self.doubled);
            self.done += u64::from(chance < double + self.flipped);
            match chance {
                chance if chance < drop => {}
                chance if chance < double => out.extend([byte, byte]),
                chance if chance < double + self.flipped => out.push(byte ^ (1 << self.random(8))),
                _ => out.push(byte),
            }
        }
        out
    }
}

/// What each call is answered; nothing is later.
type Answers<'a> = Box<dyn FnMut(&DeviceRequest) -> Option<Reply> + 'a>;

/// A dispatcher with its device.
pub(crate) struct Dispatcher<'a> {
    pub(crate) console: Console,
    pub(crate) scanner: Scanner,
    pub(crate) link: Link,
    pub(crate) damage: Damage,
    clock: Duration,
    answer: Answers<'a>,
    /// Calls without an answer so far.
    pub(crate) waiting: VecDeque<(u16, DeviceRequest)>,
    /// Everything that was found, and each call when it was asked.
    pub(crate) signals: Vec<Signal>,
    pub(crate) raw: Vec<u8>,
    /// What the device sent, before the line had its way with it.
    sent: Vec<u8>,
    typed: Tally,
    rounds: u32,
    last: Option<u16>,
    /// Frames are not understood.
    pub(crate) deaf: bool,
}

impl<'a> Dispatcher<'a> {
    /// Answers calls as `answer` says; `None` is later.
    pub(crate) fn new(console: Console, answer: impl FnMut(&DeviceRequest) -> Option<Reply> + 'a) -> Self {
        Dispatcher {
            console,
            scanner: Scanner::new(vec![("0_suite".into(), "7_1.1.3.1".into())]),
            link: Link::new(),
            damage: Damage::none(),
            clock: Duration::ZERO,
            answer: Box::new(answer),
            waiting: VecDeque::new(),
            signals: Vec::new(),
            raw: Vec::new(),
            sent: Vec::new(),
            typed: Tally::default(),
            rounds: 0,
            last: None,
            deaf: false,
        }
    }

    pub(crate) fn damaged(mut self, damage: Damage) -> Self {
        self.damage = damage;
        self
    }

    /// Serves the device until its runner has ended, or `until` says so.
    #[track_caller]
    pub(crate) fn serve(&mut self, mut until: impl FnMut(&mut Self) -> bool) {
        let mut silent = 0;
        loop {
            match self.console.raw(SILENCE) {
                None => break,
                Some(bytes) if bytes.is_empty() => {
                    silent += 1;
                    assert!(
                        silent < PATIENCE,
                        "the device says nothing any more; its last words:\n{}",
                        String::from_utf8_lossy(&self.raw[self.raw.len().saturating_sub(3000)..])
                    );
                    let found = self.scanner.flush();
                    self.found(found);
                    if let Some(due) = self.link.due() {
                        self.clock = self.clock.max(due);
                        let events = self.link.tick(self.clock);
                        self.events(events);
                    }
                }
                Some(bytes) => {
                    silent = 0;
                    self.sent.extend(&bytes);
                    let bytes = self.damage.pass(&bytes, true);
                    self.raw.extend(&bytes);
                    for chunk in bytes.chunks(FIFO) {
                        self.clock += BYTE * u32::try_from(chunk.len()).unwrap();
                        let found = self.scanner.feed(chunk);
                        self.found(found);
                    }
                }
            }
            if self.signals.last() == Some(&Signal::RunnerExit) || until(self) {
                break;
            }
            if self.last.is_some() && self.console.ended() {
                self.signals.push(Signal::RunnerExit);
                break;
            }
        }
    }

    pub(crate) fn finish(&mut self) {
        self.serve(|_| false);
    }

    fn found(&mut self, signals: Vec<Signal>) {
        for signal in signals {
            match &signal {
                Signal::Frame(_) | Signal::DamagedFrame(_) if self.deaf => {}
                Signal::Frame(frame) => {
                    let events = self.link.frame(frame, self.clock);
                    self.events(events);
                }
                Signal::DamagedFrame(frame) => {
                    let events = self.link.damaged(frame);
                    self.events(events);
                }
                _ => self.signals.push(signal),
            }
        }
    }

    fn events(&mut self, events: Vec<LinkEvent>) {
        for event in events {
            match event {
                LinkEvent::Type(line) => self.type_line(&line),
                LinkEvent::Asked { id, request: LinkRequest::Call(call) } => {
                    self.signals.push(Signal::Request(call.clone()));
                    match (self.answer)(&call) {
                        Some(reply) => self.reply(id, &reply),
                        None => self.waiting.push_back((id, call)),
                    }
                }
                LinkEvent::Asked { id, request: LinkRequest::Begin } => {
                    self.scanner.begin_checked();
                    self.reply(id, &Reply::Ok(Vec::new()));
                }
                LinkEvent::Asked { id, request: LinkRequest::End(end) } => {
                    self.rounds += 1;
                    match self.scanner.end_suite(&end, self.rounds > 30) {
                        Ok(signals) => {
                            self.last = (end.left == 0).then_some(id);
                            self.signals.extend(signals);
                            self.reply(id, &Reply::Ok(Vec::new()));
                        }
                        Err(missing) => self.reply(id, &Reply::Resend(missing)),
                    }
                }
                LinkEvent::Withdrawn { id } => self.waiting.retain(|(waiting, _)| *waiting != id),
                LinkEvent::Taken { .. } | LinkEvent::NotTaken { .. } => {}
            }
        }
    }

    pub(crate) fn reply(&mut self, id: u16, reply: &Reply) {
        let events = self.link.answer(id, reply, self.clock);
        self.events(events);
    }

    fn type_line(&mut self, line: &str) {
        self.typed.count(line.as_bytes());
        let bytes = self.damage.pass(format!("{line}\n").as_bytes(), false);
        self.clock += BYTE * u32::try_from(bytes.len()).unwrap();
        self.console.type_bytes(&bytes);
    }

    /// The frames of both sides.
    pub(crate) fn tally(&mut self) -> Tally {
        let mut both = std::mem::take(&mut self.typed);
        both.count(&self.sent);
        both
    }

    /// The calls that were asked, in order.
    pub(crate) fn calls(&self) -> Vec<DeviceRequest> {
        let calls = self.signals.iter().filter_map(|signal| match signal {
            Signal::Request(call) => Some(call.clone()),
            _ => None,
        });
        calls.collect()
    }

    /// Names and results of the cases, in order.
    pub(crate) fn cases(&self) -> Vec<String> {
        let cases = self.signals.iter().filter_map(|signal| match signal {
            Signal::TestCase { case, result, .. } => Some(format!("{case} {result:?}")),
            _ => None,
        });
        cases.collect()
    }
}
