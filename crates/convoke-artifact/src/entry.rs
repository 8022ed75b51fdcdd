//! Entries of archives, as far as everybody who reads one needs the same: names that stay within it, and bytes of which is
//! known whether reading or writing them has failed.

use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

/// A path without `.` and a leading `/`; none when it goes up.
pub fn normal(path: &Path) -> Option<PathBuf> {
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(part) => out.push(part),
            Component::CurDir | Component::RootDir => {}
            Component::ParentDir | Component::Prefix(_) => return None,
        }
    }
    Some(out)
}

/// The bytes of an entry, which remember that reading them failed: whoever copies them tells that from writing.
#[derive(Debug)]
pub struct Body<R> {
    inner: R,
    failed: Option<io::Error>,
}

impl<R: Read> Body<R> {
    /// The bytes that `inner` gives.
    pub fn new(inner: R) -> Self {
        Body { inner, failed: None }
    }

    /// Why reading failed, if it did.
    pub fn failure(self) -> Option<io::Error> {
        self.failed
    }
}

impl<R: Read> Read for Body<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buffer).inspect_err(|error| self.failed = Some(io::Error::new(error.kind(), error.to_string())))
    }
}
