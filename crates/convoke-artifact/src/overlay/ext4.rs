//! Files into an ext2, ext3 or ext4 file system, by debugfs of e2fsprogs: without root, without mounting anything.
//!
//! ```text
//!   walk 1: which paths ──► debugfs: stat each ──► what exists
//!   walk 2: batches of files in memory ──► debugfs -w: mkdir, write, symlink, modes, owners
//! ```
//!
//! It works in place on a file that nobody else has; a partition is reached by its offset, nothing is cut out. A folder
//! that exists, or a link to one, stays as it is; a file that exists is replaced. Any word of complaint from debugfs is a
//! failure: the file is then thrown away.
//!
//! It fails with a job error when there is no such file system or no room in it, with a lab error when e2fsprogs is missing.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use convoke_children::foreign::ForeignOutput;
use rustix::fs::MemfdFlags;

use super::partition::{self, block, u32_at};
use super::tree::{Item, ItemKind, Tree};
use crate::copy;
use crate::error::Error;
use crate::order::path_of;
use crate::tools::{Tools, run};

/// Files that one run of debugfs takes: each is an open file here.
const BATCH_FILES: usize = 200;
/// Bytes of files that are held in memory for it.
const BATCH_BYTES: u64 = 64 << 20;

/// A file system in a file.
pub(crate) struct FileSystem<'a> {
    image: &'a File,
    /// Where it begins in the file.
    offset: u64,
    free: u64,
    place: String,
}

/// Finds the file system: the whole image, or a partition of it.
pub(crate) fn find<'a>(image: &'a File, partition: Option<u32>, place: &str) -> Result<FileSystem<'a>, Error> {
    let reading = |error: io::Error| Error::disk(&format!("read {place}"), &error);
    let all = partition::partitions(image).map_err(reading)?;
    let mut with = Vec::new();
    for part in &all {
        if superblock(image, part.start).map_err(reading)?.is_some() {
            with.push(part.number);
        }
    }
    let here = match partition {
        None => Some(0),
        Some(number) => all.iter().find(|part| part.number == number).map(|part| part.start),
    };
    let others = with.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
    let Some(offset) = here else {
        let numbers = all.iter().map(|part| part.number.to_string()).collect::<Vec<_>>().join(", ");
        let has = if numbers.is_empty() { "no partitions".into() } else { format!("partitions {numbers}") };
        return Err(Error::job(format!("{place} has no partition {}: it has {has}", partition.unwrap_or(0))));
    };
    let Some(block) = superblock(image, offset).map_err(reading)? else {
        let what = match partition {
            Some(number) => format!("partition {number} of {place}"),
            None => place.to_owned(),
        };
        let start = self::block::<4>(image, 0).map_err(reading)?.unwrap_or_default();
        let hint = match start {
            [b'Q', b'F', b'I', 0xfb] => "; it is a qcow2 image: give it in raw form".into(),
            _ if partition.is_none() && !with.is_empty() => {
                format!("; it is a disk with one in partition {others}: say `partition`")
            }
            _ if !with.is_empty() => format!("; one is in partition {others}"),
            _ => String::new(),
        };
        return Err(Error::job(format!("{what} is no ext2, ext3 or ext4 file system{hint}")));
    };
    let block_size = 1024u64.checked_shl(u32_at(&block, 24)).unwrap_or(0);
    let free = u64::from(u32_at(&block, 12)) * block_size;
    Ok(FileSystem { image, offset, free, place: place.to_owned() })
}

fn superblock(image: &File, start: u64) -> io::Result<Option<[u8; 264]>> {
    let block = block::<264>(image, start.saturating_add(1024))?;
    Ok(block.filter(|block| block[56..58] == [0x53, 0xef]))
}

/// In `s_feature_incompat`: its journal has to be replayed first.
const NEEDS_RECOVERY: u32 = 4;

