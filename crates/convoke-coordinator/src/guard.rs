//! Who is let in.
//!
//! | the coordinator has | without `require` | with `require` |
//! |---|---|---|
//! | no list of tokens | open; a group whose first member shows a token is closed to others | every request shows a token, which its group knows |
//! | a list of tokens | the same; a listed token opens every group | every request shows a listed token |
//!
//! This page looks at one request and knows nothing of groups; that a group knows a token is seen to where its members
//! are admitted. Tokens can be replaced at any time, for all requests that come after.

use std::sync::{Arc, PoisonError, RwLock};

use crate::wire::{Request, Token, TokenDigest};

/// Fewer characters could be guessed.
const SHORTEST: usize = 16;
const LONGEST: usize = 1024;

/// The rules by which a coordinator lets requests in. Clones have the same rules.
#[derive(Clone, Debug, Default)]
pub struct Guard(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    listed: RwLock<Vec<TokenDigest>>,
    require: bool,
}

/// Why a list of tokens is none. Never holds a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokensError {
    /// One line is wrong.
    #[error("{line}: {why}")]
    Line {
        /// Line, from 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// There is none.
    #[error("there is no token in it: write one of at least {SHORTEST} characters on a line of its own")]
    Empty,
}

/// Reads tokens: one a line; empty lines and those that begin with `#` say nothing.
///
/// # Errors
/// A line is no token, or there is none.
pub fn read_tokens(text: &str) -> Result<Vec<Token>, TokensError> {
    let mut tokens = Vec::new();
    for (place, line) in text.lines().enumerate() {
        let word = line.trim();
        if word.is_empty() || word.starts_with('#') {
            continue;
        }
        let wrong = |why: String| TokensError::Line { line: place + 1, why };
        if !word.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(wrong("a token is one word of visible ASCII characters".into()));
        }
        if !(SHORTEST..=LONGEST).contains(&word.len()) {
            return Err(wrong(format!(
                "a token has {SHORTEST} to {LONGEST} characters; `openssl rand -hex 32` makes a good one"
            )));
        }
        tokens.push(Token::new(word));
    }
    if tokens.is_empty() { Err(TokensError::Empty) } else { Ok(tokens) }
}

impl Guard {
    /// A guard with these tokens on its list. With `require` everybody else is refused.
    pub fn new(tokens: &[Token], require: bool) -> Self {
        Self(Arc::new(Inner { listed: RwLock::new(tokens.iter().map(Token::digest).collect()), require }))
    }

    /// Replaces the list of tokens.
    pub fn replace(&self, tokens: &[Token]) {
        *self.0.listed.write().unwrap_or_else(PoisonError::into_inner) = tokens.iter().map(Token::digest).collect();
    }

    /// Whether everybody who can connect is served.
    pub fn is_open(&self) -> bool {
        !self.0.require
    }

    /// Lets a request in, or says why not.
    pub(crate) fn admit(&self, request: &mut Request) -> Result<(), &'static str> {
        let listed = self.0.listed.read().unwrap_or_else(PoisonError::into_inner);
        let Some(token) = &mut request.extras.token else {
            let refused = "this coordinator serves only those who have a token: give one with --token-file";
            return if self.0.require { Err(refused) } else { Ok(()) };
        };
        let digest = token.digest();
        // Every one is looked at, so that the time says nothing.
        if listed.iter().fold(false, |found, known| found | (*known == digest)) {
            token.set_listed();
        } else if self.0.require && !listed.is_empty() {
            return Err("the token is none of this coordinator's");
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_tokens_is_read_and_what_is_wrong_is_said_without_the_token() {
        let list = "# of lab a\n\n  0123456789abcdef  \r\nfedcba9876543210\n";
        let tokens: Vec<Token> = ["0123456789abcdef", "fedcba9876543210"].map(Token::new).into();
        assert_eq!(read_tokens(list).unwrap(), tokens);
        assert_eq!(read_tokens("# nothing\n"), Err(TokensError::Empty));
        for (wrong, line) in [("0123456789abcdef\nsecret", 2), ("secret word and more", 1), ("sécret0123456789", 1)] {
            let said = read_tokens(wrong).unwrap_err().to_string();
            assert!(said.starts_with(&format!("{line}: a token ")) && !said.contains("cret"), "{said}");
        }
    }
}
