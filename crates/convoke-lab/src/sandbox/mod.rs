//! Devices made of namespaces on this machine.
//!
//! ```text
//!  convoke ──holds──▶ ground: user + network + mount namespace (no process in them)
//!     │                 br0 10.213.0.1/16        /tmp (tmpfs): skeleton/ disks/NAME/ hosts
//!     │                  │ v1      │ v2
//!     ├─ control, pidfd ─┼─▶ init of sandbox 1 (PID 1): eth0 10.213.0.2, root, pts ─▶ shell
//!     └─ control, pidfd ─┴────────┴─▶ init of sandbox 2 (PID 1): eth0 10.213.0.3, …  ─▶ shell, a guest's shell
//! ```
//!
//! One [`Ground`] a run is what its sandboxes share: a stage makes its namespaces, sends descriptors of them and ends. They
//! exist as long as convoke holds the descriptors or a sandbox is in them. A sandbox is a PID 1 with everything below it; it
//! ends when its control channel does. So whatever kills convoke, the kernel closes the descriptors, every PID 1 ends, the
//! kernel kills what is below it, and the namespaces go with their mounts and interfaces: there is nothing to clean up and
//! no keeper that could be killed first.
//!
//! The root of a sandbox is a tmpfs, its *disk*, on which each top-level folder of the host appears as an overlay: the
//! host's files below, the disk above. `/tmp`, `/run`, `/dev` and `/proc` are made anew at each boot; `/root`, and what was
//! written anywhere else, stays from one boot to the next until the next deploy, as on a disk. Nothing is ever written to
//! the host.
//!
//! An ordinary user becomes root of a user namespace in which the host's root does not exist, so the host's folders and
//! files would belong to nobody and could not be written to even in an overlay. The ground therefore holds a
//! *skeleton* (`skeleton`): the same folders, and copies of the files of `/etc`, owned by us, as a layer between the host's
//! files and the disk. What cannot work for an ordinary user: giving a file to another user or group (there is only root),
//! changing a program's file in place outside `/etc` (replacing it works), reading what only the host's root may read.
//!
//! Root gets a user namespace as well, with every id mapped to itself: then root inside may do as it likes with its own
//! files, mounts and interfaces and nothing with the machine's clock, modules or devices. Where the kernel refuses that, it
//! goes without.
//!
//! | module | is about |
//! |---|---|
//! | [`ground`], `ground_stage` | what the sandboxes of a run share |
//! | `skeleton` | the layer that makes the host's folders ours |
//! | `network` | bridge, interfaces, addresses |
//! | `dhcp` | addresses for machines that ask for them |
//! | [`device`], `enter_stage` | one sandbox as a device |
//! | `init` | PID 1 of a sandbox: root file system, console, guests |
//! | `shell_stage` | from a process to a login shell on a terminal |
//! | [`guest`] | a shell of its own on another member's sandbox, for rehearsals |
//! | `pty` | the console's bytes |
//! | `messages` | what goes over the control channels |
//! | `refusal` | what to say where the kernel refuses |

pub mod device;
pub mod ground;
pub mod guest;

mod dhcp;
pub(crate) mod enter_stage;
pub(crate) mod ground_stage;
pub(crate) mod init;
mod messages;
pub(crate) mod network;
pub(crate) mod pty;
pub(crate) mod refusal;
pub(crate) mod shell_stage;
mod skeleton;

pub(crate) use device::refusal_of;
pub use device::{SandboxDevice, SandboxSpec};
pub use ground::{Ground, GroundSettings, probe};
pub use guest::GuestDevice;
