//! Masking of secret values, in whole texts and in streams of bytes.
//!
//! The last line of defence: whoever records a text should have masked it already. A secret of several lines is masked
//! line by line too, because a console changes its line ends. Identifiers (roles, names, levels) are left alone; a value
//! that equals one of them is not much of a secret and masking it would rename files.
//!
//! Invariant: masking a stream chunk by chunk gives the same bytes as masking it whole, however it is cut.

use serde_json::Value;

use crate::event::{Body, Failure, ResultRecord};

/// What a secret becomes.
pub const MASKED: &str = "[MASKED]";

/// A line of a secret of several lines is masked on its own when it has at least this many bytes.
const SHORTEST_LINE: usize = 4;

/// The values to mask.
#[derive(Clone, Debug)]
pub(crate) struct Masker {
    /// Longest first, so that a secret that contains another one goes as a whole.
    secrets: Vec<Vec<u8>>,
    /// Whether a secret begins with this byte.
    first: [bool; 256],
}

impl Default for Masker {
    fn default() -> Self {
        Masker { secrets: Vec::new(), first: [false; 256] }
    }
}

impl Masker {
    /// Adds values. Empty ones are ignored.
    pub(crate) fn add(&mut self, values: Vec<String>) {
        for value in values {
            let lines = value.lines().map(str::trim).filter(|line| line.len() >= SHORTEST_LINE && *line != value);
            let parts: Vec<Vec<u8>> = lines.map(|line| line.as_bytes().to_vec()).collect();
            for secret in std::iter::once(value.into_bytes()).chain(parts) {
                if !secret.is_empty() && !self.secrets.contains(&secret) {
                    self.first[usize::from(secret[0])] = true;
                    self.secrets.push(secret);
                }
            }
        }
        self.secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    }

    /// Masks `input`. Unless it is the `last` piece of its stream, what may be the beginning of a secret stays in `held`
    /// and is put in front of the next piece.
    pub(crate) fn stream(&self, held: &mut Vec<u8>, input: &[u8], last: bool) -> Vec<u8> {
        if self.secrets.is_empty() && held.is_empty() {
            return input.to_vec();
        }
        let mut data = std::mem::take(held);
        data.extend_from_slice(input);
        let mut out = Vec::with_capacity(data.len());
        let mut rest = &data[..];
        while let Some(&byte) = rest.first() {
            if !self.first[usize::from(byte)] {
                let clear = rest.iter().position(|&b| self.first[usize::from(b)]).unwrap_or(rest.len());
                out.extend_from_slice(&rest[..clear]);
                rest = &rest[clear..];
                continue;
            }
            let mut step = None;
            for secret in &self.secrets {
                if rest.starts_with(secret) {
                    step = Some(secret.len());
                    break;
                }
                if !last && secret.starts_with(rest) {
                    *held = rest.to_vec();
                    return out;
                }
            }
            if let Some(length) = step {
                out.extend_from_slice(MASKED.as_bytes());
                rest = &rest[length..];
            } else {
                out.push(byte);
                rest = &rest[1..];
            }
        }
        out
    }

    fn text(&self, text: &mut String) {
        if self.secrets.is_empty() || !text.bytes().any(|byte| self.first[usize::from(byte)]) {
            return;
        }
        let masked = self.stream(&mut Vec::new(), text.as_bytes(), true);
        // A secret is valid UTF-8, so cutting it out of valid UTF-8 leaves valid UTF-8.
        *text = String::from_utf8_lossy(&masked).into_owned();
    }

    fn option(&self, text: &mut Option<String>) {
        if let Some(text) = text {
            self.text(text);
        }
    }

    fn value(&self, value: &mut Value) {
        match value {
            Value::String(text) => self.text(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.value(item)),
            Value::Object(map) => map.values_mut().for_each(|item| self.value(item)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn failure(&self, failure: &mut Option<Failure>) {
        if let Some(failure) = failure {
            self.text(&mut failure.message);
        }
    }

    fn result(&self, result: &mut ResultRecord) {
        self.text(&mut result.case);
        self.option(&mut result.units);
        self.option(&mut result.set);
        self.option(&mut result.reference);
        result.extra.values_mut().for_each(|value| self.value(value));
    }

    /// Masks every free text of an event. Console bytes are not touched, they go through [`Masker::stream`].
    pub(crate) fn body(&self, body: &mut Body) {
        if self.secrets.is_empty() {
            return;
        }
        match body {
            Body::Diagnostic { message, .. } => self.text(message),
            Body::Definition { definition } => self.value(definition),
            Body::Planned { flow } => self.value(flow),
            Body::ActionEnded { failure, .. } | Body::MemberEnded { failure, .. } => self.failure(failure),
            Body::Log { text, .. } | Body::Input { text } => self.text(text),
            Body::TestCaseMark { case, .. } => self.text(case),
            Body::Result(result) => self.result(result),
            Body::CallMade { message_id, data, .. } => {
                self.text(message_id);
                for (key, value) in data {
                    self.text(key);
                    self.text(value);
                }
            }
            Body::CallAnswered { reason, messages, .. } => {
                self.option(reason);
                messages.iter_mut().for_each(|(_, value)| self.value(value));
            }
            Body::ProbablyStuck { waits } => waits.iter_mut().for_each(|wait| self.text(wait)),
            Body::Canceling { why } => self.text(why),
            Body::Stopped { message_id } | Body::WentOn { message_id, .. } => self.text(message_id),
            Body::RunEnded { first_failure, .. } => {
                if let Some((_, failure)) = first_failure {
                    self.text(&mut failure.message);
                }
            }
            Body::RunStarted { .. }
            | Body::DeviceAllocated { .. }
            | Body::AttemptFailed { .. }
            | Body::MemberState { .. }
            | Body::ActionStarted { .. }
            | Body::Console { .. }
            | Body::SuiteStarted { .. }
            | Body::SuiteEnded { .. }
            | Body::Waiting { .. }
            | Body::Unknown => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn masker(secrets: &[&str]) -> Masker {
        let mut masker = Masker::default();
        masker.add(secrets.iter().map(ToString::to_string).collect());
        masker
    }

    fn whole(masker: &Masker, text: &str) -> String {
        let mut text = text.to_owned();
        masker.text(&mut text);
        text
    }

    #[test]
    fn longest_secret_wins_and_lines_of_a_key_are_masked() {
        let masker = masker(&["abc", "abcdef", "", "BEGIN KEY\nMIIEpAIB\n"]);
        assert_eq!(whole(&masker, "xabcdefx abcx ab"), "x[MASKED]x [MASKED]x ab");
        assert_eq!(whole(&masker, "BEGIN KEY\r\nMIIEpAIB\r\n"), "[MASKED]\r\n[MASKED]\r\n");
    }

    proptest! {
        #[test]
        fn cutting_a_stream_changes_nothing(text in "[abc]{0,60}", cuts in prop::collection::vec(0usize..8, 0..30)) {
            let masker = masker(&["abca", "bc", "abcabc", "cc"]);
            let (mut held, mut out, mut rest) = (Vec::new(), Vec::new(), text.as_bytes());
            for cut in cuts {
                let (head, tail) = rest.split_at(cut.min(rest.len()));
                out.extend(masker.stream(&mut held, head, false));
                rest = tail;
            }
            out.extend(masker.stream(&mut held, rest, true));
            prop_assert_eq!(String::from_utf8(out).expect("ascii"), whole(&masker, &text));
        }
    }
}
