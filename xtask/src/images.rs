//! Builds the guests that tests and examples boot: a kernel and two initramfs of Debian's binaries, in `target/images`.
//! docs/images.md says what is in them. The same packages give the same bytes. Nothing is installed.

mod cpio;
mod packages;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::chores::root;
use cpio::{Node, Tree};
use packages::Unpacked;

const KERNEL: &str = "linux-image-cloud-amd64";
const INIT: &str = include_str!("images/init");
const UDHCPC: &str = include_str!("images/udhcpc");
/// Raised when the code of this module changes what it builds.
const EDITION: u32 = 1;

/// `init` loads them as the machine needs them.
const MODULES: &[&str] = &[
    "drivers/virtio/virtio_ring",
    "drivers/virtio/virtio",
    "drivers/virtio/virtio_pci_legacy_dev",
    "drivers/virtio/virtio_pci_modern_dev",
    "drivers/virtio/virtio_pci",
    "net/core/failover",
    "drivers/net/net_failover",
    "drivers/net/virtio_net",
    "drivers/block/virtio_blk",
    "drivers/char/virtio_console",
    "drivers/char/hw_random/virtio-rng",
];

/// What `full.cpio` has beside BusyBox, and the libraries that need not be named one by one.
const PROGRAMS: &[(&str, &[&str])] = &[
    ("openssh-server", &["usr/sbin/sshd"]),
    ("openssh-client", &["usr/bin/ssh", "usr/bin/scp", "usr/bin/ssh-keygen"]),
    ("openssh-sftp-server", &["usr/lib/openssh/sftp-server"]),
    ("iperf3", &["usr/bin/iperf3"]),
];
const LIBRARIES: &[&str] = &[
    "libaudit1",
    "libc6",
    "libcap-ng0",
    "libcap2",
    "libcom-err2",
    "libcrypt1",
    "libgcrypt20",
    "libgpg-error0",
    "libgssapi-krb5-2",
    "libiperf0",
    "libk5crypto3",
    "libkeyutils1",
    "libkrb5-3",
    "libkrb5support0",
    "liblz4-1",
    "liblzma5",
    "libnsl2",
    "libpam0g",
    "libpcre2-8-0",
    "libsctp1",
    "libselinux1",
    "libssl3",
    "libsystemd0",
    "libtirpc3",
    "libwrap0",
    "libzstd1",
    "zlib1g",
];

const PROFILE: &str = "export HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin PS1='root@\\h:~# '\n";
const SSHD: &str = "HostKey /etc/ssh/ssh_host_ed25519_key
PermitRootLogin prohibit-password
StrictModes no
UseDNS no
UsePAM no
Subsystem sftp /usr/lib/openssh/sftp-server
";

/// Where the images are.
pub(crate) fn folder() -> PathBuf {
    root().join("target/images")
}

/// Builds what is missing or out of date, in a few seconds the first time.
pub(crate) fn build() -> Result<(), String> {
    let folder = folder();
    let stamp = folder.join("built-from");
    let recipe = format!("{EDITION} {KERNEL} {MODULES:?} {PROGRAMS:?} {LIBRARIES:?}\n{INIT}{UDHCPC}{PROFILE}{SSHD}");
    let images = ["vmlinuz", "base.cpio", "full.cpio"];
    if fs::read_to_string(&stamp).is_ok_and(|built| built == recipe)
        && images.iter().all(|image| folder.join(image).is_file())
    {
        return Ok(());
    }
    let kernel = packages::behind(KERNEL)?;
    let mut names = vec![kernel.as_str(), "busybox-static"];
    names.extend(PROGRAMS.iter().map(|(package, _)| package));
    names.extend(LIBRARIES);
    let unpacked = packages::unpack(&names, &folder.join("packages"), &folder.join("unpacked"))?;

    let version = kernel.trim_start_matches("linux-image-");
    let vmlinuz = read(&unpacked.root.join(format!("boot/vmlinuz-{version}")))?;
    let mut tree = base(&unpacked, version)?;
    let base = tree.archive();
    full(&mut tree, &unpacked)?;
    for (name, bytes) in images.iter().zip([vmlinuz, base, tree.archive()]) {
        write(&folder, name, &bytes)?;
    }
    write(&folder, "packages.txt", (unpacked.names.join("\n") + "\n").as_bytes())?;
    fs::remove_dir_all(&unpacked.root).map_err(|error| format!("{}: {error}", unpacked.root.display()))?;
    // Last: it says that the others are whole.
    write(&folder, "built-from", recipe.as_bytes())
}

/// BusyBox, the modules, and the first program.
fn base(unpacked: &Unpacked, version: &str) -> Result<Tree, String> {
    let mut tree = Tree::default();
    for folder in ["dev", "etc", "mnt", "proc", "run", "sbin", "sys", "usr/bin", "usr/sbin", "var/log"] {
        tree.put(folder, Node::Folder(0o755));
    }
    tree.put("root", Node::Folder(0o700));
    tree.put("tmp", Node::Folder(0o1777));
    tree.put("var/run", Node::Link("/run".into()));
    tree.put("bin/busybox", Node::File(0o755, read(&unpacked.root.join("bin/busybox"))?));
    tree.put("init", Node::File(0o755, INIT.into()));
    tree.put("etc/udhcpc", Node::File(0o755, UDHCPC.into()));
    tree.put("etc/profile", Node::File(0o644, PROFILE.into()));
    tree.put("etc/group", Node::File(0o644, "root:x:0:\n".into()));
    let users = "root::0:0:root:/root:/bin/sh\nsshd:*:100:65534::/run/sshd:/bin/false\n";
    tree.put("etc/passwd", Node::File(0o644, users.into()));
    for module in MODULES {
        let bytes = read(&unpacked.root.join(format!("lib/modules/{version}/kernel/{module}.ko")))?;
        let name = module.rsplit('/').next().unwrap_or(module);
        tree.put(&format!("lib/modules/{name}.ko"), Node::File(0o644, bytes));
    }
    Ok(tree)
}

/// OpenSSH and iperf3 with their libraries.
fn full(tree: &mut Tree, unpacked: &Unpacked) -> Result<(), String> {
    for program in PROGRAMS.iter().flat_map(|(_, programs)| *programs) {
        tree.put(program, Node::File(0o755, read(&unpacked.root.join(program))?));
    }
    for folder in ["lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu"] {
        let path = unpacked.root.join(folder);
        let entries = fs::read_dir(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if !name.contains(".so") {
                continue;
            }
            let at = format!("{folder}/{name}");
            match fs::read_link(entry.path()) {
                Ok(target) => tree.put(&at, Node::Link(target.to_string_lossy().into_owned())),
                Err(_) => tree.put(&at, Node::File(0o755, read(&entry.path())?)),
            }
        }
    }
    tree.put("lib64/ld-linux-x86-64.so.2", Node::Link("/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2".into()));
    tree.put("etc/ssh/sshd_config", Node::File(0o644, SSHD.into()));
    tree.put("root/.ssh", Node::Folder(0o700));
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// Writes a file at once or not at all, readable by all: a test may read it while another builds.
fn write(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), String> {
    let part = folder.join(format!("{name}.part"));
    let path = folder.join(name);
    fs::write(&part, bytes)
        .and_then(|()| fs::set_permissions(&part, PermissionsExt::from_mode(0o644)))
        .and_then(|()| fs::rename(&part, &path))
        .map_err(|error| format!("{}: {error}", path.display()))
}
