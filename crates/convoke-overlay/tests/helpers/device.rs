//! A device: a folder laid out like an overlay, one shell to run everything, and a PATH of BusyBox applets.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use convoke_overlay::helpers;
use tempfile::TempDir;

use crate::console::Console;

/// One of the shells that every helper must run under.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shell {
    pub(crate) name: &'static str,
    /// Absolute, or an applet of BusyBox.
    program: &'static str,
}

pub(crate) const SHELLS: [Shell; 4] = [
    Shell { name: "dash", program: "/bin/dash" },
    Shell { name: "bash", program: "/bin/bash" },
    Shell { name: "ash", program: "busybox" },
    Shell { name: "mksh", program: "/bin/mksh" },
];

/// Runs the test under each shell, all at once. A failure names the shell on its thread.
pub(crate) fn each_shell(test: impl Fn(Shell) + Sync) {
    let test = &test;
    std::thread::scope(|scope| {
        for shell in SHELLS {
            std::thread::Builder::new().name(shell.name.to_owned()).spawn_scoped(scope, move || test(shell)).unwrap();
        }
    });
}

/// Where a program is, or a failure that names its package.
#[track_caller]
pub(crate) fn program(name: &str, package: &str) -> PathBuf {
    let places = ["/bin", "/usr/bin", "/sbin", "/usr/sbin"];
    let found = places.iter().map(|place| Path::new(place).join(name)).find(|path| path.exists());
    found.unwrap_or_else(|| panic!("there is no {name}: install the Debian package {package}"))
}

/// The device. Its folder goes when it goes.
pub(crate) struct Device {
    folder: TempDir,
    shell: Shell,
    tools: PathBuf,
    environment: Vec<(String, String)>,
    before: Vec<String>,
}

impl Device {
    /// A member called 9101 of role server, with two clients and an observer beside it, all tools of BusyBox.
    pub(crate) fn new(shell: Shell) -> Self {
        let folder = tempfile::Builder::new().prefix("lava device ").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let device = Device { folder, shell, tools: all_tools(), environment: Vec::new(), before: Vec::new() };
        let interpreter = device.interpreter();
        for helper in helpers::all() {
            let text = helper.text.strip_prefix("#!/bin/sh\n").expect("the first line is #!/bin/sh");
            device.script(&format!("bin/{}", helper.name), &format!("#!{interpreter}\n{text}"));
        }
        device.write("multinode/self", "9101\n");
        device.write("multinode/role", "server\n");
        device.group("9101\tserver\n9102\tclient\n9103\tclient\n9104\tobserver\n");
        device.write("0/lava-test-runner.conf", &format!("{}\n", device.path("0/tests/0_suite").display()));
        device
    }

    /// Leaves only these tools in PATH, as on an image without BusyBox.
    pub(crate) fn only(mut self, tools: &[&str]) -> Self {
        self.tools = self.path("tools");
        make_tools(&self.tools, &program("busybox", "busybox"), tools);
        self
    }

    /// Leaves the tools of toybox in PATH and nothing else. (Debian's has neither sh nor stty.)
    pub(crate) fn toybox(mut self) -> Self {
        let toybox = program("toybox", "toybox");
        let list = String::from_utf8(Command::new(&toybox).output().unwrap().stdout).unwrap();
        self.tools = self.path("tools");
        let _quiet = no_forks();
        make_tools(&self.tools, &toybox, &list.split_whitespace().collect::<Vec<_>>());
        self
    }

    /// Sets a variable of the environment.
    pub(crate) fn set(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Has the device started by this command, for example in namespaces of its own.
    pub(crate) fn inside(mut self, command: &[&str]) -> Self {
        self.before = command.iter().map(|&word| word.to_owned()).collect();
        self
    }

    pub(crate) fn group(&self, table: &str) {
        self.write("multinode/group", table);
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    #[track_caller]
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        let _quiet = no_forks();
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// A file that can be run.
    #[track_caller]
    pub(crate) fn script(&self, name: &str, text: &str) {
        self.write(name, text);
        std::fs::set_permissions(self.path(name), std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[track_caller]
    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// The interpreter in the first line of every helper. No blank may be in it, so it is not in the device's folder.
    pub(crate) fn interpreter(&self) -> String {
        match self.shell.program {
            "busybox" => {
                let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ash");
                // Several tests may come here at once; all make the same.
                let _ = symlink(program("busybox", "busybox"), &place);
                place.to_str().unwrap().to_owned()
            }
            path => program(path.trim_start_matches("/bin/"), self.shell.name).to_str().unwrap().to_owned(),
        }
    }

    /// Starts the runner with one suite of these steps, under "-e" as run.sh is.
    pub(crate) fn start(&self, steps: &str) -> Console {
        self.write("0/tests/0_suite/run.sh", steps);
        self.start_stage()
    }

    /// Starts the runner with the stage as it is.
    pub(crate) fn start_stage(&self) -> Console {
        let runner = self.path("bin/lava-test-runner");
        self.start_command(&[runner.to_str().unwrap(), self.path("0").to_str().unwrap()])
    }

    /// Starts a command on the device's console.
    pub(crate) fn start_command(&self, words: &[&str]) -> Console {
        let mut command = Command::new(program("busybox", "busybox"));
        command.args(["setsid", "-c"]).args(&self.before).args(words);
        command.env_clear().current_dir(self.folder.path());
        command.env("PATH", &self.tools).env("SHELL", self.interpreter()).env("HOME", "/");
        command.env("LAVA_MULTI_NODE_CACHE", self.path("cache.txt"));
        command.env("LAVA_MULTI_NODE_NETWORK_CACHE", self.path("network_cache.txt"));
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        Console::start(command)
    }

    /// Runs the steps to the end, answering each request in turn: text to wait for, line to type. What the suite
    /// printed, without the runner's own lines.
    #[track_caller]
    pub(crate) fn play(&self, steps: &str, replies: &[(&str, &str)]) -> String {
        let mut console = self.start(steps);
        for (request, reply) in replies {
            console.expect(request).type_text(&format!("{reply}\n"));
        }
        suite_of(&console.finish())
    }

    /// `play` without requests.
    #[track_caller]
    pub(crate) fn run(&self, steps: &str) -> String {
        self.play(steps, &[])
    }
}

/// Held while a file is written and while a process is started: a child of another thread would have the file open for
/// writing for a moment, in which it cannot be run ("text file busy").
pub(crate) fn no_forks() -> MutexGuard<'static, ()> {
    static FORKS: Mutex<()> = Mutex::new(());
    FORKS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A folder with a link for every applet of BusyBox, made once and kept.
fn all_tools() -> PathBuf {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tools");
    if !place.exists() {
        let _quiet = no_forks();
        let list = Command::new(program("busybox", "busybox")).arg("--list").output().unwrap().stdout;
        let list = String::from_utf8(list).unwrap();
        let made = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        make_tools(&made.path().join("tools"), &program("busybox", "busybox"), &list.lines().collect::<Vec<_>>());
        // Several tests may come here at once; one of them has its folder there first, with the same in it.
        let _ = std::fs::rename(made.path().join("tools"), &place);
    }
    place
}

fn make_tools(place: &Path, all_in_one: &Path, tools: &[&str]) {
    std::fs::create_dir(place).unwrap();
    for tool in tools {
        symlink(all_in_one, place.join(tool)).unwrap();
    }
}

/// What came up to the runner's word about the suite.
pub(crate) fn suite_of(seen: &str) -> String {
    let end = seen.find("\n<LAVA_TEST_RUNNER>: ").unwrap_or(seen.len());
    seen[..end].to_owned()
}
