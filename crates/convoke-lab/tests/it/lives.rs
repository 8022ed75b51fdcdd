//! Processes with sandboxes that are killed, and the one that looks what is left of them.
//!
//! `__live` boots sandboxes and says on standard output how far it is. `__keep SEED` starts it again and again and kills
//! it at a point that the seed chooses. It is the reaper of everything that loses its parent below it, so when it has no
//! children left, nothing is left: waiting for that needs no list of processes and no sleep.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use convoke_dispatcher::device::Device;
use convoke_lab::sandbox::{Ground, GroundSettings, SandboxSpec};
use rustix::io::Errno;
use rustix::process::{Pid, WaitOptions};

use crate::console::{boot, request, sandboxes};

/// Lives a keeper looks at.
pub(crate) const LIVES: usize = 12;
/// Lines of a life.
const LINES: u64 = 8;

pub(crate) fn main() -> Option<ExitCode> {
    let mut args = std::env::args().skip(1);
    match args.next()?.as_str() {
        "__live" => live(),
        "__keep" => keep(args.next().unwrap().parse().unwrap()),
        "__refused" => refused(),
        "__mounts" => mounts_below(),
        "__masked" => masked(),
        _ => return None,
    }
    Some(ExitCode::SUCCESS)
}

fn say(line: &str) {
    let mut out = std::io::stdout();
    writeln!(out, "{line}").unwrap();
    out.flush().unwrap();
}

fn live() {
    block_on(async {
        say("started");
        let mut devices = sandboxes(["alpha", "beta"]).await;
        say("ground");
        let mut shells = Vec::new();
        for device in &mut devices {
            shells.push(boot(device).await);
            say("booted");
        }
        // Things that would like to stay.
        for shell in &mut shells {
            shell.run("( trap '' HUP TERM INT; setsid sleep 1000 & ); ( nohup sleep 1000 >/dev/null 2>&1 & )").await;
        }
        say("busy");
        let mut guest = devices[0].guest("guest");
        let _console = guest.boot(request()).await.unwrap();
        say("guest");
        boot(&mut devices[1]).await;
        say("rebooted");
        devices[1].power_off().await.unwrap();
        say("off");
        // Stay until killed.
        std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    });
}

fn keep(seed: u64) {
    rustix::process::set_child_subreaper(Some(Pid::INIT)).unwrap();
    let surroundings =
        || ["/proc/self/mountinfo", "/proc/net/dev"].map(|path| names(&std::fs::read_to_string(path).unwrap()));
    let before = surroundings();
    let mut random = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    for _ in 0..LIVES {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let folder = tempfile::tempdir().unwrap();
        let mut life = Command::new("/proc/self/exe")
            .arg("__live")
            .env("TMPDIR", folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(life.stdout.take().unwrap()).lines();
        for _ in 0..random % (LINES + 1) {
            lines.next().expect("the life ended early").unwrap();
        }
        let moment = Instant::now() + Duration::from_micros((random >> 32) % 30_000);
        while Instant::now() < moment {
            std::hint::spin_loop();
        }
        life.kill().unwrap();
        life.wait().unwrap();
        loop {
            match rustix::process::wait(WaitOptions::empty()) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(Errno::CHILD) => break,
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "a temporary file is left");
        assert_eq!(surroundings(), before);
        say("gone");
    }
}

/// First fields only: what exists, without counters.
fn names(table: &str) -> Vec<String> {
    table
        .lines()
        .map(|line| line.split_whitespace().filter(|field| !field.chars().all(|c| c.is_ascii_digit())).collect())
        .collect()
}

/// Enters a user namespace as the same user, with all powers in it until the next exec.
fn enter_user_namespace() {
    let (uid, gid) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWUSER | nix::sched::CloneFlags::CLONE_NEWNS).unwrap();
    std::fs::write("/proc/self/setgroups", "deny").unwrap();
    // Not 0: what is looked at is how an ordinary user is treated.
    std::fs::write("/proc/self/uid_map", format!("1000 {uid} 1")).unwrap();
    std::fs::write("/proc/self/gid_map", format!("1000 {gid} 1")).unwrap();
}

/// Says what the probe says where no more user namespaces are allowed.
fn refused() {
    enter_user_namespace();
    std::fs::write("/proc/sys/user/max_user_namespaces", "0").unwrap();
    block_on(async { say(&convoke_lab::sandbox::probe().await.unwrap_err().to_string()) });
}

/// Says what a sandbox shows of a folder with something mounted below.
fn mounts_below() {
    enter_user_namespace();
    mount("/usr/local");
    std::fs::create_dir("/usr/local/folder").unwrap();
    std::fs::write("/usr/local/folder/file", "mounted\n").unwrap();
    block_on(async {
        let [mut alpha] = sandboxes(["alpha"]).await;
        let mut shell = boot(&mut alpha).await;
        say(shell.run("cat /usr/local/folder/file").await.trim());
        shell.run("echo changed >/usr/local/folder/new && touch /usr/new /usr/bin/new && env true").await;
        assert!(!std::path::Path::new("/usr/local/folder/new").exists());
    });
}

/// Says what becomes of a sandbox where a part of /proc is masked.
fn masked() {
    if rustix::process::geteuid().is_root() {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).unwrap();
        let private = nix::mount::MsFlags::MS_REC | nix::mount::MsFlags::MS_PRIVATE;
        nix::mount::mount(None::<&str>, "/", None::<&str>, private, None::<&str>).unwrap();
    } else {
        enter_user_namespace();
    }
    mount("/proc/sys/net");
    block_on(async {
        let names = vec!["alpha".into()];
        let ground = Ground::create(GroundSettings { names, ..GroundSettings::default() }).await.unwrap();
        let mut alpha = ground.sandbox(SandboxSpec::named("alpha")).unwrap();
        say(&alpha.boot(request()).await.map_or_else(|error| error.to_string(), |_| "booted".to_owned()));
    });
}

fn mount(path: &str) {
    nix::mount::mount(Some("none"), path, Some("tmpfs"), nix::mount::MsFlags::empty(), None::<&str>).unwrap();
}

fn block_on(scenario: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(scenario);
}
