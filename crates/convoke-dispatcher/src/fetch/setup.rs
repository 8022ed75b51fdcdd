//! The stage `fetch`: a mount and PID namespace of its own, memory over the work folder, then `fetch-work` in it.

use std::os::fd::AsFd;

use convoke_children::{Control, StageFailure, launch};
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use super::message::{Answer, Setup};

pub(super) fn run(control: Control) -> Result<(), StageFailure> {
    let (setup, _) = control.recv::<Setup>()?;
    enter()?;
    let failed = |what: &str, error: Errno| {
        StageFailure::new(format!("cannot mount {what} to fetch into: {}; is this container allowed to?", error.desc()))
    };
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)
        .map_err(|error| failed("a view of the files", error))?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(Some("convoke-fetch"), &setup.work, Some("tmpfs"), flags, Some("mode=700,size=90%"))
        .map_err(|error| failed("memory", error))?;
    std::env::set_current_dir(&setup.work)?;
    // The first process started after leaving the PID namespace is PID 1 of the new one.
    let worker = launch::hand_over(&control, "fetch-work")?;
    Ok(control.send(&Answer::Entered, &[worker.as_fd()])?)
}

/// Root may do without a user namespace, in which the files of other users would become unreadable.
fn enter() -> Result<(), StageFailure> {
    let spaces = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID;
    let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
    if uid.is_root() && unshare(spaces).is_ok() {
        return Ok(());
    }
    unshare(spaces | CloneFlags::CLONE_NEWUSER).map_err(|error| {
        StageFailure::new(format!(
            "cannot enter namespaces of its own to fetch in: {}; allow user namespaces (sysctl user.max_user_namespaces, \
             kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns)",
            error.desc()
        ))
    })?;
    let map = |file: &str, text: String| {
        std::fs::write(format!("/proc/self/{file}"), text)
            .map_err(|error| StageFailure::new(format!("cannot write /proc/self/{file}: {error}")))
    };
    map("setgroups", "deny".to_owned())?;
    map("uid_map", format!("{0} {0} 1", uid.as_raw()))?;
    map("gid_map", format!("{0} {0} 1", gid.as_raw()))
}
