//! The program at a real terminal: a pseudo-terminal of its own, keys typed and the screen read as bytes.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Termios, Winsize, tcgetattr, tcsetwinsize};

use crate::harness::Running;

/// A program whose terminal this is.
pub(crate) struct Terminal {
    master: File,
    /// Held open, so that the terminal outlives the program and its settings can be looked at.
    slave: File,
    program: Running,
    /// Everything it has shown.
    pub(crate) shown: String,
}

impl Terminal {
    /// Starts `command` with a terminal of this size as its controlling one.
    pub(crate) fn start(command: &Command, (rows, columns): (u16, u16)) -> Terminal {
        let master: OwnedFd = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        tcsetwinsize(&master, Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let slave = File::options().read(true).write(true).open(&name).unwrap();
        let end = || Stdio::from(slave.try_clone().unwrap());
        let mut started = Command::new("setsid");
        started.arg("--ctty").arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => started.env(name, value),
                None => started.env_remove(name),
            };
        }
        started
            .current_dir(command.get_current_dir().unwrap())
            .env("TERM", "xterm")
            .env("NO_COLOR", "1")
            .env("LC_ALL", "C.UTF-8");
        if let Some(locale) = command.get_envs().find(|(name, _)| *name == "LC_ALL").and_then(|(_, value)| value) {
            started.env("LC_ALL", locale);
        }
        let child: Child = started.stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
        Terminal { master: master.into(), slave, program: Running(child), shown: String::new() }
    }

    /// The settings of the terminal.
    pub(crate) fn settings(&self) -> Termios {
        tcgetattr(&self.slave).unwrap()
    }

    /// Reads until everything shown from byte `from` on holds `text`; where it ends.
    #[track_caller]
    pub(crate) fn until(&mut self, from: usize, text: &str) -> usize {
        let mut buffer = [0; 4096];
        loop {
            if let Some(at) = self.shown[from..].find(text) {
                return from + at + text.len();
            }
            let count = self.master.read(&mut buffer).unwrap_or(0);
            assert!(count > 0, "{text:?} has not come in:\n{}", self.shown);
            self.shown.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
    }

    /// The window gets another size.
    pub(crate) fn resize(&self, (rows, columns): (u16, u16)) {
        tcsetwinsize(&self.master, Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    }

    pub(crate) fn press(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).unwrap();
    }

    pub(crate) fn program(&self) -> &Running {
        &self.program
    }

    /// Reads to the end, and gives the exit status and everything shown.
    pub(crate) fn end(self) -> (ExitStatus, String) {
        let Terminal { mut master, slave, program, mut shown } = self;
        // Without our own end the terminal ends with the program's.
        drop(slave);
        let mut rest = Vec::new();
        // At its end the kernel answers EIO.
        let _ = master.read_to_end(&mut rest);
        shown.push_str(&String::from_utf8_lossy(&rest));
        (program.wait(), shown)
    }
}
