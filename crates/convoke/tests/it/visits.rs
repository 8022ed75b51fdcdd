//! `--break` on devices that have one console only: while the group stands still, a helper that waits gives it to a shell.

use crate::harness::{Ended, Place, Run, User};
use crate::machines::group_job;
use crate::terminal::Terminal;

const ESCAPE: &str = "\x1d";

/// Enters a member, does something, starts a program that does not end by itself, and leaves.
fn look(terminal: &mut Terminal, member: &str, from: usize) -> usize {
    terminal.press(&format!("{member}\r"));
    let at = terminal.until(from, "a shell on its console, where the test waits");
    let at = terminal.until(at, "# ");
    terminal.press("echo \"seen $((40 + 2)) by $(lava-role)\" | tee /tmp/visited\r");
    let at = terminal.until(at, "seen 42 by ");
    terminal.press("echo hold; sleep 100000\r");
    let at = terminal.until(at, "\nhold");
    terminal.press(ESCAPE);
    terminal.until(at, "> ")
}

#[test]
fn machines_are_entered_one_after_another_and_the_test_goes_on() {
    let place = Place::new(User::Ordinary);
    let visited = "lava-test-case visited --shell grep -q seen /tmp/visited";
    let steps = ["lava-sync go", visited, "lava-sync end"];
    let job = place.write("job.yaml", group_job(&[("server", &steps), ("client", &steps)]).to_string());
    let arguments = ["run", job.to_str().unwrap(), "--output", "run", "--break", "go", "--break", "end"];
    let mut terminal = Terminal::start(&place.command(&arguments), (30, 100));
    let at = terminal.until(0, "stopped at go");
    let at = terminal.until(at, "> ");
    let at = look(&mut terminal, "1", at);
    let at = look(&mut terminal, "client", at);
    // A shell that the visitor ends.
    terminal.press("server\r");
    let at = terminal.until(at, "# ");
    terminal.press("exit\r");
    let at = terminal.until(at, "the shell on server has ended");
    terminal.press("c\r");
    let at = terminal.until(at, "stopped at end");
    let at = terminal.until(at, "> ");
    terminal.press("c\r");
    terminal.until(at, "Complete after");
    let (status, stdout) = terminal.end();
    let run = Run { ended: Ended { code: status.code(), stdout, stderr: String::new() }, dir: place.path("run") };
    run.expect(0);
    for role in ["server", "client"] {
        run.has(role, "visited", "pass", 1).has(role, "multinode-sync-go", "pass", 1);
    }
}
