//! Archives: a tar stream, packed or not, rewritten on the fly into ours; nothing is unpacked here.
//!
//! The bytes are hashed as they come and to their end; a checksum that differs is told before any other trouble, for a
//! damaged file is often no archive either.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use md5::Md5;
use sha2::{Digest, Sha256, Sha512};
use tar::EntryType;

use super::format::{header, writing};
use super::message::Trouble;
use super::source::{ArchiveSource, Place};
use super::work::Tar;

/// The longest document.
const LONGEST: u64 = 1 << 20;
/// How long a server may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(30);

/// Copies an archive's entries into `tar` and gives the document at `path`.
pub(super) fn fetch(source: &ArchiveSource, path: &str, tar: &mut Tar) -> Result<Vec<u8>, Trouble> {
    let place = source.place.shown();
    let mut hashed = Hashed::new(open(source)?, &source.checksums)?;
    let copied = {
        let mut buffered = BufReader::with_capacity(64 * 1024, &mut hashed);
        unpack(source, &mut buffered).and_then(|reader| copy(source, path, reader, tar))
    };
    // To the end, whatever came before: the checksum is of the whole file.
    let drained = io::copy(&mut hashed, &mut io::sink());
    if let Some(error) = hashed.failed.take().or(drained.err()) {
        return Err(Trouble::lab(format!("reading {place} broke off: {error}")));
    }
    hashed.verify(&place)?;
    copied
}

fn open(source: &ArchiveSource) -> Result<Box<dyn Read>, Trouble> {
    let url = match &source.place {
        Place::Here(path) => {
            let file = File::open(path)
                .map_err(|error| Trouble::job(format!("cannot read the archive {}: {error}", path.display())))?;
            if !file.metadata().is_ok_and(|metadata| metadata.is_file()) {
                return Err(Trouble::job(format!("{} is not a file", path.display())));
            }
            return Ok(Box::new(file));
        }
        Place::There(url) => url,
    };
    let place = source.place.shown();
    if !url.starts_with("http://") && !url.starts_with("https://") {
        return Err(Trouble::job(format!(
            "cannot fetch the archive {place}: only http, https and file URLs are known"
        )));
    }
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(Some(CONNECT))
        .user_agent(concat!("convoke/", env!("CARGO_PKG_VERSION")))
        .build();
    let mut request = ureq::Agent::new_with_config(config).get(url);
    for (name, value) in &source.headers {
        request = request.header(name, value);
    }
    let response = request.call().map_err(|error| {
        let message = format!("cannot fetch the archive {place}: {error}");
        match error {
            ureq::Error::BadUri(_) | ureq::Error::Http(_) | ureq::Error::TooManyRedirects => Trouble::job(message),
            _ => Trouble::lab(message),
        }
    })?;
    let status = response.status();
    if !status.is_success() {
        let message = format!("cannot fetch the archive {place}: the server answers {status}");
        let server = status.is_server_error() || [408, 429].contains(&status.as_u16());
        return Err(if server { Trouble::lab(message) } else { Trouble::job(message) });
    }
    Ok(Box::new(response.into_body().into_reader()))
}

/// The tar stream inside: by the job's word, by the name, or by its first bytes.
fn unpack<'a>(source: &ArchiveSource, packed: &'a mut BufReader<&mut Hashed>) -> Result<Box<dyn Read + 'a>, Trouble> {
    let place = source.place.shown();
    let name = place.split(['?', '#']).next().unwrap_or_default().to_ascii_lowercase();
    let told = source.compression.as_deref().map(str::to_ascii_lowercase);
    let start = packed.fill_buf().map_err(|error| Trouble::lab(format!("reading {place} broke off: {error}")))?;
    let kind = match told.as_deref() {
        Some(kind) => kind.trim_start_matches('.').to_string(),
        None => {
            let suffix = name.rsplit('.').next().unwrap_or_default();
            let signs: [(&[u8], &str); 4] =
                [(b"\x1f\x8b", "gz"), (b"BZh", "bz2"), (b"\xfd7zXZ", "xz"), (b"\x28\xb5\x2f\xfd", "zst")];
            let sign = signs.into_iter().find(|(sign, _)| start.starts_with(sign)).map(|(_, kind)| kind);
            match suffix {
                "gz" | "tgz" | "bz2" | "tbz2" | "xz" | "txz" | "zst" | "tzst" | "tar" => suffix.to_string(),
                _ => sign.unwrap_or("tar").to_string(),
            }
        }
    };
    Ok(match kind.as_str() {
        "gz" | "gzip" | "tgz" => Box::new(flate2::bufread::MultiGzDecoder::new(packed)),
        "bz2" | "bzip2" | "tbz2" => Box::new(bzip2::bufread::MultiBzDecoder::new(packed)),
        "xz" | "txz" => Box::new(liblzma::bufread::XzDecoder::new_multi_decoder(packed)),
        "zst" | "zstd" | "tzst" => {
            let decoder = zstd::stream::read::Decoder::with_buffer(packed);
            Box::new(decoder.map_err(|error| Trouble::lab(format!("cannot unpack zstd: {error}")))?)
        }
        "tar" | "none" | "" => Box::new(packed),
        other => {
            return Err(Trouble::job(format!("the compression {other:?} of {place} is not gz, bz2, xz or zst")));
        }
    })
}

