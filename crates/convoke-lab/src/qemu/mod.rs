//! QEMU machines as devices.
//!
//! ```text
//!  convoke ──control──▶ stage `machine` ──starts──▶ qemu-system-…      in the user and network namespace of the ground
//!     │                                              │ standard input and output: the console
//!     ├── console, a socket ─────────────────────────┤
//!     ├── QMP, a socket ─────────────────────────────┤   tap qN ── br0 of the ground, beside the sandboxes
//!     └── images, descriptors: /dev/fd/N ────────────┘
//! ```
//!
//! The machine is started stopped, connected to the bridge, and then let go, so that its first packet finds the network.
//! Images are descriptors of files that are never written. Nothing has a name on the disk, and QEMU is killed when its
//! stage ends, which ends with convoke: there is nothing to clean up.
//!
//! | module | is about |
//! |---|---|
//! | `device` | one machine as a device |
//! | `stage` | the stages that start it and connect it |
//! | `terminal` | its console on a terminal, for people |
//! | `probe` | whether hardware virtualisation works |
//! | `qmp` | what QEMU tells of its machine |
//! | `messages` | what goes over the control channels |

mod device;
pub(crate) mod messages;
mod probe;
mod qmp;
pub(crate) mod stage;
mod terminal;

pub use device::{QemuDevice, refusal};
pub use probe::Acceleration;
