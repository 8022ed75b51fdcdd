//! Appending to a tar archive: its end is cut off, entries are added, and it ends again.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};

use tar::{Builder, EntryType, Header};

use super::tree::{Item, ItemKind, Tree};
use crate::error::Error;
use crate::unpack::Compression;

/// Where the entries of an archive end. A job error when it is none, or not a whole one.
pub(crate) fn end(base: &File, place: &str) -> Result<u64, Error> {
    let reading = |error: io::Error| Error::disk(&format!("read {place}"), &error);
    let length = base.metadata().map_err(reading)?.len();
    if let Some(start) = super::partition::block::<8>(base, 0).map_err(reading)?
        && let Some(compression) = Compression::of_start(&start)
    {
        let name = compression.name();
        return Err(Error::job(format!("{place} is packed with {name}: say `compression: {name}`")));
    }
    let broken = |error: io::Error| Error::job(format!("{place} is not a whole tar archive: {error}"));
    let mut file = base;
    file.seek(SeekFrom::Start(0)).map_err(reading)?;
    let mut archive = tar::Archive::new(file);
    let mut end = 0;
    for entry in archive.entries_with_seek().map_err(broken)? {
        let entry = entry.map_err(broken)?;
        if entry.header().entry_type() == EntryType::GNUSparse {
            let name = entry.path().map_err(broken)?.display().to_string();
            return Err(Error::job(format!("{place} holds {name} in sparse form: pack it without `tar --sparse`")));
        }
        end = entry
            .size()
            .checked_next_multiple_of(512)
            .map_or(u64::MAX, |size| entry.raw_file_position().saturating_add(size));
        if end > length {
            return Err(Error::job(format!("{place} ends early: it is not a whole tar archive")));
        }
    }
    if end == 0 && length == 0 {
        return Err(Error::job(format!("{place} is empty: not a tar archive")));
    }
    Ok(end)
}

/// Appends `trees` to `image`, whose entries end at `end`.
pub(crate) fn append(image: &mut File, trees: &[Tree], end: u64) -> Result<(), Error> {
    let writing = |error: io::Error| Error::disk("write the archive with its overlay", &error);
    image.set_len(end).map_err(writing)?;
    image.seek(SeekFrom::Start(end)).map_err(writing)?;
    let mut builder = Builder::new(BufWriter::with_capacity(256 * 1024, image));
    for tree in trees {
        tree.walk(&mut |item, bytes| add(&mut builder, item, bytes).map_err(writing))?;
    }
    builder.into_inner().and_then(|mut out| out.flush()).map_err(writing)
}

fn add(builder: &mut Builder<impl Write>, item: &Item, bytes: &mut dyn Read) -> io::Result<()> {
    // One that the archive has already would get another mode.
    if item.implied {
        return Ok(());
    }
    let mut header = Header::new_gnu();
    header.set_mode(item.mode);
    header.set_uid(item.uid.into());
    header.set_gid(item.gid.into());
    header.set_mtime(item.mtime.into());
    header.set_size(0);
    let (kind, devices) = match &item.kind {
        ItemKind::Directory => (EntryType::Directory, None),
        ItemKind::File(length) => {
            header.set_size(*length);
            return builder.append_data(&mut header, &item.path, bytes);
        }
        ItemKind::Symlink(target) => {
            header.set_entry_type(EntryType::Symlink);
            return builder.append_link(&mut header, &item.path, target);
        }
        ItemKind::Link(target) => {
            header.set_entry_type(EntryType::Link);
            return builder.append_link(&mut header, &item.path, target);
        }
        ItemKind::Character(major, minor) => (EntryType::Char, Some((major, minor))),
        ItemKind::Block(major, minor) => (EntryType::Block, Some((major, minor))),
        ItemKind::Fifo => (EntryType::Fifo, None),
    };
    header.set_entry_type(kind);
    if let Some((major, minor)) = devices {
        header.set_device_major(*major)?;
        header.set_device_minor(*minor)?;
    }
    builder.append_data(&mut header, &item.path, io::empty())
}
