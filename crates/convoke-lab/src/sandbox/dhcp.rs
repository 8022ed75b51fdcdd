//! Addresses for machines that ask for them: a DHCP server on the group's network, as little of RFC 2131 as it takes.
//!
//! Sandboxes are configured from outside; a machine's own system asks. Every machine has the address that its place gives
//! it, always the same for the same card, so there are no leases to keep: an answer follows from the question alone. Cards
//! that are not the run's are left unanswered. The socket is made in the ground's namespace, where root is root, and served
//! by convoke itself; what is not a request is dropped.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};

use super::network::mac;

/// Where a server listens and a client does.
pub(crate) const SERVER_PORT: u16 = 67;
const CLIENT_PORT: u16 = 68;
/// Length of the fixed part, and the cookie after it.
const FIXED: usize = 236;
const COOKIE: [u8; 4] = [99, 130, 83, 99];
/// Shorter answers are padded: old clients take nothing less.
const SHORTEST: usize = 300;
/// Nothing changes while a run lasts.
const LEASE_S: u32 = 7 * 24 * 3600;

const DISCOVER: u8 = 1;
const OFFER: u8 = 2;
const REQUEST: u8 = 3;
const ACK: u8 = 5;
const NAK: u8 = 6;
const INFORM: u8 = 8;

/// The machines that are answered.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    /// The server's own address.
    pub(crate) server: Ipv4Addr,
    /// Bits of the network's prefix.
    pub(crate) prefix_len: u8,
    /// Names and addresses of all machines.
    pub(crate) machines: Vec<(String, Ipv4Addr)>,
}

/// Answers requests until it is dropped.
pub(crate) async fn serve(socket: UdpSocket, table: Table) {
    let Ok(socket) = tokio::net::UdpSocket::from_std(socket) else { return };
    let mut buffer = [0; 2048];
    // A packet that cannot be received or sent is one that was lost: the client asks again. A socket that is broken ends it.
    while let Ok((length, _)) = socket.recv_from(&mut buffer).await {
        if let Some((answer, to)) = answer(&buffer[..length], &table) {
            let _ = socket.send_to(&answer, SocketAddr::V4(to)).await;
        }
    }
}

/// The answer to a request and where it goes; `None` to what is nobody's, or no request.
fn answer(request: &[u8], table: &Table) -> Option<(Vec<u8>, SocketAddrV4)> {
    let fixed = request.get(..FIXED)?;
    // A request, from an Ethernet card.
    if fixed[..3] != [1, 1, 6] || request.get(FIXED..FIXED + 4)? != COOKIE {
        return None;
    }
    let options = options(&request[FIXED + 4..]);
    let option = |code: u8| options.iter().find(|(known, _)| *known == code).map(|(_, value)| *value);
    let address_of = |bytes: &[u8]| <[u8; 4]>::try_from(bytes).ok().map(Ipv4Addr::from);
    let (name, address) = table.machines.iter().find(|(_, address)| fixed[28..34] == mac(*address))?;
    if option(54).and_then(address_of).is_some_and(|server| server != table.server) {
        return None;
    }
    let current = address_of(&fixed[12..16]).filter(|address| !address.is_unspecified());
    let asked = option(50).and_then(address_of).or(current);
    let kind = match *option(53)?.first()? {
        DISCOVER => OFFER,
        REQUEST if asked.is_some_and(|asked| asked != *address) => NAK,
        REQUEST | INFORM => ACK,
        _ => return None,
    };

    let mut packet = vec![0; FIXED];
    packet[..3].copy_from_slice(&[2, 1, 6]);
    // The client's number, its flags, its own address, its card.
    packet[4..8].copy_from_slice(&fixed[4..8]);
    packet[10..16].copy_from_slice(&fixed[10..16]);
    packet[28..34].copy_from_slice(&fixed[28..34]);
    if kind != NAK {
        packet[16..20].copy_from_slice(&address.octets());
    }
    packet.extend(COOKIE);
    let mut add = |code: u8, value: &[u8]| {
        // All values are short.
        packet.extend([code, u8::try_from(value.len()).unwrap_or(0)]);
        packet.extend(value);
    };
    add(53, &[kind]);
    add(54, &table.server.octets());
    if kind != NAK {
        let mask = u32::MAX.checked_shl(32 - u32::from(table.prefix_len)).unwrap_or(0);
        add(51, &LEASE_S.to_be_bytes());
        add(1, &mask.to_be_bytes());
        add(28, &(u32::from(*address) | !mask).to_be_bytes());
        add(12, name.as_bytes());
    }
    packet.push(255);
    packet.resize(packet.len().max(SHORTEST), 0);
    let to = match current {
        Some(current) if kind != NAK => current,
        _ => Ipv4Addr::BROADCAST,
    };
    Some((packet, SocketAddrV4::new(to, CLIENT_PORT)))
}

