//! The cache: what was downloaded and unpacked, by content, shared by all runs of a machine.
//!
//! ```text
//!   content/<sha256>          a file as it was downloaded
//!   made/<key>.<compression>  what came out of one; the key is its sha256, or says which version of a local file it was
//!   urls/<key>                which content a URL had last, and how its server calls that version (JSON, version 1)
//!   partial/<key>             a download that has begun; beside it <key>.version
//!   locks/<key>               held while a URL is downloaded
//! ```
//!
//! Invariant: what has a name under `content`, `made` and `urls` is whole. Files are written without a name, or in
//! `partial`, and get their name when they are done and on disk. Nobody relies on a name to keep a file: users hold it
//! open, so that anything may be removed at any time, by us or by hand. A lock is the kernel's and ends with its holder.
//!
//! Eviction: when more than the limit lies there, what has not been used for longest goes (the time a file was modified
//! is the time it was used last).

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::{AtFlags, CWD, FlockOperation};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::copy::unnamed;
use crate::fetch::download::Version;
use crate::order::Cache;

/// An opened cache.
#[derive(Debug)]
pub(crate) struct Store {
    folder: PathBuf,
    limit: u64,
}

/// Which content a URL had last.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Index {
    format: u32,
    pub(crate) version: Version,
    pub(crate) sha256: String,
}

/// The right to download a URL, until dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    path: PathBuf,
    _file: File,
}

const FOLDERS: [&str; 5] = ["content", "made", "urls", "partial", "locks"];
const FORMAT: u32 = 1;

impl Store {
    /// Opens it, makes its folders.
    pub(crate) fn open(cache: &Cache) -> io::Result<Store> {
        // The first version of this layout; another one gets a folder of its own.
        let folder = cache.folder.join("v1");
        for name in FOLDERS {
            std::fs::create_dir_all(folder.join(name))?;
        }
        // Where nothing can be written it is of no use.
        unnamed(&folder)?;
        Ok(Store { folder, limit: cache.limit })
    }

