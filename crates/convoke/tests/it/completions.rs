//! Completion in the real shells: keys are typed, Tab is pressed, and the shell shows what the line has become.

use std::path::Path;
use std::process::Command;

use crate::bad_input::job;
use crate::harness::{Place, User};
use crate::terminal::Terminal;

/// What is typed before Tab, and the line after it.
const LINES: [(&str, &str); 6] = [
    ("convoke sp", "convoke split"),
    ("convoke run --reh", "convoke run --rehearse"),
    ("convoke check jo", "convoke check job.yaml"),
    ("convoke run --format pl", "convoke run --format plain"),
    ("convoke run job.yaml --only no", "convoke run job.yaml --only node"),
    ("convoke run job.yaml --break serv", "convoke run job.yaml --break server-ready"),
];

/// A place with a job and the script for `shell`, and the shell in it.
fn at(shell: &str) -> (Place, Command) {
    let place = Place::new(User::Root);
    place.write("job.yaml", job(2, &["lava-sync server-ready"], 5));
    place.write("script", place.convoke(&["completions", shell]).stdout);
    let program = Path::new(env!("CARGO_BIN_EXE_convoke")).parent().unwrap();
    let mut command = Command::new(shell);
    command.current_dir(place.path(".")).env("HOME", place.path("."));
    command.env("PATH", format!("{}:{}", program.display(), std::env::var("PATH").unwrap()));
    (place, command)
}

fn completes(shell: &str, arguments: &[&str], setup: &str) {
    let (_place, mut command) = at(shell);
    command.args(arguments).env_remove("EDITOR").env_remove("VISUAL");
    let mut terminal = Terminal::start(&command, (24, 120));
    // Split, so that what is typed is not what is waited for.
    terminal.press(&format!("{setup}\rsource ./script\recho re''ady\r"));
    let mut at = terminal.until(0, "\nready");
    for (typed, line) in LINES {
        // Ctrl-A goes to the line's beginning.
        terminal.press(&format!("{typed}\t\x01echo 'it is:' \r"));
        at = terminal.until(at, &format!("\nit is: {line}"));
    }
    terminal.press("exit\r");
    terminal.end();
}

#[test]
fn bash_completes() {
    completes("bash", &["--norc", "--noprofile", "-i"], "bind 'set enable-bracketed-paste off'");
}

#[test]
fn zsh_completes() {
    completes("zsh", &["-f", "-i"], "unsetopt zle_bracketed_paste; bindkey -e; autoload -U compinit; compinit -D -u");
}

/// It tells what it would complete to.
#[test]
fn fish_completes() {
    for (typed, line) in LINES {
        let (_place, mut command) = at("fish");
        let output = command.args(["--no-config", "-c"]).arg(format!("source ./script; complete -C '{typed}'"));
        let told = String::from_utf8(output.output().unwrap().stdout).unwrap();
        let words: Vec<&str> = told.lines().filter_map(|line| line.split('\t').next()).collect();
        assert_eq!(words, [line.rsplit(' ').next().unwrap()], "{typed}");
    }
}
