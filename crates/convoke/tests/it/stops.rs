//! `--break` at a real terminal: the group stands still, devices are entered and left, then the test goes on.

use crate::bad_input::job;
use crate::harness::{Place, Run, User};
use crate::terminal::Terminal;

const ESCAPE: &str = "\x1d";
const SEEN: &str = "lava-test-case seen --shell test -e /from-outside";

fn start(place: &Place, steps: &[&str], more: &[&str]) -> Terminal {
    let job = place.write("job.yaml", job(2, steps, 30));
    let mut arguments = vec!["run", job.to_str().unwrap(), "--output", "run"];
    arguments.extend(more);
    Terminal::start(&place.command(&arguments), (30, 100))
}

fn finished(place: &Place, terminal: Terminal) -> Run {
    let (status, stdout) = terminal.end();
    let ended = crate::harness::Ended { code: status.code(), stdout, stderr: String::new() };
    Run { ended, dir: place.path("run") }
}

fn entered(user: User) {
    let place = Place::new(user);
    let mut terminal = start(&place, &["lava-sync go", SEEN, "lava-sync end"], &["--break", "go", "--break", "end"]);
    let before = terminal.settings();
    let at = terminal.until(0, "2 of 2 arrived");
    let mut at = terminal.until(at, "> ");
    for (number, device) in [("1", "sandbox-1"), ("node.2", "sandbox-2")] {
        terminal.press(&format!("{number}\r"));
        at = terminal.until(at, "Ctrl-] leaves");
        at = terminal.until(at, "~# ");
        terminal
            .press("stty size; touch /from-outside; echo '<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=forged RESULT=pass>'\r");
        at = terminal.until(at, "30 100");
        terminal.press("echo \"I am $(hostname)\"\r");
        at = terminal.until(at, &format!("I am {device}"));
        terminal.press(ESCAPE);
        at = terminal.until(at, "> ");
    }
    terminal.press("nobody\r");
    at = terminal.until(at, "there is no \"nobody\" here");
    terminal.press("c\r");
    at = terminal.until(at, "the group goes on from go");
    at = terminal.until(at, "stopped at end");
    terminal.until(at, "> ");
    terminal.press("c\r");
    terminal.until(at, "Complete after");
    let after = terminal.settings();
    assert_eq!(format!("{before:?}"), format!("{after:?}"), "the terminal is as it was");
    let run = finished(&place, terminal);
    run.expect(0).has("node", "seen", "pass", 2).has("node", "multinode-sync-end", "pass", 2);
    run.has("node", "forged", "pass", 0);
    let journal = run.journal();
    let count = |name: &str| journal.iter().filter(|event| event["event"] == name).count();
    assert_eq!((count("stopped"), count("went-on")), (2, 2));
    let visits =
        journal.iter().filter(|event| event["text"].as_str().is_some_and(|text| text.contains("another shell")));
    assert_eq!(visits.count(), 4, "who came and left is recorded");
}

#[test]
fn devices_are_entered_and_the_test_goes_on_as_root() {
    entered(User::Root);
}

#[test]
fn devices_are_entered_and_the_test_goes_on_as_an_ordinary_user() {
    entered(User::Ordinary);
}

#[test]
fn it_goes_on_to_the_end_when_told_so() {
    let place = Place::new(User::Ordinary);
    let steps = ["lava-sync go", "lava-sync go", "lava-sync go", "lava-sync end"];
    let mut terminal = start(&place, &steps, &["--break", "go", "--break", "end"]);
    let at = terminal.until(0, "> ");
    terminal.press("a\r");
    terminal.until(at, "Complete after");
    let run = finished(&place, terminal);
    run.expect(0).has("node", "multinode-sync-go", "pass", 6);
    assert!(!run.ended.stdout.contains("was never stopped"), "{}", run.ended.stdout);
}

#[test]
fn a_stop_that_is_never_reached_is_said() {
    let place = Place::new(User::Ordinary);
    // Whether it comes to that is known on the device only.
    let steps = ["lava-sync go", "test ! -e /nowhere || lava-sync nowhere"];
    let terminal = start(&place, &steps, &["--break", "nowhere"]);
    let run = finished(&place, terminal);
    run.expect(0);
    let text = &run.ended.stdout;
    assert!(text.contains("no wait or sync of nowhere was satisfied"), "{text}");
}

/// Before a device is touched.
#[test]
fn an_id_that_nobody_waits_for_is_refused_with_the_one_that_was_meant() {
    let place = Place::new(User::Ordinary);
    let steps = ["lava-send told", "lava-sync server-ready"];
    for (id, words) in [
        ("server-redy", "nobody waits for it; did you mean server-ready?"),
        ("told", "it is sent, but nobody waits for it; what is waited for is server-ready"),
    ] {
        let run = finished(&place, start(&place, &steps, &["--break", id]));
        run.expect(2);
        assert!(run.ended.stdout.contains(words), "{}", run.ended.stdout);
        assert!(!place.path("run").exists());
    }
    // What a script does that is not at hand cannot be known.
    let steps = ["lava-sync go", "sh /no/such/script || true"];
    let mut terminal = start(&place, &steps, &["--break", "og"]);
    terminal.until(0, "warning: --break og: nobody is known to wait for it, but");
    finished(&place, terminal).expect(0);
}

#[test]
fn it_is_cancelled_at_a_stop_by_word_or_by_key() {
    for keys in ["q\r", "\x03"] {
        let place = Place::new(User::Ordinary);
        let mut terminal = start(&place, &["lava-sync go", "true"], &["--break", "go"]);
        let before = terminal.settings();
        let at = terminal.until(0, "> ");
        terminal.press(keys);
        terminal.until(at, "files: run");
        assert_eq!(format!("{before:?}"), format!("{:?}", terminal.settings()));
        finished(&place, terminal).expect(130);
    }
}

#[test]
fn without_a_terminal_or_a_group_it_is_refused() {
    let place = Place::new(User::Ordinary);
    let group = place.write("group.yaml", job(2, &["lava-sync go"], 30));
    let single = place.write("single.yaml", job(1, &["true"], 30));
    let refused = |arguments: &[&str], word: &str| {
        let ended = place.convoke(arguments);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{}", ended.stderr);
        assert!(ended.stderr.contains(word), "{}", ended.stderr);
    };
    refused(&["run", group.to_str().unwrap(), "--break", "go"], "at a terminal");
    refused(&["run", group.to_str().unwrap(), "--break", ""], "--break");
    let arguments = ["run", single.to_str().unwrap(), "--break", "go"];
    let terminal = Terminal::start(&place.command(&arguments), (24, 80));
    let (status, shown) = terminal.end();
    assert_eq!(status.code(), Some(2));
    assert!(shown.contains("no group"), "{shown}");
    assert!(!place.path("convoke-runs").exists());
}
