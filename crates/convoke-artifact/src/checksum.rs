//! md5, sha256 and sha512 of bytes as they pass by.
//!
//! A checksum is of the bytes that were downloaded, before anything is unpacked (job-definition.md §7).

use std::io::{self, Read};

use md5::Md5;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256, Sha512};

use crate::error::Error;

/// An algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Algorithm {
    /// `md5sum`
    Md5,
    /// `sha256sum`
    Sha256,
    /// `sha512sum`
    Sha512,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Algorithm; 3] = [Algorithm::Md5, Algorithm::Sha256, Algorithm::Sha512];

    /// `md5`, `sha256`, `sha512`.
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Md5 => "md5",
            Algorithm::Sha256 => "sha256",
            Algorithm::Sha512 => "sha512",
        }
    }

    /// Length of the sum in hexadecimal digits.
    fn digits(self) -> usize {
        match self {
            Algorithm::Md5 => 32,
            Algorithm::Sha256 => 64,
            Algorithm::Sha512 => 128,
        }
    }
}

/// A sum that bytes are to have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checksum {
    /// How it is made.
    pub algorithm: Algorithm,
    /// In lower-case hexadecimal digits.
    pub digest: String,
}

impl Checksum {
    /// Reads `md5`, `sha256sum` and the like with their sum.
    ///
    /// # Errors
    /// A job error when the algorithm is none of the three.
    pub fn of(algorithm: &str, digest: &str) -> Result<Checksum, Error> {
        let name = algorithm.trim_end_matches("sum").to_ascii_lowercase();
        let algorithm = Algorithm::ALL
            .into_iter()
            .find(|known| known.name() == name)
            .ok_or_else(|| Error::job(format!("the checksum {algorithm:?} is not md5, sha256 or sha512")))?;
        Ok(Checksum { algorithm, digest: digest.trim().to_ascii_lowercase() })
    }

    /// As [`Checksum::of`], and the sum must have the right length and digits.
    ///
    /// # Errors
    /// A job error when it has not.
    pub(crate) fn strict(algorithm: Algorithm, digest: &str) -> Result<Checksum, Error> {
        let sum = Checksum { algorithm, digest: digest.trim().to_ascii_lowercase() };
        let digits = sum.digest.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !digits || sum.digest.len() != algorithm.digits() {
            return Err(Error::job(format!(
                "{digest:?} is no {}sum: it has {} hexadecimal digits",
                algorithm.name(),
                algorithm.digits()
            )));
        }
        Ok(sum)
    }
}

/// Makes sums.
#[derive(Clone, Default)]
pub struct Hasher {
    md5: Option<Md5>,
    sha256: Option<Sha256>,
    sha512: Option<Box<Sha512>>,
}

impl Hasher {
    /// For these algorithms.
    pub fn new(algorithms: impl IntoIterator<Item = Algorithm>) -> Hasher {
        let mut hasher = Hasher::default();
        for algorithm in algorithms {
            match algorithm {
                Algorithm::Md5 => hasher.md5 = Some(Md5::new()),
                Algorithm::Sha256 => hasher.sha256 = Some(Sha256::new()),
                Algorithm::Sha512 => hasher.sha512 = Some(Box::default()),
            }
        }
        hasher
    }

    /// Takes bytes in.
    pub fn update(&mut self, bytes: &[u8]) {
        self.md5.iter_mut().for_each(|sum| sum.update(bytes));
        self.sha256.iter_mut().for_each(|sum| sum.update(bytes));
        self.sha512.iter_mut().for_each(|sum| sum.update(bytes));
    }

    /// The sums.
    pub fn finish(self) -> Sums {
        let mut sums = Vec::new();
        sums.extend(self.md5.map(|sum| (Algorithm::Md5, hex(&sum.finalize()))));
        sums.extend(self.sha256.map(|sum| (Algorithm::Sha256, hex(&sum.finalize()))));
        sums.extend(self.sha512.map(|sum| (Algorithm::Sha512, hex(&sum.finalize()))));
        Sums(sums.into_iter().map(|(algorithm, digest)| Checksum { algorithm, digest }).collect())
    }
}

/// Sums that were made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sums(pub Vec<Checksum>);

impl Sums {
    /// The sum of an algorithm, if it was made.
    pub fn get(&self, algorithm: Algorithm) -> Option<&str> {
        self.0.iter().find(|sum| sum.algorithm == algorithm).map(|sum| sum.digest.as_str())
    }

    /// Compares them with what is wanted.
    ///
    /// # Errors
    /// A job error for the first that differs; `place` says of what.
    pub fn verify(&self, wanted: &[Checksum], place: &str) -> Result<(), Error> {
        for sum in wanted {
            let found = self.get(sum.algorithm).unwrap_or("unknown");
            if found != sum.digest {
                let name = sum.algorithm.name();
                return Err(Error::job(format!("the {name} sum of {place} is {found}, the job says {}", sum.digest)));
            }
        }
        Ok(())
    }
}

/// A reader that hashes what it reads, and remembers that it failed.
pub struct Hashed<R> {
    inner: R,
    hasher: Hasher,
    failed: Option<io::Error>,
}

impl<R: Read> Hashed<R> {
    /// Reads from `inner`.
    pub fn new(inner: R, wanted: &[Checksum]) -> Self {
        Hashed { inner, hasher: Hasher::new(wanted.iter().map(|sum| sum.algorithm)), failed: None }
    }

    /// The error that reading ended with, once.
    pub fn failure(&mut self) -> Option<io::Error> {
        self.failed.take()
    }

    /// The sums of what was read.
    pub fn finish(self) -> Sums {
        self.hasher.finish()
    }
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.inner.read(buffer) {
            Ok(length) => {
                self.hasher.update(&buffer[..length]);
                Ok(length)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => {
                self.failed.get_or_insert_with(|| io::Error::new(error.kind(), error.to_string()));
                Err(error)
            }
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
