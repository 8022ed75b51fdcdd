//! The members of a group: who registered, in which role, who has left.
//!
//! A member keeps its slot for the life of the group, so slots are in order of registration. A group never has more
//! members than its size (coordinator-protocol.md §7.1 D11), and a member that left still belongs to it (§4.7).

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use crate::names::{MemberName, RoleName};

/// A member's place in the roster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Slot(pub(crate) usize);

/// One registered member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name.
    pub name: MemberName,
    /// Its role, as first registered.
    pub role: RoleName,
    /// Why it left, when it has.
    pub left: Option<String>,
}

impl std::fmt::Display for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.name, self.role)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Roster {
    size: usize,
    members: Vec<Member>,
    places: BTreeMap<MemberName, Slot>,
    /// In the order of leaving.
    gone: Vec<Slot>,
    roles: BTreeMap<RoleName, Company>,
}

/// The members of one role.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Company {
    pub(crate) size: usize,
    /// In the order of leaving.
    pub(crate) gone: Vec<Slot>,
}

impl Roster {
    pub(crate) fn new(size: NonZeroUsize) -> Self {
        Self {
            size: size.get(),
            members: Vec::new(),
            places: BTreeMap::new(),
            gone: Vec::new(),
            roles: BTreeMap::new(),
        }
    }

    /// Takes a member in. Returns whether the group changed: not for a known member, a nameless one or a stranger to a
    /// full group.
    pub(crate) fn register(&mut self, name: MemberName, role: RoleName) -> bool {
        if self.is_full() || name.as_str().is_empty() || self.places.contains_key(&name) {
            return false;
        }
        self.places.insert(name.clone(), Slot(self.members.len()));
        self.roles.entry(role.clone()).or_default().size += 1;
        self.members.push(Member { name, role, left: None });
        true
    }

    /// Notes that a member has left, which it does once.
    pub(crate) fn leave(&mut self, slot: Slot, why: String) {
        let member = &mut self.members[slot.0];
        member.left = Some(why);
        self.gone.push(slot);
        if let Some(company) = self.roles.get_mut(&member.role) {
            company.gone.push(slot);
        }
    }

    pub(crate) fn gone(&self) -> &[Slot] {
        &self.gone
    }

    /// The members of a role; none when it has none.
    pub(crate) fn company(&self, role: &RoleName) -> Option<&Company> {
        self.roles.get(role)
    }

    pub(crate) fn find(&self, name: &MemberName) -> Option<Slot> {
        self.places.get(name).copied()
    }

    pub(crate) fn get(&self, slot: Slot) -> &Member {
        &self.members[slot.0]
    }

    pub(crate) fn all(&self) -> &[Member] {
        &self.members
    }

    /// Every member with its slot, in order of registration.
    pub(crate) fn slots(&self) -> impl Iterator<Item = (Slot, &Member)> {
        self.members.iter().enumerate().map(|(place, member)| (Slot(place), member))
    }

    /// Members that may still call.
    pub(crate) fn live(&self) -> impl Iterator<Item = (Slot, &Member)> {
        self.slots().filter(|(_, member)| member.left.is_none())
    }

    /// How many members may still call.
    pub(crate) fn living(&self) -> usize {
        self.members.len() - self.gone.len()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.members.len() >= self.size
    }

    pub(crate) fn size(&self) -> usize {
        self.size
    }

    pub(crate) fn unregistered(&self) -> usize {
        self.size - self.members.len()
    }
}
