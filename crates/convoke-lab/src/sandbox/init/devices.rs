//! `/dev` of a sandbox: a tmpfs with the host's harmless nodes, terminals of its own, and nothing else.

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::fs::symlink;
use std::path::Path;

use convoke_children::StageFailure;
use nix::mount::{MsFlags, mount};

use crate::sandbox::ground_stage::errno;
use crate::sandbox::refusal;

/// Nodes without which programs do not run.
const NEEDED: &[&str] = &["null", "zero", "full", "random", "urandom", "tty"];
/// Nodes that some tests want: virtual machines, tunnels, file systems in user space.
const WANTED: &[&str] = &["kvm", "net/tun", "fuse"];
const LINKS: &[(&str, &str)] = &[
    ("/proc/self/fd", "fd"),
    ("/proc/self/fd/0", "stdin"),
    ("/proc/self/fd/1", "stdout"),
    ("/proc/self/fd/2", "stderr"),
    ("pts/ptmx", "ptmx"),
];

/// Fills `dev`, while the host's own is still at `/dev`.
pub(super) fn build(dev: &Path, limit: u64) -> Result<(), StageFailure> {
    tmpfs(dev, "mode=755,size=1m")?;
    for node in NEEDED {
        bind(&Path::new("/dev").join(node), &dev.join(node))
            .map_err(|error| StageFailure::new(format!("cannot give /dev/{node} to a sandbox: {error}")))?;
    }
    for node in WANTED {
        let host = Path::new("/dev").join(node);
        if host.exists() {
            // What this machine does not give away, the test does not get.
            let _ = bind(&host, &dev.join(node));
        }
    }
    for folder in ["pts", "shm", "mqueue"] {
        std::fs::create_dir(dev.join(folder))?;
    }
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    mount(Some("devpts"), &dev.join("pts"), Some("devpts"), flags, Some("newinstance,ptmxmode=0666,mode=0620"))
        .map_err(|error| refusal::mount("devpts", errno(error)))?;
    tmpfs(&dev.join("shm"), &format!("mode=1777,size={limit}"))?;
    // Not in every kernel.
    let _ = mount(Some("mqueue"), &dev.join("mqueue"), Some("mqueue"), flags | MsFlags::MS_NODEV, None::<&str>);
    for (target, name) in LINKS {
        symlink(target, dev.join(name))?;
    }
    Ok(())
}

/// Mounts a tmpfs.
pub(super) fn tmpfs(path: &Path, options: &str) -> Result<(), StageFailure> {
    mount(Some("tmpfs"), path, Some("tmpfs"), MsFlags::MS_NOSUID | MsFlags::MS_NODEV, Some(options))
        .map_err(|error| refusal::mount("tmpfs", errno(error)))
}

/// Binds one file of the host to a new file.
fn bind(host: &Path, path: &Path) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    File::create(path)?;
    Ok(mount(Some(host), path, None::<&str>, MsFlags::MS_BIND, None::<&str>)?)
}

/// Makes the terminal at `path` the console, after the root has been entered.
pub(super) fn bind_console(path: &OsString) -> Result<(), StageFailure> {
    bind(Path::new(path), Path::new("/dev/console"))
        .map_err(|error| StageFailure::new(format!("cannot make the console: {error}")))
}
