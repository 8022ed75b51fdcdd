//! The roles of a full group as a reply tells them: put together once, shared by all who are told.

use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use convoke_group::{MemberName, RoleName};

use super::json::write_text;

/// Every member with its role, in the order in which they are told. Copies share their content.
#[derive(Clone, Debug)]
pub struct Roles(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    members: Vec<(MemberName, RoleName)>,
    text: OnceLock<String>,
}

impl Roles {
    /// As a JSON object.
    pub(super) fn text(&self) -> &str {
        self.0.text.get_or_init(|| {
            let mut text = String::from("{");
            for (place, (member, role)) in self.0.members.iter().enumerate() {
                if place > 0 {
                    text.push_str(", ");
                }
                write_text(member.as_str(), &mut text);
                text.push_str(": ");
                write_text(role.as_str(), &mut text);
            }
            text.push('}');
            text
        })
    }
}

impl FromIterator<(MemberName, RoleName)> for Roles {
    fn from_iter<I: IntoIterator<Item = (MemberName, RoleName)>>(members: I) -> Self {
        Self(Arc::new(Shared { members: members.into_iter().collect(), text: OnceLock::new() }))
    }
}

impl Deref for Roles {
    type Target = [(MemberName, RoleName)];

    fn deref(&self) -> &Self::Target {
        &self.0.members
    }
}

impl PartialEq for Roles {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Roles {}
