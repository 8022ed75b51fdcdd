//! Messages as a wait gets them: built once, shared by all who get the same.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::names::MemberName;

/// Messages under one ID: first sender first (coordinator-protocol.md §4.8). A value is normally an object, but any
/// JSON value a client sent is kept. Copies share their content.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Vec<(MemberName, Value)>", into = "Vec<(MemberName, Value)>")]
pub struct Messages(Arc<Vec<(MemberName, Value)>>);

impl Messages {
    /// No messages.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether both are copies of one, so that what was made of one of them is right for the other.
    pub fn shares(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(crate) fn push(&mut self, sender: MemberName, value: Value) {
        Arc::make_mut(&mut self.0).push((sender, value));
    }

    pub(crate) fn replace(&mut self, place: usize, value: Value) {
        if let Some((_, old)) = Arc::make_mut(&mut self.0).get_mut(place) {
            *old = value;
        }
    }
}

impl std::ops::Deref for Messages {
    type Target = [(MemberName, Value)];

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl From<Vec<(MemberName, Value)>> for Messages {
    fn from(messages: Vec<(MemberName, Value)>) -> Self {
        Self(Arc::new(messages))
    }
}

impl From<Messages> for Vec<(MemberName, Value)> {
    fn from(messages: Messages) -> Self {
        Arc::unwrap_or_clone(messages.0)
    }
}

impl FromIterator<(MemberName, Value)> for Messages {
    fn from_iter<I: IntoIterator<Item = (MemberName, Value)>>(messages: I) -> Self {
        messages.into_iter().collect::<Vec<_>>().into()
    }
}

impl IntoIterator for Messages {
    type Item = (MemberName, Value);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        Vec::from(self).into_iter()
    }
}

impl<'a> IntoIterator for &'a Messages {
    type Item = &'a (MemberName, Value);
    type IntoIter = std::slice::Iter<'a, (MemberName, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
