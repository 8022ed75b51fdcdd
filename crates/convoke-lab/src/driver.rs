//! Which kind of device serves a member, and what the member's job asks for that such a device cannot do.
//!
//! One function answers for `check`, for the plan of a run, and for a device file: what is refused here is never found out
//! halfway through a run.

use std::path::Path;

use convoke_artifact::Resource;
use convoke_device::qemu::{Machine, Network};
use convoke_device::{Dictionary, Fault, acceleration, placeholder};
use convoke_dispatcher::device::{DOWNLOADS, Refusal};
use convoke_job::MemberJob;
use convoke_job::member::{Block, BlockKind, TestKind};
use serde_json::Value;

use crate::config::{QEMU, SANDBOX};
use crate::{board, qemu, sandbox, ssh};

/// What drives a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Driver {
    /// Namespaces on this machine.
    Sandbox,
    /// A QEMU machine.
    Qemu(Machine),
    /// A board: a console and a power switch of the lab.
    Board,
    /// A machine that is reached by ssh.
    Ssh(ssh::Target),
}

/// What is refused, and the block that asks for it; `None` when no block of the member would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Index into the member's blocks.
    pub block: Option<usize>,
    /// Why.
    pub refusal: Refusal,
}

/// The driver of a device of this type and configuration for `member`.
///
/// # Errors
/// The first thing that the member asks for and the device cannot do.
pub fn driver(device_type: &str, dictionary: Option<&Dictionary>, member: &MemberJob) -> Result<Driver, Refused> {
    let all = |refusal| Refused { block: None, refusal };
    let driver = match (dictionary, device_type) {
        (None, SANDBOX) => Driver::Sandbox,
        (None, QEMU) => Driver::Qemu(Machine::built_in(&member.context).map_err(fault).map_err(all)?),
        (None, other) => {
            let message = format!("a device of type {other} has no configuration");
            let help = "give it one in the lab file, `dictionary:`, or --rehearse to put a sandbox in its place";
            return Err(all(Refusal::new(message, help)));
        }
        (Some(dictionary), _) if boots_by_ssh(dictionary, member) => {
            Driver::Ssh(ssh::Target::of_dictionary(dictionary).map_err(all)?)
        }
        (Some(dictionary), _) if dictionary.boot.method("qemu").is_some() => {
            Driver::Qemu(Machine::of_dictionary(dictionary).map_err(fault).map_err(all)?)
        }
        (Some(dictionary), _) if dictionary.boot.method("minimal").is_some() => Driver::Board,
        (Some(dictionary), other) => {
            let methods = dictionary.boot.names().join(", ");
            let message = format!("no boot method of the device of type {other} can be driven: it has {methods}");
            let help = "known: qemu, minimal, and ssh with a host; --rehearse puts a sandbox in its place";
            return Err(all(Refusal::new(message, help)));
        }
    };
    for (index, block) in member.blocks.iter().enumerate() {
        let refusal = refusal(&driver, dictionary, block).or_else(|| overlay_missing(&member.blocks, index));
        if let Some(refusal) = refusal {
            return Err(Refused { block: Some(index), refusal });
        }
    }
    if let Driver::Qemu(machine) = &driver
        && acceleration::is_kvm_itself(&machine.program)
    {
        let message = format!("{} always uses hardware virtualisation, even where it does not work", machine.program);
        let help = "name QEMU itself, qemu-system-…, and say `kvm: probe` or `kvm: yes` in the lab file";
        return Err(all(Refusal::new(message, help)));
    }
    if let Driver::Qemu(machine) = &driver
        && !is_installed(&machine.program)
    {
        let message = format!("{} is not installed on this machine", machine.program);
        return Err(all(Refusal::new(message, format!("install it; on Debian: {}", package(&machine.program)))));
    }
    if let Driver::Ssh(_) = &driver {
        ssh_found().map_err(all)?;
    }
    if let Driver::Qemu(Machine { network: Network::Group { .. }, .. }) = &driver
        && let Err(error) = std::fs::File::options().read(true).write(true).open(TUN)
    {
        let message = format!("a machine on the group's network needs {TUN}, which cannot be opened: {error}");
        let help = match error.kind() {
            std::io::ErrorKind::PermissionDenied => "let everybody open it, as most systems do: chmod 666 /dev/net/tun",
            _ => "load the module `tun`; in a container, start that with --device /dev/net/tun",
        };
        let help = format!("{help}; or let the machine do without it: context {{netdevice: user}}");
        return Err(all(Refusal::new(message, help)));
    }
    Ok(driver)
}

/// Whether the machine is one to log in to: it has an address, and the job or the machine knows no other way.
fn boots_by_ssh(dictionary: &Dictionary, member: &MemberJob) -> bool {
    let has_host = [&dictionary.boot, &dictionary.deploy]
        .into_iter()
        .filter_map(|actions| actions.method("ssh")?.get("host"))
        .any(|host| host.as_str().is_some_and(|host| !host.is_empty()));
    let asks =
        member.blocks.iter().any(|block| matches!(&block.kind, BlockKind::Boot { method, .. } if method == "ssh"));
    has_host && (asks || dictionary.boot.names() == ["ssh"])
}

/// How a guest of a device with this configuration logs in, when that can do what the guest's job asks for.
///
/// # Errors
/// The first thing that cannot be done.
pub fn guest(host: Option<&Dictionary>, member: &MemberJob) -> Result<ssh::Target, Refused> {
    for (index, block) in member.blocks.iter().enumerate() {
        let refusal = match &block.kind {
            BlockKind::Command { .. } => Some(Refusal::new(
                "a guest has no user commands: they belong to its host's device",
                "give the block to the host's role",
            )),
            _ => convoke_dispatcher::device::unsupported(block).or_else(|| ssh::refusal(block)),
        };
        if let Some(refusal) = refusal {
            return Err(Refused { block: Some(index), refusal });
        }
    }
    let all = |refusal| Refused { block: None, refusal };
    let target = host.map(ssh::Target::of_dictionary).transpose().map_err(all)?.unwrap_or_default();
    target.public_key().map_err(all)?;
    ssh_found().map_err(all)?;
    // Its address comes from the host.
    Ok(ssh::Target { host: None, ..target })
}

