//! The network of the sandboxes: a bridge in the ground's namespace, a veth pair a sandbox.
//!
//! Spoken over rtnetlink, because a machine need not have iproute2. A netlink socket belongs to the network namespace it was
//! opened in, so a [`Network`] keeps speaking to its own wherever the process goes.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use rtnetlink::packet_route::link::{InfoData, InfoVeth};
use rtnetlink::{Handle, LinkBridge, LinkUnspec, LinkVeth};
use rustix::net::{AddressFamily, SocketFlags, SocketType};

/// Name of the bridge.
pub(crate) const BRIDGE: &str = "br0";
/// Name of a sandbox's interface, inside.
pub(crate) const INTERFACE: &str = "eth0";

/// A connection to the network namespace that was current when it was made.
pub(crate) struct Network {
    handle: Handle,
    /// For questions that need any socket of the namespace.
    socket: rustix::fd::OwnedFd,
}

impl Network {
    /// Connects; inside a tokio runtime.
    pub(crate) fn here() -> io::Result<Self> {
        let (connection, handle, _) = rtnetlink::new_connection()?;
        tokio::spawn(connection);
        let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
        Ok(Network { handle, socket })
    }

    fn index(&self, name: &str) -> io::Result<u32> {
        Ok(rustix::net::netdevice::name_to_index(&self.socket, name)?)
    }

    /// Makes the bridge.
    pub(crate) async fn make_bridge(&self, address: Ipv4Addr, prefix_len: u8) -> io::Result<()> {
        self.handle.link().add(LinkBridge::new(BRIDGE).up().build()).execute().await.map_err(plain)?;
        // Without it the kernel cannot tell a program here that nobody answers at an address of the bridge's.
        self.handle.link().set(up("lo").build()).execute().await.map_err(plain)?;
        let bridge = self.index(BRIDGE)?;
        self.handle.address().add(bridge, IpAddr::V4(address), prefix_len).execute().await.map_err(plain)
    }

    /// Makes a pair of which one end is on the bridge and the other, `eth0`, in the namespace `peer`.
    ///
    /// An earlier pair of the same number (the device's last boot) goes first.
    pub(crate) async fn make_pair(&self, number: u32, address: Ipv4Addr, peer: BorrowedFd<'_>) -> io::Result<()> {
        let name = format!("v{number}");
        if let Ok(old) = self.index(&name) {
            // The kernel may be taking it away itself at this moment.
            let _ = self.handle.link().del(old).execute().await;
        }
        // Not brought up here: at this moment it does not know its other end yet.
        let inside =
            LinkUnspec::new_with_name(INTERFACE).address(mac(address).to_vec()).setns_by_fd(peer.as_raw_fd()).build();
        let pair = LinkVeth::new(&name, INTERFACE)
            .set_info_data(InfoData::Veth(InfoVeth::Peer(inside)))
            .controller(self.index(BRIDGE)?)
            .up()
            .build();
        self.handle.link().add(pair).execute().await.map_err(plain)
    }

    /// Puts an interface that exists onto the bridge and brings it up.
    pub(crate) async fn join_bridge(&self, name: &str) -> io::Result<()> {
        let link = LinkUnspec::new_with_index(self.index(name)?).controller(self.index(BRIDGE)?).up().build();
        self.handle.link().set(link).execute().await.map_err(plain)
    }

    /// Makes a pair and takes it away again, to see whether the kernel can.
    pub(crate) async fn try_pair(&self, peer: BorrowedFd<'_>) -> io::Result<()> {
        let inside = LinkUnspec::new_with_name("trial1").setns_by_fd(peer.as_raw_fd()).build();
        let pair = LinkVeth::new("trial0", "trial1").set_info_data(InfoData::Veth(InfoVeth::Peer(inside))).build();
        self.handle.link().add(pair).execute().await.map_err(plain)?;
        self.handle.link().del(self.index("trial0")?).execute().await.map_err(plain)
    }

    /// Brings up the inside of a sandbox: loopback, and `eth0` with its address.
    pub(crate) async fn configure_inside(&self, address: Ipv4Addr, prefix_len: u8) -> io::Result<()> {
        self.handle.link().set(up("lo").build()).execute().await.map_err(plain)?;
        let inside = self.index(INTERFACE)?;
        self.handle.address().add(inside, IpAddr::V4(address), prefix_len).execute().await.map_err(plain)?;
        self.handle.link().set(up(INTERFACE).build()).execute().await.map_err(plain)
    }
}

fn up(name: &str) -> rtnetlink::LinkMessageBuilder<LinkUnspec> {
    LinkUnspec::new_with_name(name).up()
}

/// The MAC address of a sandbox. Always the same for the same address: neighbours' tables stay right over a reboot.
pub(crate) fn mac(address: Ipv4Addr) -> [u8; 6] {
    let [a, b, c, d] = address.octets();
    [0x02, 0x00, a, b, c, d]
}

impl AsFd for Network {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// What the kernel said, without the crate's wrapping.
fn plain(error: rtnetlink::Error) -> io::Error {
    match error {
        rtnetlink::Error::NetlinkError(message) => message.to_io(),
        other => io::Error::other(other.to_string()),
    }
}

/// A runtime for a stage: one thread, the stage's own.
pub(crate) fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_io().build()
}
