//! The telnet protocol (RFC 854, 855, 856) as a terminal server speaks it, and setting the speed of its line (RFC 2217).
//!
//! Pure: bytes in, bytes and replies out. Both directions are made binary when the server agrees. An option that is not
//! known here is refused once; a confirmation is never answered, so no two ends talk for ever.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const SE: u8 = 240;
const SB: u8 = 250;
const WILL: u8 = 251;
const WONT: u8 = 252;
const DO: u8 = 253;
const DONT: u8 = 254;
const IAC: u8 = 255;

const BINARY: u8 = 0;
const ECHO: u8 = 1;
const SUPPRESS_GO_AHEAD: u8 = 3;
const COM_PORT: u8 = 44;

/// Where the reader stands between two bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Data,
    /// After a carriage return that was passed on.
    Return,
    Command,
    Option(u8),
    Sub,
    SubCommand,
}

/// One side of a telnet connection: what is read.
#[derive(Debug)]
pub(super) struct Telnet {
    state: State,
    /// Options that we have switched on, or asked to.
    ours: BTreeSet<u8>,
    /// Options that the server has switched on, or was asked to.
    theirs: BTreeSet<u8>,
    /// Those of both that were asked for and not answered yet: (whether ours, option).
    asked: BTreeSet<(bool, u8)>,
    /// Bits a second of the line, with RFC 2217.
    speed: Option<u32>,
    binary: Arc<AtomicBool>,
}

/// The same connection: what is written.
#[derive(Clone, Debug)]
pub(super) struct Escape(Arc<AtomicBool>);

impl Telnet {
    /// A connection that is new; with what is to be sent first.
    pub(super) fn new(speed: Option<u32>) -> (Telnet, Escape, Vec<u8>) {
        let mut ours = BTreeSet::from([BINARY, SUPPRESS_GO_AHEAD]);
        ours.extend(speed.map(|_| COM_PORT));
        let theirs = BTreeSet::from([BINARY, SUPPRESS_GO_AHEAD, ECHO]);
        let asked: BTreeSet<(bool, u8)> =
            ours.iter().map(|option| (true, *option)).chain(theirs.iter().map(|option| (false, *option))).collect();
        let first = asked.iter().flat_map(|(our, option)| [IAC, if *our { WILL } else { DO }, *option]).collect();
        let binary = Arc::new(AtomicBool::new(false));
        let escape = Escape(Arc::clone(&binary));
        (Telnet { state: State::Data, ours, theirs, asked, speed, binary }, escape, first)
    }

    /// Takes bytes from the server: what is the device's goes to `plain`, what is to be answered to `replies`.
    pub(super) fn read(&mut self, bytes: &[u8], plain: &mut Vec<u8>, replies: &mut Vec<u8>) {
        for &byte in bytes {
            self.state = match (self.state, byte) {
                // The other half of a carriage return.
                (State::Return, 0) if self.asked.contains(&(false, BINARY)) || !self.theirs.contains(&BINARY) => {
                    State::Data
                }
                (State::Data | State::Return, IAC) => State::Command,
                (State::Data | State::Return, _) => {
                    plain.push(byte);
                    if byte == b'\r' { State::Return } else { State::Data }
                }
                (State::Command, IAC) => {
                    plain.push(IAC);
                    State::Data
                }
                (State::Command, WILL | WONT | DO | DONT) => State::Option(byte),
                (State::Command, SB) => State::Sub,
                (State::Command, _) => State::Data,
                (State::Option(verb), option) => {
                    self.negotiate(verb, option, replies);
                    State::Data
                }
                // What a server tells of itself is of no use here.
                (State::Sub, IAC) => State::SubCommand,
                (State::Sub, _) => State::Sub,
                (State::SubCommand, SE) => State::Data,
                (State::SubCommand, _) => State::Sub,
            };
        }
    }

    fn negotiate(&mut self, verb: u8, option: u8, replies: &mut Vec<u8>) {
        let our = matches!(verb, DO | DONT);
        let asked = self.asked.remove(&(our, option));
        let side = if our { &mut self.ours } else { &mut self.theirs };
        let (yes, no) = if our { (WILL, WONT) } else { (DO, DONT) };
        match verb {
            WILL | DO if asked => {}
            WILL | DO if side.contains(&option) => {}
            // Harmless: the server has what it wants.
            DO if option == ECHO => replies.extend([IAC, no, option]),
            WILL | DO if [BINARY, SUPPRESS_GO_AHEAD, ECHO].contains(&option) => {
                side.insert(option);
                replies.extend([IAC, yes, option]);
            }
            WILL | DO => replies.extend([IAC, no, option]),
            // Refused or taken back; only what stood needs a confirmation.
            _ => {
                if side.remove(&option) && !asked {
                    replies.extend([IAC, no, option]);
                }
            }
        }
        match (verb, option) {
            (DO | DONT, BINARY) => self.binary.store(verb == DO, Ordering::Relaxed),
            (DO, COM_PORT) => replies.extend(self.speed.map(line_settings).unwrap_or_default()),
            _ => {}
        }
    }
}

