//! However a run ends, nothing of it is left: no process, mount, interface or temporary folder.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde_json::json;

use crate::bad_input::job;
use crate::harness::{self, Place, Running, User, descendants, is_root, name_of};
use crate::terminal::Terminal;
use crate::{guests, machines};

/// A program of one's own, so that its processes are told from those of other tests by their executable.
struct Watched {
    place: Place,
    program: PathBuf,
    user: User,
    /// Stands in the command line of a process on every device.
    token: String,
}

/// What the machine looked like before.
#[derive(Debug, PartialEq)]
struct Machine {
    mounts: usize,
    interfaces: Vec<String>,
}

impl Machine {
    fn now() -> Machine {
        let mut interfaces: Vec<String> = std::fs::read_dir("/sys/class/net")
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        interfaces.sort();
        Machine { mounts: std::fs::read_to_string("/proc/self/mountinfo").unwrap().lines().count(), interfaces }
    }
}

impl Watched {
    fn new(user: User) -> Watched {
        let place = Place::new(user);
        let program = place.path("convoke-under-test");
        std::fs::copy(env!("CARGO_BIN_EXE_convoke"), &program).unwrap();
        std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
        let temporary = place.path("tmp");
        std::fs::create_dir(&temporary).unwrap();
        std::fs::set_permissions(&temporary, PermissionsExt::from_mode(0o777)).unwrap();
        let token = format!("9{:09}", program.metadata().unwrap().ino());
        Watched { place, program, user, token }
    }

    /// Starts a run that stops where its two members have arrived, and goes into a device.
    fn start_at_a_terminal(&self) -> Terminal {
        let forever = format!("sleep {}", self.token);
        let job = self.place.write("job.yaml", job(2, &["lava-sync go", &forever], 30));
        let mut command = Command::new(&self.program);
        if self.user == User::Ordinary && is_root() {
            command = Command::new("setpriv");
            command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&self.program);
        }
        command.args(["run", "--break", "go", "--output"]).arg(self.place.path("run")).arg(job);
        command.env("TMPDIR", self.place.path("tmp")).current_dir(self.place.path("."));
        let mut terminal = Terminal::start(&command, (30, 100));
        let at = terminal.until(0, "> ");
        terminal.press("1\r");
        let at = terminal.until(at, "Ctrl-] leaves");
        terminal.until(at, "~# ");
        terminal.press(&format!("{forever}\r"));
        terminal.until(at, &forever);
        terminal
    }

    /// Starts a run of two members that sync and then wait for something that takes for ever.
    fn start(&self) -> Running {
        let forever = format!("sleep {}", self.token);
        self.start_job(&self.place.write("job.yaml", job(2, &["lava-sync go", &forever], 30)))
    }

    fn start_job(&self, job: &Path) -> Running {
        let mut command = if self.user == User::Ordinary && is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&self.program);
            command
        } else {
            Command::new(&self.program)
        };
        let child = command
            .args(["run", "--format", "json", "--log-level", "debug", "--output"])
            .arg(self.place.path("run"))
            .arg(job)
            .env("TMPDIR", self.place.path("tmp"))
            .current_dir(self.place.path("."))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Running(child)
    }

    /// Reads `lines` lines of events, or up to the first that holds `text`.
    fn read(running: &mut Running, lines: usize, text: &str) {
        let out = BufReader::new(running.0.stdout.as_mut().unwrap());
        for line in out.lines().take(lines) {
            if line.unwrap().contains(text) {
                break;
            }
        }
    }

    fn processes(&self) -> Vec<i32> {
        let inode = self.program.metadata().unwrap().ino();
        let mine = |path: &Path| {
            let program = std::fs::metadata(path.join("exe")).is_ok_and(|exe| exe.ino() == inode);
            let token = std::fs::read(path.join("cmdline"))
                .is_ok_and(|words| String::from_utf8_lossy(&words).contains(&self.token));
            program || token
        };
        std::fs::read_dir("/proc")
            .unwrap()
            .flatten()
            .filter(|entry| mine(&entry.path()))
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .collect()
    }

    /// Waits until no process of the run is left.
    fn gone(&self) {
        loop {
            let left = self.processes();
            if left.is_empty() {
                return;
            }
            for pid in left {
                // One that ended meanwhile cannot be opened any more.
                if let Some(Ok(fd)) = Pid::from_raw(pid).map(|pid| pidfd_open(pid, PidfdFlags::empty())) {
                    poll(&mut [PollFd::new(&fd, PollFlags::IN)], None).unwrap();
                }
            }
        }
    }

    #[track_caller]
    fn nothing_left(&self, before: &Machine) {
        self.gone();
        assert_eq!(&Machine::now(), before);
        let left: Vec<_> = std::fs::read_dir(self.place.path("tmp")).unwrap().flatten().map(|e| e.path()).collect();
        assert!(left.is_empty(), "temporary files are left: {left:?}");
        let hidden: Vec<_> = walk(&self.place.path("run"));
        assert!(hidden.iter().all(|path| !path.to_string_lossy().contains("scratch")), "{hidden:?}");
    }
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            found.extend(walk(&entry.path()));
        }
        found.push(entry.path());
    }
    found
}

