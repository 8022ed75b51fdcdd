//! Running a program that is not ours together with everything it starts: nothing of it outlives the call.
//!
//! A program may put a part of itself into the background (`screen` does). This process becomes the one to which the
//! kernel gives what loses its parent, so such a part is found, and is killed like the program itself when the program
//! ends, when convoke asks for it, or when convoke is gone.

use std::io;
use std::process::{Child, ExitStatus, Stdio};

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions};

use crate::control::Control;
use crate::foreign::{self, Foreign};

/// Runs a program until it ends, or until a message or the end of file comes on the control channel; `None` then. To be
/// called in a stage that does nothing else, an [`Orphan`](crate::StageEntry::Orphan): one that is killed with its parent
/// cannot clean up.
///
/// # Errors
/// When it cannot be started or the kernel refuses to tell of its children.
pub fn run(control: &Control, program: &Foreign, stdio: [Stdio; 3]) -> io::Result<Option<ExitStatus>> {
    rustix::process::set_child_subreaper(Some(Pid::INIT))?;
    let status = until_end(control, foreign::spawn(program, stdio)?.into_child())?;
    end_all()?;
    Ok(status)
}

/// Waits for the program, and kills it when it is not wanted any more.
fn until_end(control: &Control, mut child: Child) -> io::Result<Option<ExitStatus>> {
    let pidfd = rustix::process::pidfd_open(Pid::from_child(&child), PidfdFlags::empty())?;
    let ended = loop {
        let mut fds = [PollFd::new(&pidfd, PollFlags::IN), PollFd::new(control, PollFlags::IN | PollFlags::RDHUP)];
        match rustix::event::poll(&mut fds, None) {
            Ok(_) if !fds[0].revents().is_empty() => break true,
            Ok(_) if !fds[1].revents().is_empty() => break false,
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    };
    if !ended {
        child.kill()?;
    }
    let status = child.wait()?;
    Ok(ended.then_some(status))
}

/// Kills and reaps every descendant. What loses its parent on the way becomes a child of this process.
fn end_all() -> io::Result<()> {
    loop {
        for child in children()? {
            // It has not been reaped, so the number is still its own.
            let _ = rustix::process::kill_process(child, Signal::KILL);
        }
        match rustix::process::wait(WaitOptions::empty()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(Errno::CHILD) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

/// The children of this process: of its first thread, which starts them and is given those that lose their parent.
fn children() -> io::Result<Vec<Pid>> {
    let own = rustix::process::getpid();
    let text = std::fs::read_to_string(format!("/proc/self/task/{own}/children"))?;
    Ok(text.split_whitespace().filter_map(|number| Pid::from_raw(number.parse().ok()?)).collect())
}
