//! What is unknown about scripts, and where; and that what does not matter to the group leaves no trace.

use crate::{one, show};

/// A script as one step; what the server does.
fn shown(script: &str) -> String {
    let flow = one::flow(script);
    let mut out = String::new();
    show::steps(&flow, one::steps(&flow, 0), 0, &mut out);
    out
}

/// Each paragraph of the page behind the first is a script; what was read of it stands below.
fn read_page(page: &str) -> String {
    let scripts: Vec<String> = page
        .split("\n\n")
        .skip(1)
        .map(|script| format!("{}\n{}", script.trim_end(), indented(&shown(script))))
        .collect();
    scripts.join("\n\n")
}

#[test]
fn what_is_unknown_is_said_with_its_place() {
    insta::assert_snapshot!(read_page(include_str!("../fixtures/scripts/unknown.sh")));
}

/// What certainly passes before a call: a paragraph a script.
#[test]
fn what_is_slept_is_read_with_the_calls() {
    insta::assert_snapshot!(read_page(include_str!("../fixtures/scripts/sleeps.sh")));
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

/// Members are read one by one where a trace of the own name is left, up to 100 of a role; in a larger one it is unknown what
/// hangs on the name, and no more than that.
#[test]
fn own_names_are_known_in_roles_of_up_to_a_hundred() {
    let script = "for p in $(lava-group client); do
if [ $p = $(lava-self) ]; then lava-send turn-$p; else lava-wait turn-$p; fi
done
lava-sync \"end-$(lava-group client | wc -l)\"";
    for (count, is_known) in [(100, true), (101, false)] {
        let document = one::document(script, "").replace("count: 2", &format!("count: {count}"));
        let (job, source) = one::job(&document);
        let flow = convoke_flow::read(&job, &source, &convoke_flow::Repositories::new());
        let members = flow.members.iter().enumerate().filter(|(_, member)| member.role.as_str() == "client");
        for (index, member) in members {
            let steps = one::steps(&flow, index);
            assert_eq!(steps.len(), count + 1, "a turn for each of them, and the end");
            let sends = |step: &convoke_flow::Step| match step {
                convoke_flow::Step::Call(call) => call.kind == convoke_group::CallKind::Send,
                _ => false,
            };
            let own: Vec<usize> = (0..count).filter(|at| sends(&steps[*at])).collect();
            assert_eq!(own, if is_known { vec![member.number as usize - 1] } else { Vec::new() });
            let mut last = String::new();
            show::steps(&flow, &steps[count..], 0, &mut last);
            assert!(last.starts_with(&format!("sync end-{count} ")), "{last}");
        }
        let verdict = convoke_flow::judge(&flow).verdict;
        let expected = if is_known { convoke_flow::Verdict::CanEnd } else { convoke_flow::Verdict::Unknown };
        assert_eq!(verdict, expected, "{count}");
        // The others of a large role share what they do.
        let shares = |member: usize| std::sync::Arc::ptr_eq(&flow.members[1].steps, &flow.members[member].steps);
        assert_eq!(shares(2), !is_known);
    }
}
