//! The live view as it stands on a real terminal, at several sizes, while one member is late for a barrier.

use std::path::PathBuf;

use crate::harness::{Place, User};
use crate::terminal::Terminal;

/// Six members at a barrier; the late one has printed wide and control characters, and does not come.
fn job(place: &Place) -> PathBuf {
    let test = |role: &str, name: &str, steps: &str| {
        format!(
            "- test:\n    role: [{role}]\n    definitions:\n    - from: inline\n      name: {name}\n      path: t.yaml\n      \
             repository:\n        metadata: {{format: Lava-Test Test Definition 1.0, name: t}}\n        run:\n          \
             steps:\n{steps}"
        )
    };
    let late = r#"          - lava-test-case ready --result pass
          - |
            set +x
            printf 'wide 名前の漢字 \033[31mred\033[0m \a\033]0;title\007 and on %s ' a b c d e f g h i j k l m n o p q r s t u v
            sleep 100000
          - lava-sync all-there
"#;
    let node = "          - lava-sync all-there\n";
    let text = format!(
        "job_name: late for the barrier\nvisibility: public\ntimeouts: {{job: {{minutes: 9}}, action: {{minutes: 8}}}}\n\
         protocols:\n  lava-multinode:\n    timeout: {{minutes: 7}}\n    roles:\n      node: {{device_type: sandbox, count: \
         5}}\n      late: {{device_type: sandbox, count: 1}}\nactions:\n- deploy: {{to: sandbox}}\n- boot: {{method: \
         sandbox}}\n{}{}",
        test("node", "steady", node),
        test("late", "tardy", late)
    );
    place.write("job.yaml", text)
}

/// Without escape sequences, and with the same times whenever it is taken.
fn frame(raw: &str) -> String {
    let text = console::strip_ansi_codes(raw).replace('\r', "");
    let mut out = String::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let seconds = |at: usize| matches!(words.get(at + 1), Some(next) if next.trim_end_matches([':', ',']) == "s");
        let shown = words.iter().enumerate().map(|(at, word)| match word.parse::<u32>() {
            Ok(_) if seconds(at) => "N",
            Err(_) if word.len() == 5 && word.chars().all(|c| c.is_ascii_digit() || c == ':') => "MM:SS",
            _ => word,
        });
        out.push_str(&shown.collect::<Vec<_>>().join(" "));
        out.push('\n');
    }
    out
}

#[test]
fn who_is_missing_stands_on_top_at_every_size() {
    let place = Place::new(User::Ordinary);
    let job = job(&place);
    let arguments = ["run", job.to_str().unwrap(), "--output", "run", "--log-level", "error"];
    let mut terminal = Terminal::start(&place.command(&arguments), (24, 80));
    let mut at = terminal.until(0, "5 of 6 arrived");
    at = terminal.until(at, "\x1b[?2026l");
    let mut frames = String::new();
    for (rows, columns) in [(50, 200), (12, 40), (24, 80)] {
        terminal.resize((rows, columns));
        let start = terminal.until(at, "\x1b[H\x1b[J");
        at = terminal.until(start, "\x1b[?2026l");
        // Above it stands the log.
        let block = start + terminal.shown[start..at].find("── ").unwrap();
        let shown = frame(&terminal.shown[block..at]);
        let wide = shown.lines().map(console::measure_text_width).max().unwrap_or_default();
        assert!(wide < usize::from(columns), "{wide} columns of {columns}: {shown}");
        assert!(shown.lines().count() < usize::from(rows), "{shown}");
        frames.push_str(&format!("{columns} x {rows}\n{shown}\n"));
    }
    terminal.press("\x03");
    let (status, _) = terminal.end();
    assert_eq!(status.code(), Some(130));
    insta::assert_snapshot!(frames);
}

#[test]
fn a_terminal_without_unicode_gets_ascii() {
    let place = Place::new(User::Ordinary);
    let job = job(&place);
    let arguments = ["run", job.to_str().unwrap(), "--output", "run", "--log-level", "error"];
    let mut command = place.command(&arguments);
    command.env("LC_ALL", "C");
    let mut terminal = Terminal::start(&command, (24, 80));
    let at = terminal.until(0, "5 of 6 arrived");
    terminal.until(at, "wide ????????");
    terminal.press("\x03");
    let (status, shown) = terminal.end();
    assert_eq!(status.code(), Some(130));
    assert!(shown.is_ascii(), "{shown}");
}
