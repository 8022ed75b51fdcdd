//! How much text splitting makes: every member gets a copy of the actions of its role.
//!
//! The bound keeps a small document from filling the memory of whoever splits it; it is far above what a thousand members
//! with long scripts need.

use super::actions::DraftAction;
use super::cursor::Findings;
use super::roles::DraftGroup;
use crate::node::{Node, NodeKind};

/// Weight of all copies together: bytes of texts, and some for each value.
const MOST: u64 = 64 << 20;
/// What a value weighs besides its text.
const VALUE: u64 = 8;

pub(super) fn check(group: &DraftGroup<'_>, actions: &[DraftAction<'_>], findings: &mut Findings) {
    let weights: Vec<u64> = actions.iter().map(|action| weight(action.at.node)).collect();
    let mut whole = 0u64;
    for role in &group.roles {
        let count = role.count.as_ref().map_or(0, |count| u64::from(count.value));
        let mine = actions.iter().zip(&weights).filter(|(action, _)| action.runs_for(role.name.as_str()));
        let member: u64 = mine.map(|(_, weight)| weight).sum();
        whole = whole.saturating_add(member.saturating_mul(count));
        if whole > MOST {
            let message = format!(
                "every member gets a copy of its actions, and all copies together are more than {} MiB",
                MOST >> 20
            );
            findings.push(
                role.at.error_at_name("multinode.size", message).help("lower the counts, or make the file smaller"),
            );
            return;
        }
    }
}

fn weight(node: &Node) -> u64 {
    VALUE
        + match &node.kind {
            NodeKind::Text(text) | NodeKind::Date(text) => text.len() as u64,
            NodeKind::List(items) => items.iter().map(weight).sum(),
            NodeKind::Map(entries) => entries.iter().map(|(key, value)| key.text.len() as u64 + weight(value)).sum(),
            NodeKind::Null | NodeKind::Bool(_) | NodeKind::Int(_) | NodeKind::Float(_) => 0,
        }
}
