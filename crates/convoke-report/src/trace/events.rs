//! Tracks and events, put into order and into packets.
//!
//! Packets are in order of time; of one time, in the order they were given, so that what is given nested stays nested.

use super::schema::{annotation, event, packet, process, trace, track};
use super::wire::Message;

/// All packets come from one writer.
const SEQUENCE: u64 = 1;

/// Collects tracks and events.
#[derive(Debug, Default)]
pub(super) struct Events {
    tracks: Vec<Message>,
    events: Vec<(u64, Message)>,
    next: u64,
    processes: u64,
}

impl Events {
    pub(super) fn new() -> Self {
        Events { next: 1, ..Events::default() }
    }

    fn uuid(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// A track that holds others; processes are shown in this order.
    pub(super) fn process(&mut self, name: &str) -> u64 {
        self.processes += 1;
        let uuid = self.uuid();
        let process = Message::new().number(process::PID, self.processes).text(process::PROCESS_NAME, name);
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
    pub(super) fn begin(&mut self, track: u64, at_ns: u64, name: &str, notes: &[(&str, &str)], flows: &[u64]) {
        let message = named(event::TYPE_SLICE_BEGIN, track, name, notes);
        let message = flows.iter().fold(message, |message, flow| message.fixed(event::FLOW_IDS, *flow));
        self.events.push((at_ns, message));
    }

    /// The innermost slice of a track ends.
    pub(super) fn end(&mut self, track: u64, at_ns: u64) {
        let message = Message::new().number(event::TYPE, event::TYPE_SLICE_END).number(event::TRACK_UUID, track);
        self.events.push((at_ns, message));
    }

    /// Something without length; flows leave it.
    pub(super) fn instant(&mut self, track: u64, at_ns: u64, name: &str, notes: &[(&str, &str)], flows: &[u64]) {
        let message = named(event::TYPE_INSTANT, track, name, notes);
        let message = flows.iter().fold(message, |message, flow| message.fixed(event::FLOW_IDS, *flow));
        self.events.push((at_ns, message));
    }

    /// Something without length in which flows end.
    pub(super) fn arrival(&mut self, track: u64, at_ns: u64, name: &str, flows: &[u64]) {
        let message = named(event::TYPE_INSTANT, track, name, &[]);
        let message = flows.iter().fold(message, |message, flow| message.fixed(event::TERMINATING_FLOW_IDS, *flow));
        self.events.push((at_ns, message));
    }

    /// The trace.
    pub(super) fn encode(mut self) -> Vec<u8> {
        let mut out = Message::new();
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

fn named(kind: u64, track: u64, name: &str, notes: &[(&str, &str)]) -> Message {
    let message = Message::new()
        .number(event::TYPE, kind)
        .number(event::TRACK_UUID, track)
        .text(event::CATEGORIES, "convoke")
        .text(event::NAME, name);
    notes.iter().fold(message, |message, (key, value)| {
        let note = Message::new().text(annotation::NAME, key).text(annotation::STRING_VALUE, value);
        message.message(event::DEBUG_ANNOTATIONS, note)
    })
}
