//! lava-test-case and the other signals of a suite (device-side.md §6.5, D19–D21).

use crate::device::{Device, each_shell};

/// Steps, and all they print.
#[track_caller]
fn check(steps: &str, expected: &str) {
    each_shell(|shell| assert_eq!(Device::new(shell).run(steps), expected, "{steps}"));
}

/// What a case with a command prints.
fn case(id: &str, output: &str, result: &str) -> String {
    format!(
        "<LAVA_SIGNAL_STARTTC {id}>\n{output}<LAVA_SIGNAL_ENDTC {id}>\n\
         <LAVA_SIGNAL_TESTCASE TEST_CASE_ID={id} RESULT={result}>\n"
    )
}

#[test]
fn a_command_decides_the_result() {
    check(
        "lava-test-case yes --shell true\nlava-test-case no --shell false\n\
         lava-test-case exits --shell 'exit 3'\nlava-test-case exits0 --shell exit 0\n\
         lava-test-case unknown --shell no-such-command 2>/dev/null\n\
         lava-test-case syntax --shell 'if' 2>/dev/null\n\
         lava-test-case errexit --shell 'set -e; false; true'\n\
         lava-test-case says --shell 'echo one; echo two >&2'\n",
        &[
            case("yes", "", "pass"),
            case("no", "", "fail"),
            case("exits", "", "fail"),
            case("exits0", "", "pass"),
            case("unknown", "", "fail"),
            case("syntax", "", "fail"),
            case("errexit", "", "fail"),
            case("says", "one\ntwo\n", "pass"),
        ]
        .concat(),
    );
}

#[test]
fn arguments_stay_as_they_are() {
    check(
        "lava-test-case several --shell test 'a b' = 'a b'\n\
         lava-test-case stars --shell echo '*' '$HOME' 'a  b' ''\n\
         lava-test-case text --shell 'x=\"a  b\"; echo \"$x\" | sed s/a/c/; echo [$1]'\n\
         lava-test-case pipe --shell 'read l && test \"$l\" = in' <<end\nin\nend\n",
        &[
            case("several", "", "pass"),
            case("stars", "* $HOME a  b \n", "pass"),
            case("text", "c  b\n[]\n", "pass"),
            case("pipe", "", "pass"),
        ]
        .concat(),
    );
}

#[test]
fn reports_a_given_result() {
    check(
        "lava-test-case a --result pass\nlava-test-case b --result fail --measurement 12.5 --units MB/s\n\
         lava-test-case c --units s --measurement -1.5e-3 --result skip\nlava-test-case d --result unknown --units x\n\
         lava-test-case e --result PASS\n",
        "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a RESULT=pass>\n\
         <LAVA_SIGNAL_TESTCASE TEST_CASE_ID=b RESULT=fail UNITS=MB/s MEASUREMENT=12.5>\n\
         <LAVA_SIGNAL_TESTCASE TEST_CASE_ID=c RESULT=skip UNITS=s MEASUREMENT=-1.5e-3>\n\
         <LAVA_SIGNAL_TESTCASE TEST_CASE_ID=d RESULT=unknown UNITS=x>\n\
         <LAVA_SIGNAL_TESTCASE TEST_CASE_ID=e RESULT=pass>\n",
    );
}

#[test]
fn prints_a_file_between_the_marks() {
    check(
        "cd \"$HOME\"\nprintf 'line 1\\nline 2\\n' >/dev/null\nlava-test-case a --result pass --output /proc/self/comm\n\
         lava-test-case b --result fail --output /nowhere 2>/dev/null\n",
        "<LAVA_SIGNAL_STARTTC a>\ncat\n<LAVA_SIGNAL_ENDTC a>\n<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a RESULT=pass>\n\
         <LAVA_SIGNAL_STARTTC b>\n<LAVA_SIGNAL_ENDTC b>\n<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=b RESULT=fail>\n",
    );
}

#[test]
fn replaces_what_a_signal_cannot_carry() {
    check(
        "lava-test-case 'name with space' --result pass 2>/dev/null\n\
         lava-test-case 'gt>sign<' --result pass --measurement 3 --units 'M B'\n\
         lava-test-case \"$(printf 'new\\nline\\ttab')\" --shell true 2>/dev/null\n\
         lava-test-set start 'a set' 2>/dev/null\nlava-test-set stop\n",
        &format!(
            "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=name_with_space RESULT=pass>\n\
             lava-test-case: test case ID has characters that a signal cannot carry; sent as gt_sign_\n\
             lava-test-case: units has characters that a signal cannot carry; sent as M_B\n\
             <LAVA_SIGNAL_TESTCASE TEST_CASE_ID=gt_sign_ RESULT=pass UNITS=M_B MEASUREMENT=3>\n\
             {}<LAVA_SIGNAL_TESTSET START a_set>\n<LAVA_SIGNAL_TESTSET STOP>\n",
            case("new_line_tab", "", "pass")
        ),
    );
}

