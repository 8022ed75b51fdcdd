//! What is unknown about scripts, and where; and that what does not matter to the group leaves no trace.

use crate::{one, show};

/// A script as one step; what the server does.
fn shown(script: &str) -> String {
    let flow = one::flow(script);
    let mut out = String::new();
    show::steps(&flow, one::steps(&flow, 0), 0, &mut out);
    out
}

/// Each paragraph of the page is a script; what was read of it stands below.
#[test]
fn what_is_unknown_is_said_with_its_place() {
    let page = include_str!("../fixtures/scripts/unknown.sh");
    let scripts: Vec<String> = page
        .split("\n\n")
        .skip(1)
        .map(|script| format!("{}\n{}", script.trim_end(), indented(&shown(script))))
        .collect();
    insta::assert_snapshot!(scripts.join("\n\n"));
}

/// What certainly passes before a call: a paragraph a script.
#[test]
fn what_is_slept_is_read_with_the_calls() {
    let page = include_str!("../fixtures/scripts/sleeps.sh");
    let scripts: Vec<String> = page
        .split("\n\n")
        .skip(1)
        .map(|script| format!("{}\n{}", script.trim_end(), indented(&shown(script))))
        .collect();
    insta::assert_snapshot!(scripts.join("\n\n"));
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}\n")).collect::<String>().trim_end().to_owned()
}

#[test]
fn what_makes_no_call_leaves_no_trace() {
    for script in [
        "apt-get update || exit_code=$?",
        "if ping -c 1 host; then echo yes; else echo no; fi",
        "while ! test -f /tmp/up; do sleep 1; done",
        "for f in *.log; do cat \"$f\"; done",
        "for i in $(cat list); do x=$i; done",
        "iperf -s & sleep 1; kill $!",
        "echo lava-sync not-called; printf 'lava-send %s' x; grep lava-wait log || true",
        "trap 'rm -rf /tmp/x' EXIT INT",
        "cat > /tmp/x.sh <<'E'\nlava-sync not-run\nE",
        "df -h | grep '/$' | awk '{print $4}'",
        "[ -d /sys/class/net ] && ls /sys || true",
        "./configure() { :; }",
    ] {
        let shown = shown(script);
        assert!(shown.is_empty() || script.starts_with("./"), "{script}\n{shown}");
    }
}

/// Steps of a definition become one script, so that a loop may begin in one and end in another; a parameter that is
/// quoted, an argument of a text that is handed over, and the installation are as they are in a run.
#[test]
fn steps_are_one_script() {
    let head = "        install:\n          steps:\n          - lava-sync installed\n          - exit 0\n          - lava-sync never\n";
    let document = one::document("lava-sync first", head);
    let document = document.replace(
        "          - |2\n            lava-sync first\n",
        "          - for i in a b; do
          - lava-sync \"$i-$COUNT-$FROM_JOB\"
          -
          - done
          - \"x='it''s'; lava-sync \\\"$x\\\"\"
          - 'lava-test-case t --shell bash -c ''lava-sync \"arg-$1\"'' zero one'
          - >-
            lava-sync
            folded
",
    );
    let (job, source) = one::job(&document);
    let flow = convoke_flow::read(&job, &source, &convoke_flow::Repositories::new());
    let mut out = String::new();
    show::steps(&flow, one::steps(&flow, 0), 0, &mut out);
    insta::assert_snapshot!(out);
}

/// Members that do the same share their steps, also when they ask for their own name.
#[test]
fn members_of_a_role_share_their_steps() {
    let share = |script: &str| {
        let flow = one::flow(script);
        std::sync::Arc::ptr_eq(&flow.members[1].steps, &flow.members[2].steps)
    };
    assert!(share("lava-sync a"));
    assert!(share("echo $(lava-self); lava-sync a"));
    assert!(share("for p in $(lava-group | cut -f 1); do [ $p != $(lava-self) ] && ping $p; done; lava-sync a"));
    assert!(!share("for p in $(lava-group client); do [ $p = $(lava-self) ] && lava-send a-$p; done; lava-sync a"));
}
