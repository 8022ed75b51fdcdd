//! The dispatcher's end of a device's console: a pseudo-terminal whose other side is the device's terminal.
//!
//! Nothing here sleeps: every wait is for bytes, and gives up with what came so far when none come for long.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Termios, tcgetattr};

use crate::device::no_forks;

/// How long a silent device is waited for before the test fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running device and its console.
pub(crate) struct Console {
    master: File,
    slave: OwnedFd,
    child: Child,
    /// All that came, carriage returns left out.
    seen: String,
    /// How much of it `expect` has gone past.
    at: usize,
}

impl Console {
    /// Starts a command with a new terminal as its input, outputs and controlling terminal.
    pub(crate) fn start(mut command: Command) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let open = || {
            let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
            rustix::fs::open(&name, flags, Mode::empty()).unwrap()
        };
        command.stdin(open()).stdout(open()).stderr(open());
        let child = {
            let _quiet = no_forks();
            command.spawn().unwrap()
        };
        Console { master: File::from(master), slave: open(), child, seen: String::new(), at: 0 }
    }

    /// Reads until the text has come, after what was expected before.
    #[track_caller]
    pub(crate) fn expect(&mut self, text: &str) -> &mut Self {
        loop {
            if let Some(found) = self.seen[self.at..].find(text) {
                self.at += found + text.len();
                return self;
            }
            if !self.read_some(PATIENCE) {
                panic!("no {text:?} in what came after {:?}:\n{}", &self.seen[..self.at], &self.seen[self.at..]);
            }
        }
    }

    /// Types bytes. A terminal takes a few thousand at a time, so a long text waits for its reader.
    pub(crate) fn type_text(&mut self, text: &str) -> &mut Self {
        for piece in text.as_bytes().chunks(1024) {
            self.master.write_all(piece).unwrap();
        }
        self
    }

    /// The rest up to the end of the runner; all of what came.
    #[track_caller]
    pub(crate) fn finish(&mut self) -> String {
        self.expect("<LAVA_TEST_RUNNER EXIT>");
        self.child.wait().unwrap();
        self.seen.clone()
    }

    /// What comes next, as it is: nothing when nothing came for so long, `None` when nothing can come any more.
    pub(crate) fn raw(&mut self, patience: Duration) -> Option<Vec<u8>> {
        let mut fds = [PollFd::new(&self.master, PollFlags::IN)];
        let limit = Timespec::try_from(patience).unwrap();
        if poll(&mut fds, Some(&limit)).unwrap() == 0 {
            return Some(Vec::new());
        }
        let mut buffer = [0; 65536];
        match self.master.read(&mut buffer) {
            Ok(count) if count > 0 => Some(buffer[..count].to_vec()),
            _ => None,
        }
    }

    /// Types bytes as they are.
    pub(crate) fn type_bytes(&mut self, bytes: &[u8]) {
        self.master.write_all(bytes).unwrap();
    }

    /// Whether the command has ended.
    pub(crate) fn ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// All of what came.
    pub(crate) fn seen(&self) -> &str {
        &self.seen
    }

    /// The modes of the terminal.
    pub(crate) fn modes(&self) -> Termios {
        tcgetattr(&self.slave).unwrap()
    }

    /// Reads what is there, or what comes next; false when nothing came for so long, or nothing can come any more.
    fn read_some(&mut self, patience: Duration) -> bool {
        let mut fds = [PollFd::new(&self.master, PollFlags::IN)];
        let limit = Timespec::try_from(patience).unwrap();
        if poll(&mut fds, Some(&limit)).unwrap() == 0 {
            return false;
        }
        let mut buffer = [0; 65536];
        match self.master.read(&mut buffer) {
            Ok(count) => {
                // The tests print text that is cut nowhere but between characters, or only ASCII.
                self.seen.push_str(&String::from_utf8_lossy(&buffer[..count]).replace('\r', ""));
                count > 0
            }
            Err(_) => false,
        }
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        // A failed test leaves its device behind otherwise. The session's leader going away hangs the others up.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
