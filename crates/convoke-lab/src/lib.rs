//! The devices that exist: the lab file, built-in sandboxes with their network, and the stand-ins for a rehearsal.
//!
//! | module | is about |
//! |---|---|
//! | [`board`] | boards: a console and a power switch of the lab |
//! | `command` | one command of the lab run to its end |
//! | [`config`] | the lab file |
//! | [`driver`] | which kind of device serves a member, and what it cannot do |
//! | [`inventory`] | whether the lab has what a job asks for, and who gets what |
//! | [`qemu`] | QEMU machines |
//! | [`sandbox`] | devices made of namespaces on this machine |
//! | [`spec`] | what is fixed about a device, whatever drives it |
//! | [`ssh`] | machines reached by ssh, and guests |
//! | [`stages`] | what `main` calls first: the parts that run in processes of their own |

pub mod board;
mod command;
pub mod config;
pub mod driver;
pub mod inventory;
pub mod qemu;
pub mod sandbox;
pub mod spec;
pub mod ssh;
pub mod stages;

pub use config::Lab;
pub use driver::{Driver, Refused};
pub use inventory::check_inventory;
pub use spec::DeviceSpec;
