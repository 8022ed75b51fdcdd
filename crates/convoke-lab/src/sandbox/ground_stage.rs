//! The stage `ground`: makes what the sandboxes of a run share, sends descriptors of it, and ends.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use convoke_children::{Control, StageFailure};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use rustix::fs::Mode;

use super::messages::{BASE, FromGround, GroundConfig, IdsMapped};
use super::network::{Network, runtime};
use super::{refusal, skeleton};

/// Runs it.
pub(crate) fn run(control: Control) -> Result<(), StageFailure> {
    let (config, _) = control.recv::<GroundConfig>()?;
    // The skeleton's folders get the modes they are made with.
    rustix::process::umask(Mode::empty());
    let users = enter_user_namespace(&control, &config)?;
    unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET).map_err(|error| refusal::namespaces(errno(error)))?;
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)
        .map_err(|error| refusal::mount("its own view of the files", errno(error)))?;

    // The host's folders are counted before the base hides one of them.
    let folders = host_folders()?;
    mount(Some("convoke"), BASE, Some("tmpfs"), MsFlags::MS_NODEV, Some("mode=755,size=90%,nr_inodes=0"))
        .map_err(|error| refusal::mount("tmpfs", errno(error)))?;
    let base = Path::new(BASE);
    for folder in ["skeleton", "disks", "trial"] {
        std::fs::create_dir(base.join(folder))?;
    }
    std::fs::write(base.join("hosts"), &config.hosts)?;
    try_overlay(base)?;

    let runtime = runtime()?;
    runtime.block_on(async {
        let network = Network::here()?;
        network
            .make_bridge(config.bridge, config.prefix_len)
            .await
            .map_err(|error| refusal::interface("bridge", &error))?;
        let peer = std::fs::File::open("/proc/self/ns/net")?;
        network.try_pair(peer.as_fd()).await.map_err(|error| refusal::interface("veth", &error))
    })?;
    drop(runtime);

    if users != Users::All {
        skeleton::build(&base.join("skeleton"), &folders);
    }

    let mut namespaces: Vec<OwnedFd> = vec![namespace("mnt")?, namespace("net")?];
    let user_namespace = users != Users::Host;
    if user_namespace {
        namespaces.push(namespace("user")?);
    }
    namespaces.push(dhcp_socket()?);
    let borrowed: Vec<_> = namespaces.iter().map(AsFd::as_fd).collect();
    Ok(control.send(&FromGround::Ready { user_namespace }, &borrowed)?)
}

/// Which users exist in the sandboxes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Users {
    /// One: root, who is the user that runs convoke.
    One,
    /// The same as outside, in a user namespace.
    All,
    /// The same as outside, without a user namespace.
    Host,
}

fn enter_user_namespace(control: &Control, config: &GroundConfig) -> Result<Users, StageFailure> {
    let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
    // In a user namespace the kernel gives no new /proc where a part of the present one is masked; outside it does.
    if config.plain || (config.root && proc_is_masked()) {
        return Ok(Users::Host);
    }
    match unshare(CloneFlags::CLONE_NEWUSER) {
        Ok(()) => {}
        // Root does without.
        Err(_) if config.root => return Ok(Users::Host),
        Err(error) => return Err(refusal::user_namespace(errno(error))),
    }
    if config.root {
        control.send(&FromGround::MapIds, &[])?;
        if control.recv::<IdsMapped>()?.0.0 {
            return Ok(Users::All);
        }
    }
    let map = |file: &str, text: String| {
        std::fs::write(format!("/proc/self/{file}"), text).map_err(|error| refusal::id_map(&error))
    };
    map("setgroups", "deny".to_owned())?;
    map("uid_map", format!("0 {} 1", uid.as_raw()))?;
    map("gid_map", format!("0 {} 1", gid.as_raw()))?;
    Ok(Users::One)
}

/// Whether something is mounted over a part of `/proc`, as containers do.
fn proc_is_masked() -> bool {
    super::init::mount_points().iter().any(|point| {
        // That one is empty below and therefore no mask; nearly every machine has it.
        point.starts_with("/proc") && point != Path::new("/proc") && point != Path::new("/proc/sys/fs/binfmt_misc")
    })
}

/// The top-level folders that a sandbox sees layers of.
pub(crate) fn host_folders() -> io::Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for entry in std::fs::read_dir("/")? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let private = ["proc", "sys", "dev", "tmp", "run", "root", "lost+found"].contains(&&*name);
        if entry.file_type()?.is_dir() && !private && !name.starts_with("lava-") {
            folders.push(entry.path());
        }
    }
    folders.sort();
    Ok(folders)
}

/// A socket that hears the requests of machines on the bridge, and can answer before they have an address.
fn dhcp_socket() -> Result<OwnedFd, StageFailure> {
    let failed = |error: io::Error| StageFailure::new(format!("cannot make a socket for DHCP: {error}"));
    let socket = std::net::UdpSocket::bind((std::net::Ipv4Addr::UNSPECIFIED, super::dhcp::SERVER_PORT));
    let socket = socket.map_err(failed)?;
    socket.set_broadcast(true).map_err(failed)?;
    socket.set_nonblocking(true).map_err(failed)?;
    // Broadcasts have no route here.
    nix::sys::socket::setsockopt(&socket, nix::sys::socket::sockopt::BindToDevice, &super::network::BRIDGE.into())
        .map_err(|error| failed(error.into()))?;
    Ok(socket.into())
}

/// Mounts an overlay once, so that a kernel that refuses says so here and not in each sandbox.
fn try_overlay(base: &Path) -> Result<(), StageFailure> {
    let trial = base.join("trial");
    for folder in ["lower", "upper", "work", "merged"] {
        std::fs::create_dir(trial.join(folder))?;
    }
    let options = format!("lowerdir={0}/lower,upperdir={0}/upper,workdir={0}/work,userxattr", trial.display());
    mount(Some("overlay"), &trial.join("merged"), Some("overlay"), MsFlags::empty(), Some(options.as_str()))
        .map_err(|error| refusal::mount("overlay", errno(error)))?;
    nix::mount::umount(&trial.join("merged")).map_err(|error| refusal::mount("overlay", errno(error)))?;
    Ok(std::fs::remove_dir_all(&trial)?)
}

fn namespace(kind: &str) -> io::Result<OwnedFd> {
    Ok(std::fs::File::open(format!("/proc/self/ns/{kind}"))?.into())
}

/// nix's error as rustix's.
pub(crate) fn errno(error: nix::errno::Errno) -> rustix::io::Errno {
    rustix::io::Errno::from_raw_os_error(error as i32)
}
