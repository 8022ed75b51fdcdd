//! Appending to an initramfs.
//!
//! ```text
//!   base, as it is │ zeros to a multiple of 4 │ 070701 … TRAILER!!! │ zeros to a multiple of 512
//! ```
//!
//! The kernel unpacks archives that stand one behind another, each compressed in its own way or not at all, and skips
//! zeros between them. So nothing of the base is unpacked or written again; it is read once, to know which folders it
//! has (writing a folder again would change its mode) and that it is whole. An entry that exists is replaced.
//!
//! It fails with a job error when the base is no such archive, or not a whole one.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::tree::{FromStart, Item, ItemKind, Tree};
use crate::entry::normal;
use crate::error::Error;
use crate::unpack::{Compression, damaged};

const FORMAT: u32 = 0o170_000;
const DIRECTORY: u32 = 0o040_000;
const REGULAR: u32 = 0o100_000;
const SYMLINK: u32 = 0o120_000;
const CHARACTER: u32 = 0o020_000;
const BLOCK: u32 = 0o060_000;
const FIFO: u32 = 0o010_000;

/// Folders of an initramfs, and links that may stand for one.
pub(crate) type Folders = HashMap<PathBuf, u32>;

/// Longest name in an archive; the kernel takes no longer one.
const LONGEST_NAME: u64 = 4096;

/// Reads an initramfs through: gives its folders and links with their modes.
pub(crate) fn folders(base: &File, place: &str) -> Result<Folders, Error> {
    let mut folders = Folders::new();
    let mut reader = BufReader::with_capacity(256 * 1024, FromStart::new(base));
    let mut at = 0u64;
    let mut members = 0;
    loop {
        // Zeros stand between members and at the end.
        loop {
            let start = reader.fill_buf().map_err(|error| Error::disk(&format!("read {place}"), &error))?;
            let zeros = start.iter().take_while(|byte| **byte == 0).count();
            if zeros == 0 {
                break;
            }
            reader.consume(zeros);
            at += zeros as u64;
        }
        let start = reader.fill_buf().map_err(|error| Error::disk(&format!("read {place}"), &error))?;
        if start.is_empty() {
            break;
        }
        if start.starts_with(b"07070") {
            if !at.is_multiple_of(4) {
                return Err(Error::job(format!("{place}: the archive at byte {at} does not begin at a multiple of 4")));
            }
            at += archive(&mut reader, place, &mut folders)?;
        } else if let Some(compression) = Compression::of_start(start) {
            // What follows it is compressed with it or not seen by us; the kernel sees to that.
            packed(reader, compression, place, &mut folders)?;
            return Ok(folders);
        } else if members == 0 {
            return Err(Error::job(format!(
                "{place} is no cpio.newc archive, nor one packed with gz, bz2, xz or zstd; it begins with {}",
                shown(start)
            )));
        } else {
            return Err(Error::job(format!("{place}: what follows at byte {at} is no cpio.newc archive")));
        }
        members += 1;
    }
    if members == 0 {
        return Err(Error::job(format!("{place} is empty: not a cpio.newc archive")));
    }
    Ok(folders)
}

fn packed(reader: impl BufRead, compression: Compression, place: &str, folders: &mut Folders) -> Result<(), Error> {
    let unpacked = compression.reader(reader).map_err(|error| Error::disk("unpack", &error))?;
    let mut unpacked = BufReader::with_capacity(256 * 1024, unpacked);
    let start = unpacked.fill_buf().map_err(|error| damaged(place, compression, &error))?;
    if !start.starts_with(b"07070") {
        let name = compression.name();
        return Err(Error::job(format!("{place} is a {name} file, but there is no cpio.newc archive in it")));
    }
    archive(&mut unpacked, place, folders)?;
    // To the end, where its checksum is. Several members in a row, with bytes of another kind behind them, are the
    // kernel's business.
    match io::copy(&mut unpacked, &mut io::sink()) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(damaged(place, compression, &error)),
        _ => Ok(()),
    }
}

