//! Sockets that never block, with as few calls of the system as there can be: what is measured is the other side.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};

use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, Shutdown, SocketFlags, SocketType};

/// Loopback addresses that are used in turn. Each closed connection keeps its pair of ports for a while, and one address
/// has too few of them.
const ADDRESSES: u32 = 64;

/// The address for the connection of this number.
pub(super) fn address(number: usize, port: u16) -> SocketAddrV4 {
    let last = u8::try_from(number % ADDRESSES as usize + 1).unwrap_or(1);
    SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, last), port)
}

/// Begins a connection.
pub(super) fn connect(address: SocketAddrV4) -> io::Result<OwnedFd> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
    match rustix::net::connect(&socket, &address) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(socket),
        Err(error) => Err(error.into()),
    }
}

/// Sends a whole request; false when the connection is not up yet.
pub(super) fn send(socket: &OwnedFd, request: &[u8], half_close: bool) -> io::Result<bool> {
    match rustix::net::send(socket, request, SendFlags::NOSIGNAL) {
        Ok(count) if count == request.len() => {
            if half_close {
                rustix::net::shutdown(socket, Shutdown::Write)?;
            }
            Ok(true)
        }
        Ok(_) => Err(io::Error::other("a request does not fit into the socket")),
        Err(Errno::AGAIN | Errno::NOTCONN) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// What can be read now; none when nothing can, and nothing when the other side has ended.
pub(super) fn receive(socket: impl AsFd, block: &mut [u8]) -> io::Result<Option<&[u8]>> {
    match rustix::net::recv(socket, &mut *block, RecvFlags::empty()) {
        Ok((count, _)) => Ok(Some(&block[..count])),
        Err(Errno::AGAIN) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Whether the server keeps the connection of this reply: it says so last.
pub(super) fn is_kept(body: &[u8]) -> bool {
    body.ends_with(br#", "convoke_kept": true}"#)
}

/// The body of a reply, once it is whole.
pub(super) fn body(reply: &[u8]) -> Option<&[u8]> {
    let digits = std::str::from_utf8(reply.get(..8)?).ok()?;
    let length = usize::from_str_radix(digits, 16).ok()?;
    reply.get(8..8 + length)
}
