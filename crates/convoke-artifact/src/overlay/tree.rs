//! What is put into an image: the entries of a tar stream, or one file, below a folder of the image.
//!
//! Names are checked here, because an entry that goes up would be written anywhere: `..` is refused, a leading `/` and
//! `.` are dropped. Owners, modes and times are the archive's own.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use tar::EntryType;

use crate::entry::{Body, normal};
use crate::error::Error;
use crate::unpack::Compression;

/// Something to be put into an image.
#[derive(Debug)]
pub(crate) struct Tree {
    /// For messages: `overlay firmware`, `the test overlay`.
    pub(crate) what: String,
    /// The bytes.
    pub(crate) file: File,
    /// What they are.
    pub(crate) kind: TreeKind,
}

/// What the bytes of a [`Tree`] are.
#[derive(Clone, Debug)]
pub(crate) enum TreeKind {
    /// A tar archive, compressed or not.
    Archive {
        /// The folder of the image it is unpacked into; empty: the root.
        below: PathBuf,
        /// The folder of the archive whose content alone is unpacked; empty: all.
        strip: PathBuf,
    },
    /// A file with its path.
    File(PathBuf),
}

/// One entry.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    /// Relative to the image's root, without `.` and `..`, never empty.
    pub(crate) path: PathBuf,
    /// Permissions, `0o755`.
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Seconds since 1970.
    pub(crate) mtime: u32,
    pub(crate) kind: ItemKind,
    /// Whether it only stands for a folder that something else lies in, and that the archive does not have itself.
    pub(crate) implied: bool,
}

/// What an [`Item`] is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ItemKind {
    Directory,
    /// Its length in bytes; they are read beside the item.
    File(u64),
    /// Where it leads to.
    Symlink(PathBuf),
    /// Another name for an earlier file, by its path in the image.
    Link(PathBuf),
    Character(u32, u32),
    Block(u32, u32),
    Fifo,
}

/// Takes the items with the bytes of each.
pub(crate) type Take<'a> = dyn FnMut(&Item, &mut dyn Read) -> Result<(), Error> + 'a;

impl TreeKind {
    /// An archive unpacked into the root.
    pub(crate) fn at_root() -> TreeKind {
        TreeKind::Archive { below: PathBuf::new(), strip: PathBuf::new() }
    }
}

impl Tree {
    /// Gives every entry to `take`, in order. A parent that the archive does not have itself comes before its first entry
    /// as an implied [`ItemKind::Directory`]. May be called again, and gives the same then.
    pub(crate) fn walk(&self, take: &mut Take<'_>) -> Result<(), Error> {
        let mut seen = BTreeSet::new();
        match &self.kind {
            TreeKind::File(path) => {
                let length = self.file.metadata().map_err(|error| self.reading(&error))?.len();
                parents(path, &mut seen, take)?;
                let item = Item::new(path.clone(), 0o644, ItemKind::File(length));
                take(&item, &mut FromStart::new(&self.file))
            }
            TreeKind::Archive { below, strip } => self.walk_archive(below, strip, &mut seen, take),
        }
    }