/// Reads one archive to its trailer, gives its length.
fn archive(reader: &mut impl BufRead, place: &str, folders: &mut Folders) -> Result<u64, Error> {
    let broken = |error: &io::Error| match error.kind() {
        io::ErrorKind::UnexpectedEof => Error::job(format!("{place} ends early: it is not a whole cpio.newc archive")),
        _ => Error::job(format!("{place} is damaged: {error}")),
    };
    let mut length = 0;
    loop {
        let mut header = [0; 110];
        reader.read_exact(&mut header).map_err(|error| broken(&error))?;
        if !matches!(&header[..6], b"070701" | b"070702") {
            let kind = if &header[..6] == b"070707" { "the old portable format" } else { "no cpio.newc" };
            return Err(Error::job(format!("{place} is {kind}: an initramfs is cpio.newc")));
        }
        let field = |number: usize| {
            let digits = header.get(6 + number * 8..14 + number * 8).and_then(|field| std::str::from_utf8(field).ok());
            digits.and_then(|digits| u64::from_str_radix(digits, 16).ok())
        };
        let (Some(mode), Some(size), Some(name_size)) = (field(1), field(6), field(11)) else {
            return Err(Error::job(format!("{place} is damaged: a cpio.newc header has digits that are none")));
        };
        if name_size == 0 || name_size > LONGEST_NAME {
            return Err(Error::job(format!("{place} is damaged: a name in it is {name_size} bytes long")));
        }
        let mut name = vec![0; usize::try_from(name_size).unwrap_or(0)];
        reader.read_exact(&mut name).map_err(|error| broken(&error))?;
        name.pop();
        let name_pad = padding(110 + name_size);
        let rest = name_pad + size + padding(size);
        let skipped = io::copy(&mut reader.take(rest), &mut io::sink()).map_err(|error| broken(&error))?;
        length += 110 + name_size + rest;
        if name == b"TRAILER!!!" {
            // The padding behind it may be missing.
            return Ok(length - (rest - skipped));
        }
        if skipped < rest {
            return Err(broken(&io::ErrorKind::UnexpectedEof.into()));
        }
        let mode = u32::try_from(mode).unwrap_or(0);
        if let Some(path) = normal(Path::new(&std::ffi::OsString::from_vec(name))) {
            match mode & FORMAT {
                DIRECTORY | SYMLINK => folders.insert(path, mode),
                _ => folders.remove(&path),
            };
        }
    }
}

fn padding(length: u64) -> u64 {
    length.next_multiple_of(4) - length
}

