//! Runs the program as a user would, in a folder of its own, as root or as an ordinary user.

use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::OnceLock;

use rustix::process::{PidfdFlags, pidfd_open};
use serde_json::Value;
use tempfile::TempDir;

/// As whom the program runs. Started by an ordinary user, tests run as that user in both cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum User {
    Root,
    Ordinary,
}

/// `nobody` and its group.
const NOBODY: u32 = 65534;

/// The top of the repository.
pub(crate) fn repository() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// A fixture of this crate's tests.
pub(crate) fn fixture(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures")).join(name)
}

/// A folder in which the program runs, removed at the end.
pub(crate) struct Place {
    folder: TempDir,
    user: User,
}

/// How a finished program ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Place {
    pub(crate) fn new(user: User) -> Place {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o777)).unwrap();
        Place { folder, user }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts a file there, readable by all.
    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// The program with these arguments, not yet started.
    pub(crate) fn command<S: AsRef<std::ffi::OsStr>>(&self, arguments: &[S]) -> Command {
        let mut command = if self.user == User::Ordinary && is_root() {
            let mut command = Command::new("setpriv");
            command
                .args([format!("--reuid={NOBODY}"), format!("--regid={NOBODY}")])
                .arg("--clear-groups")
                .arg(reachable_program());
            command
        } else {
            Command::new(env!("CARGO_BIN_EXE_convoke"))
        };
        command
            .args(arguments.iter().map(|argument| self.reachable(argument.as_ref())))
            .current_dir(self.folder.path())
            .env_remove("NO_COLOR")
            .env("HOME", self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// A file of the repository as the program's user can read it: a checkout may stand in a folder of root's alone.
    fn reachable(&self, argument: &std::ffi::OsStr) -> std::ffi::OsString {
        let path = Path::new(argument);
        let ours = path.starts_with(env!("CARGO_MANIFEST_DIR")) && path.is_file();
        match path.file_name().filter(|_| ours && self.user == User::Ordinary && is_root()) {
            Some(name) => {
                self.write(&format!("given/{}", name.to_string_lossy()), std::fs::read(path).unwrap()).into_os_string()
            }
            None => argument.to_owned(),
        }
    }

    /// Runs the program to its end.
    pub(crate) fn convoke<S: AsRef<std::ffi::OsStr>>(&self, arguments: &[S]) -> Ended {
        Ended::from(self.command(arguments).output().unwrap())
    }

    /// Gives `input` to another program and returns what it prints.
    pub(crate) fn pipe(&self, program: &str, arguments: &[&str], input: &str) -> String {
        let file = self.write("piped", input);
        let output = Command::new(program).args(arguments).stdin(std::fs::File::open(file).unwrap()).output().unwrap();
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs `job` into the folder `run`, which later calls read.
    pub(crate) fn run(&self, job: &Path, more: &[&str]) -> Run {
        let mut arguments = vec!["run".to_owned(), job.display().to_string(), "--output".into(), "run".into()];
        arguments.extend(more.iter().map(|word| (*word).to_owned()));
        let ended = self.convoke(&arguments);
        Run { ended, dir: self.path("run") }
    }
}

impl From<Output> for Ended {
    fn from(output: Output) -> Ended {
        Ended {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// A finished run and its files.
pub(crate) struct Run {
    pub(crate) ended: Ended,
    pub(crate) dir: PathBuf,
}

/// One result as the tests look at it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Found {
    pub(crate) role: String,
    pub(crate) suite: String,
    pub(crate) case: String,
    pub(crate) result: String,
}

impl Run {
    /// The exit status, with everything that was printed when it is another one.
    #[track_caller]
    pub(crate) fn expect(&self, code: i32) -> &Run {
        assert_eq!(
            self.ended.code,
            Some(code),
            "\n--- stdout\n{}\n--- stderr\n{}",
            self.ended.stdout,
            self.ended.stderr
        );
        self
    }

    /// All events of the journal.
    pub(crate) fn journal(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.dir.join("journal.jsonl")).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// All results of test suites (not of suite `lava`), from the journal.
    pub(crate) fn results(&self) -> Vec<Found> {
        self.found(|suite| suite != "lava")
    }

    /// All results of suite `lava`.
    pub(crate) fn lava_results(&self) -> Vec<Found> {
        self.found(|suite| suite == "lava")
    }

    fn found(&self, wanted: impl Fn(&str) -> bool) -> Vec<Found> {
        let journal = self.journal();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let members = journal[0]["members"].as_array().unwrap();
        let role = |event: &Value| {
            let member = members.iter().find(|member| member["sub_id"] == event["member"]).unwrap();
            text(&member["role"])
        };
        journal
            .iter()
            .filter(|event| event["event"] == "result" && wanted(event["definition"].as_str().unwrap()))
            .map(|event| Found {
                role: role(event),
                suite: text(&event["definition"]),
                case: text(&event["case"]),
                result: text(&event["result"]),
            })
            .collect()
    }

    /// How often `role` has `case` with `result`.
    pub(crate) fn count(&self, role: &str, case: &str, result: &str) -> usize {
        self.results().iter().filter(|found| found.role == role && found.case == case && found.result == result).count()
    }

    /// That `role` has `case` with `result`, `times` times.
    #[track_caller]
    pub(crate) fn has(&self, role: &str, case: &str, result: &str, times: usize) -> &Run {
        assert_eq!(self.count(role, case, result), times, "{role} {case} {result} in {:#?}", self.results());
        self
    }

    pub(crate) fn file(&self, name: &str) -> String {
        let path = self.dir.join(name);
        String::from_utf8_lossy(&std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
            .into_owned()
    }
}

/// Processes whose end can be waited for.
pub(crate) struct Watched(Vec<OwnedFd>);

impl Watched {
    /// Those of them that are still there.
    pub(crate) fn new(pids: &[i32]) -> Watched {
        let pids = pids.iter().filter_map(|pid| rustix::process::Pid::from_raw(*pid));
        Watched(pids.filter_map(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()).collect())
    }

    /// Until the last has ended; the test's own limit is the only one.
    pub(crate) fn wait(&self) {
        for pidfd in &self.0 {
            let mut fds = [rustix::event::PollFd::new(pidfd, rustix::event::PollFlags::IN)];
            rustix::event::poll(&mut fds, None).unwrap();
        }
    }
}

/// The processes below a process.
pub(crate) fn descendants(pid: u32) -> Vec<i32> {
    let mut below = vec![pid.to_string()];
    let mut found = Vec::new();
    while let Some(pid) = below.pop() {
        let children = Command::new("pgrep").args(["-P", &pid]).output().unwrap();
        below.extend(String::from_utf8(children.stdout).unwrap().lines().map(str::to_owned));
        found.push(pid.parse().unwrap());
    }
    found.remove(0);
    found
}

/// The name of a process; empty when it is gone.
pub(crate) fn name_of(pid: i32) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim().to_owned()
}

/// Ends the child when the test ends early.
pub(crate) struct Running(pub(crate) Child);

impl Running {
    pub(crate) fn wait(mut self) -> ExitStatus {
        self.0.wait().unwrap()
    }

    /// Reads everything it says, to its end.
    pub(crate) fn output(mut self) -> Output {
        use std::io::Read;
        // Both at once, so that it is held up by neither.
        let mut errors = self.0.stderr.take().unwrap();
        let errors = std::thread::spawn(move || {
            let mut text = Vec::new();
            errors.read_to_end(&mut text).unwrap();
            text
        });
        let mut stdout = Vec::new();
        self.0.stdout.take().unwrap().read_to_end(&mut stdout).unwrap();
        Output { status: self.0.wait().unwrap(), stdout, stderr: errors.join().unwrap() }
    }

    pub(crate) fn signal(&self, signal: nix::sys::signal::Signal) {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.0.id()).unwrap());
        nix::sys::signal::kill(pid, signal).unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn is_root() -> bool {
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

/// A copy of the program where an ordinary user reaches it: one of each working copy, that of its last build.
fn reachable_program() -> &'static Path {
    static COPY: OnceLock<PathBuf> = OnceLock::new();
    COPY.get_or_init(|| {
        let program = Path::new(env!("CARGO_BIN_EXE_convoke"));
        let there = |path: &Path| path.metadata().map(|meta| meta.ino()).unwrap_or_default();
        let folder = std::env::temp_dir().join(format!("convoke-tests-{}", there(&repository())));
        let build = program.metadata().unwrap();
        let name = format!("{}-{}", build.ino(), build.mtime());
        let copy = folder.join(&name).join("convoke");
        if !copy.exists() {
            let own = copy.with_file_name("");
            std::fs::create_dir_all(&own).unwrap();
            for folder in [&folder, &own] {
                std::fs::set_permissions(folder, PermissionsExt::from_mode(0o755)).unwrap();
            }
            let part = own.join(format!("part-{}", std::process::id()));
            std::fs::copy(program, &part).unwrap();
            std::fs::set_permissions(&part, PermissionsExt::from_mode(0o755)).unwrap();
            std::fs::rename(&part, &copy).unwrap();
            for old in std::fs::read_dir(&folder).unwrap().flatten() {
                if *old.file_name() != *name {
                    // Another test may have been quicker.
                    let _ = std::fs::remove_dir_all(old.path());
                }
            }
        }
        copy
    })
}