fn ssh_found() -> Result<(), Refusal> {
    match ["ssh", "scp"].into_iter().find(|program| !is_installed(program)) {
        Some(program) => {
            let message = format!("{program} is not installed on this machine");
            Err(Refusal::new(message, "install it; on Debian: apt install openssh-client"))
        }
        None => Ok(()),
    }
}

/// Whether a shell would find a program.
fn is_installed(program: &str) -> bool {
    if program.contains('/') {
        return Path::new(program).exists();
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).any(|folder| folder.join(program).exists())
}

/// Where network interfaces of machines come from.
const TUN: &str = "/dev/net/tun";

fn refusal(driver: &Driver, dictionary: Option<&Dictionary>, block: &Block) -> Option<Refusal> {
    let own = match (driver, &block.kind) {
        (_, BlockKind::Test(_)) => convoke_dispatcher::device::unsupported(block),
        (_, BlockKind::Command { name }) => convoke_dispatcher::device::command_refusal(name, dictionary),
        (_, BlockKind::Deploy { to, .. }) if DOWNLOADS.contains(&to.as_str()) => None,
        (Driver::Sandbox, _) => sandbox::refusal_of(block),
        (Driver::Ssh(_), _) => ssh::refusal(block),
        (Driver::Qemu(_), _) => qemu::refusal(block),
        (Driver::Board, _) => dictionary.and_then(|dictionary| board::refusal(block, dictionary)),
    };
    own.or_else(|| match &block.kind {
        BlockKind::Deploy { .. } => images(block, dictionary),
        BlockKind::Boot { .. } => transfer(driver, block),
        BlockKind::Test(_) | BlockKind::Command { .. } => None,
    })
}

/// The first image of a deploy block that cannot be had.
fn images(block: &Block, dictionary: Option<&Dictionary>) -> Option<Refusal> {
    if block.parameters.contains_key("postprocess") {
        let message = "images are not processed by programs in containers";
        return Some(Refusal::new(message, "leave out `postprocess`, and give the images as they are to be used"));
    }
    let bare = Dictionary::default();
    let images = block.parameters.get("images").and_then(Value::as_object);
    images.into_iter().flatten().find_map(|(label, image)| {
        let named = |message: &str| format!("image {label}: {message}");
        let filled = match placeholder::fill(image.as_object()?, dictionary.unwrap_or(&bare)) {
            Ok(filled) => filled,
            Err(Fault { message, help }) => return Some(Refusal::new(named(&message), help)),
        };
        let error = Resource::from_value(&Value::Object(filled)).err()?;
        Some(Refusal::new(named(&error.message), "docs/artifacts.md says what images may be"))
    })
}

/// Why a boot block's overlay cannot be fetched by the device.
fn transfer(driver: &Driver, block: &Block) -> Option<Refusal> {
    let transfer = block.parameters.get("transfer_overlay")?;
    if let Some(method) = transfer.get("transfer_method").and_then(Value::as_str).filter(|method| *method != "http") {
        let message = format!("an overlay cannot be transferred by {method}");
        return Some(Refusal::new(message, "use `transfer_method: http`, which is also meant when nothing is said"));
    }
    match driver {
        Driver::Qemu(machine) if !machine.has_network() => {
            let message = "a machine without a network cannot fetch its overlay";
            Some(Refusal::new(message, "leave out `transfer_overlay`, or give the machine a network"))
        }
        Driver::Sandbox | Driver::Ssh(_) => {
            let message = "`transfer_overlay` is not for this device: its overlay is there when it has booted";
            Some(Refusal::new(message, "leave out `transfer_overlay`"))
        }
        Driver::Qemu(_) | Driver::Board => None,
    }
}

/// Why the tests of a block do not get onto the device: its namespace is deployed, but only for a transfer that no boot
/// block asks for.
fn overlay_missing(blocks: &[Block], test: usize) -> Option<Refusal> {
    let BlockKind::Test(TestKind::Definitions(_)) = &blocks[test].kind else { return None };
    let before: Vec<&Block> =
        blocks[..test].iter().filter(|block| block.namespace() == blocks[test].namespace()).collect();
    let mut deploys = before.iter().filter_map(|block| match &block.kind {
        BlockKind::Deploy { to, .. } => Some(to == "overlay" || DOWNLOADS.contains(&to.as_str())),
        _ => None,
    });
    let only_made = deploys.clone().next().is_some() && deploys.all(|made| made);
    let fetched = before.iter().any(|block| block.parameters.contains_key("transfer_overlay"));
    (only_made && !fetched).then(|| {
        Refusal::new(
            "nothing brings the tests onto the device",
            "add `transfer_overlay: {download_command: …, unpack_command: …}` to the boot block before it",
        )
    })
}

fn fault(Fault { message, help }: Fault) -> Refusal {
    Refusal { message, help }
}

/// Debian's package of an emulator.
fn package(program: &str) -> &'static str {
    let name = program.rsplit('/').next().unwrap_or(program);
    match name.strip_prefix("qemu-system-") {
        Some("x86_64" | "i386") => "apt install qemu-system-x86",
        Some("aarch64" | "arm") => "apt install qemu-system-arm",
        _ => "apt install qemu-system",
    }
}