impl FileSystem<'_> {
    /// Puts trees into it.
    pub(crate) fn put(&self, tools: &Tools<'_>, trees: &[Tree]) -> Result<(), Error> {
        let reading = |error: io::Error| Error::disk(&format!("read {}", self.place), &error);
        let block = superblock(self.image, self.offset).map_err(reading)?.unwrap_or([0; 264]);
        if u32_at(&block, 96) & NEEDS_RECOVERY != 0 {
            self.recover(tools)?;
        }
        for tree in trees {
            self.put_tree(tools, tree)?;
        }
        Ok(())
    }

    fn put_tree(&self, tools: &Tools<'_>, tree: &Tree) -> Result<(), Error> {
        let (mut paths, mut needed) = (Vec::new(), 0);
        tree.walk(&mut |item, _| {
            quoted(&item.path)?;
            paths.push(item.path.clone());
            needed += if let ItemKind::File(length) = item.kind { length } else { 0 };
            Ok(())
        })?;
        let mut existing = self.existing(tools, &paths)?;
        let mut batch = Batch::default();
        let mut names: BTreeMap<PathBuf, u32> = BTreeMap::new();
        tree.walk(&mut |item, bytes| {
            batch.add(tools, item, bytes, &mut existing, &mut names, &self.place)?;
            if batch.files.len() >= BATCH_FILES || batch.bytes >= BATCH_BYTES {
                self.write(tools, std::mem::take(&mut batch), needed)?;
            }
            Ok(())
        })?;
        self.write(tools, batch, needed)
    }

    /// What of these paths exists.
    fn existing(&self, tools: &Tools<'_>, paths: &[PathBuf]) -> Result<HashMap<PathBuf, Existing>, Error> {
        let mut commands = Vec::new();
        for path in paths {
            commands.extend(b"stat ");
            commands.extend(quoted(&Path::new("/").join(path))?);
            commands.push(b'\n');
        }
        let output = self.debugfs(tools, &commands, false)?;
        let mut existing = HashMap::new();
        let mut of = paths.iter();
        let mut now = None;
        for line in output.stdout.split(|byte| *byte == b'\n') {
            if line.starts_with(b"debugfs: stat ") {
                now = of.next();
            } else if line.starts_with(b"Inode: ")
                && let Some(path) = now.take()
            {
                let line = String::from_utf8_lossy(line);
                let kind = line.split("Type: ").nth(1).and_then(|rest| rest.split_whitespace().next());
                let kind = match kind {
                    Some("directory") => Existing::Directory,
                    Some("symlink") => Existing::Symlink,
                    _ => Existing::Other,
                };
                existing.insert(path.clone(), kind);
            }
        }
        Ok(existing)
    }

    fn write(&self, tools: &Tools<'_>, batch: Batch, needed: u64) -> Result<(), Error> {
        if batch.commands.is_empty() {
            return Ok(());
        }
        let output = self.debugfs(tools, &batch.commands, true)?;
        let said = complaints(&output);
        let Some(first) = said.first() else { return Ok(()) };
        let full = ["Could not allocate", "No free space", "No space left", "no free"];
        if said.iter().any(|line| full.iter().any(|sign| line.contains(sign))) {
            let (free, needed) = (self.free / 1024, needed / 1024);
            return Err(Error::job(format!(
                "there is no room in {} for its overlays: {free} KiB were free, their files take {needed} KiB",
                self.place
            )));
        }
        Err(Error::job(format!("cannot put the overlays into {}: debugfs says: {first}", self.place)))
    }

    /// Replays the journal: it would be replayed later, over what we write.
    fn recover(&self, tools: &Tools<'_>) -> Result<(), Error> {
        let arguments = ["-p".into(), "-E".into(), "journal_only".into(), self.address()];
        let output = run(tools, "e2fsck", arguments.to_vec())?;
        // 1: errors were corrected.
        match output.status.code() {
            Some(0 | 1) => Ok(()),
            _ => {
                let said = [output.stdout, output.stderr].concat();
                let said = String::from_utf8_lossy(&said);
                let line = said.lines().find(|line| !line.trim().is_empty()).unwrap_or("nothing").trim();
                Err(Error::job(format!("the journal of {} cannot be replayed: e2fsck says: {line}", self.place)))
            }
        }
    }

    fn debugfs(&self, tools: &Tools<'_>, commands: &[u8], write: bool) -> Result<ForeignOutput, Error> {
        let file = memory(commands).map_err(|error| Error::disk("hold what debugfs is to do", &error))?;
        let mut arguments: Vec<OsString> = Vec::new();
        if write {
            arguments.push("-w".into());
        }
        arguments.extend(["-f".into(), path_of(&file).into(), self.address()]);
        let output = run(tools, "debugfs", arguments)?;
        let said = String::from_utf8_lossy(&output.stderr);
        if let Some(line) = said.lines().find(|line| line.contains("while trying to open")) {
            let line = line.trim_start_matches("debugfs: ").split(" while trying to open").next().unwrap_or(line);
            return Err(Error::job(format!("the file system in {} cannot be used: {line}", self.place)));
        }
        Ok(output)
    }

    fn address(&self) -> OsString {
        let mut address = path_of(self.image).into_os_string();
        address.push(format!("?offset={}", self.offset));
        address
    }
}

/// What a path is in the image before anything is put into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Existing {
    Directory,
    Symlink,
    Other,
}

/// Commands for one run of debugfs, and the files they name.
#[derive(Default)]
struct Batch {
    commands: Vec<u8>,
    files: Vec<File>,
    bytes: u64,
}

