//! Trees as tar streams: what was checked out is written in a stable order with stable permissions.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tar::{EntryType, Header};

use super::message::Trouble;
use super::work::Tar;

/// Writes what is in `folder` below `prefix`, which may be empty.
pub(super) fn add_tree(tar: &mut Tar, folder: &Path, prefix: &str) -> Result<(), Trouble> {
    let prefix = PathBuf::from(prefix);
    if !prefix.as_os_str().is_empty() {
        add_directory(tar, &prefix).map_err(|error| writing(&error))?;
    }
    add(tar, folder, &prefix).map_err(|error| writing(&error))
}

/// A disk or memory that cannot be written.
pub(super) fn writing(error: &io::Error) -> Trouble {
    Trouble::lab(format!("cannot keep what is fetched: {error}"))
}

/// A header without what differs from machine to machine.
pub(super) fn header(kind: EntryType, executable: bool, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(if executable { 0o755 } else { 0o644 });
    header.set_size(size);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header
}

fn add_directory(tar: &mut Tar, name: &Path) -> io::Result<()> {
    let mut name = name.as_os_str().to_owned();
    name.push("/");
    tar.append_data(&mut header(EntryType::Directory, true, 0), PathBuf::from(name), io::empty())
}

fn add(tar: &mut Tar, folder: &Path, prefix: &Path) -> io::Result<()> {
    let mut entries = std::fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let name = prefix.join(entry.file_name());
        let metadata = entry.path().symlink_metadata()?;
        if metadata.is_dir() {
            add_directory(tar, &name)?;
            add(tar, &entry.path(), &name)?;
        } else if metadata.is_symlink() {
            let target = std::fs::read_link(entry.path())?;
            tar.append_link(&mut header(EntryType::Symlink, true, 0), &name, target)?;
        } else if metadata.is_file() {
            let executable = metadata.permissions().mode() & 0o111 != 0;
            let file = std::fs::File::open(entry.path())?;
            tar.append_data(&mut header(EntryType::Regular, executable, metadata.len()), &name, file)?;
        }
    }
    Ok(())
}
