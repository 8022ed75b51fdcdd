//! What goes over the control channels of the sandbox stages.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Where the ground's tmpfs is mounted, in the ground's mount namespace only.
pub(crate) const BASE: &str = "/tmp";

/// First message to the stage `ground`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct GroundConfig {
    /// Text of `/etc/hosts` for every sandbox.
    pub(crate) hosts: String,
    /// Address of the bridge.
    pub(crate) bridge: Ipv4Addr,
    /// Bits of the network's prefix.
    pub(crate) prefix_len: u8,
    /// Whether convoke runs as root and offers to map all ids.
    pub(crate) root: bool,
    /// Whether to do without a user namespace.
    pub(crate) plain: bool,
}

/// From the stage `ground`.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum FromGround {
    /// In its user namespace; root's ids are to be mapped now.
    MapIds,
    /// Done. With descriptors: mount, network and, if `user_namespace`, user namespace; at last a socket for DHCP.
    Ready {
        /// Whether there is a user namespace.
        user_namespace: bool,
    },
}

/// Answer to [`FromGround::MapIds`].
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct IdsMapped(pub(crate) bool);

/// First message to the stage `sandbox`, with the ground's descriptors.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct EnterConfig {
    /// Place in the ground, from 1; names the interface.
    pub(crate) number: u32,
    /// Address of `eth0`.
    pub(crate) address: Ipv4Addr,
    /// Bits of the network's prefix.
    pub(crate) prefix_len: u8,
    /// Whether the third descriptor is a user namespace to enter.
    pub(crate) user_namespace: bool,
    /// Where the disk is.
    pub(crate) disk: PathBuf,
    /// `Some(bytes)`: begin with an empty disk of at most that size.
    pub(crate) fresh: Option<u64>,
}

/// First message to `init`, with one descriptor an overlay.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct InitConfig {
    /// Hostname.
    pub(crate) name: String,
    /// Where the disk is.
    pub(crate) disk: PathBuf,
    /// Whether the disk is empty.
    pub(crate) fresh: bool,
    /// Bytes that `/tmp` and the like may hold each.
    pub(crate) limit: u64,
    /// Whether root inside is root of the machine as far as files are concerned.
    pub(crate) root: bool,
    /// Whether there is a user namespace, so that root's powers end at the sandbox.
    pub(crate) user_namespace: bool,
    /// Overlays to unpack.
    pub(crate) overlays: Vec<OverlayNote>,
}

/// An overlay that comes as a descriptor.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct OverlayNote {
    /// Its file name, for messages.
    pub(crate) file_name: String,
    /// Where to keep the archive itself.
    pub(crate) keep_at: Option<String>,
}

/// Later messages to `init`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ToInit {
    /// Open another console, for a guest, after unpacking these (one descriptor each).
    OpenConsole {
        /// Given back in the answer: whoever asked before may have gone without waiting for it.
        request: u64,
        /// Overlays to unpack.
        overlays: Vec<OverlayNote>,
    },
}

/// From `sandbox` and `init`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum FromSandbox {
    /// From `sandbox`: PID 1 exists; with its pidfd.
    Started,
    /// From `init`: the device's console is there; with the terminal's master side.
    Console,
    /// From `init`: a guest's console is there; with the terminal's master side.
    Login {
        /// Of which request.
        request: u64,
    },
    /// From `init`: a guest's console cannot be had.
    NoLogin {
        /// Of which request.
        request: u64,
        /// Why.
        message: String,
    },
}