impl Batch {
    fn add(
        &mut self,
        tools: &Tools<'_>,
        item: &Item,
        bytes: &mut dyn Read,
        existing: &mut HashMap<PathBuf, Existing>,
        names: &mut BTreeMap<PathBuf, u32>,
        place: &str,
    ) -> Result<(), Error> {
        let there = existing.get(&item.path).copied();
        let parent = item.path.parent().unwrap_or(Path::new(""));
        let name = item.path.file_name().unwrap_or_default();
        // With a dot behind it, since the last name of a path may be a link and is not followed.
        self.command(&[b"cd", &quoted(&Path::new("/").join(parent).join("."))?]);
        let quoted_name = quoted(Path::new(name))?;
        let kind = match &item.kind {
            ItemKind::Directory if matches!(there, Some(Existing::Directory | Existing::Symlink)) => return Ok(()),
            ItemKind::Directory => {
                if there.is_some() {
                    let path = item.path.display();
                    return Err(Error::job(format!("/{path} is a folder in an overlay, but a file in {place}")));
                }
                self.command(&[b"mkdir", &quoted_name]);
                existing.insert(item.path.clone(), Existing::Directory);
                0o040_000
            }
            _ if there == Some(Existing::Directory) => {
                let path = item.path.display();
                return Err(Error::job(format!("/{path} is a file in an overlay, but a folder in {place}")));
            }
            other => {
                if there.is_some() {
                    self.command(&[b"rm", &quoted_name]);
                }
                existing.insert(item.path.clone(), Existing::Other);
                match other {
                    ItemKind::File(length) => {
                        let file = held(tools, bytes, *length)?;
                        self.command(&[b"write", path_of(&file).as_os_str().as_bytes(), &quoted_name]);
                        self.files.push(file);
                        self.bytes += length;
                        0o100_000
                    }
                    ItemKind::Symlink(target) => {
                        existing.insert(item.path.clone(), Existing::Symlink);
                        self.command(&[b"symlink", &quoted_name, &quoted(target)?]);
                        0
                    }
                    ItemKind::Link(target) => {
                        // Another name only; the number of names is not kept by debugfs itself.
                        let count = names.entry(target.clone()).or_insert(1);
                        *count += 1;
                        self.command(&[b"ln", &quoted(&Path::new("/").join(target))?, &quoted_name]);
                        self.set(&quoted_name, "links_count", &count.to_string());
                        return Ok(());
                    }
                    ItemKind::Character(major, minor) => {
                        let (major, minor) = (major.to_string(), minor.to_string());
                        self.command(&[b"mknod", &quoted_name, b"c", major.as_bytes(), minor.as_bytes()]);
                        0o020_000
                    }
                    ItemKind::Block(major, minor) => {
                        let (major, minor) = (major.to_string(), minor.to_string());
                        self.command(&[b"mknod", &quoted_name, b"b", major.as_bytes(), minor.as_bytes()]);
                        0o060_000
                    }
                    ItemKind::Fifo | ItemKind::Directory => {
                        self.command(&[b"mknod", &quoted_name, b"p"]);
                        0o010_000
                    }
                }
            }
        };
        if kind != 0 {
            self.set(&quoted_name, "mode", &format!("0{:o}", kind | item.mode));
        }
        for (field, value) in [("uid", item.uid), ("gid", item.gid)] {
            if value != 0 {
                self.set(&quoted_name, field, &value.to_string());
            }
        }
        self.set(&quoted_name, "mtime", &format!("@{}", item.mtime));
        Ok(())
    }

    fn set(&mut self, name: &[u8], field: &str, value: &str) {
        self.command(&[b"sif", name, field.as_bytes(), value.as_bytes()]);
    }

    fn command(&mut self, words: &[&[u8]]) {
        self.commands.extend(words.join(&b' '));
        self.commands.push(b'\n');
    }
}

/// A name as debugfs reads it.
fn quoted(path: &Path) -> Result<Vec<u8>, Error> {
    let bytes = path.as_os_str().as_bytes();
    if bytes.iter().any(|byte| byte.is_ascii_control()) {
        return Err(Error::job(format!("{path:?} cannot be put into an image: its name has a control character")));
    }
    let mut out = vec![b'"'];
    for byte in bytes {
        if *byte == b'"' {
            out.push(b'"');
        }
        out.push(*byte);
    }
    out.push(b'"');
    Ok(out)
}

/// The bytes of a file where debugfs can open them: in memory, or on disk if they are many.
fn held(tools: &Tools<'_>, bytes: &mut dyn Read, length: u64) -> Result<File, Error> {
    let failed = |error: io::Error| Error::disk("hold a file of an overlay", &error);
    let mut file = match length {
        0..BATCH_BYTES => memory(b"").map_err(failed)?,
        _ => copy::nameless(tools.scratch)?,
    };
    let copied = io::copy(&mut bytes.take(length), &mut file).map_err(failed)?;
    if copied < length {
        return Err(Error::job("an overlay ends early"));
    }
    Ok(file)
}

fn memory(bytes: &[u8]) -> io::Result<File> {
    let mut file = File::from(rustix::fs::memfd_create("overlay", MemfdFlags::CLOEXEC)?);
    file.write_all(bytes)?;
    Ok(file)
}

/// Lines in which debugfs complains; the first line that it writes there is its version.
fn complaints(output: &ForeignOutput) -> Vec<String> {
    let said = String::from_utf8_lossy(&output.stderr);
    let lines = said.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("debugfs 1."));
    lines.map(str::to_owned).collect()
}
