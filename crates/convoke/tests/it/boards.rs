//! Boards: a console and a power switch. A QEMU machine behind ser2net, and consoles that scripts stand for.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde_json::json;

use crate::harness::{Place, Run, Running, User, repository};
use crate::machines::image;

/// The bench of the example, with ports and files of its own.
struct Bench {
    running: Running,
}

impl Bench {
    fn start(place: &Place, port: u16) -> Bench {
        let mut command = Command::new(repository().join("examples/board-serial/bench"));
        command.env("BOARD_BENCH", place.path("bench")).env("BOARD_PORT", port.to_string());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).process_group(0);
        let mut running = Running(command.spawn().unwrap());
        let lines = BufReader::new(running.0.stdout.as_mut().unwrap()).lines();
        assert!(lines.map(Result::unwrap).any(|line| line == "the bench is ready"));
        Bench { running }
    }

    fn group(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.running.0.id()).unwrap())
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        killpg(self.group(), Signal::SIGTERM).unwrap();
        let _ = self.running.0.wait();
    }
}

/// The first of the board's two ports: far from those that others get, and other ones for each test process.
fn port() -> u16 {
    let number = u16::try_from(std::process::id() % 5000).unwrap();
    15_000 + 2 * number
}

#[test]
fn a_board_behind_a_terminal_server() {
    image("vmlinuz");
    let place = Place::new(User::Root);
    let port = port();
    let _bench = Bench::start(&place, port);
    let examples = std::fs::canonicalize(repository().join("examples")).unwrap();
    let lab = std::fs::read_to_string(examples.join("board-serial.lab.yaml")).unwrap();
    let lab = lab.replace("7801", &port.to_string()).replace("7802", &(port + 1).to_string());
    let lab = lab.replace(" board-serial/", &format!(" {}/board-serial/", examples.display()));
    let lab = place.write("lab.yaml", lab);
    let job = examples.join("board-serial.yaml");
    let mut command = place.command(&["run", job.to_str().unwrap(), "--lab", lab.to_str().unwrap(), "--output", "run"]);
    let ended = command.env("BOARD_BENCH", place.path("bench")).output().unwrap().into();
    let run = Run { ended, dir: place.path("run") };
    run.expect(0).has("board", "serial-line", "pass", 1).has("board", "multinode-wait-checked", "pass", 1).has(
        "peer",
        "another-kernel",
        "pass",
        1,
    );
    // The second line: definitions, a script, a monitor; results over the kernel's log on the first.
    run.has("board", "on-the-other-line", "pass", 1)
        .has("board", "greeting", "pass", 1)
        .has("peer", "address-arrived", "pass", 1)
        .has("board", "one", "pass", 1)
        .has("board", "two", "skip", 1);
    let second = run.file("members/0-board/console-second.log");
    assert!(second.contains("/tests/1_other-line") && !second.contains("/tests/0_hardware"), "{second}");
    assert!(second.contains("the word is fish"), "{second}");
    assert_eq!(std::fs::read_to_string(place.path("bench/lamp")).unwrap(), "on\noff\n");
    let console = run.file("members/0-board/console.log");
    assert!(console.contains("board login:") && !console.contains("convoke\r"), "{console}");
    // Off again: the lock that the machine holds is free.
    let locked = Command::new("flock").arg("-n").arg(place.path("bench/power")).arg("true").status().unwrap();
    assert!(locked.success(), "the board is still on");
}

