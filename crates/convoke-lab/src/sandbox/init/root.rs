//! The root file system of a sandbox, and entering it.
//!
//! A folder is shown as an overlay of the host's. Where the kernel refuses that because something is mounted below it (in a
//! user namespace such mounts are locked in place and must not be uncovered), the folder is made anew and its content shown
//! piece by piece.

use std::fs::{File, Metadata};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use convoke_children::StageFailure;
use nix::mount::{MntFlags, MsFlags, mount, umount2};

use super::devices;
use crate::sandbox::ground_stage::{errno, host_folders};
use crate::sandbox::messages::{BASE, InitConfig};
use crate::sandbox::refusal;

/// More entries than this are not shown piece by piece.
const MANY: usize = 512;
/// Largest file that is copied when a folder is shown piece by piece.
const LARGEST_COPY: u64 = 1 << 20;

/// Builds the root on the disk and makes it this process's root.
pub(super) fn build(config: &InitConfig) -> Result<(), StageFailure> {
    let builder = Builder { disk: &config.disk, root: config.disk.join("root") };
    let root = &builder.root;
    mount(Some(root), root, None::<&str>, MsFlags::MS_BIND, None::<&str>)
        .map_err(|error| refusal::mount("its root", errno(error)))?;
    let name_resolution = std::fs::read("/etc/resolv.conf").ok();
    for folder in host_folders()? {
        builder.show(&folder)?;
    }
    if config.fresh {
        builder.copy_links()?;
    }
    for (folder, mode) in
        [("proc", 0o555), ("sys", 0o555), ("dev", 0o755), ("tmp", 0o1777), ("run", 0o755), ("root", 0o700)]
    {
        let path = root.join(folder);
        if !path.exists() {
            std::fs::create_dir(&path)?;
            std::fs::set_permissions(&path, PermissionsExt::from_mode(mode))?;
        }
    }
    builder.system(config)?;
    devices::build(&root.join("dev"), config.limit)?;
    devices::tmpfs(&root.join("tmp"), &format!("mode=1777,size={}", config.limit))?;
    devices::tmpfs(&root.join("run"), &format!("mode=755,size={}", config.limit))?;
    for (folder, mode) in [("lock", 0o1777), ("shm", 0o1777)] {
        let path = root.join("run").join(folder);
        std::fs::create_dir(&path)?;
        std::fs::set_permissions(&path, PermissionsExt::from_mode(mode))?;
    }
    let hosts = std::fs::read(Path::new(BASE).join("hosts"))?;
    enter(root)?;
    if config.fresh {
        replace("/etc/hosts", &hosts)?;
        replace("/etc/hostname", format!("{}\n", config.name).as_bytes())?;
        if let Some(text) = name_resolution {
            // A link into /run, or mounted over by a container: its content is what counts.
            replace("/etc/resolv.conf", &text)?;
        }
    }
    Ok(())
}

struct Builder<'a> {
    disk: &'a Path,
    root: PathBuf,
}

impl Builder<'_> {
    fn inside(&self, path: &Path) -> PathBuf {
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// Shows a folder of the host.
    fn show(&self, folder: &Path) -> io::Result<()> {
        let Ok(meta) = folder.symlink_metadata() else { return Ok(()) };
        let target = self.inside(folder);
        if !target.exists() {
            std::fs::create_dir(&target)?;
        }
        if self.overlay(folder, &target, &meta).is_ok() {
            return Ok(());
        }
        let below = folder.read_dir().map(|entries| entries.flatten().take(MANY + 1).collect::<Vec<_>>());
        match below {
            Ok(entries) if entries.len() <= MANY && has_mounts_below(folder) => {
                take_after(&target, &meta);
                for entry in entries {
                    self.show_piece(&entry.path())?;
                }
                Ok(())
            }
            _ => {
                // No overlay of this file system: readable at least. Left empty if not even that.
                let flags = MsFlags::MS_BIND | MsFlags::MS_REC;
                if mount(Some(folder), &target, None::<&str>, flags, None::<&str>).is_ok() {
                    read_only(&target);
                }
                Ok(())
            }
        }
    }

    /// Shows one entry of a folder that is not shown as a whole.
    fn show_piece(&self, path: &Path) -> io::Result<()> {
        let Ok(meta) = path.symlink_metadata() else { return Ok(()) };
        let target = self.inside(path);
        if meta.is_dir() {
            self.show(path)
        } else if target.symlink_metadata().is_ok() {
            Ok(())
        } else if meta.is_symlink() {
            symlink(std::fs::read_link(path)?, target)
        } else {
            if meta.is_file()
                && meta.len() <= LARGEST_COPY
                && let Ok(bytes) = std::fs::read(path)
            {
                std::fs::write(&target, bytes)?;
                take_after(&target, &meta);
            } else if meta.is_file() {
                File::create(&target)?;
                if mount(Some(path), &target, None::<&str>, MsFlags::MS_BIND, None::<&str>).is_ok() {
                    read_only(&target);
                }
            }
            Ok(())
        }
    }

    fn overlay(&self, folder: &Path, target: &Path, meta: &Metadata) -> io::Result<()> {
        let key = folder.to_string_lossy().replace('/', "%");
        let (upper, work) = (self.disk.join("upper").join(&key), self.disk.join("work").join(&key));
        if !upper.exists() {
            std::fs::create_dir(&upper)?;
            std::fs::create_dir(&work)?;
            take_after(&upper, meta);
        }
        let skeleton = Path::new(BASE).join("skeleton").join(folder.strip_prefix("/").unwrap_or(folder));
        let lower = match skeleton.is_dir() {
            true => format!("{}:{}", option(&skeleton), option(folder)),
            false => option(folder),
        };
        let options = format!("lowerdir={lower},upperdir={},workdir={},userxattr", option(&upper), option(&work));
        mount(Some("overlay"), target, Some("overlay"), MsFlags::MS_NODEV, Some(options.as_str()))?;
        Ok(())
    }

    /// Copies the links at the host's root: `/bin` and its like.
    fn copy_links(&self) -> io::Result<()> {
        for entry in std::fs::read_dir("/")?.flatten() {
            if entry.file_type()?.is_symlink() {
                symlink(std::fs::read_link(entry.path())?, self.inside(&entry.path()))?;
            }
        }
        Ok(())
    }

    /// `/proc` and `/sys`.
    fn system(&self, config: &InitConfig) -> Result<(), StageFailure> {
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
        let proc = self.root.join("proc");
        mount(Some("proc"), &proc, Some("proc"), flags, None::<&str>)
            .map_err(|error| refusal::mount("proc", errno(error)))?;
        if config.root {
            // These ask for the owner's id and not for powers, so root inside would change the machine. What belongs to the
            // network namespace stays writable.
            for path in ["sys", "sysrq-trigger", "irq", "bus", "fs"] {
                protect(&proc.join(path))?;
            }
            let network = proc.join("sys/net");
            let bound = mount(Some(&network), &network, None::<&str>, MsFlags::MS_BIND, None::<&str>);
            bound
                .and_then(|()| {
                    mount(
                        None::<&str>,
                        &network,
                        None::<&str>,
                        MsFlags::MS_BIND | MsFlags::MS_REMOUNT | flags,
                        None::<&str>,
                    )
                })
                .map_err(|error| refusal::mount("proc", errno(error)))?;
        }
        let sys = self.root.join("sys");
        if mount(Some("sysfs"), &sys, Some("sysfs"), flags | MsFlags::MS_RDONLY, None::<&str>).is_err() {
            let bind = MsFlags::MS_BIND | MsFlags::MS_REC;
            if mount(Some("/sys"), &sys, None::<&str>, bind, None::<&str>).is_ok() {
                read_only(&sys);
            }
        }
        Ok(())
    }
}

