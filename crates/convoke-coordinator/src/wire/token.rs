//! Tokens: what lets a stranger in. They are compared in constant time and never shown.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

/// A secret that its holder shows with every request (`convoke_token`).
#[derive(Clone)]
pub struct Token {
    text: String,
    listed: bool,
}

/// What is kept of a token: enough to know it again, and nothing that could be shown instead of it.
#[derive(Clone, Copy)]
pub struct TokenDigest([u8; 32]);

impl Token {
    /// The token with this text.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), listed: false }
    }

    /// What is kept of it.
    pub fn digest(&self) -> TokenDigest {
        TokenDigest(Sha256::digest(&self.text).into())
    }

    /// For the wire, and for nothing else.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Whether the coordinator has found it in its list: it then opens every group.
    pub fn is_listed(&self) -> bool {
        self.listed
    }

    pub(crate) fn set_listed(&mut self) {
        self.listed = true;
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        self.digest() == other.digest()
    }
}

impl Eq for Token {}

impl fmt::Debug for TokenDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenDigest(…)")
    }
}

impl PartialEq for TokenDigest {
    /// Takes the same time wherever they differ.
    fn eq(&self, other: &Self) -> bool {
        let differences = self.0.iter().zip(&other.0).fold(0, |found, (a, b)| found | (a ^ b));
        std::hint::black_box(differences) == 0
    }
}

impl Eq for TokenDigest {}

impl Serialize for TokenDigest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let digits: String = self.0.iter().map(|byte| format!("{byte:02x}")).collect();
        serializer.serialize_str(&digits)
    }
}

impl<'de> Deserialize<'de> for TokenDigest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let byte = |at: usize| text.get(at..at + 2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let bytes: Option<Vec<u8>> = (0..64).step_by(2).map(byte).collect();
        let whole = bytes.filter(|_| text.len() == 64).and_then(|bytes| bytes.try_into().ok());
        whole.map(Self).ok_or_else(|| serde::de::Error::custom("a token's digest has 64 hexadecimal digits"))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_never_shown_and_its_digest_is_read_again() {
        let token = Token::new("correct horse battery staple");
        let digest = token.digest();
        let kept = serde_json::to_string(&digest).unwrap();
        assert!(
            ![format!("{token:?}"), format!("{digest:?}"), kept.clone()].iter().any(|shown| shown.contains("horse"))
        );
        assert_eq!(serde_json::from_str::<TokenDigest>(&kept).unwrap(), digest);
        assert_ne!(digest, Token::new("correct horse battery stapler").digest());
        for wrong in [r#""""#, r#""00""#, "7", &kept.replace(|c: char| c.is_ascii_digit(), "x")] {
            assert!(serde_json::from_str::<TokenDigest>(wrong).is_err());
        }
    }
}
