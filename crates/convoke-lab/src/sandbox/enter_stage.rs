//! The stage `sandbox`: enters the ground, connects a new network namespace to its bridge, makes the other namespaces and
//! starts PID 1 in them; then it hands its control channel over and ends.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use convoke_children::{Control, StageFailure, launch};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};

use super::ground_stage::errno;
use super::messages::{EnterConfig, FromSandbox};
use super::network::{Network, runtime};
use super::refusal;

/// Runs it.
pub(crate) fn run(control: Control) -> Result<(), StageFailure> {
    let (config, namespaces) = control.recv::<EnterConfig>()?;
    enter(&config, &namespaces)?;
    if let Some(size) = config.fresh {
        make_disk(&config, size)?;
    }

    let runtime = runtime()?;
    runtime.block_on(connect(&config))?;
    drop(runtime);

    unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWUTS | CloneFlags::CLONE_NEWIPC | CloneFlags::CLONE_NEWPID)
        .map_err(|error| refusal::namespaces(errno(error)))?;
    // Old kernels and some containers have none; nothing depends on it.
    let _ = unshare(CloneFlags::CLONE_NEWCGROUP);

    let init = launch::hand_over(&control, "init")?;
    Ok(control.send(&FromSandbox::Started, &[init.as_fd()])?)
}

fn enter(config: &EnterConfig, namespaces: &[OwnedFd]) -> Result<(), StageFailure> {
    let expected = if config.user_namespace { 3 } else { 2 };
    let [mounts, network, users @ ..] = namespaces else {
        return Err(StageFailure::new("the ground's namespaces are missing"));
    };
    if namespaces.len() != expected {
        return Err(StageFailure::new("the ground's namespaces are not complete"));
    }
    // The user namespace first: it is what gives the right to the others.
    for users in users {
        setns(users, CloneFlags::CLONE_NEWUSER).map_err(|error| refusal::user_namespace(errno(error)))?;
    }
    setns(mounts, CloneFlags::CLONE_NEWNS).map_err(|error| refusal::namespaces(errno(error)))?;
    setns(network, CloneFlags::CLONE_NEWNET).map_err(|error| refusal::namespaces(errno(error)))
}

/// Mounts an empty disk in the ground, where it stays from boot to boot.
fn make_disk(config: &EnterConfig, size: u64) -> Result<(), StageFailure> {
    let disk = &config.disk;
    if disk.exists() {
        // The disk of before the last deploy. Refused if it never was mounted, which is as good.
        let _ = umount2(disk, MntFlags::MNT_DETACH);
    } else {
        std::fs::create_dir(disk)?;
    }
    let options = format!("mode=755,size={size}");
    mount(Some("disk"), disk, Some("tmpfs"), MsFlags::MS_NODEV, Some(options.as_str()))
        .map_err(|error| refusal::mount("tmpfs", errno(error)))?;
    for folder in ["root", "upper", "work"] {
        std::fs::create_dir(disk.join(folder))?;
    }
    Ok(())
}

async fn connect(config: &EnterConfig) -> Result<(), StageFailure> {
    let ground = Network::here()?;
    unshare(CloneFlags::CLONE_NEWNET).map_err(|error| refusal::namespaces(errno(error)))?;
    let ours = std::fs::File::open("/proc/self/ns/net")?;
    let veth = |error: io::Error| refusal::interface("veth", &error);
    ground.make_pair(config.number, config.address, ours.as_fd()).await.map_err(veth)?;
    Network::here()?.configure_inside(config.address, config.prefix_len).await.map_err(veth)
}
