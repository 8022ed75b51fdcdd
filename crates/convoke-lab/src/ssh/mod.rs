//! Machines reached by ssh: primary devices, and guests, which log in to another member's device.
//!
//! ```text
//!  convoke ──control──▶ stage `login` ──starts──▶ scp OVERLAY root@HOST:/JOB-overlay-LEVEL.tar.gz
//!     │                 stage `login` ──starts──▶ ssh -tt root@HOST
//!     └── console, a socket ─────────────────────  standard input and output
//! ```
//!
//! The programs are this machine's OpenSSH. They run in the network of the group when the host is on it. The key and the
//! overlay are descriptors that the stage holds; the programs open them through `/proc`. Nothing has a name on the disk,
//! and the programs are killed when their stage ends, which ends with convoke: there is nothing to clean up.
//!
//! | module | is about |
//! |---|---|
//! | `target` | user, port, options and key from a device's configuration |
//! | `key` | the key pair of a group |
//! | `device` | one login as a device |
//! | `command` | the command lines |
//! | `words` | what the programs' last words mean |
//! | `stage` | the stage that runs them |

mod command;
mod device;
mod key;
pub(crate) mod stage;
mod target;
mod words;

pub use device::{SshDevice, refusal};
pub use key::KeyPair;
pub use target::Target;