fn copy(source: &ArchiveSource, path: &str, reader: Box<dyn Read + '_>, tar: &mut Tar) -> Result<Vec<u8>, Trouble> {
    let place = source.place.shown();
    let broken = |error: &io::Error| Trouble::job(format!("{place} is not a whole tar archive: {error}"));
    let wanted =
        normal(Path::new(path)).ok_or_else(|| Trouble::job(format!("the path {path:?} leaves the archive")))?;
    let mut document = None;
    let mut hint = String::new();
    let mut archive = tar::Archive::new(reader);
    let mut count = 0u64;
    for entry in archive.entries().map_err(|error| broken(&error))? {
        let mut entry = entry.map_err(|error| broken(&error))?;
        count += 1;
        let full = entry.path().map_err(|error| broken(&error))?.into_owned();
        let outside = || Trouble::job(format!("{place} holds {:?}, which leaves it", full.display().to_string()));
        let full_name = normal(&full).ok_or_else(outside)?;
        let name = stripped(&full_name, source.strip_components);
        if name.as_os_str().is_empty() {
            continue;
        }
        let kind = entry.header().entry_type();
        let executable = entry.header().mode().unwrap_or(0o644) & 0o111 != 0;
        let mut copied = if kind.is_dir() {
            let mut name = name.as_os_str().to_owned();
            name.push("/");
            tar.append_data(&mut header(EntryType::Directory, true, 0), PathBuf::from(name), io::empty())
        } else if kind.is_symlink() || kind.is_hard_link() {
            let Some(target) = entry.link_name().map_err(|error| broken(&error))? else { continue };
            let target = if kind.is_hard_link() {
                stripped(&normal(&target).ok_or_else(outside)?, source.strip_components)
            } else {
                target.into_owned()
            };
            tar.append_link(&mut header(kind, true, 0), &name, target)
        } else if kind.is_file() || kind.is_contiguous() || kind.is_gnu_sparse() {
            let size = entry.size();
            let mut header = header(EntryType::Regular, executable, size);
            if name == wanted && size <= LONGEST {
                let mut bytes = Vec::new();
                entry.read_to_end(&mut bytes).map_err(|error| broken(&error))?;
                let copied = tar.append_data(&mut header, &name, bytes.as_slice());
                document = Some(bytes);
                copied
            } else {
                let mut body = Told { inner: &mut entry, failed: None };
                let copied = tar.append_data(&mut header, &name, &mut body);
                if let Some(error) = body.failed {
                    return Err(broken(&error));
                }
                copied
            }
        } else {
            Ok(())
        };
        if name != wanted && hint.is_empty() && full_name.ends_with(&wanted) {
            let above = full_name.components().count() - wanted.components().count();
            hint = format!(", but {}; did you mean strip-components: {above}?", full_name.display());
        }
        if let Err(error) = std::mem::replace(&mut copied, Ok(())) {
            return Err(writing(&error));
        }
    }
    if count == 0 {
        return Err(Trouble::job(format!("{place} is not a tar archive, or an empty one")));
    }
    document.ok_or_else(|| Trouble::job(format!("there is no file {path:?} in {place}{hint}")))
}

/// A path without `.` and a leading `/`; none when it goes up.
fn normal(path: &Path) -> Option<PathBuf> {
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

fn stripped(path: &Path, count: u32) -> PathBuf {
    path.components().skip(usize::try_from(count).unwrap_or(usize::MAX)).collect()
}

/// A reader that remembers that it failed, to tell reading from writing.
struct Told<R> {
    inner: R,
    failed: Option<io::Error>,
}

impl<R: Read> Read for Told<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buffer).inspect_err(|error| self.failed = Some(io::Error::new(error.kind(), error.to_string())))
    }
}

/// A reader that hashes what it reads.
struct Hashed {
    inner: Box<dyn Read>,
    sums: Vec<(String, Sum, String)>,
    failed: Option<io::Error>,
}

enum Sum {
    Md5(Md5),
    Sha256(Sha256),
    Sha512(Box<Sha512>),
}

impl Hashed {
    fn new(inner: Box<dyn Read>, checksums: &[(String, String)]) -> Result<Self, Trouble> {
        let mut sums = Vec::new();
        for (algorithm, wanted) in checksums {
            let name = algorithm.trim_end_matches("sum").to_ascii_lowercase();
            let sum = match name.as_str() {
                "md5" => Sum::Md5(Md5::new()),
                "sha256" => Sum::Sha256(Sha256::new()),
                "sha512" => Sum::Sha512(Box::new(Sha512::new())),
                _ => return Err(Trouble::job(format!("the checksum {algorithm:?} is not md5, sha256 or sha512"))),
            };
            sums.push((name, sum, wanted.trim().to_ascii_lowercase()));
        }
        Ok(Hashed { inner, sums, failed: None })
    }

    fn verify(self, place: &str) -> Result<(), Trouble> {
        for (name, sum, wanted) in self.sums {
            let found = match sum {
                Sum::Md5(sum) => hex(&sum.finalize()),
                Sum::Sha256(sum) => hex(&sum.finalize()),
                Sum::Sha512(sum) => hex(&sum.finalize()),
            };
            if found != wanted {
                return Err(Trouble::job(format!("the {name} sum of {place} is {found}, the job says {wanted}")));
            }
        }
        Ok(())
    }
}

impl Read for Hashed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = match self.inner.read(buffer) {
            Ok(length) => length,
            Err(error) => {
                self.failed.get_or_insert_with(|| io::Error::new(error.kind(), error.to_string()));
                return Err(error);
            }
        };
        for (_, sum, _) in &mut self.sums {
            match sum {
                Sum::Md5(sum) => sum.update(&buffer[..length]),
                Sum::Sha256(sum) => sum.update(&buffer[..length]),
                Sum::Sha512(sum) => sum.update(&buffer[..length]),
            }
        }
        Ok(length)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
