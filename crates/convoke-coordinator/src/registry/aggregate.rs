//! `aggregate`, kept from the first generation (coordinator-protocol.md §4.9).

use convoke_group::MemberName;

use crate::wire::{Json, Reply};

/// Polls that are told to wait although everything is there.
const MORE_WAITS: u8 = 2;

/// The bundles of a group, in the order of first arrival.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Bundles {
    bundles: Vec<(MemberName, String)>,
    waits: u8,
}

impl Bundles {
    pub(super) fn store(&mut self, member: MemberName, bundle: String) {
        match self.bundles.iter_mut().find(|(name, _)| *name == member) {
            Some((_, old)) => *old = bundle,
            None => self.bundles.push((member, bundle)),
        }
    }

    pub(super) fn bytes_without(&self, member: &MemberName) -> usize {
        self.bundles.iter().filter(|(name, _)| name != member).map(|(_, bundle)| bundle.len()).sum()
    }

    pub(super) fn collect(&mut self, size: usize) -> Reply {
        if self.bundles.len() < size {
            return Reply::Wait;
        }
        if self.waits < MORE_WAITS {
            self.waits += 1;
            return Reply::Wait;
        }
        self.waits = 0;
        let raw = |text: &str| Json::parse(text.as_bytes()).unwrap_or(Json::Null);
        let all = self.bundles.iter().map(|(name, bundle)| (name.to_string(), raw(bundle))).collect();
        Reply::AckWith(Json::Object(vec![("bundle".to_owned(), Json::Object(all))]).to_text().into())
    }
}
