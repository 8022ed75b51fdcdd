//! Where a console is: what stands in `commands.connect` and `commands.connections` of a dictionary.
//!
//! LAVA knows commands only. Ours are written like addresses, so that none of them can be a command by accident.

use std::path::PathBuf;

use convoke_device::dictionary::{Commands, Connection};
use convoke_dispatcher::device::Refusal;

/// Where a console is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A command for a shell: its standard input and output are the console.
    Command(String),
    /// `tcp://HOST:PORT`: bytes as they are.
    Tcp(String),
    /// `telnet://HOST:PORT`.
    Telnet(String),
    /// `rfc2217://HOST:PORT[@SPEED]`: telnet that sets the speed of the line.
    Rfc2217(String, u32),
    /// `tty:PATH[@SPEED]`.
    Tty(PathBuf, u32),
}

/// Bits a second when nothing is said.
const SPEED: u32 = 115_200;

/// The place of the console of a device: the connection that is tagged `primary`, else `connect`, else the only
/// connection.
pub(super) fn primary(commands: &Commands) -> Option<&str> {
    match primary_connection(commands) {
        Some(connection) => Some(connection.connect.as_str()),
        None => commands.connect.as_deref(),
    }
}

/// The one of the named connections that is the console.
fn primary_connection(commands: &Commands) -> Option<&Connection> {
    let tagged = commands.connections.iter().find(|connection| connection.tags.iter().any(|tag| tag == "primary"));
    let only = commands.connections.first().filter(|_| commands.connections.len() == 1 && commands.connect.is_none());
    tagged.or(only)
}

/// The place of a further connection of a device.
///
/// # Errors
/// When there is none of this name, or it is the console.
pub(super) fn further(commands: &Commands, name: &str) -> Result<Place, Refusal> {
    let console = primary_connection(commands).map(|connection| connection.name.as_str());
    let others: Vec<&str> = commands
        .connections
        .iter()
        .map(|connection| connection.name.as_str())
        .filter(|other| Some(*other) != console)
        .collect();
    let others = if others.is_empty() { "none".to_owned() } else { others.join(", ") };
    if console == Some(name) {
        let message = format!("the connection {name} is the device's console, which its boot opens");
        return Err(Refusal::new(message, format!("name a further one; there is: {others}")));
    }
    match commands.connections.iter().find(|connection| connection.name == name) {
        Some(connection) => Place::read(&connection.connect),
        None => Err(Refusal::new(
            format!("the device has no further connection {name:?}; there is: {others}"),
            "name one of the device's `commands.connections`, or add it there",
        )),
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Place::Command(command) => f.write_str(command),
            Place::Tcp(address) => write!(f, "tcp://{address}"),
            Place::Telnet(address) => write!(f, "telnet://{address}"),
            Place::Rfc2217(address, speed) => write!(f, "rfc2217://{address}@{speed}"),
            Place::Tty(path, speed) => write!(f, "tty:{}@{speed}", path.display()),
        }
    }
}

impl Place {
    /// Reads it.
    ///
    /// # Errors
    /// When it begins like an address and is none.
    pub(super) fn read(text: &str) -> Result<Place, Refusal> {
        let wrong =
            |form: &str| Refusal::new(format!("the connection {text:?} cannot be understood"), format!("write {form}"));
        if let Some(rest) = text.strip_prefix("tty:") {
            let (path, speed) = with_speed(rest).ok_or_else(|| wrong("tty:/dev/ttyUSB0@115200"))?;
            if !path.starts_with('/') {
                return Err(wrong("tty:/dev/ttyUSB0@115200"));
            }
            return Ok(Place::Tty(path.into(), speed));
        }
        let Some((scheme, rest)) =
            text.split_once("://").filter(|(scheme, _)| scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()))
        else {
            return Ok(Place::Command(text.to_owned()));
        };
        let address = |text: &str| {
            text.rsplit_once(':')
                .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0))
        };
        match scheme {
            "tcp" if address(rest) => Ok(Place::Tcp(rest.into())),
            "telnet" if address(rest) => Ok(Place::Telnet(rest.into())),
            "tcp" | "telnet" => Err(wrong(&format!("{scheme}://host:port"))),
            "rfc2217" => match with_speed(rest).filter(|(host, _)| address(host)) {
                Some((host, speed)) => Ok(Place::Rfc2217(host.into(), speed)),
                None => Err(wrong("rfc2217://host:port@115200")),
            },
            _ => Err(wrong(
                "a command, tcp://host:port, telnet://host:port, rfc2217://host:port@115200 or tty:/dev/ttyUSB0@115200",
            )),
        }
    }
}

/// What stands before the `@`, and the speed behind it.
fn with_speed(text: &str) -> Option<(&str, u32)> {
    match text.split_once('@') {
        Some((place, speed)) => Some((place, speed.parse().ok().filter(|speed| *speed > 0)?)),
        None => Some((text, SPEED)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, place: Place) {
        assert_eq!(Place::read(text).unwrap(), place, "{text}");
    }

    #[test]
    fn places() {
        check("telnet localhost 7001", Place::Command("telnet localhost 7001".into()));
        check("curl -s https://pdu/on", Place::Command("curl -s https://pdu/on".into()));
        check("tcp://localhost:7001", Place::Tcp("localhost:7001".into()));
        check("telnet://[::1]:7001", Place::Telnet("[::1]:7001".into()));
        check("rfc2217://ser:7001@9600", Place::Rfc2217("ser:7001".into(), 9600));
        check("rfc2217://ser:7001", Place::Rfc2217("ser:7001".into(), 115_200));
        check("tty:/dev/ttyUSB0@9600", Place::Tty("/dev/ttyUSB0".into(), 9600));
        check("tty:/dev/ttyS1", Place::Tty("/dev/ttyS1".into(), 115_200));
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for text in [
            "tcp://localhost",
            "tcp://:1",
            "telnet://a:0",
            "telnet://a:x",
            "rfc2217://a:1@x",
            "tty:ttyS0",
            "tty:/dev/ttyS0@",
            "serial://a:1",
        ] {
            assert!(Place::read(text).unwrap_err().message.contains(text), "{text}");
        }
    }
}