impl Escape {
    /// What stands for these bytes on the connection.
    pub(super) fn write(&self, bytes: &[u8]) -> Vec<u8> {
        let binary = self.0.load(Ordering::Relaxed);
        let mut escaped = Vec::with_capacity(bytes.len());
        for &byte in bytes {
            escaped.push(byte);
            match byte {
                IAC => escaped.push(IAC),
                b'\r' if !binary => escaped.push(0),
                _ => {}
            }
        }
        escaped
    }
}

/// RFC 2217: speed, eight bits, no parity, one stop bit, no flow control.
fn line_settings(speed: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut set = |command: u8, value: &[u8]| {
        bytes.extend([IAC, SB, COM_PORT, command]);
        for &byte in value {
            bytes.push(byte);
            if byte == IAC {
                bytes.push(IAC);
            }
        }
        bytes.extend([IAC, SE]);
    };
    set(1, &speed.to_be_bytes());
    for (command, value) in [(2, 8), (3, 1), (4, 1), (5, 1)] {
        set(command, &[value]);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads `bytes`, cut at every place, and gives what came of it.
    #[track_caller]
    fn check(bytes: &[u8], plain: &[u8], replies: &[u8]) {
        for cut in 0..=bytes.len() {
            let (mut telnet, ..) = Telnet::new(None);
            let (mut got, mut answered) = (Vec::new(), Vec::new());
            telnet.read(&bytes[..cut], &mut got, &mut answered);
            telnet.read(&bytes[cut..], &mut got, &mut answered);
            assert_eq!((got.as_slice(), answered.as_slice()), (plain, replies), "cut at {cut}");
        }
    }

    #[test]
    fn the_protocol_is_taken_out_of_the_data() {
        check(b"login: \xff\xff\r\n", b"login: \xff\r\n", b"");
        check(b"a\xff\xf1b\xff\xfa\x2c\x65\xff\xff\xff\xf0c", b"abc", b"");
    }

    #[test]
    fn a_bare_carriage_return_loses_its_zero() {
        check(b"a\r\0b\0", b"a\rb\0", b"");
        // Not once the server sends binary.
        check(b"\xff\xfb\x00a\r\0b", b"a\r\0b", b"");
    }

    #[test]
    fn confirmations_are_not_answered_and_strange_options_are_refused_once() {
        check(b"\xff\xfb\x01\xff\xfb\x03\xff\xfd\x00", b"", b"");
        check(b"\xff\xfd\x18\xff\xfb\x22", b"", b"\xff\xfc\x18\xff\xfe\x22");
        // Refused by the server: nothing to say. Taken back later: confirmed.
        check(b"\xff\xfc\x01", b"", b"");
        check(b"\xff\xfb\x01\xff\xfc\x01", b"", b"\xff\xfe\x01");
    }

    #[test]
    fn what_is_typed_is_escaped() {
        let (mut telnet, escape, first) = Telnet::new(None);
        assert!(!first.windows(3).any(|three| three == [IAC, WILL, COM_PORT]));
        assert_eq!(escape.write(b"a\xff\r\n"), b"a\xff\xff\r\0\n");
        telnet.read(&[IAC, DO, BINARY], &mut Vec::new(), &mut Vec::new());
        assert_eq!(escape.write(b"a\xff\r\n"), b"a\xff\xff\r\n");
    }

    #[test]
    fn the_speed_is_set_when_the_server_can() {
        let (mut telnet, _, first) = Telnet::new(Some(0xff));
        assert!(first.windows(3).any(|three| three == [IAC, WILL, COM_PORT]));
        let mut replies = Vec::new();
        telnet.read(&[IAC, DO, COM_PORT], &mut Vec::new(), &mut replies);
        assert!(
            replies.starts_with(b"\xff\xfa\x2c\x01\x00\x00\x00\xff\xff\xff\xf0\xff\xfa\x2c\x02\x08\xff\xf0"),
            "{replies:x?}"
        );
    }
}