/// Gives `path` the mode and, where they exist here, the owner and group of `meta`.
fn take_after(path: &Path, meta: &Metadata) {
    // Owners that do not exist here are shown as nobody and cannot be given: then it stays ours.
    let _ = std::os::unix::fs::lchown(path, Some(meta.uid()), Some(meta.gid()));
    let _ = std::fs::set_permissions(path, PermissionsExt::from_mode(meta.mode() & 0o7777));
}

/// A path as it is written in the options of an overlay.
fn option(path: &Path) -> String {
    let mut text = String::new();
    for character in path.to_string_lossy().chars() {
        if matches!(character, ':' | ',' | '\\') {
            text.push('\\');
        }
        text.push(character);
    }
    text
}

/// Makes a bound mount read-only, keeping the flags that are locked.
fn read_only(path: &Path) {
    let base = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
    let tries = [
        MsFlags::empty(),
        MsFlags::MS_NOSUID | MsFlags::MS_NODEV,
        MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC,
    ];
    for extra in tries {
        if mount(None::<&str>, path, None::<&str>, base | extra, None::<&str>).is_ok() {
            return;
        }
    }
    // Rather nothing than something that could be written to.
    let _ = umount2(path, MntFlags::MNT_DETACH);
}

/// Makes a part of `/proc` read-only.
fn protect(path: &Path) -> Result<(), StageFailure> {
    if path.exists() {
        let failed = |error| refusal::mount("proc", errno(error));
        mount(Some(path), path, None::<&str>, MsFlags::MS_BIND | MsFlags::MS_REC, None::<&str>).map_err(failed)?;
        let flags = MsFlags::MS_BIND
            | MsFlags::MS_REMOUNT
            | MsFlags::MS_RDONLY
            | MsFlags::MS_NOSUID
            | MsFlags::MS_NODEV
            | MsFlags::MS_NOEXEC;
        mount(None::<&str>, path, None::<&str>, flags, None::<&str>).map_err(failed)?;
    }
    Ok(())
}

/// Whether something is mounted below `folder`.
fn has_mounts_below(folder: &Path) -> bool {
    mount_points().iter().any(|point| point.starts_with(folder) && point != folder)
}

/// Where something is mounted, as this process sees it.
pub(crate) fn mount_points() -> Vec<PathBuf> {
    let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let plain = |point: &str| {
        point.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\").into()
    };
    table.lines().filter_map(|line| line.split(' ').nth(4)).map(plain).collect()
}

/// Makes `root` the root, and lets go of the old one.
fn enter(root: &Path) -> Result<(), StageFailure> {
    let failed = |error| refusal::mount("its root", errno(error));
    std::env::set_current_dir(root)?;
    nix::unistd::pivot_root(".", ".").map_err(failed)?;
    umount2(".", MntFlags::MNT_DETACH).map_err(failed)?;
    Ok(std::env::set_current_dir("/")?)
}

/// Writes a file anew, so that it is ours.
fn replace(path: &str, bytes: &[u8]) -> Result<(), StageFailure> {
    let failed = |error: io::Error| StageFailure::new(format!("cannot write {path} on the device: {error}"));
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let mut file = File::create(path).map_err(failed)?;
    file.write_all(bytes).map_err(failed)
}