#[test]
fn refuses_wrong_values() {
    check(
        "lava-test-case a --result maybe || echo $?\n\
         for m in x 1x 1.2.3 . e5 1e inf '1 2' 0x10; do lava-test-case a --result pass --measurement \"$m\" 2>/dev/null || echo \"$m\" $?; done\n\
         for m in 0 -1 +1 .5 5. 1e5 1E+5; do lava-test-case a --result pass --measurement \"$m\" >/dev/null || echo \"$m\" $?; done 2>&1 | cat\n",
        "lava-test-case: result must be pass, fail, skip or unknown, not 'maybe'\n1\n\
         x 1\n1x 1\n1.2.3 1\n. 1\ne5 1\n1e 1\ninf 1\n1 2 1\n0x10 1\n\
         <LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a RESULT=pass MEASUREMENT=0>\n\
         <LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a RESULT=pass MEASUREMENT=-1>\n\
         <LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a RESULT=pass MEASUREMENT=+1>\n\
         <LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a RESULT=pass MEASUREMENT=.5>\n\
         <LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a RESULT=pass MEASUREMENT=5.>\n\
         <LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a RESULT=pass MEASUREMENT=1e5>\n\
         <LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a RESULT=pass MEASUREMENT=1E+5>\n",
    );
}

#[test]
fn says_how_it_is_called() {
    let calls = [
        "lava-test-case",
        "lava-test-case a",
        "lava-test-case a --shell",
        "lava-test-case a --result",
        "lava-test-case a --measurement 1",
        "lava-test-case a --result pass --units",
        "lava-test-case a --wrong x",
        "lava-test-case --result pass",
        "lava-test-set",
        "lava-test-set start",
        "lava-test-set stop x",
        "lava-test-reference a --result pass",
        "lava-test-reference a --reference",
        "lava-test-raise",
        "lava-test-event",
        "lava-test-feedback x",
        "lava-test-feedback --namespace",
        "lava-echo-ipv4",
        "lava-network",
        "lava-network query a",
        "lava-network hosts",
        "lava-background-process-start a",
        "lava-background-process-start a/b --cmd true",
        "lava-background-process-stop",
        "lava-target-ip x",
        "lava-target-storage a b",
        "lava-install-packages",
        "lava-add-keys",
        "lava-add-sources",
        "lava-os-build x",
        "lava-installed-packages x",
        "lava-test-runner",
        "lava-test-shell a",
    ];
    let steps: String =
        calls.iter().map(|call| format!("{call} >text 2>&1 || {{ s=$?; read -r a b <text; echo $a $s; }}\n")).collect();
    check(&format!("cd \"$LAVA_RESULT_DIR\"\n{steps}"), &"usage: 1\n".repeat(calls.len()));
}

#[test]
fn keeps_results_in_files() {
    each_shell(|shell| {
        let device = Device::new(shell);
        let seen = device.run(
            "cd \"$LAVA_RESULT_DIR\"\nlava-test-case a/b/c --result pass --measurement 1 --units s >/dev/null\n\
             lava-test-case ../../x --shell true\nlava-test-case .. --result skip\n\
             cat results/a_b_c/result results/a_b_c/measurement results/a_b_c/units results/.._.._x/result results/_../result\n",
        );
        assert!(seen.ends_with("pass\n1\ns\npass\nskip\n"), "{seen}");
    });
}

#[test]
fn the_other_signals() {
    check(
        "lava-test-reference ref --result pass --reference 'http://h/a b?x=<1>&y'\n\
         lava-test-event something happened\nlava-test-feedback --namespace dut2\n\
         lava-test-raise 'no <disk>' 'found' || echo $?\n",
        "<LAVA_SIGNAL_TESTREFERENCE ref pass http://h/a%20b?x=%3C1%3E&y>\n\
         <LAVA_SIGNAL_TESTEVENT something happened>\n<LAVA_SIGNAL_TESTFEEDBACK dut2>\n\
         lava-test-raise: the text has characters that a signal cannot carry; sent as: no _disk_ found\n\
         <LAVA_SIGNAL_TESTRAISE no _disk_ found>\n1\n",
    );
}

#[test]
fn signals_go_to_the_console_whatever_the_output_is() {
    check(
        "lava-test-case a --result pass >/dev/null\nx=$(lava-test-case b --shell echo text)\necho \"$x\"\n",
        &format!("<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a RESULT=pass>\n{}text\n", case("b", "", "pass")),
    );
}

#[test]
fn signals_go_to_the_kernel_when_the_definition_asks() {
    each_shell(|shell| {
        let device = Device::new(shell);
        device.write("kmsg", "");
        let kmsg = device.path("kmsg");
        let mount = "mount --bind \"$0\" /dev/kmsg; exec \"$@\"";
        let before = ["/usr/bin/unshare", "-Urm", "/bin/sh", "-c", mount, kmsg.to_str().unwrap()];
        let device = device.inside(&before).set("KMSG", "true");
        assert_eq!(device.run("lava-test-case a --result pass\n"), "");
        assert_eq!(device.read("kmsg"), "<0><LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a RESULT=pass>\n");
    });
}

#[test]
fn slow_lines_are_given_time() {
    each_shell(|shell| {
        let device = Device::new(shell).set("CHARACTER_DELAY", "0.25");
        device.script("bin/sleep", &format!("#!/bin/sh\necho \"$1\" >>'{}'\n", device.path("pauses").display()));
        device.run("lava-test-case a --shell true\n");
        assert_eq!(device.read("pauses"), "0.25\n0.25\n0.25\n");
    });
}
