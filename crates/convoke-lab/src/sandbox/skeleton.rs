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
use std::sync::{Condvar, Mutex};

use rustix::fs::{Access, XattrFlags};

/// Top-level folders whose whole tree is made ours; of others only the folder itself.
const DEEP: &[&str] = &["/usr", "/etc", "/var", "/opt", "/srv", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];
/// Trees whose files are copied: programs change them in place.
const COPIED: &[&str] =
    &["/etc", "/var/lib/dpkg", "/var/lib/apt/extended_states", "/var/cache/debconf", "/var/cache/ldconfig"];
/// Trees in which only the first level of folders is made ours: many, and nothing installs into the depth of them.
const SHALLOW: &[&str] =
    &["/var/lib/dpkg/info", "/var/lib/apt/lists", "/usr/share/doc", "/usr/share/locale", "/usr/src"];
/// Largest file that is copied, in bytes.
const LARGEST_COPY: u64 = 8 << 20;

/// Folders still to be looked into, shared by the threads.
struct Queue {
    state: Mutex<(Vec<PathBuf>, usize)>,
    changed: Condvar,
}

/// Fills `target`, a folder on a file system of our own, with the skeleton of the host's `folders` (absolute).
pub(crate) fn build(target: &Path, folders: &[PathBuf]) {
    let mut work = Vec::new();
    for folder in folders {
        let Ok(meta) = folder.symlink_metadata() else { continue };
        if make(target, folder, &meta) && DEEP.iter().any(|deep| folder == Path::new(deep)) {
            work.push(folder.clone());
        }
    }
    let queue = Queue { state: Mutex::new((work, 0)), changed: Condvar::new() };
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(8);
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(|| queue.run(target));
        }
        queue.run(target);
    });
}

impl Queue {
    fn run(&self, target: &Path) {
        while let Some(mut stack) = self.take() {
            // Give work away only while others may be idle; a thread keeps the depth of its own tree to itself.
            while let Some(folder) = stack.pop() {
                look_into(target, &folder, &mut stack);
                if stack.len() > 64 {
                    self.give(stack.drain(..32).collect());
                }
            }
            self.done();
        }
    }

    fn take(&self) -> Option<Vec<PathBuf>> {
        let mut state = self.state.lock().ok()?;
        loop {
            if let Some(folder) = state.0.pop() {
                state.1 += 1;
                return Some(vec![folder]);
            }
            if state.1 == 0 {
                return None;
            }
            state = self.changed.wait(state).ok()?;
        }
    }

    fn give(&self, folders: Vec<PathBuf>) {
        if let Ok(mut state) = self.state.lock() {
            state.0.extend(folders);
            self.changed.notify_all();
        }
    }

    fn done(&self) {
        if let Ok(mut state) = self.state.lock() {
            state.1 -= 1;
            self.changed.notify_all();
        }
    }
}

/// Makes the folders in `folder`, copies its files where that is wanted, and puts the folders worth looking into on `stack`.
fn look_into(target: &Path, folder: &Path, stack: &mut Vec<PathBuf>) {
    let Ok(entries) = folder.read_dir() else { return };
    let copied = COPIED.iter().any(|tree| folder.starts_with(tree) || Path::new(tree).parent() == Some(folder));
    let shallow = SHALLOW.iter().any(|tree| folder == Path::new(tree));
    for entry in entries.flatten() {
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() {
            let path = entry.path();
            let Ok(meta) = entry.metadata() else { continue };
            // Two links mean no folders inside, where the file system counts them; one means that it does not.
            let leaf = meta.nlink() == 2 && !COPIED.iter().any(|tree| path.starts_with(tree));
            if make(target, &path, &meta) && !leaf && !shallow {
                stack.push(path);
            }
        } else if kind.is_file() && copied {
            let path = entry.path();
            if COPIED.iter().any(|tree| path.starts_with(tree)) && !folder.ends_with("dpkg/info") {
                // What cannot be read stays the host's.
                let _ = copy(target, &path);
            }
        }
    }
}

fn inside(target: &Path, path: &Path) -> PathBuf {
    target.join(path.strip_prefix("/").unwrap_or(path))
}

/// Makes one folder; whether its content is worth looking at.
fn make(target: &Path, path: &Path, meta: &Metadata) -> bool {
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
    true
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
