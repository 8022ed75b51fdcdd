//! Decompression of a stream: gz, bz2, xz, zstd. Sizes that a file announces are never believed; what comes out is counted.

use std::io::{self, BufRead, Read};

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// How something is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Compression {
    /// gzip
    Gz,
    /// bzip2
    Bz2,
    /// xz
    Xz,
    /// Zstandard
    Zstd,
}

impl Compression {
    /// First bytes of each.
    const SIGNS: [(&'static [u8], Compression); 4] = [
        (b"\x1f\x8b", Compression::Gz),
        (b"BZh", Compression::Bz2),
        (b"\xfd7zXZ", Compression::Xz),
        (b"\x28\xb5\x2f\xfd", Compression::Zstd),
    ];

    /// The job's word for it.
    pub fn name(self) -> &'static str {
        match self {
            Compression::Gz => "gz",
            Compression::Bz2 => "bz2",
            Compression::Xz => "xz",
            Compression::Zstd => "zstd",
        }
    }

    /// By a job's word or a file name's ending: `gz`, `tgz`, `zst`, ….
    pub fn of_word(word: &str) -> Option<Compression> {
        Some(match word.trim_start_matches('.').to_ascii_lowercase().as_str() {
            "gz" | "gzip" | "tgz" => Compression::Gz,
            "bz2" | "bzip2" | "tbz2" => Compression::Bz2,
            "xz" | "txz" => Compression::Xz,
            "zst" | "zstd" | "tzst" => Compression::Zstd,
            _ => return None,
        })
    }

    /// By the first bytes.
    pub fn of_start(start: &[u8]) -> Option<Compression> {
        Self::SIGNS.into_iter().find(|(sign, _)| start.starts_with(sign)).map(|(_, kind)| kind)
    }

    /// What comes out of `packed`, all members or frames of it.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn reader<'a>(self, packed: impl BufRead + 'a) -> io::Result<Box<dyn Read + 'a>> {
        Ok(match self {
            Compression::Gz => Box::new(flate2::bufread::MultiGzDecoder::new(packed)),
            Compression::Bz2 => Box::new(bzip2::bufread::MultiBzDecoder::new(packed)),
            Compression::Xz => Box::new(liblzma::bufread::XzDecoder::new_multi_decoder(packed)),
            Compression::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(packed)?),
        })
    }
}

/// What is wrong with packed data, in words for people.
pub(crate) fn damaged(place: &str, compression: Compression, error: &io::Error) -> Error {
    let name = compression.name();
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Error::job(format!("{place} ends early: it is not a whole {name} file")),
        _ => Error::job(format!("{place} is no {name} file, or a damaged one: {error}")),
    }
}
