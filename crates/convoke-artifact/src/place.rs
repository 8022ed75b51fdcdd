//! Where something is: on this machine, or behind a URL.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Where something is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    /// On this machine, absolute.
    Here(PathBuf),
    /// Somewhere else.
    There(String),
}

impl Default for Place {
    fn default() -> Self {
        Place::There(String::new())
    }
}

impl Place {
    /// A URL, an scp-like address (`host:path`) or a path, relative to the working directory.
    pub fn of(text: &str) -> Place {
        let path = match text.strip_prefix("file://") {
            Some(path) => path.strip_prefix("localhost").filter(|path| path.starts_with('/')).unwrap_or(path),
            None if text.contains("://") => return Place::There(text.into()),
            None if remote_like(text) => return Place::There(text.into()),
            None => text,
        };
        // Without a working directory nothing relative can be found either; the path then fails as it is.
        Place::Here(std::path::absolute(path).unwrap_or_else(|_| PathBuf::from(path)))
    }

    /// The path, when it is on this machine.
    pub fn here(self) -> Option<PathBuf> {
        match self {
            Place::Here(path) => Some(path),
            Place::There(_) => None,
        }
    }

    /// For messages: without a user's name and password.
    pub fn shown(&self) -> String {
        match self {
            Place::Here(path) => path.display().to_string(),
            Place::There(url) => shown(url),
        }
    }
}

/// Whether git would take it for `host:path`: a colon before the first slash, and no such file here.
fn remote_like(text: &str) -> bool {
    let colon = text.find(':');
    colon.is_some_and(|colon| text.find('/').is_none_or(|slash| colon < slash)) && !Path::new(text).exists()
}

/// A URL without user name and password.
pub fn shown(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.into() };
    let host_end = rest.find('/').unwrap_or(rest.len());
    match rest[..host_end].rfind('@') {
        Some(at) => format!("{scheme}://{}", &rest[at + 1..]),
        None => url.into(),
    }
}
