//! Tracks and events, put into order and into packets.
//!
//! Packets are in order of time; of one time, in the order they were given, so that what is given nested stays nested.

use super::schema::{annotation, clocks, event, packet, process, trace, track};
use super::wire::Message;

/// All packets come from one writer.
const SEQUENCE: u64 = 1;

/// What is noted of an event: shown as its arguments.
#[derive(Debug, Default)]
pub(super) struct Notes(Vec<Message>);

impl Notes {
    pub(super) fn text(mut self, name: &str, value: &str) -> Self {
        self.0.push(Message::new().text(annotation::NAME, name).text(annotation::STRING_VALUE, value));
        self
    }

    /// As [`text`](Notes::text), when there is one.
    pub(super) fn some(self, name: &str, value: Option<&str>) -> Self {
        match value.filter(|value| !value.is_empty()) {
            Some(value) => self.text(name, value),
            None => self,
        }
    }

    pub(super) fn seconds(mut self, name: &str, ns: u64) -> Self {
        let value = Message::new().text(annotation::NAME, name).double(annotation::DOUBLE_VALUE, ns as f64 / 1e9);
        self.0.push(value);
        self
    }

    /// Names and values of their own, below one name.
    pub(super) fn data(mut self, name: &str, data: &[(String, String)]) -> Self {
        if !data.is_empty() {
            let entry = |(key, value): &(String, String)| {
                Message::new().text(annotation::NAME, key).text(annotation::STRING_VALUE, value)
            };
            let dict = Message::new().text(annotation::NAME, name);
            self.0.push(data.iter().fold(dict, |dict, pair| dict.message(annotation::DICT_ENTRIES, entry(pair))));
        }
        self
    }
}

/// A slice or an instant: what kind of thing it is, its name, what is noted of it.
#[derive(Debug)]
pub(super) struct What<'a> {
    pub(super) category: &'static str,
    pub(super) name: &'a str,
    pub(super) notes: Notes,
}

impl<'a> What<'a> {
    pub(super) fn new(category: &'static str, name: &'a str) -> Self {
        What { category, name, notes: Notes::default() }
    }

    pub(super) fn noting(self, notes: Notes) -> Self {
        What { notes, ..self }
    }
}

/// Collects tracks and events.
#[derive(Debug, Default)]
pub(super) struct Events {
    /// When time 0 was, in nanoseconds since 1970.
    began_ns: Option<u64>,
    tracks: Vec<Message>,
    events: Vec<(u64, Message)>,
    next: u64,
    processes: u64,
}

impl Events {
    pub(super) fn new(began_ns: Option<u64>) -> Self {
        Events { began_ns, next: 1, ..Events::default() }
    }

    fn uuid(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// A track that holds others; processes are shown in this order, by their numbers.
    pub(super) fn process(&mut self, name: &str, label: Option<&str>) -> u64 {
        self.processes += 1;
        let uuid = self.uuid();
        let process = Message::new().number(process::PID, self.processes).text(process::PROCESS_NAME, name);
        let process = label.into_iter().fold(process, |process, label| process.text(process::PROCESS_LABELS, label));
        self.tracks.push(
            Message::new()
                .number(track::UUID, uuid)
                .number(track::CHILD_ORDERING, track::EXPLICIT)
                .message(track::PROCESS, process),
        );
        uuid
    }

    /// A track within a process, below those made before.
    pub(super) fn track(&mut self, parent: u64, name: &str) -> u64 {
        let uuid = self.uuid();
        self.tracks.push(
            Message::new()
                .number(track::UUID, uuid)
                .text(track::NAME, name)
                .number(track::PARENT_UUID, parent)
                .number(track::SIBLING_ORDER_RANK, uuid),
        );
        uuid
    }

    /// A slice begins; flows leave it.
    pub(super) fn begin(&mut self, track: u64, at_ns: u64, what: What<'_>, flows: &[u64]) {
        let message = named(event::TYPE_SLICE_BEGIN, track, what);
        let message = flows.iter().fold(message, |message, flow| message.fixed(event::FLOW_IDS, *flow));
        self.events.push((at_ns, message));
    }

    /// The innermost slice of a track ends.
    pub(super) fn end(&mut self, track: u64, at_ns: u64) {
        let message = Message::new().number(event::TYPE, event::TYPE_SLICE_END).number(event::TRACK_UUID, track);
        self.events.push((at_ns, message));
    }

    /// Something without length.
    pub(super) fn instant(&mut self, track: u64, at_ns: u64, what: What<'_>) {
        self.arrival(track, at_ns, what, &[]);
    }

    /// Something without length in which flows end.
    pub(super) fn arrival(&mut self, track: u64, at_ns: u64, what: What<'_>, flows: &[u64]) {
        let message = named(event::TYPE_INSTANT, track, what);
        let message = flows.iter().fold(message, |message, flow| message.fixed(event::TERMINATING_FLOW_IDS, *flow));
        self.events.push((at_ns, message));
    }

    /// The trace.
    pub(super) fn encode(mut self) -> Vec<u8> {
        let mut out = Message::new();
        if let Some(began) = self.began_ns {
            let clock = |id, ns| Message::new().number(clocks::CLOCK_ID, id).number(clocks::TIMESTAMP, ns);
            let snapshot = Message::new()
                .message(clocks::CLOCKS, clock(clocks::BOOTTIME, 0))
                .message(clocks::CLOCKS, clock(clocks::REALTIME, began))
                .number(clocks::PRIMARY_TRACE_CLOCK, clocks::BOOTTIME);
            let packet = Message::new().number(packet::TRUSTED_PACKET_SEQUENCE_ID, SEQUENCE);
            out = out.message(trace::PACKET, packet.message(packet::CLOCK_SNAPSHOT, snapshot));
        }
        for (index, descriptor) in self.tracks.into_iter().enumerate() {
            let mut packet = Message::new().number(packet::TRUSTED_PACKET_SEQUENCE_ID, SEQUENCE);
            if index == 0 {
                packet = packet.number(packet::SEQUENCE_FLAGS, packet::SEQ_INCREMENTAL_STATE_CLEARED);
            }
            out = out.message(trace::PACKET, packet.message(packet::TRACK_DESCRIPTOR, descriptor));
        }
        self.events.sort_by_key(|(at, _)| *at);
        for (at, event) in self.events {
            let packet = Message::new()
                .number(packet::TIMESTAMP, at)
                .number(packet::TRUSTED_PACKET_SEQUENCE_ID, SEQUENCE)
                .message(packet::TRACK_EVENT, event);
            out = out.message(trace::PACKET, packet);
        }
        out.into_bytes()
    }
}

fn named(kind: u64, track: u64, what: What<'_>) -> Message {
    let message = Message::new()
        .number(event::TYPE, kind)
        .number(event::TRACK_UUID, track)
        .text(event::CATEGORIES, what.category)
        .text(event::NAME, what.name);
    what.notes.0.into_iter().fold(message, |message, note| message.message(event::DEBUG_ANNOTATIONS, note))
}
