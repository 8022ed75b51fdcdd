//! From what was recorded to events: console pieces joined, secrets masked, numbers given.

use std::collections::{BTreeMap, HashMap};

use crate::encode::Encoder;
use crate::event::{Body, Event};
use crate::mask::Masker;
use crate::recorder::{Item, Queued};
use crate::view::View;

/// Console pieces of one member are joined up to this many bytes…
const JOIN_BYTES: usize = 64 * 1024;
/// … and when they came within this time.
const JOIN_NS: u64 = 100_000_000;

/// The state between batches.
#[derive(Default)]
pub(crate) struct Pipeline {
    masker: Masker,
    consoles: BTreeMap<(u32, Option<String>), Encoder>,
    next: u64,
}

impl Pipeline {
    /// The events of one batch in order. `view` is called for each view that joins.
    pub(crate) fn batch(&mut self, items: Vec<Queued>, mut view: impl FnMut(Box<dyn View>)) -> Vec<Event> {
        let mut out = Vec::with_capacity(items.len());
        for Queued { at, elapsed_ns, member, item } in join(items) {
            let mut emit = |next: &mut u64, member, body| {
                out.push(Event { seq: *next, at, elapsed_ns, member, body });
                *next += 1;
            };
            match item {
                Item::Mask(values) => self.masker.add(values),
                Item::View(joining) => view(joining),
                Item::Console(bytes, connection) => {
                    // Bytes that belong to no member belong to no console log either; member 0 has one always.
                    let id = member.unwrap_or(0);
                    let console =
                        self.consoles.entry((id, connection.clone())).or_insert_with(|| Encoder::new(connection));
                    if let Some(body) = console.push(&self.masker, &bytes) {
                        emit(&mut self.next, Some(id), body);
                    }
                }
                Item::Body(mut body) => {
                    let ends = |id: u32| match (&*body, member) {
                        (Body::MemberEnded { .. }, Some(member)) => id == member,
                        (Body::RunEnded { .. }, _) => true,
                        _ => false,
                    };
                    for ((id, _), console) in &mut self.consoles {
                        if ends(*id)
                            && let Some(body) = console.end(&self.masker)
                        {
                            emit(&mut self.next, Some(*id), body);
                        }
                    }
                    self.masker.body(&mut body);
                    emit(&mut self.next, member, *body);
                }
            }
        }
        out
    }

    /// The journal is closed: what still waits of the consoles.
    pub(crate) fn end(&mut self, at: jiff::Timestamp, elapsed_ns: u64) -> Vec<Event> {
        let mut out = Vec::new();
        for ((id, _), console) in &mut self.consoles {
            if let Some(body) = console.end(&self.masker) {
                out.push(Event { seq: self.next, at, elapsed_ns, member: Some(*id), body });
                self.next += 1;
            }
        }
        out
    }
}

/// Joins console pieces of a member when nothing else of that member is between them.
fn join(items: Vec<Queued>) -> Vec<Queued> {
    let mut out: Vec<Queued> = Vec::with_capacity(items.len());
    let mut last: HashMap<u32, usize> = HashMap::new();
    for queued in items {
        let Some(member) = queued.member else {
            // An event of the group, a mask or a view: what comes after it stays after it.
            last.clear();
            out.push(queued);
            continue;
        };
        if let (Item::Console(bytes, connection), Some(&index)) = (&queued.item, last.get(&member)) {
            let earlier = &mut out[index];
            let near = queued.elapsed_ns.saturating_sub(earlier.elapsed_ns) <= JOIN_NS;
            if let Item::Console(start, same) = &mut earlier.item
                && same == connection
                && near
                && start.len() + bytes.len() <= JOIN_BYTES
            {
                start.extend_from_slice(bytes);
                continue;
            }
        }
        last.insert(member, out.len());
        out.push(queued);
    }
    out
}