fn killed_at(user: User, lines: usize) {
    let before = Machine::now();
    let watched = Watched::new(user);
    let mut running = watched.start();
    Watched::read(&mut running, lines, "no such text");
    running.signal(Signal::SIGKILL);
    running.wait();
    watched.nothing_left(&before);
}

/// Points of a run, as events seen before the kill: at once, while sandboxes are made, boot, test, wait.
const POINTS: &[usize] = &[0, 1, 2, 3, 5, 8, 11, 15, 20, 26, 33, 40, 50, 61, 75, 90, 110];

#[test]
fn killed_at_many_points_as_root() {
    for lines in POINTS {
        killed_at(User::Root, *lines);
    }
}

#[test]
fn killed_at_many_points_as_an_ordinary_user() {
    for lines in POINTS {
        killed_at(User::Ordinary, *lines);
    }
}

/// A group of a QEMU machine, a sandbox with a guest that is logged in by ssh, and a board behind a program.
fn every_kind(watched: &Watched) -> PathBuf {
    let token = &watched.token;
    let forever = format!("sleep {token}");
    let host: Vec<&str> = guests::SSHD.into_iter().chain([guests::ADDRESS, guests::START, &forever]).collect();
    let mut job = guests::job(1, true, &host, &[&forever]);
    let mut single = machines::job(machines::applied(), &[&forever]);
    let kernel = format!("-kernel {{kernel}} -append \"{} token={token}\"", machines::APPEND);
    single["actions"][0]["deploy"]["images"]["kernel"]["image_arg"] = kernel.into();
    let mut more = single["actions"].as_array().unwrap().clone();
    for (block, kind) in more.iter_mut().zip(["deploy", "boot", "test"]) {
        block[kind]["role"] = json!(["machine"]);
    }
    more.push(json!({"deploy": {"role": ["board"], "to": "overlay"}}));
    more.push(json!({"boot": {"role": ["board"], "method": "minimal", "prompts": ["never# "]}}));
    job["actions"].as_array_mut().unwrap().extend(more);
    let roles = &mut job["protocols"]["lava-multinode"]["roles"];
    roles["machine"] = json!({"device_type": "qemu", "count": 1, "context": single["context"]});
    roles["board"] = json!({"device_type": "board", "count": 1});
    let lab = json!({"devices": [{"name": "one", "type": "board", "dictionary": {
        "commands": {"connect": format!("(sleep {token} &); echo connected; sleep {token}")},
        "actions": {"boot": {"methods": {"minimal": null}}},
    }}]});
    watched.place.write("job.lab.yaml", lab.to_string());
    watched.place.write("job.yaml", job.to_string())
}

/// Killed while images are made ready, while everything boots, and when all of them are up.
#[test]
fn killed_with_every_kind_of_device() {
    // Only root can be the root that sshd wants to be.
    if !is_root() {
        return;
    }
    let up = ["connected", "SIGNAL_STARTRUN 0_guest", "SIGNAL_STARTRUN 0_host", "SIGNAL_STARTRUN 0_steps"];
    for wanted in [&["downloading file"][..], &["Boot command: qemu"], &up] {
        let before = Machine::now();
        let watched = Watched::new(User::Root);
        let mut running = watched.start_job(&every_kind(&watched));
        let mut missing = wanted.to_vec();
        let mut lines = BufReader::new(running.0.stdout.as_mut().unwrap()).lines();
        while !missing.is_empty() {
            let line = lines.next().unwrap_or_else(|| panic!("the run ended without {missing:?}")).unwrap();
            missing.retain(|text| !line.contains(text));
        }
        let below = descendants(running.0.id());
        let names: Vec<String> = below.iter().map(|pid| name_of(*pid)).collect();
        if wanted == up {
            for name in ["qemu-system-x86", "ssh", "sshd", "sleep"] {
                assert!(names.iter().any(|known| known == name), "{name} in {names:?}");
            }
        }
        let below = harness::Watched::new(&below);
        running.signal(Signal::SIGKILL);
        running.wait();
        below.wait();
        watched.nothing_left(&before);
        // Images have no names.
        let known = ["journal.jsonl", "definition.yaml", "console.log", "log.yaml", "results.yaml"];
        let files = walk(&watched.place.path("run")).into_iter().filter(|path| path.is_file());
        let other: Vec<_> = files.filter(|path| known.iter().all(|name| !path.ends_with(name))).collect();
        assert!(other.is_empty(), "{other:?}");
    }
}

