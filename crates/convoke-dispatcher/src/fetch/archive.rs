//! Archives: a tar stream, packed or not, rewritten on the fly into ours; nothing is unpacked here.
//!
//! The bytes are hashed as they come and to their end; a checksum that differs is told before any other trouble, for a
//! damaged file is often no archive either.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use convoke_artifact::checksum::{Checksum, Hashed};
use convoke_artifact::entry::{Body, normal};
use convoke_artifact::http;
use convoke_artifact::place::Place;
use convoke_artifact::unpack::Compression;
use tar::EntryType;

use super::format::{header, writing};
use super::message::Trouble;
use super::source::ArchiveSource;
use super::work::Tar;

/// The longest document.
const LONGEST: u64 = 1 << 20;
/// Copies an archive's entries into `tar` and gives the document at `path`.
pub(super) fn fetch(source: &ArchiveSource, path: &str, tar: &mut Tar) -> Result<Vec<u8>, Trouble> {
    let place = source.place.shown();
    let wanted = source.checksums.iter().map(|(algorithm, digest)| Checksum::of(algorithm, digest));
    let wanted = wanted.collect::<Result<Vec<_>, _>>()?;
    let mut hashed = Hashed::new(open(source)?, &wanted);
    let copied = {
        let mut buffered = BufReader::with_capacity(64 * 1024, &mut hashed);
        unpack(source, &mut buffered).and_then(|reader| copy(source, path, reader, tar))
    };
    // To the end, whatever came before: the checksum is of the whole file.
    let drained = io::copy(&mut hashed, &mut io::sink());
    if let Some(error) = hashed.failure().or(drained.err()) {
        return Err(Trouble::lab(format!("reading {place} broke off: {error}")));
    }
    hashed.finish().verify(&wanted, &place)?;
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
    if !url.starts_with("http://") && !url.starts_with("https://") {
        let place = source.place.shown();
        return Err(Trouble::job(format!(
            "cannot fetch the archive {place}: only http, https and file URLs are known"
        )));
    }
    Ok(http::open(url, &source.headers)?)
}

/// The tar stream inside: by the job's word, by the name, or by its first bytes.
fn unpack<'a>(
    source: &ArchiveSource,
    packed: &'a mut BufReader<&mut Hashed<Box<dyn Read>>>,
) -> Result<Box<dyn Read + 'a>, Trouble> {
    let place = source.place.shown();
    let name = place.split(['?', '#']).next().unwrap_or_default().to_ascii_lowercase();
    let told = source.compression.as_deref().map(|word| word.trim_start_matches('.').to_ascii_lowercase());
    let start = packed.fill_buf().map_err(|error| Trouble::lab(format!("reading {place} broke off: {error}")))?;
    let compression =
        match told.as_deref() {
            Some("tar" | "none" | "") => None,
            Some(word) => Some(Compression::of_word(word).ok_or_else(|| {
                Trouble::job(format!("the compression {word:?} of {place} is not gz, bz2, xz or zst"))
            })?),
            None => match name.rsplit('.').next().unwrap_or_default() {
                "tar" => None,
                suffix => Compression::of_word(suffix).or_else(|| Compression::of_start(start)),
            },
        };
    Ok(match compression {
        Some(compression) => {
            compression.reader(packed).map_err(|error| Trouble::lab(format!("cannot unpack {place}: {error}")))?
        }
        None => Box::new(packed),
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
                let mut body = Body::new(&mut entry);
                let copied = tar.append_data(&mut header, &name, &mut body);
                if let Some(error) = body.failure() {
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

fn stripped(path: &Path, count: u32) -> PathBuf {
    path.components().skip(usize::try_from(count).unwrap_or(usize::MAX)).collect()
}