fn shown(start: &[u8]) -> String {
    start.iter().take(6).map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

/// Appends `trees` to `image`, whose folders are known.
pub(crate) fn append(image: &mut File, trees: &[Tree], mut folders: Folders) -> Result<(), Error> {
    let writing = |error: io::Error| Error::disk("write the image with its overlay", &error);
    let end = image.seek(SeekFrom::End(0)).map_err(writing)?;
    let mut out = Newc { out: BufWriter::with_capacity(256 * 1024, image), length: 0, inode: 0 };
    out.pad(end, 4).map_err(writing)?;
    out.length = 0;
    for tree in trees {
        let links = tree.links()?;
        let mut inodes: BTreeMap<PathBuf, u32> = BTreeMap::new();
        tree.walk(&mut |item, bytes| put(&mut out, item, bytes, &links, &mut inodes, &mut folders))?;
    }
    out.header(b"TRAILER!!!", &Header { links: 1, ..Header::default() }).map_err(writing)?;
    out.pad(out.length, 512).map_err(writing)?;
    out.out.flush().map_err(writing)
}

fn put<W: Write>(
    out: &mut Newc<W>,
    item: &Item,
    bytes: &mut dyn Read,
    links: &BTreeMap<PathBuf, u32>,
    inodes: &mut BTreeMap<PathBuf, u32>,
    folders: &mut Folders,
) -> Result<(), Error> {
    let writing = |error: io::Error| Error::disk("write the image with its overlay", &error);
    let mut header = Header { uid: item.uid, gid: item.gid, mtime: item.mtime, links: 1, ..Header::default() };
    out.inode += 1;
    header.inode = out.inode;
    let name = item.path.as_os_str().as_bytes();
    if name.len() as u64 >= LONGEST_NAME {
        return Err(Error::job(format!("the name {} is too long for an initramfs", item.path.display())));
    }
    if item.kind != ItemKind::Directory {
        folders.remove(&item.path);
    }
    match &item.kind {
        ItemKind::Directory => {
            // One that exists, or a link to one, keeps its mode.
            if folders.contains_key(&item.path) {
                return Ok(());
            }
            header.mode = DIRECTORY | item.mode;
            header.links = 2;
            folders.insert(item.path.clone(), header.mode);
            out.header(name, &header).map_err(writing)
        }
        ItemKind::File(length) => {
            header.mode = REGULAR | item.mode;
            header.size = u32::try_from(*length).map_err(|_| {
                Error::job(format!("{} is longer than 4 GiB: too long for an initramfs", item.path.display()))
            })?;
            if let Some(count) = links.get(&item.path) {
                header.links = *count;
                inodes.insert(item.path.clone(), header.inode);
            }
            out.header(name, &header).map_err(writing)?;
            let copied = io::copy(&mut bytes.take(*length), &mut out.out).map_err(writing)?;
            if copied < *length {
                return Err(Error::job(format!("{} ends early", item.path.display())));
            }
            out.length += copied;
            out.pad(out.length, 4).map_err(writing)
        }
        ItemKind::Symlink(target) => {
            let target = target.as_os_str().as_bytes();
            header.mode = SYMLINK | 0o777;
            header.size = u32::try_from(target.len()).unwrap_or(0);
            folders.insert(item.path.clone(), header.mode);
            out.header(name, &header).map_err(writing)?;
            out.out.write_all(target).map_err(writing)?;
            out.length += target.len() as u64;
            out.pad(out.length, 4).map_err(writing)
        }
        ItemKind::Link(target) => {
            let Some(inode) = inodes.get(target) else {
                return Err(Error::job(format!(
                    "{} is a hard link to {}, which does not come before it",
                    item.path.display(),
                    target.display()
                )));
            };
            header.inode = *inode;
            header.mode = REGULAR | item.mode;
            header.links = links.get(target).copied().unwrap_or(2);
            out.header(name, &header).map_err(writing)
        }
        ItemKind::Character(major, minor) => {
            header.mode = CHARACTER | item.mode;
            header.device = (*major, *minor);
            out.header(name, &header).map_err(writing)
        }
        ItemKind::Block(major, minor) => {
            header.mode = BLOCK | item.mode;
            header.device = (*major, *minor);
            out.header(name, &header).map_err(writing)
        }
        ItemKind::Fifo => {
            header.mode = FIFO | item.mode;
            out.header(name, &header).map_err(writing)
        }
    }
}

#[derive(Default)]
struct Header {
    inode: u32,
    mode: u32,
    uid: u32,
    gid: u32,
    links: u32,
    mtime: u32,
    size: u32,
    device: (u32, u32),
}

/// Writes entries and counts bytes.
struct Newc<W> {
    out: W,
    length: u64,
    inode: u32,
}

impl<W: Write> Newc<W> {
    fn header(&mut self, name: &[u8], header: &Header) -> io::Result<()> {
        write!(self.out, "070701")?;
        let name_size = u32::try_from(name.len() + 1).unwrap_or(0);
        for field in [
            header.inode,
            header.mode,
            header.uid,
            header.gid,
            header.links,
            header.mtime,
            header.size,
            0,
            0,
            header.device.0,
            header.device.1,
            name_size,
            0,
        ] {
            write!(self.out, "{field:08x}")?;
        }
        self.out.write_all(name)?;
        self.out.write_all(&[0])?;
        self.length += 110 + u64::from(name_size);
        self.pad(self.length, 4)
    }

    /// Zeros until `length` is a multiple.
    fn pad(&mut self, length: u64, multiple: u64) -> io::Result<()> {
        let zeros = length.next_multiple_of(multiple) - length;
        io::copy(&mut io::repeat(0).take(zeros), &mut self.out)?;
        self.length += zeros;
        Ok(())
    }
}