#[test]
fn interrupted_once_it_cancels_cleanly() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let before = Machine::now();
        let watched = Watched::new(User::Ordinary);
        let mut running = watched.start();
        Watched::read(&mut running, usize::MAX, &format!("sleep {}", watched.token));
        running.signal(signal);
        // Everything it still says is read, so that it is not held up by a full pipe.
        std::io::copy(running.0.stdout.as_mut().unwrap(), &mut std::io::sink()).unwrap();
        assert_eq!(running.wait().code(), Some(130));
        watched.nothing_left(&before);
        let journal = std::fs::read_to_string(watched.place.path("run/journal.jsonl")).unwrap();
        assert!(journal.contains("\"event\":\"canceling\"") && journal.contains("\"event\":\"run-ended\""));
        assert!(watched.place.path("run/results.yaml").exists() && watched.place.path("run/junit.xml").exists());
    }
}

#[test]
fn interrupted_twice_it_ends_at_once() {
    let before = Machine::now();
    let watched = Watched::new(User::Ordinary);
    let mut running = watched.start();
    Watched::read(&mut running, usize::MAX, &format!("sleep {}", watched.token));
    running.signal(Signal::SIGINT);
    running.signal(Signal::SIGINT);
    std::io::copy(running.0.stdout.as_mut().unwrap(), &mut std::io::sink()).unwrap();
    assert_eq!(running.wait().code(), Some(130));
    watched.nothing_left(&before);
}

#[test]
fn killed_or_ended_on_a_visit_to_a_device_nothing_is_left() {
    for user in [User::Root, User::Ordinary] {
        for (signal, code) in [(Signal::SIGKILL, None), (Signal::SIGTERM, Some(130)), (Signal::SIGHUP, Some(130))] {
            let before = Machine::now();
            let watched = Watched::new(user);
            let terminal = watched.start_at_a_terminal();
            terminal.program().signal(signal);
            assert_eq!(terminal.end().0.code(), code, "{signal}");
            watched.nothing_left(&before);
        }
    }
}

#[test]
fn after_success_and_failure_nothing_is_left() {
    for (steps, code) in [(&["lava-sync go"][..], 0), (&["false"], 1), (&["lava-wait never"], 1)] {
        let before = Machine::now();
        let place = Place::new(User::Ordinary);
        let temporary = place.path("tmp");
        std::fs::create_dir(&temporary).unwrap();
        std::fs::set_permissions(&temporary, PermissionsExt::from_mode(0o777)).unwrap();
        let job = place.write("job.yaml", job(2, steps, 30));
        let output = place
            .command(&["run".as_ref(), "--force".as_ref(), "--output".as_ref(), "run".as_ref(), job.as_os_str()])
            .env("TMPDIR", &temporary)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stdout));
        assert_eq!(Machine::now(), before);
        assert_eq!(std::fs::read_dir(&temporary).unwrap().count(), 0);
    }
}

#[test]
fn a_full_disk_is_said_and_the_run_ends() {
    // A small file system of one's own for the files of the run, in a namespace of one's own.
    let place = Place::new(User::Root);
    let job =
        place.write("job.yaml", job(1, &["head -c 8M /dev/zero | base64", "lava-test-case after --shell true"], 30));
    let script = format!(
        "mount -t tmpfs -o size=2m tmpfs /mnt && {} run --log-level error --output /mnt/run {}",
        env!("CARGO_BIN_EXE_convoke"),
        job.display()
    );
    let output = Command::new("unshare").args(["-m", "sh", "-c", &script]).output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.contains("No space left") || text.contains("disk is full"), "{text}");
    assert!(!text.contains("panicked"), "{text}");
}
