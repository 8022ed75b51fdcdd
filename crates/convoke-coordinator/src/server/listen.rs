//! The addresses a server listens on.
//!
//! Fails with what to do when an address is in use. An IPv6 address takes no IPv4 connections, so that both can be
//! listened on with one port; the list for "all addresses" goes without IPv6 where the machine has none.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};

/// Connections that wait to be accepted (coordinator-protocol.md §1 rule 9 asks for 1024; the system may allow less).
const BACKLOG: u32 = 4096;

/// Sockets that are bound and listen.
#[derive(Debug)]
pub struct Listeners(Vec<TcpListener>);

/// Why an address cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Somebody else has the port.
    #[error(
        "{address}: the port is in use: stop the program that has it (`ss -ltnp` names it, often lava-coordinator), or \
         choose another port"
    )]
    InUse {
        /// Which.
        address: SocketAddr,
    },
    /// Anything else.
    #[error("{address}: cannot listen: {error}")]
    Other {
        /// Which.
        address: SocketAddr,
        /// What the system says.
        error: io::Error,
    },
}

impl Listeners {
    /// Listens on each of these addresses. Call within a tokio runtime.
    pub fn bind(addresses: &[SocketAddr]) -> Result<Self, ListenError> {
        addresses.iter().map(|address| bind(*address)).collect::<Result<_, _>>().map(Self)
    }

    /// Listens on all addresses of the machine.
    pub fn bind_all(port: u16) -> Result<Self, ListenError> {
        let mut listeners = vec![bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)))?];
        // With port 0 both families are to have the port that IPv4 was given.
        let port = listeners.first().and_then(|listener| listener.local_addr().ok()).map_or(port, |it| it.port());
        add_v6(&mut listeners, Ipv6Addr::UNSPECIFIED, port)?;
        Ok(Self(listeners))
    }

    /// Listens on the loopback addresses.
    pub fn bind_loopback(port: u16) -> Result<Self, ListenError> {
        let mut listeners = vec![bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?];
        let port = listeners.first().and_then(|listener| listener.local_addr().ok()).map_or(port, |it| it.port());
        add_v6(&mut listeners, Ipv6Addr::LOCALHOST, port)?;
        Ok(Self(listeners))
    }

    /// Where they listen.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.0.iter().filter_map(|listener| listener.local_addr().ok()).collect()
    }

    pub(super) fn into_inner(self) -> Vec<TcpListener> {
        self.0
    }
}

fn add_v6(listeners: &mut Vec<TcpListener>, address: Ipv6Addr, port: u16) -> Result<(), ListenError> {
    match bind(SocketAddr::from((IpAddr::V6(address), port))) {
        Ok(listener) => listeners.push(listener),
        Err(error @ ListenError::InUse { .. }) => return Err(error),
        // The machine has no IPv6.
        Err(ListenError::Other { .. }) => {}
    }
    Ok(())
}

pub(super) fn bind(address: SocketAddr) -> Result<TcpListener, ListenError> {
    let listen = || {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => {
                let socket = TcpSocket::new_v6()?;
                rustix::net::sockopt::set_ipv6_v6only(&socket, true)?;
                socket
            }
        };
        // Connections of a predecessor that are still closing do not keep the port.
        socket.set_reuseaddr(true)?;
        // What is accepted has these from its listener. Without the first a reply could wait for the acknowledgement of
        // another segment; nothing depends on it.
        let _ = socket.set_nodelay(true);
        let _ = probe_when_silent(&socket);
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    listen().map_err(|error: io::Error| match error.kind() {
        io::ErrorKind::AddrInUse => ListenError::InUse { address },
        _ => ListenError::Other { address, error },
    })
}

/// Lets the system find out that the other machine is gone, when neither side says anything.
fn probe_when_silent(socket: &TcpSocket) -> io::Result<()> {
    use rustix::net::sockopt;
    sockopt::set_socket_keepalive(socket, true)?;
    sockopt::set_tcp_keepidle(socket, Duration::from_secs(30))?;
    sockopt::set_tcp_keepintvl(socket, Duration::from_secs(10))?;
    sockopt::set_tcp_keepcnt(socket, 3)?;
    Ok(())
}
