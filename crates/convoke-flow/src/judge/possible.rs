//! What members may send and sync at all, whatever the unknown turns out to be.

use std::collections::BTreeMap;

use convoke_group::CallKind;

use crate::judge::lower::prefix;
use crate::judge::program::{Class, Op};
use crate::model::{Call, Text, Unknown};

/// A call: index of the class, number of the call in its program.
pub(crate) type Which = (usize, usize);

#[derive(Default)]
pub(crate) struct Possible<'a> {
    /// By ID.
    pub(crate) sends: BTreeMap<&'a str, Vec<Which>>,
    pub(crate) syncs: BTreeMap<&'a str, Vec<Which>>,
    /// What may send or sync any ID that begins with a text.
    floods: Vec<Flood<'a>>,
}

struct Flood<'a> {
    class: usize,
    prefix: String,
    /// `None` for both.
    kind: Option<CallKind>,
    unknown: &'a Unknown,
}

impl<'a> Possible<'a> {
    pub(crate) fn of(classes: &[Class<'a>]) -> Self {
        let mut possible = Self::default();
        for (index, class) in classes.iter().enumerate() {
            possible.note(index, &class.program.ops);
        }
        possible
    }

    fn note(&mut self, class: usize, ops: &[Op<'a>]) {
        for op in ops {
            match op {
                Op::Call(call, number) => self.note_call(class, call, *number),
                Op::Attempt { call, number, done, failed, .. } => {
                    self.note_call(class, call, *number);
                    self.note(class, done);
                    self.note(class, failed);
                }
                Op::Opaque(unknown) => self.floods.push(Flood { class, prefix: String::new(), kind: None, unknown }),
                Op::Choice { ways, .. } => ways.iter().for_each(|way| self.note(class, way)),
                Op::Repeat { body, .. } | Op::Beside(body) | Op::Scope(body) => self.note(class, body),
                Op::Failed(_) | Op::Join | Op::Stop => {}
            }
        }
    }

    fn note_call(&mut self, class: usize, call: &'a Call, number: usize) {
        let ids = match call.kind {
            CallKind::Send => &mut self.sends,
            CallKind::Sync => &mut self.syncs,
            CallKind::Wait | CallKind::WaitAll | CallKind::Assemble => return,
        };
        match &call.id {
            Text::Known(id) => ids.entry(id.as_ref()).or_default().push((class, number)),
            Text::Unknown { unknown, .. } => {
                let prefix = prefix(&call.id);
                self.floods.push(Flood { class, prefix, kind: Some(call.kind), unknown });
            }
        }
    }

    /// The calls of `class` (of all when `None`) of this kind and ID.
    pub(crate) fn calls(&self, kind: CallKind, id: &str, class: Option<usize>) -> Vec<Which> {
        let all = if kind == CallKind::Sync { &self.syncs } else { &self.sends };
        let calls = all.get(id).into_iter().flatten().copied();
        calls.filter(|(of, _)| class.is_none_or(|class| class == *of)).collect()
    }

    /// What else of `class` may be such a call.
    pub(crate) fn unknown(&self, kind: CallKind, id: &str, class: Option<usize>) -> Vec<&'a Unknown> {
        let may = |flood: &&Flood| {
            class.is_none_or(|class| class == flood.class)
                && flood.kind.is_none_or(|flooded| flooded == kind)
                && id.starts_with(&flood.prefix)
        };
        self.floods.iter().filter(may).map(|flood| flood.unknown).collect()
    }
}
