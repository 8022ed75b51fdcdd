//! A private copy of a file that costs as little as the file system allows.
//!
//! A reflink where there are such (btrfs, xfs): no byte is moved, however large the image. Elsewhere the kernel copies
//! from file to file, and holes stay holes.

use std::fs::File;
use std::io;
use std::path::Path;

use rustix::fs::{Mode, OFlags, SeekFrom};
use rustix::io::Errno;

use crate::error::Error;

/// A file without a name in `folder`, which may be given one later.
pub(crate) fn unnamed(folder: &Path) -> io::Result<File> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    Ok(rustix::fs::open(folder, flags, Mode::RUSR | Mode::WUSR)?.into())
}

/// A file without a name in `folder`: it is gone when nobody has it open any more.
pub(crate) fn nameless(folder: &Path) -> Result<File, Error> {
    // Not every file system has such files from the beginning (overlayfs of old, NFS).
    unnamed(folder)
        .or_else(|_| tempfile::tempfile_in(folder))
        .map_err(|error| Error::disk(&format!("make a file in {}", folder.display()), &error))
}

/// Copies `from` to the empty file `to`; `moved` is told how many bytes are done.
pub(crate) fn copy(from: &File, to: &File, moved: &mut dyn FnMut(u64)) -> io::Result<u64> {
    let length = from.metadata()?.len();
    if rustix::fs::ioctl_ficlone(to, from).is_ok() {
        moved(length);
        return Ok(length);
    }
    rustix::fs::ftruncate(to, length)?;
    let mut at = 0;
    while at < length {
        let (start, end) = extent(from, at, length)?;
        at = start;
        while at < end {
            let copied = piece(from, to, at, end)?;
            if copied == 0 {
                // Cut off while it is read: what is missing stays a hole, and whoever cut it has to answer for it.
                return Ok(at);
            }
            at += copied;
            moved(at);
        }
    }
    Ok(length)
}

/// The next stretch with data at or behind `at`.
fn extent(file: &File, at: u64, length: u64) -> io::Result<(u64, u64)> {
    match rustix::fs::seek(file, SeekFrom::Data(at)) {
        Ok(start) => {
            let end = rustix::fs::seek(file, SeekFrom::Hole(start)).unwrap_or(length);
            Ok((start, end.min(length)))
        }
        // Only holes are left.
        Err(Errno::NXIO) => Ok((length, length)),
        // A file system that does not know.
        Err(Errno::INVAL | Errno::OPNOTSUPP) => Ok((at, length)),
        Err(error) => Err(error.into()),
    }
}

/// At most 64 MiB at once, so that progress is seen.
const PIECE: u64 = 64 << 20;

fn piece(from: &File, to: &File, at: u64, end: u64) -> io::Result<u64> {
    let length = usize::try_from((end - at).min(PIECE)).unwrap_or(0);
    let (mut read, mut written) = (at, at);
    match rustix::fs::copy_file_range(from, Some(&mut read), to, Some(&mut written), length) {
        Ok(copied) => return Ok(copied as u64),
        Err(Errno::XDEV | Errno::OPNOTSUPP | Errno::INVAL | Errno::NOSYS) => {}
        Err(error) => return Err(error.into()),
    }
    use std::os::unix::fs::FileExt;
    let mut buffer = vec![0; length.min(1 << 20)];
    let count = from.read_at(&mut buffer, at)?;
    to.write_all_at(&buffer[..count], at)?;
    Ok(count as u64)
}
