//! What the group said, in the words of the page.

use super::{Call, Story};

impl Story {
    /// A text of the group or of a member with labels instead of the MultiNode API's names: `client.2` for `1004 (client)`.
    /// What the first failure says of itself is said once, where it is told, and left out here.
    pub fn said(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once(" (") {
            let start = before.rfind(|letter: char| letter.is_whitespace() || letter == '(').map_or(0, |at| at + 1);
            let known = self.run.members.iter().find(|member| {
                member.info.name == before[start..]
                    && after.strip_prefix(member.info.role.as_str()).is_some_and(|after| after.starts_with(')'))
            });
            match known {
                Some(member) => {
                    out.push_str(&before[..start]);
                    out.push_str(&member.label);
                    rest = &after[member.info.role.len() + 1..];
                }
                None => {
                    out.push_str(before);
                    out.push_str(" (");
                    rest = after;
                }
            }
        }
        out.push_str(rest);
        match &self.first_failure {
            Some(first) if !first.failure.message.is_empty() => {
                out.replace(&format!(": {}", first.failure.message), "")
            }
            _ => out,
        }
    }

    /// Whom a call waited for, as is known afterwards: of a `lava-wait` that was satisfied the one whose message ended it,
    /// though others could have sent it; else those that were missing last.
    pub fn waited_for<'a>(&'a self, call: &'a Call) -> &'a [u32] {
        match self.senders.get(&call.call_id) {
            Some(sender) if !call.waited_for.is_empty() => std::slice::from_ref(sender),
            _ => call.last_missing(),
        }
    }

    /// Whose message ended a `lava-wait`.
    pub fn sender(&self, call: &Call) -> Option<u32> {
        self.senders.get(&call.call_id).copied()
    }

    /// Whether a call waited for this member at some time.
    pub fn waited_on(&self, call: &Call, member: u32) -> bool {
        call.waited_for.iter().any(|part| part.members.contains(&member))
    }
}
