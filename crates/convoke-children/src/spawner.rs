//! The thread that starts and reaps all stages.
//!
//! It lives as long as the process, so that the parent-death signal of a stage, which is bound to the thread that started
//! it, means the end of the process and not the end of some worker thread of a runtime.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, mpsc};

use rustix::process::{Pid, WaitId, WaitIdOptions};
use tokio::sync::oneshot;

use crate::entry::STAGE_ARGUMENT;

/// What a new stage gets.
pub(crate) struct Launch {
    pub(crate) name: String,
    pub(crate) args: Vec<OsString>,
    pub(crate) stdin: Stdio,
    pub(crate) stdout: Stdio,
    pub(crate) stderr: Stdio,
    /// Whether it leads a process group of its own: Ctrl-C at the terminal is for convoke alone.
    pub(crate) own_group: bool,
}

enum Request {
    Spawn(Launch, oneshot::Sender<io::Result<Child>>),
    Reap(Child),
    ReapAdopted(OwnedFd),
}

static SPAWNER: Mutex<Option<mpsc::Sender<Request>>> = Mutex::new(None);

/// Starts a stage on the spawner's thread.
pub(crate) async fn spawn(launch: Launch) -> io::Result<Child> {
    let (reply, answer) = oneshot::channel();
    ask(Request::Spawn(launch, reply))?;
    answer.await.map_err(|_| io::Error::other("the thread that starts stages has ended"))?
}

/// Waits for a killed stage on the spawner's thread, so that it does not stay a zombie.
pub(crate) fn reap(child: Child) {
    // Without the thread the process is ending, and takes its zombies along.
    let _ = ask(Request::Reap(child));
}

/// The same for a process known by its pidfd.
pub(crate) fn reap_adopted(pidfd: OwnedFd) {
    let _ = ask(Request::ReapAdopted(pidfd));
}

fn ask(request: Request) -> io::Result<()> {
    let mut spawner = SPAWNER.lock().map_err(|_| io::Error::other("the thread that starts stages has panicked"))?;
    let sender = match &*spawner {
        Some(sender) => sender.clone(),
        None => {
            let (sender, requests) = mpsc::channel();
            std::thread::Builder::new().name("stages".into()).spawn(move || serve(requests))?;
            spawner.insert(sender).clone()
        }
    };
    sender.send(request).map_err(|_| io::Error::other("the thread that starts stages has ended"))
}

fn serve(requests: mpsc::Receiver<Request>) {
    // Orphans of a stage (the PID 1 of a sandbox) become ours to reap; without this they would be left to PID 1 of the
    // machine, which in many containers reaps nothing.
    let _ = rustix::process::set_child_subreaper(Some(Pid::INIT));
    for request in requests {
        match request {
            Request::Spawn(launch, reply) => {
                let _ = reply.send(start(launch));
            }
            Request::Reap(mut child) => {
                let _ = child.wait();
            }
            Request::ReapAdopted(pidfd) => {
                use std::os::fd::AsFd;
                let _ = rustix::process::waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED);
            }
        }
    }
}

/// Starts our own executable as a stage.
pub(crate) fn start(launch: Launch) -> io::Result<Child> {
    // The link leads to the running executable even if its file has been replaced, removed or is not visible here.
    let mut command = Command::new("/proc/self/exe");
    command
        .arg0("convoke")
        .arg(STAGE_ARGUMENT)
        .arg(launch.name)
        .args(launch.args)
        .stdin(launch.stdin)
        .stdout(launch.stdout)
        .stderr(launch.stderr);
    if launch.own_group {
        command.process_group(0);
    }
    command.spawn()
}
