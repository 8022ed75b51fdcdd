//! The stage `shell`: from a process on a terminal to a root shell there.
//!
//! `shell join NAME` takes the terminal's foreground in the session of PID 1, whose console it is: when the shell ends, the
//! console stays. `shell lead NAME` begins a session of its own: when that shell ends, its terminal hangs up, as a network
//! login does.

use std::ffi::OsString;
use std::io;
use std::path::Path;

use convoke_children::{StageFailure, launch};
use nix::sys::signal::{SigSet, Signal};

/// Variables of a login of root, with the prompt.
fn environment(name: &str) -> Vec<(OsString, OsString)> {
    let prompt = prompt(name);
    [
        ("HOME", "/root"),
        ("USER", "root"),
        ("LOGNAME", "root"),
        ("SHELL", "/bin/sh"),
        ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        ("LANG", "C.UTF-8"),
        ("TERM", "dumb"),
        ("PS1", &prompt),
    ]
    .into_iter()
    .map(|(name, value)| (name.into(), value.into()))
    .collect()
}

/// The prompt of a sandbox's shell.
pub(crate) fn prompt(name: &str) -> String {
    format!("root@{name}:~# ")
}

/// Runs it.
pub(crate) fn run(args: Vec<OsString>) -> Result<(), StageFailure> {
    let args: Vec<String> = args.iter().map(|arg| arg.to_string_lossy().into_owned()).collect();
    let [how, name] = args.as_slice() else {
        return Err(StageFailure::new("the stage `shell` needs `join` or `lead` and a name"));
    };
    let terminal = io::stdin();
    if how == "lead" {
        rustix::process::setsid().map_err(io::Error::from)?;
        rustix::process::ioctl_tiocsctty(&terminal).map_err(io::Error::from)?;
    } else {
        // From the background this asks for SIGTTOU, unless that is blocked.
        let mut stop = SigSet::empty();
        stop.add(Signal::SIGTTOU);
        stop.thread_block().map_err(io::Error::from)?;
        rustix::termios::tcsetpgrp(&terminal, rustix::process::getpid()).map_err(io::Error::from)?;
        stop.thread_unblock().map_err(io::Error::from)?;
    }
    std::env::set_current_dir("/root").or_else(|_| std::env::set_current_dir("/"))?;

    // No line editing: the terminal echoes what it gets and nothing else. No history expansion: `!` is a character.
    let bash = ["/bin/bash", "/usr/bin/bash"].into_iter().find(|path| Path::new(path).exists());
    let (program, options): (&str, &[&str]) = match bash {
        Some(bash) => (bash, &["--noprofile", "--norc", "--noediting", "+H", "-i"]),
        None => ("/bin/sh", &["-i"]),
    };
    let options: Vec<OsString> = options.iter().map(OsString::from).collect();
    let error = launch::exec(&program.into(), &options, &environment(name));
    Err(StageFailure::new(format!("cannot run {program}: {error}")))
}