/// A console that a script stands for: it asks for a name once the power is on.
const BOARD: &str = "#!/bin/sh
while [ ! -e power ]; do sleep 0.1; done
printf 'U-Boot\\r\\n[    0.000000] Linux version\\r\\ndut login: '
read -r name
printf 'Password: '
read -r password
[ \"$name/$password\" = root/secret ] && printf 'root@dut:~# ' || printf 'Login incorrect\\r\\n'
while read -r line; do printf '%s\\r\\nroot@dut:~# ' \"$line\"; done
";

/// A job that boots the board of `commands` and tests nothing.
struct Scripted {
    place: Place,
    commands: serde_json::Value,
    boot: serde_json::Value,
}

impl Scripted {
    fn new() -> Scripted {
        let place = Place::new(User::Ordinary);
        place.write("board", BOARD);
        let commands = json!({
            "connect": "sh board", "power_on": ["true", "touch power"], "power_off": "rm -f power; echo off >>switched",
        });
        let login = json!({
            "login_prompt": "dut login:", "username": "root", "password_prompt": "[Pp]assword:", "password": "secret",
        });
        let boot = json!({"method": "minimal", "auto_login": login, "prompts": ["root@dut:[^ ]*# "]});
        Scripted { place, commands, boot }
    }

    fn run(&self, limit: u32) -> Run {
        let (job, _) = self.files(limit);
        let _ = std::fs::remove_dir_all(self.place.path("run"));
        self.place.run(&job, &[])
    }

    fn files(&self, limit: u32) -> (std::path::PathBuf, std::path::PathBuf) {
        let job = json!({
            "job_name": "board", "visibility": "public", "device_type": "board",
            "timeouts": {"job": {"minutes": 2}, "action": {"seconds": limit}, "connection": {"seconds": limit}},
            "actions": [{"deploy": {"to": "overlay"}}, {"boot": self.boot}],
        });
        let lab = json!({"devices": [{"name": "one", "type": "board", "dictionary": {
            "commands": self.commands,
            "actions": {"boot": {"methods": {"minimal": null}}},
            "timeouts": {"actions": {"power-off": {"seconds": 20}}},
        }}]});
        let lab = self.place.write("job.lab.yaml", lab.to_string());
        (self.place.write("job.yaml", job.to_string()), lab)
    }

    /// The member fails as the lab's fault, with these words.
    #[track_caller]
    fn fails(&self, limit: u32, words: &[&str]) {
        let run = self.run(limit);
        run.expect(3);
        let ended = run.journal().into_iter().find(|event| event["event"] == "member-ended").unwrap();
        assert_eq!(ended["failure"]["class"], "Infrastructure", "{ended}");
        let message = ended["failure"]["message"].as_str().unwrap();
        for word in words {
            assert!(message.contains(word), "{word:?} in {message}");
        }
    }
}

#[test]
fn a_script_as_the_console_and_commands_as_the_switch() {
    let board = Scripted::new();
    let run = board.run(30);
    run.expect(0);
    assert!(!board.place.path("power").exists());
    // Before it was switched on, and at the end.
    assert_eq!(std::fs::read_to_string(board.place.path("switched")).unwrap(), "off\noff\n");
    assert!(!run.file("members/0/console.log").contains("secret"));
    assert!(!run.file("journal.jsonl").contains("secret\\n"));
}

#[test]
fn reset_is_preferred_and_what_is_asked_for_runs_around_it() {
    let mut board = Scripted::new();
    board.commands["hard_reset"] = json!(["echo reset >>switched", "touch power"]);
    board.commands["pre_power_command"] = json!("echo before >>switched");
    board.commands["pre_os_command"] = json!("echo after >>switched");
    board.boot["pre_power_command"] = json!(true);
    board.boot["pre_os_command"] = json!(true);
    board.run(30).expect(0);
    assert_eq!(std::fs::read_to_string(board.place.path("switched")).unwrap(), "before\nreset\nafter\noff\n");
}

#[test]
fn a_board_that_is_up_is_left_alone_when_the_job_says_so() {
    let mut board = Scripted::new();
    board.boot["reset"] = json!(false);
    board.place.write("power", "");
    board.commands["connect"] = json!("while read -r line; do printf 'root@dut:~# '; done");
    board.run(30).expect(0);
    assert_eq!(std::fs::read_to_string(board.place.path("switched")).unwrap(), "off\n");
}

#[test]
fn other_places_of_a_console() {
    // A line of this machine: one end of a terminal for the board, the other for convoke.
    let mut board = Scripted::new();
    let line = board.place.path("line");
    let script = format!("EXEC:sh board,pty,raw,echo=0,cfmakeraw PTY,link={},raw,echo=0,mode=666", line.display());
    let mut socat = Command::new("socat");
    socat.args(
        script.split(" PTY").enumerate().map(|(at, part)| if at == 0 { part.into() } else { format!("PTY{part}") }),
    );
    let _line = Running(socat.current_dir(board.place.path(".")).spawn().unwrap());
    while !line.exists() {
        std::thread::yield_now();
    }
    board.commands["connect"] = json!(format!("tty:{}@115200", line.display()));
    board.run(30).expect(0);

    // A terminal server that speaks no telnet.
    let mut board = Scripted::new();
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    let mut script = Command::new("sh");
    script.arg("board").current_dir(board.place.path("."));
    let serving = std::thread::spawn(move || {
        let line = std::os::fd::OwnedFd::from(server.accept().unwrap().0);
        Running(script.stdin(line.try_clone().unwrap()).stdout(line).spawn().unwrap())
    });
    board.commands["connect"] = json!(format!("tcp://127.0.0.1:{port}"));
    board.run(30).expect(0);
    drop(serving.join().unwrap());
}

#[test]
fn what_fails_in_the_lab_is_said_in_one_line() {
    let mut board = Scripted::new();
    board.commands["power_on"] = json!("echo the outlet is on fire >&2; exit 3");
    board.fails(20, &["power_on `echo", "exit status 3: the outlet is on fire"]);
    board.commands["power_on"] = json!("no-such-pdu on");
    board.fails(20, &["power_on `no-such-pdu on` failed, exit status 127"]);
    board.commands["power_on"] = json!("sleep 600");
    board.fails(2, &["timed out", "power_on `sleep 600` was running"]);

    let mut board = Scripted::new();
    board.commands["connect"] = json!("no-such-program");
    board.fails(20, &["the connection `no-such-program` has ended, exit status 127"]);
    let words = "printf 'dut starting\\r\\n'; echo 'ssh: port 22: No route to host' >&2; exit 255";
    board.commands["connect"] = json!(words);
    board.fails(20, &["has ended, exit status 255: ssh: port 22: No route to host", "dut starting"]);
    board.commands["connect"] = json!("tcp://127.0.0.1:1");
    board.fails(20, &["cannot connect to 127.0.0.1:1", "refused"]);
    board.commands["connect"] = json!("tty:/dev/no-such-line");
    board.fails(20, &["cannot open /dev/no-such-line"]);
    board.commands["connect"] = json!("exec sh board");
    board.commands["power_off"] = json!("echo stuck; false");
    board.fails(20, &["power_off `echo stuck; false` failed, exit status 1: stuck"]);
}

/// What the board cannot do is said before anything is switched.
#[test]
fn what_a_board_cannot_do_is_refused_when_the_job_is_checked() {
    let cases: [(&str, serde_json::Value, &str); 6] = [
        ("/boot/method", json!("u-boot"), "no boot method u-boot"),
        ("/boot/pre_os_command", json!(true), "the device has no pre_os_command"),
        ("/boot/transfer_overlay", json!({"transfer_method": "zmodem", "unpack_command": "x"}), "by zmodem"),
        ("/commands/connect", json!("telnet://nowhere"), "write telnet://host:port"),
        ("/commands/connect", json!("ftp://host:1"), "cannot be understood"),
        ("/commands/connect", json!(null), "nothing says how to connect"),
    ];
    for (pointer, value, message) in cases {
        let mut board = Scripted::new();
        let (section, key) = pointer[1..].split_once('/').unwrap();
        let section = if section == "boot" { &mut board.boot } else { &mut board.commands };
        section[key] = value;
        if key == "method" {
            section["commands"] = json!(["boot"]);
        }
        let (job, lab) = board.files(20);
        let arguments = ["check", job.to_str().unwrap(), "--lab", lab.to_str().unwrap()];
        let checked = board.place.convoke(&arguments);
        let text = checked.stderr.split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ");
        assert_eq!(checked.code, Some(2), "{pointer}: {text}");
        assert!(text.contains(message), "{message:?} in {text}");
        assert_eq!(board.run(20).ended.code, Some(2), "{message}");
        assert!(!board.place.path("switched").exists(), "{message}");
    }
}

/// Processes with `token` in their command line.
fn processes(token: &str) -> Vec<String> {
    let told = |path: &Path| {
        let words = std::fs::read(path.join("cmdline")).ok()?;
        let words = String::from_utf8_lossy(&words).replace('\0', " ");
        words.contains(token).then_some(words)
    };
    std::fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| told(&entry.path())).collect()
}

/// However the run ends, the connection and what it has put into the background end too.
#[test]
fn nothing_of_a_connection_is_left() {
    for signal in [None, Some(Signal::SIGTERM), Some(Signal::SIGKILL)] {
        let mut board = Scripted::new();
        let token = format!(
            "8{:09}",
            std::fs::metadata(board.place.path(".")).map(|m| std::os::unix::fs::MetadataExt::ino(&m)).unwrap()
        );
        let quiet = if signal.is_none() { "exec sh board" } else { "touch up; sleep 600" };
        board.commands["connect"] = json!(format!("setsid -f sleep {token}; (sleep {token} &); {quiet}"));
        let (job, _) = board.files(100);
        let mut command = board.place.command(&["run", job.to_str().unwrap(), "--output", "run"]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let running = Running(command.spawn().unwrap());
        if let Some(signal) = signal {
            while !board.place.path("up").exists() {
                std::thread::yield_now();
            }
            running.signal(signal);
        }
        running.wait();
        // The kernel needs a moment; the test's own limit ends a wait that is in vain.
        while !processes(&format!("sleep {token}")).is_empty() {
            std::thread::yield_now();
        }
    }
}
