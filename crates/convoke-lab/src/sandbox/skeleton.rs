//! The layer that makes the host's folders ours, for an ordinary user.
//!
//! In an overlay a folder that exists in several layers takes owner and mode from the topmost one. So a layer of empty
//! folders, made by us with the host's modes, makes all of them belong to the sandbox's root; and a layer with copies of
//! the files of `/etc` makes those changeable. Only needed where the host's root is not mapped.
//!
//! It is a convenience: whatever cannot be read or made is left as the host has it, and is no error.

use std::fs::{DirBuilder, File, Metadata, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::fs::{Access, XattrFlags};

/// Top-level folders whose whole tree is made ours; of others only the folder itself.
const DEEP: &[&str] = &["/usr", "/etc", "/var", "/opt", "/srv", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];
/// Trees whose files are copied: programs change them in place.
const COPIED: &[&str] = &[
    "/etc",
    "/var/cache/apt/archives/lock",
    "/var/cache/debconf",
    "/var/cache/ldconfig",
    "/var/lib/apt/extended_states",
    "/var/lib/apt/lists/lock",
    "/var/lib/dpkg",
    "/var/log/alternatives.log",
    "/var/log/apt",
    "/var/log/dpkg.log",
];
/// A folder below those whose files are replaced and never changed, and are many.
const NOT_COPIED: &str = "/var/lib/dpkg/info";
/// Largest file that is copied, in bytes.
const LARGEST_COPY: u64 = 8 << 20;
/// Most folders that are made: some 7 µs each. A level of the trees that would exceed it is left out with all below it.
const MOST_FOLDERS: usize = 8000;

/// apt would become a user who does not exist here to fetch packages.
const APT: &str = "APT::Sandbox::User \"root\";\n";

/// A folder of the host.
struct Folder {
    path: PathBuf,
    meta: Metadata,
}

/// Fills `target`, a folder on a file system of our own, with the skeleton of the host's `folders` (absolute).
///
/// Level by level, so that what is left out where there are too many is what lies deepest.
pub(crate) fn build(target: &Path, folders: &[PathBuf]) {
    let folder = |path: &PathBuf| Some(Folder { meta: path.symlink_metadata().ok()?, path: path.clone() });
    let mut level: Vec<Folder> = folders.iter().filter_map(folder).collect();
    let mut made = 0;
    while !level.is_empty() && made + level.len() <= MOST_FOLDERS {
        made += level.len();
        level = build_level(target, &level, MOST_FOLDERS - made);
    }
    // Refused where there is no apt.
    let _ = std::fs::write(target.join("etc/apt/apt.conf.d/99-sandbox"), APT);
}

/// Makes the folders of one level and gives the next. Does not look on when that has more than `most`.
fn build_level(target: &Path, level: &[Folder], most: usize) -> Vec<Folder> {
    /// Folders that a thread takes at a time.
    const BATCH: usize = 32;
    let (taken, count, below) = (AtomicUsize::new(0), AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        let mut found = Vec::new();
        loop {
            let first = taken.fetch_add(BATCH, Ordering::Relaxed);
            let Some(batch) = level.get(first..level.len().min(first + BATCH)) else { break };
            for folder in batch {
                let enough = count.load(Ordering::Relaxed) > most && !copied(&folder.path);
                if make(target, folder) && !enough {
                    let before = found.len();
                    look_into(target, &folder.path, &mut found);
                    count.fetch_add(found.len() - before, Ordering::Relaxed);
                }
            }
        }
        if let Ok(mut below) = below.lock() {
            below.append(&mut found);
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(8).min(level.len() / BATCH + 1);
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
    below.into_inner().unwrap_or_default()
}

/// Finds the folders in `folder`, and copies its files where that is wanted.
fn look_into(target: &Path, folder: &Path, found: &mut Vec<Folder>) {
    let Ok(entries) = folder.read_dir() else { return };
    for entry in entries.flatten() {
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() {
            let Ok(meta) = entry.metadata() else { continue };
            found.push(Folder { path: entry.path(), meta });
        } else if kind.is_file() {
            let path = entry.path();
            if copied(&path) && folder != Path::new(NOT_COPIED) {
                // What cannot be read stays the host's.
                let _ = copy(target, &path);
            }
        }
    }
}

fn copied(path: &Path) -> bool {
    COPIED.iter().any(|tree| path.starts_with(tree))
}

fn inside(target: &Path, path: &Path) -> PathBuf {
    target.join(path.strip_prefix("/").unwrap_or(path))
}

/// Makes one folder; whether its content is to be looked at.
fn make(target: &Path, Folder { path, meta }: &Folder) -> bool {
    let mode = meta.mode() & 0o7777;
    let made = inside(target, path);
    if DirBuilder::new().mode(mode).create(&made).is_err() {
        return false;
    }
    if mode & 0o6000 != 0 {
        // mkdir does not set these.
        let _ = std::fs::set_permissions(&made, Permissions::from_mode(mode));
    }
    if mode & 0o005 != 0o005 && rustix::fs::access(path, Access::READ_OK | Access::EXEC_OK).is_err() {
        // The host's folder cannot be read: an empty one of our own is more use than none.
        let _ = rustix::fs::setxattr(&made, "user.overlay.opaque", b"y", XattrFlags::empty());
        return false;
    }
    // Two links mean no folders inside, where the file system counts them; one means that it does not.
    let deep = path.components().count() > 2 || DEEP.iter().any(|deep| path == Path::new(deep));
    let contains_files_of_interest =
        || COPIED.iter().any(|tree| path.starts_with(tree) || Path::new(tree).starts_with(path));
    deep && (meta.nlink() != 2 || contains_files_of_interest())
}

fn copy(target: &Path, path: &Path) -> io::Result<()> {
    let meta = path.symlink_metadata()?;
    if meta.len() > LARGEST_COPY {
        return Ok(());
    }
    let mut bytes = Vec::new();
    // An empty file (a lock) need not be read to be copied.
    if meta.len() > 0 {
        File::open(path)?.take(LARGEST_COPY).read_to_end(&mut bytes)?;
    }
    let mut options = File::options();
    options.write(true).create_new(true).mode(meta.mode() & 0o1777);
    options.open(inside(target, path))?.write_all(&bytes)
}