    fn walk_archive(
        &self,
        below: &Path,
        strip: &Path,
        seen: &mut BTreeSet<PathBuf>,
        take: &mut Take<'_>,
    ) -> Result<(), Error> {
        let mut packed = BufReader::with_capacity(64 * 1024, FromStart::new(&self.file));
        let start = packed.fill_buf().map_err(|error| self.reading(&error))?;
        let reader: Box<dyn Read + '_> = match Compression::of_start(start) {
            Some(compression) => compression.reader(packed).map_err(|error| Error::disk("unpack", &error))?,
            None => Box::new(packed),
        };
        let broken = |error: &io::Error| Error::job(format!("{} is not a whole tar archive: {error}", self.what));
        let mut archive = tar::Archive::new(reader);
        let mut count = 0u64;
        for entry in archive.entries().map_err(|error| broken(&error))? {
            let mut entry = entry.map_err(|error| broken(&error))?;
            count += 1;
            let outside = |path: &Path| {
                Error::job(format!("{} holds {:?}, which leaves it", self.what, path.display().to_string()))
            };
            let path = entry.path().map_err(|error| broken(&error))?.into_owned();
            let inner = normal(&path).ok_or_else(|| outside(&path))?;
            let Some(inner) = inner.strip_prefix(strip).ok().filter(|inner| !inner.as_os_str().is_empty()) else {
                continue;
            };
            let header = entry.header();
            let kind = match header.entry_type() {
                EntryType::Directory => ItemKind::Directory,
                EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => ItemKind::File(entry.size()),
                EntryType::Symlink => match entry.link_name().map_err(|error| broken(&error))? {
                    Some(target) if !target.as_os_str().is_empty() => ItemKind::Symlink(target.into_owned()),
                    _ => continue,
                },
                EntryType::Link => match entry.link_name().map_err(|error| broken(&error))? {
                    Some(target) => {
                        let target = normal(&target).ok_or_else(|| outside(&target))?;
                        ItemKind::Link(below.join(target.strip_prefix(strip).map_err(|_| outside(&target))?))
                    }
                    None => continue,
                },
                EntryType::Char => ItemKind::Character(device(header.device_major()), device(header.device_minor())),
                EntryType::Block => ItemKind::Block(device(header.device_major()), device(header.device_minor())),
                EntryType::Fifo => ItemKind::Fifo,
                _ => continue,
            };
            let number = |value: io::Result<u64>| u32::try_from(value.unwrap_or(0)).unwrap_or(0);
            let item = Item {
                path: below.join(inner),
                mode: header.mode().unwrap_or(0o644) & 0o7777,
                uid: number(header.uid()),
                gid: number(header.gid()),
                mtime: number(header.mtime()),
                kind,
                implied: false,
            };
            parents(&item.path, seen, take)?;
            if item.kind == ItemKind::Directory {
                seen.insert(item.path.clone());
            }
            let mut body = Body::new(&mut entry);
            let taken = take(&item, &mut body);
            if let Some(error) = body.failure() {
                return Err(broken(&error));
            }
            taken?;
        }
        if count == 0 {
            return Err(Error::job(format!("{} is not a tar archive, or an empty one", self.what)));
        }
        // A compressed stream has a checksum at its end, which stands behind the archive's own.
        io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(|error| broken(&error))?;
        Ok(())
    }

    /// Files that have several names: the path of the one with the bytes, and how many names.
    pub(crate) fn links(&self) -> Result<BTreeMap<PathBuf, u32>, Error> {
        let mut links = BTreeMap::new();
        self.walk(&mut |item, _| {
            if let ItemKind::Link(target) = &item.kind {
                *links.entry(target.clone()).or_insert(1) += 1;
            }
            Ok(())
        })?;
        Ok(links)
    }

    fn reading(&self, error: &io::Error) -> Error {
        Error::disk(&format!("read {}", self.what), error)
    }
}

impl Item {
    fn new(path: PathBuf, mode: u32, kind: ItemKind) -> Item {
        // The time of the overlay's own entries: early, but not "missing".
        Item { path, mode, uid: 0, gid: 0, mtime: 86_400, kind, implied: false }
    }
}

/// The folders above `path` that have not been given yet.
fn parents(path: &Path, seen: &mut BTreeSet<PathBuf>, take: &mut Take<'_>) -> Result<(), Error> {
    let mut above: Vec<&Path> = path.ancestors().skip(1).filter(|path| !path.as_os_str().is_empty()).collect();
    above.reverse();
    for folder in above {
        if seen.insert(folder.to_owned()) {
            let item = Item { implied: true, ..Item::new(folder.to_owned(), 0o755, ItemKind::Directory) };
            take(&item, &mut io::empty())?;
        }
    }
    Ok(())
}

fn device(number: io::Result<Option<u32>>) -> u32 {
    number.ok().flatten().unwrap_or(0)
}

/// Reads a file without moving its position, so that it can be read more than once.
#[derive(Debug)]
pub(crate) struct FromStart<'a> {
    file: &'a File,
    at: u64,
}

impl<'a> FromStart<'a> {
    pub(crate) fn new(file: &'a File) -> Self {
        FromStart { file, at: 0 }
    }
}

impl Read for FromStart<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read_at(buffer, self.at)?;
        self.at += length as u64;
        Ok(length)
    }
}
