//! What is known of a text.
//!
//! Names of members are given when devices are, so a name is one character that stands for it: two of them are equal when
//! they are the same member's, and nothing else is known of them.

use std::rc::Rc;
use std::sync::Arc;

use convoke_job::RoleName;

use crate::model::{Text, Unknown, Why};

/// The first of the characters that stand for names of members.
const FIRST_NAME: u32 = 0xF_0000;
const MOST_NAMES: u32 = 0xF000;
/// Stands for the directory of the definition on the device, which has the number of the job in it.
pub(crate) const HOME: &str = "/\u{FFF00}";

/// A text, or why it is not known.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Known(Rc<str>),
    Unknown(Rc<Unknown>),
}

impl Value {
    pub(crate) fn empty() -> Value {
        Value::Known("".into())
    }

    pub(crate) fn known(&self) -> Option<&str> {
        match self {
            Value::Known(text) => Some(text),
            Value::Unknown(_) => None,
        }
    }

    pub(crate) fn unknown(unknown: Unknown) -> Value {
        Value::Unknown(Rc::new(unknown))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::Known(text.into())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Known(text.into())
    }
}

/// Whether a character stands for the name of a member or a directory.
fn is_symbol(c: char) -> bool {
    c as u32 >= FIRST_NAME
}

pub(crate) fn has_symbol(text: &str) -> bool {
    text.chars().any(is_symbol)
}

/// Whether two texts are the same, when that can be told without knowing the names in them.
pub(crate) fn same(one: &str, other: &str) -> Option<bool> {
    if one == other {
        return Some(true);
    }
    if one.is_empty() || other.is_empty() || !(has_symbol(one) || has_symbol(other)) {
        return Some(false);
    }
    // What stands before the first name in one, and after the last in the other, tells them apart for certain.
    let ends = |text: &str| {
        let first = text.find(is_symbol).unwrap_or(text.len());
        let last = text.rfind(is_symbol).map_or(0, |at| at + text[at..].chars().next().map_or(0, char::len_utf8));
        (text[..first].to_owned(), text[last..].to_owned())
    };
    let ((one_start, one_end), (other_start, other_end)) = (ends(one), ends(other));
    let fits = |one: &str, other: &str, is_prefix: bool| {
        if is_prefix {
            one.starts_with(other) || other.starts_with(one)
        } else {
            one.ends_with(other) || other.ends_with(one)
        }
    };
    if !fits(&one_start, &other_start, true) || !fits(&one_end, &other_end, false) {
        return Some(false);
    }
    // Texts that differ only in whose names they have are different: no two members have the same.
    let mut pairs = one.chars().zip(other.chars());
    let alike = one.chars().count() == other.chars().count()
        && pairs.all(|(one, other)| one == other || (is_symbol(one) && is_symbol(other)));
    alike.then_some(false)
}

/// The members of a group as their devices see them.
#[derive(Clone, Debug)]
pub(crate) struct Naming {
    /// In splitting order.
    pub(crate) members: Vec<Named>,
    /// Whose script it is.
    pub(crate) own: usize,
    /// A name is the number of a job.
    pub(crate) by_job: bool,
}

/// A member of a group.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    pub(crate) role: RoleName,
    /// Its number in the role, from 1.
    pub(crate) number: u32,
    /// How many the role has.
    pub(crate) of: u32,
    /// It has no device of its own and is not in the list of the group.
    pub(crate) guest: bool,
    /// Its name, when the job gives it.
    pub(crate) name: Option<String>,
}

impl Naming {
    /// The name of a member.
    pub(crate) fn name(&self, index: usize) -> Option<String> {
        if let Some(name) = self.members.get(index)?.name.clone() {
            return Some(name);
        }
        let index = u32::try_from(index).ok().filter(|index| *index < MOST_NAMES)?;
        char::from_u32(FIRST_NAME + index).map(String::from)
    }

    /// The role of the member whose script it is.
    pub(crate) fn role(&self) -> &str {
        self.members.get(self.own).map_or("", |member| member.role.as_str())
    }

    /// `name TAB role` of all with a device, or of all.
    pub(crate) fn table(&self, guests: bool) -> Vec<(String, &str)> {
        let shown = self.members.iter().enumerate().filter(|(_, member)| guests || !member.guest);
        shown.filter_map(|(index, member)| Some((self.name(index)?, member.role.as_str()))).collect()
    }

    /// A text for people: names are shown as role and number.
    pub(crate) fn shown(&self, text: &str) -> Arc<str> {
        if !has_symbol(text) {
            return text.into();
        }
        let mut shown = String::new();
        for c in text.chars() {
            match (c as u32).checked_sub(FIRST_NAME).and_then(|index| self.members.get(index as usize)) {
                Some(member) if member.of == 1 => shown.push_str(&format!("‹{}›", member.role)),
                Some(member) => shown.push_str(&format!("‹{} {}›", member.role, member.number)),
                None if is_symbol(c) => shown.push('…'),
                None => shown.push(c),
            }
        }
        shown.into()
    }

    /// A value as a text of the flow. `written` is how it is written.
    pub(crate) fn text(&self, value: &Value, written: &str) -> Text {
        match value {
            Value::Known(text) => Text::Known(self.shown(text)),
            Value::Unknown(unknown) => Text::Unknown { shown: written.into(), unknown: unknown.as_ref().clone() },
        }
    }
}

/// Why a name cannot be compared.
pub(crate) fn by_name() -> Why {
    Why::Assignment("the name of a member".into())
}
