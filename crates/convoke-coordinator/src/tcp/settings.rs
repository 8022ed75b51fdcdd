//! What a client of a coordinator elsewhere is told.

use std::num::NonZeroUsize;
use std::time::Duration;

use convoke_group::{GroupName, MemberName, RoleName};

/// Port of a coordinator that is named without one (coordinator-protocol.md §1).
pub const DEFAULT_PORT: u16 = 3079;

/// Port with TLS of a coordinator that is named without one.
pub const DEFAULT_TLS_PORT: u16 = 3080;

/// Where the coordinator is, and who asks.
#[derive(Clone, Debug)]
pub struct TcpSettings {
    /// `HOST:PORT`, looked up anew for every connection.
    pub coordinator: String,
    /// The group (`target_group`).
    pub group: GroupName,
    /// Members in the group.
    pub size: NonZeroUsize,
    /// Who asks, as the MultiNode API names it.
    pub member: MemberName,
    /// Its role.
    pub role: RoleName,
    /// Name of this machine. Coordinators keep it and do not use it; LAVA's dies without one.
    pub hostname: String,
    /// Pause before a coordinator that does not hold requests is asked again.
    pub poll_delay: Duration,
}

/// `address` with `port` when it names none; the error says what is wrong with it.
pub fn coordinator_address(address: &str, port: u16) -> Result<String, String> {
    let host_only = match address.strip_prefix('[') {
        Some(rest) => rest.ends_with(']'),
        None => !address.contains(':'),
    };
    let full = if host_only { format!("{address}:{port}") } else { address.to_owned() };
    let Some((host, port)) = full.rsplit_once(':') else { return Err("give HOST:PORT".to_owned()) };
    let bare_v6 = host.contains(':') && !host.starts_with('[');
    if host.is_empty() || bare_v6 {
        return Err("give HOST:PORT, an IPv6 address in brackets: [::1]:3079".to_owned());
    }
    match port.parse::<u16>() {
        Ok(port) if port > 0 => Ok(full),
        _ => Err(format!("`{port}` is no port: give a number from 1 to 65535")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::coordinator_address;

    #[test]
    fn a_port_may_be_left_out() {
        for (given, full) in [
            ("lab", "lab:3079"),
            ("lab:4000", "lab:4000"),
            ("10.0.0.1", "10.0.0.1:3079"),
            ("[::1]", "[::1]:3079"),
            ("[::1]:5", "[::1]:5"),
        ] {
            assert_eq!(coordinator_address(given, 3079).unwrap(), full);
        }
        for wrong in ["", ":3079", "lab:", "lab:x", "lab:0", "lab:70000", "::1"] {
            assert!(coordinator_address(wrong, 3079).is_err(), "{wrong}");
        }
    }
}
