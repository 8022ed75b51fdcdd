//! One message on a control channel: JSON in one SEQPACKET packet, file descriptors beside it.
//!
//! Every descriptor that arrives is close-on-exec. End of file is `None`; a message that does not fit is an error on the
//! sending side, so nothing is ever cut off.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Longest message in bytes; below the default send buffer of a unix socket.
pub(crate) const MAX_MESSAGE: usize = 128 * 1024;
/// Most descriptors beside one message.
pub(crate) const MAX_FDS: usize = 16;

/// A message as it comes off the wire, with its descriptors.
pub(crate) type Packet<M> = (M, Vec<OwnedFd>);

/// The text of a message; an error if it is longer than a packet may be.
pub(crate) fn encode<M: Serialize>(message: &M) -> io::Result<Vec<u8>> {
    let bytes = serde_json::to_vec(message).map_err(io::Error::other)?;
    if bytes.len() > MAX_MESSAGE {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("a control message of {} bytes is longer than {MAX_MESSAGE}", bytes.len()),
        ));
    }
    Ok(bytes)
}

/// Sends one packet.
pub(crate) fn send(socket: BorrowedFd<'_>, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    if fds.len() > MAX_FDS {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "too many file descriptors for one control message"));
    }
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(io::Error::other("file descriptors do not fit beside the control message"));
    }
    rustix::net::sendmsg(socket, &[IoSlice::new(bytes)], &mut ancillary, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Receives one packet; `None` at end of file.
pub(crate) fn recv<M: DeserializeOwned>(socket: BorrowedFd<'_>) -> io::Result<Option<Packet<M>>> {
    let mut bytes = vec![0; MAX_MESSAGE];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = loop {
        let result =
            rustix::net::recvmsg(socket, &mut [IoSliceMut::new(&mut bytes)], &mut ancillary, RecvFlags::CMSG_CLOEXEC);
        match result {
            Ok(received) => break received,
            Err(Errno::INTR) => {}
            // The peer closed with something of ours unread.
            Err(Errno::CONNRESET) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
    };
    let fds = ancillary
        .drain()
        .filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(fds) => Some(fds),
            _ => None,
        })
        .flatten()
        .collect();
    if received.bytes == 0 {
        return Ok(None);
    }
    if received.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a control message was cut off"));
    }
    let message = serde_json::from_slice(&bytes[..received.bytes]).map_err(|error| {
        io::Error::new(io::ErrorKind::InvalidData, format!("a control message cannot be read: {error}"))
    })?;
    Ok(Some((message, fds)))
}
