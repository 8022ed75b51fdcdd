//! Boards with more than a console: further lines, user commands, a reboot in their own shell. Scripts stand for them.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::harness::{Place, Run, User};

/// The board's console: a login, then a shell that can reboot.
const CONSOLE: &str = "#!/bin/sh
while :; do
	printf 'dut login: '
	read -r name || exit
	printf 'root@dut:~# '
	while read -r line; do
		[ \"$line\" = reboot ] && printf 'The system is going down NOW!\\r\\nroot@dut:~# ' && sleep 1 && echo rebooted >>switched && break
		printf '%s\\r\\nroot@dut:~# ' \"$line\"
	done
done
";
/// Its second line: a controller that talks by itself.
const CONTROLLER: &str = "#!/bin/sh
printf 'BOOT\\r\\nPASS - one\\r\\nDONE\\r\\n'
while read -r line; do printf 'got %s\\r\\n> ' \"$line\"; done
";

/// A board of scripts, and a job for it.
struct Board {
    place: Place,
    commands: Value,
}

impl Board {
    fn new() -> Board {
        let place = Place::new(User::Ordinary);
        place.write("console", CONSOLE);
        place.write("controller", CONTROLLER);
        let commands = json!({
            "connections": {
                "uart0": {"connect": "sh console", "tags": ["primary"]}, "mcu": {"connect": "sh controller"},
            },
            "power_on": "echo on >>switched", "power_off": "echo off >>switched",
            "users": {
                "lamp": {"do": "echo lamp >>switched", "undo": "echo no lamp >>switched"},
                "broken": {"do": "echo no relay >&2; false", "undo": "echo undone >>switched"},
            },
        });
        Board { place, commands }
    }

    fn job(&self, actions: &Value) -> (PathBuf, PathBuf) {
        let job = json!({
            "job_name": "board", "visibility": "public", "device_type": "board", "actions": actions,
            "timeouts": {"job": {"minutes": 2}, "action": {"seconds": 30}, "connection": {"seconds": 30}},
        });
        let lab = json!({"devices": [{"name": "one", "type": "board", "dictionary": {
            "commands": self.commands, "actions": {"boot": {"methods": {"minimal": null}}},
        }}]});
        (self.place.write("job.yaml", job.to_string()), self.place.write("job.lab.yaml", lab.to_string()))
    }

    fn run(&self, actions: &Value) -> Run {
        let (job, _) = self.job(actions);
        self.place.run(&job, &[])
    }

    fn switched(&self) -> String {
        std::fs::read_to_string(self.place.path("switched")).unwrap_or_default()
    }
}

fn boot(more: Value) -> Value {
    let mut boot = json!({
        "method": "minimal", "prompts": ["root@dut:[^ ]*# "],
        "auto_login": {"login_prompt": "dut login:", "username": "root"},
    });
    boot.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({"boot": boot})
}

fn open(more: Value) -> Value {
    let mut boot = json!({"namespace": "mcu", "method": "new_connection", "connection": "mcu"});
    boot.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({"boot": boot})
}

#[test]
fn a_second_line_is_watched_and_typed_to() {
    let board = Board::new();
    let run = board.run(&json!([
        boot(json!({"namespace": "main"})),
        open(json!({})),
        {"test": {"namespace": "mcu", "monitors": [{
            "name": "boot", "start": "BOOT", "end": "DONE", "pattern": r"(?P<result>PASS) - (?P<test_case_id>\w+)",
        }]}},
        {"test": {"namespace": "main", "connection-namespace": "mcu", "interactive": [{
            "name": "typed", "prompts": ["^> "], "echo": "discard",
            "script": [{"name": "answer", "command": "hello", "successes": [{"message": "got hello"}]}],
        }]}},
    ]));
    run.expect(0).has("", "one", "pass", 1).has("", "answer", "pass", 1);
    let line = run.file("members/0/console-mcu.log");
    assert!(line.contains("got hello") && !line.contains("dut login"), "{line}");
    assert!(!run.file("members/0/console.log").contains("got hello"));
    let log = run.file("members/0/log.yaml");
    assert!(log.contains("\"lvl\": \"feedback\", \"msg\": \"PASS - one\", \"ns\": \"mcu\""), "{log}");
}

#[test]
fn a_line_that_cannot_be_opened_is_the_labs_fault() {
    let mut board = Board::new();
    board.commands["connections"]["mcu"]["connect"] = json!("tcp://127.0.0.1:1");
    let run = board.run(&json!([boot(json!({"namespace": "main"})), open(json!({}))]));
    run.expect(3);
    assert!(run.file("journal.jsonl").contains("cannot connect to 127.0.0.1:1"));
    assert_eq!(board.switched(), "off\non\noff\n");
}

#[test]
fn a_board_reboots_in_its_own_shell_when_the_job_says_so() {
    let board = Board::new();
    let script = json!({"interactive": [{
        "name": "up", "prompts": ["# "], "script": [{"name": "again", "command": "true"}],
    }]});
    let actions = json!([boot(json!({})), boot(json!({"soft_reboot": ["sync", "reboot"]})), {"test": script}]);
    board.run(&actions).expect(0).has("", "again", "pass", 1);
    assert_eq!(board.switched(), "off\non\nrebooted\noff\n");

    // Nothing says that it goes down: a prompt of the old system is not taken for the new one.
    let board = Board::new();
    let quiet = json!({"soft_reboot": "true", "timeout": {"seconds": 3}});
    let run = board.run(&json!([boot(json!({})), boot(quiet)]));
    run.expect(2);
    assert!(run.file("journal.jsonl").contains("showed none of the prompts [\\\"Restarting system"));
}

/// A board without a power switch has only its shell.
#[test]
fn a_board_without_a_switch_is_rebooted_by_its_own_command() {
    let mut board = Board::new();
    for key in ["power_on", "power_off"] {
        board.commands.as_object_mut().unwrap().remove(key);
    }
    board.commands["soft_reboot"] = json!("reboot");
    board.run(&json!([boot(json!({}))])).expect(0);
    assert_eq!(board.switched(), "rebooted\n");
}

#[test]
fn user_commands_run_and_are_undone() {
    let board = Board::new();
    let run = board.run(&json!([{"command": {"name": "lamp"}}, boot(json!({}))]));
    run.expect(0);
    assert!(run.lava_results().iter().any(|found| found.case == "command" && found.result == "pass"));
    assert_eq!(board.switched(), "lamp\noff\non\nno lamp\noff\n");

    let board = Board::new();
    let run = board.run(&json!([{"command": {"name": "lamp"}}, {"command": {"name": "broken"}}, boot(json!({}))]));
    run.expect(3);
    assert!(
        run.file("journal.jsonl")
            .contains("user command broken `echo no relay >&2; false` failed, exit status 1: no relay")
    );
    assert_eq!(board.switched(), "lamp\nundone\nno lamp\noff\n");
}

/// What the board does not have is said before anything is switched.
#[test]
fn what_the_board_does_not_have_is_refused_when_the_job_is_checked() {
    let main = boot(json!({"namespace": "main"}));
    let test = |test: Value| json!([boot(json!({})), {"test": test}]);
    let cases = [
        (json!([main, open(json!({"connection": "usb"}))]), "no further connection \"usb\"; there is: mcu"),
        (json!([main, open(json!({"connection": "uart0"}))]), "uart0 is the device's console"),
        (json!([main, open(json!({"connection": 3}))]), "string expected"),
        (
            json!([
                main,
                open(
                    json!({"transfer_overlay": {"transfer_method": "nfs", "download_command": "x", "unpack_command": "y"}})
                )
            ]),
            "transferred by nfs",
        ),
        (json!([{"command": {"name": "light"}}]), "no user command light: it has lamp, broken"),
        (
            test(json!({"docker": {"image": "debian"}, "definitions": [
                {"from": "git", "repository": "r", "path": "p", "name": "n"},
            ]})),
            "docker test shells cannot be run",
        ),
        (
            test(json!({"services": [{"name": "s", "from": "git", "repository": "r", "path": "p"}]})),
            "services cannot be run",
        ),
    ];
    for (actions, message) in cases {
        let board = Board::new();
        let (job, lab) = board.job(&actions);
        let checked = board.place.convoke(&["check", job.to_str().unwrap(), "--lab", lab.to_str().unwrap()]);
        let text = checked.stderr.split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ");
        assert_eq!(checked.code, Some(2), "{message}: {text}");
        assert!(text.contains(message), "{message:?} in {text}");
        assert_eq!(board.run(&actions).ended.code, Some(2), "{message}");
        assert_eq!(board.switched(), "", "{message}");
    }
}