    /// The key of a URL and what is sent along with it.
    pub(crate) fn key(url: &str, headers: &[(String, String)]) -> String {
        let mut hash = Sha256::new();
        for text in [url].into_iter().chain(headers.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()])) {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text.as_bytes());
        }
        hex(&hash.finalize())
    }

    /// The key of a local file as it is now; none when it was changed just now, as a further change might not show.
    pub(crate) fn key_of_file(path: &Path, file: &File) -> io::Result<Option<String>> {
        let data = file.metadata()?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_err(io::Error::other)?;
        if data.ctime() + 2 >= i64::try_from(now.as_secs()).unwrap_or(0) {
            return Ok(None);
        }
        let facts = [data.dev(), data.ino(), data.size()].map(u64::to_be_bytes);
        let times = [data.mtime(), data.mtime_nsec(), data.ctime(), data.ctime_nsec()].map(i64::to_be_bytes);
        let mut hash = Sha256::new();
        facts.iter().chain(&times).for_each(|fact| hash.update(fact));
        hash.update(path.as_os_str().as_encoded_bytes());
        Ok(Some(hex(&hash.finalize())))
    }

    /// Waits until nobody else downloads this URL.
    pub(crate) fn lock(&self, key: &str) -> io::Result<Lock> {
        let path = self.folder.join("locks").join(key);
        loop {
            if let Some(lock) = lock(&path, FlockOperation::LockExclusive)? {
                return Ok(lock);
            }
        }
    }

    /// Content by its sum.
    pub(crate) fn content(&self, sha256: &str) -> Option<File> {
        used(&self.folder.join("content").join(sha256))
    }

    /// What was made of something.
    pub(crate) fn made(&self, name: &str) -> Option<File> {
        used(&self.folder.join("made").join(name))
    }

    /// A file that [`Store::keep`] may name.
    pub(crate) fn unnamed(&self) -> io::Result<File> {
        unnamed(&self.folder)
    }

    /// Names what was made. When it cannot be kept, it is used all the same.
    pub(crate) fn keep(&self, file: &File, name: &str) -> io::Result<()> {
        self.give_name(file, &self.folder.join("made").join(name))?;
        self.evict();
        Ok(())
    }

    /// What a URL had last.
    pub(crate) fn index(&self, key: &str) -> Option<Index> {
        let bytes = std::fs::read(self.folder.join("urls").join(key)).ok()?;
        serde_json::from_slice::<Index>(&bytes).ok().filter(|index| index.format == FORMAT)
    }

    /// The beginning of a download, perhaps empty, with its version. To be called with the lock.
    pub(crate) fn partial(&self, key: &str) -> io::Result<(File, Version)> {
        let path = self.folder.join("partial").join(key);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)?;
        let version = std::fs::read(version_path(&path)).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Ok((file, version.unwrap_or_default()))
    }

    /// Remembers which version a beginning download is of.
    pub(crate) fn begun(&self, key: &str, version: &Version) -> io::Result<()> {
        let path = version_path(&self.folder.join("partial").join(key));
        std::fs::write(path, serde_json::to_vec(version).map_err(io::Error::other)?)
    }

    /// Removes a beginning that is of no use.
    pub(crate) fn forget(&self, key: &str) {
        let path = self.folder.join("partial").join(key);
        // What is left over is evicted some day.
        let _ = std::fs::remove_file(version_path(&path));
        let _ = std::fs::remove_file(path);
    }

    /// A download is whole: names it by its content. To be called with the lock.
    pub(crate) fn adopt(&self, key: &str, file: &File, version: Version, sha256: &str) -> io::Result<()> {
        let path = self.folder.join("partial").join(key);
        file.set_permissions(PermissionsExt::from_mode(0o444))?;
        file.sync_data()?;
        std::fs::rename(&path, self.folder.join("content").join(sha256))?;
        // Ignored: it is only in the way of nobody.
        let _ = std::fs::remove_file(version_path(&path));
        let index = Index { format: FORMAT, version, sha256: sha256.to_owned() };
        let mut file = self.unnamed()?;
        file.write_all(&serde_json::to_vec(&index).map_err(io::Error::other)?)?;
        let path = self.folder.join("urls").join(key);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        self.give_name(&file, &path)?;
        self.evict();
        Ok(())
    }

    fn give_name(&self, file: &File, path: &Path) -> io::Result<()> {
        file.set_permissions(PermissionsExt::from_mode(0o444))?;
        file.sync_data()?;
        let link = format!("/proc/self/fd/{}", file.as_raw_fd());
        match rustix::fs::linkat(CWD, link.as_str(), CWD, path, AtFlags::SYMLINK_FOLLOW) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes what has not been used for longest, until the limit is kept.
    fn evict(&self) {
        let mut all = Vec::new();
        for name in ["content", "made", "urls", "partial"] {
            for entry in std::fs::read_dir(self.folder.join(name)).into_iter().flatten().flatten() {
                let Ok(data) = entry.metadata() else { continue };
                all.push((data.modified().unwrap_or(SystemTime::UNIX_EPOCH), data.blocks() * 512, entry.path()));
            }
        }
        let mut total: u64 = all.iter().map(|(_, size, _)| size).sum();
        all.sort();
        for (_, size, path) in all {
            if total <= self.limit {
                return;
            }
            let partial = path.parent().is_some_and(|folder| folder.ends_with("partial"));
            let _lock = if partial {
                let key = path.file_stem().unwrap_or_default();
                let lock = lock(&self.folder.join("locks").join(key), FlockOperation::NonBlockingLockExclusive);
                // Somebody is downloading it.
                let Ok(Some(lock)) = lock else { continue };
                Some(lock)
            } else {
                None
            };
            // Somebody else may have been faster.
            let _ = std::fs::remove_file(&path);
            total -= size;
        }
    }
}

/// Takes a lock; none when its file was removed meanwhile by who held it.
fn lock(path: &Path, how: FlockOperation) -> io::Result<Option<Lock>> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
    rustix::fs::flock(file.as_fd(), how)?;
    let same = std::fs::metadata(path).is_ok_and(|data| file.metadata().is_ok_and(|own| own.ino() == data.ino()));
    Ok(same.then(|| Lock { path: path.to_owned(), _file: file }))
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Before it is let go, so that who waits for it looks again.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn version_path(partial: &Path) -> PathBuf {
    partial.with_extension("version")
}

/// Opens a file and notes that it was used.
fn used(path: &Path) -> Option<File> {
    let file = File::open(path).ok()?;
    // Somebody else's file cannot be touched; it is used all the same.
    let _ = file.set_modified(SystemTime::now());
    Some(file)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
