//! Data that is looked for in the cache file after the next wait has replaced it, and data that nobody sends.

use std::collections::{BTreeSet, HashSet};

use convoke_group::{CallKind, nearest};
use convoke_job::Diagnostic;

use crate::judge::Judgement;
use crate::lint::{calls, played};
use crate::model::{Call, Flow, Read, Step, Text};
use crate::walk;
use crate::words::{Labels, block_of, place, what};

/// What is known of the cache file.
#[derive(Clone, Default)]
struct Cache<'a> {
    /// The wait that wrote it last; `None` when that cannot be told.
    last: Option<&'a Call>,
    /// Those before.
    earlier: Vec<&'a Call>,
}

pub(super) fn find(flow: &Flow, judgement: &Judgement<'_>) -> Vec<Diagnostic> {
    let sends: Vec<&Call> = played(flow, judgement)
        .flat_map(|(_, steps)| calls(steps))
        .filter(|call| call.kind == CallKind::Send)
        .collect();
    let opaque = played(flow, judgement).any(|(_, steps)| walk::any(steps, &|step| matches!(step, Step::Opaque(_))));
    if opaque || sends.iter().any(|send| send.id.known().is_none()) {
        return Vec::new();
    }
    let mut looking = Looking { flow, sends, member: 0, seen: HashSet::new(), found: Vec::new() };
    for (member, steps) in played(flow, judgement) {
        looking.member = member;
        looking.walk(steps, &mut Cache::default());
    }
    looking.found
}

struct Looking<'a> {
    flow: &'a Flow,
    sends: Vec<&'a Call>,
    member: usize,
    seen: HashSet<(usize, usize)>,
    found: Vec<Diagnostic>,
}

impl<'a> Looking<'a> {
    fn walk(&mut self, steps: &'a [Step], cache: &mut Cache<'a>) {
        for step in steps {
            match step {
                Step::Call(call) if matches!(call.kind, CallKind::Wait | CallKind::WaitAll) => {
                    cache.earlier.extend(cache.last);
                    cache.last = Some(call);
                }
                Step::Read(read) => self.read(read, cache),
                Step::Block(_) | Step::Definition(_) => {
                    walk::within(step).into_iter().for_each(|steps| self.walk(steps, cache));
                }
                Step::Choice(_) | Step::Repeat(_) | Step::Beside(_) => {
                    let before = cache.last;
                    let mut differs = false;
                    for steps in walk::within(step) {
                        let mut within = cache.clone();
                        self.walk(steps, &mut within);
                        differs |= within.last.map(std::ptr::from_ref) != before.map(std::ptr::from_ref);
                    }
                    if differs {
                        cache.earlier.extend(before);
                        cache.last = None;
                    }
                }
                Step::Call(_) | Step::Join | Step::Stop(_) | Step::Opaque(_) => {}
            }
        }
    }

    fn read(&mut self, read: &Read, cache: &Cache<'a>) {
        let (Some(key), Some(last)) = (&read.key, cache.last) else { return };
        if self.carries(last, key) {
            return;
        }
        let Some(from) = cache.earlier.iter().rev().find(|call| self.carries(call, key)) else {
            return self.never_sent(read, last, key);
        };
        if !self.seen.insert((read.place.text, read.place.span.start)) {
            return;
        }
        let mut labels = Labels::default();
        labels.add(self.flow, &read.place, format!("looks for \"{key}\""));
        labels.add(self.flow, &last.place, "replaces the cache file");
        labels.add(self.flow, &from.place, format!("\"{key}\" came here"));
        let path = block_of(self.flow, self.member, last).map(|block| block.path.clone()).unwrap_or_default();
        let message = format!(
            "\"{key}\" came with `{}`, and `{}` ({}) has replaced it in the cache file since",
            what(from),
            what(last),
            place(self.flow, &last.place)
        );
        let help =
            "keep what a wait brings in a variable before the next one; waiting for the same ID again brings it back";
        self.found.push(labels.warning("flow.stale-cache", path, message).help(help));
    }

    /// A key that no message under this ID has, and that is much like one that they have.
    fn never_sent(&mut self, read: &Read, last: &Call, key: &str) {
        let Some(id) = last.id.known() else { return };
        let sends = self.sends.iter().filter(|send| send.id.known() == Some(id));
        let keys: BTreeSet<&str> = sends.flat_map(|send| &send.data).filter_map(|(key, _)| key.known()).collect();
        // A part of a key is looked for by a pattern.
        let is_part = keys.iter().any(|known| known.contains(key) || key.contains(known));
        // What is nothing like a key may be the name of a sender, which each line begins with.
        let Some(near) = nearest(key, keys.iter().copied()).filter(|_| !is_part) else { return };
        if !self.seen.insert((read.place.text, read.place.span.start)) {
            return;
        }
        let mut labels = Labels::default();
        labels.add(self.flow, &read.place, format!("looks for \"{key}\""));
        labels.add(self.flow, &last.place, "received here");
        for send in self.sends.iter().filter(|send| send.id.known() == Some(id)).take(1) {
            labels.add(self.flow, &send.place, "sent here");
        }
        let path = block_of(self.flow, self.member, last).map(|block| block.path.clone()).unwrap_or_default();
        let message = format!("\"{key}\" is looked for in what `{}` brings, and nobody sends it", what(last));
        let help = format!("did you mean \"{near}\"?");
        self.found.push(labels.warning("flow.key-never-sent", path, message).help(help));
    }

    /// Whether a message that satisfies this wait may have this key.
    fn carries(&self, wait: &Call, key: &str) -> bool {
        let matches = |text: &Text, name: &str| text.known().is_none_or(|text| text == name);
        let id = |send: &&&Call| wait.id.known().is_none_or(|id| matches(&send.id, id));
        self.sends.iter().filter(id).any(|send| send.data.iter().any(|(name, _)| matches(name, key)))
    }
}
