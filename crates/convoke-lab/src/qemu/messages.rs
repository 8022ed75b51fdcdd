//! What goes over the control channels of the stages of a machine.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// First message to the stage `machine`. Its descriptors: the console, the namespaces to enter, and those the program
/// inherits.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct MachineConfig {
    /// Name, looked up in `PATH`, or path.
    pub(crate) program: String,
    /// Arguments; `\0K\0` stands for the number that the K-th inherited descriptor has in the program.
    pub(crate) args: Vec<String>,
    /// Which namespaces come, in this order: user namespace, network namespace.
    pub(crate) namespaces: Namespaces,
}

/// Which namespaces to enter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Namespaces {
    /// A user namespace.
    pub(crate) user: bool,
    /// A network namespace.
    pub(crate) network: bool,
}

/// From the stage `machine`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum FromMachine {
    /// The program has ended.
    Ended {
        /// Its exit status; none when a signal ended it.
        code: Option<i32>,
        /// What it wrote to its standard error, the end of it.
        stderr: String,
    },
}

/// First message to the stage `listen`; its descriptors are the namespaces.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ListenConfig {
    /// Where to listen, at a free port.
    pub(crate) address: IpAddr,
    /// Which namespaces come.
    pub(crate) namespaces: Namespaces,
}

/// From the stage `listen`, with the listener.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Listening;

/// First message to the stage `attach`; its descriptors are the namespaces.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct AttachConfig {
    /// Name of the interface that goes onto the bridge.
    pub(crate) interface: String,
    /// Which namespaces come.
    pub(crate) namespaces: Namespaces,
}

/// From the stage `attach`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Attached;