/// Codes and values, as far as they are whole.
fn options(mut bytes: &[u8]) -> Vec<(u8, &[u8])> {
    let mut found = Vec::new();
    while let [code, rest @ ..] = bytes {
        match (code, rest) {
            (0, rest) => bytes = rest,
            (255, _) => break,
            (code, [length, rest @ ..]) if rest.len() >= usize::from(*length) => {
                let (value, after) = rest.split_at(usize::from(*length));
                found.push((*code, value));
                bytes = after;
            }
            _ => break,
        }
    }
    found
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn table() -> Table {
        let machines = vec![("m-1".to_owned(), Ipv4Addr::new(10, 213, 0, 2))];
        Table { server: Ipv4Addr::new(10, 213, 0, 1), prefix_len: 16, machines }
    }

    fn request(card: [u8; 6], options: &[u8]) -> Vec<u8> {
        let mut packet = vec![0; FIXED];
        packet[..3].copy_from_slice(&[1, 1, 6]);
        packet[4..8].copy_from_slice(b"abcd");
        packet[28..34].copy_from_slice(&card);
        packet.extend(COOKIE);
        packet.extend(options);
        packet.push(255);
        packet
    }

    const CARD: [u8; 6] = [2, 0, 10, 213, 0, 2];

    #[test]
    fn a_machine_gets_the_address_of_its_place() {
        for (asked, answered) in [(DISCOVER, OFFER), (REQUEST, ACK)] {
            let (packet, to) = answer(&request(CARD, &[53, 1, asked]), &table()).unwrap();
            assert_eq!(to, SocketAddrV4::new(Ipv4Addr::BROADCAST, 68));
            assert_eq!((&packet[4..8], &packet[16..20]), (&b"abcd"[..], &[10, 213, 0, 2][..]));
            let options = options(&packet[FIXED + 4..]);
            assert_eq!(options[0], (53, &[answered][..]));
            assert!(options.contains(&(1, &[255, 255, 0, 0])) && options.contains(&(12, b"m-1")), "{options:?}");
        }
    }

    #[test]
    fn another_address_is_refused_and_another_server_left_alone() {
        let (packet, _) = answer(&request(CARD, &[53, 1, REQUEST, 50, 4, 10, 0, 0, 9]), &table()).unwrap();
        assert_eq!(options(&packet[FIXED + 4..])[0], (53, &[NAK][..]));
        assert_eq!(answer(&request(CARD, &[53, 1, REQUEST, 54, 4, 10, 0, 0, 9]), &table()), None);
        assert_eq!(answer(&request([2, 0, 10, 213, 0, 3], &[53, 1, DISCOVER]), &table()), None);
    }

    #[test]
    fn what_is_no_request_is_dropped() {
        let whole = request(CARD, &[53, 1, DISCOVER]);
        for length in 0..whole.len() - 1 {
            // Cut anywhere before its kind it is none; nothing panics.
            assert_eq!(answer(&whole[..length], &table()).is_some(), length >= FIXED + 7, "{length}");
        }
        assert_eq!(answer(&request(CARD, &[53, 200, 1]), &table()), None);
        assert_eq!(answer(&request(CARD, &[]), &table()), None);
    }
}
