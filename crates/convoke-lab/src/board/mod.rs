//! Boards: devices behind a console that something else provides and a power switch that commands turn.
//!
//! ```text
//!  boot    ─→ connect: a program on a terminal, or a connection of our own ─→ Console
//!  connect ─→ the same for another line of the board, beside its console
//!  reset   ─→ pre_power_command, hard_reset or power_off + power_on, pre_os_command
//!  off     ─→ the connection ends, power_off
//! ```
//!
//! The connection lives in a stage of its own and ends with convoke, however that ends. The power stays as it is when
//! convoke is killed: nobody is left to switch it.
//!
//! | module | is about |
//! |---|---|
//! | `device` | one board as a device |
//! | `place` | where a console is: what stands in `connect` |
//! | `connect` | from there to the console |
//! | `telnet` | the telnet protocol and RFC 2217 on it |
//! | `stage` | the stages that run programs |
//! | `messages` | what goes over their control channels |

mod connect;
mod device;
pub(crate) mod messages;
mod place;
pub(crate) mod stage;
mod telnet;

pub use device::{BoardDevice, refusal};
