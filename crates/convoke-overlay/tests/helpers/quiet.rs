//! When a waiting helper may say that nothing else of its test shell is alive: only when that is certain.
//!
//! Each device has a PID namespace of its own, because on the machine as a whole there is always somebody else.

use crate::device::{Device, Shell, each_shell, program};

fn device(shell: Shell) -> Device {
    program("unshare", "util-linux");
    Device::new(shell).set("LAVA_QUIET_REPORT", "1").inside(&[
        "/usr/bin/unshare",
        "--user",
        "--map-root-user",
        "--pid",
        "--fork",
        "--mount-proc",
    ])
}

/// The lines on the console up to and with the request; then it is answered, and the suite ends.
#[track_caller]
fn request(device: &Device, steps: &str, id: &str) -> String {
    let end = format!(" {id}>\n");
    let mut console = device.start(steps);
    console.expect("<LAVA_MULTI_NODE> <LAVA_").expect(&end);
    let seen = console.seen().to_owned();
    console.type_text("<LAVA_WAIT_COMPLETE>\n<LAVA_WAIT_ALL_COMPLETE>\n<LAVA_SYNC_COMPLETE>\n").finish();
    seen
}

#[test]
fn certain_when_there_is_nobody_else() {
    each_shell(|shell| {
        for (steps, call) in [
            ("lava-wait m\n", "WAIT"),
            ("lava-wait-all m\n", "WAIT_ALL"),
            ("lava-sync m\n", "SYNC"),
            ("./script a\n", "WAIT"),
            ("sh script a\n", "WAIT"),
            ("sh -c 'lava-wait m; true'\n", "WAIT"),
            ("lava-test-case x --shell lava-wait m\n", "WAIT"),
            ("lava-test-case x --shell 'lava-wait m; true'\n", "WAIT"),
            ("sleep 0 & wait\nlava-wait m\n", "WAIT"),
            ("lava-wait m & wait\n", "WAIT"),
            ("if lava-wait m; then :; fi\n", "WAIT"),
        ] {
            let device = device(shell);
            device.script("script", "#!/bin/sh\nlava-wait m\necho after\n");
            let seen = request(&device, steps, "m");
            let expected = format!("<LAVA_QUIET {call} m>\n<LAVA_MULTI_NODE> <LAVA_{call} m>\n");
            assert!(seen.ends_with(&expected), "{steps}: {seen}");
        }
    });
}

#[test]
fn not_certain_when_something_may_still_act() {
    let timeout = program("timeout", "coreutils").display().to_string();
    let perl = program("perl", "perl-base").display().to_string();
    each_shell(|shell| {
        for steps in [
            "( sleep 60; lava-send go ) &\nlava-wait m\n",
            "sleep 60 & lava-wait m\n",
            "setsid sleep 60 & lava-wait m\n",
            "timeout 60 lava-wait m || lava-send y\n",
            &format!("{timeout} 60 lava-wait m || lava-send y\n"),
            &format!("{timeout} --foreground 60 lava-wait m\n"),
            &format!("{perl} -e 'system(\"lava-wait\", \"m\")'\n"),
            "lava-wait m | cat\n",
            "lava-test-case x --shell 'sleep 60 & lava-wait m'\n",
            "lava-background-process-start b --cmd 'sleep 60'\nlava-wait m\n",
            // The shell reads from a pipe: nobody else could write to it, but that cannot be seen.
            "x=$(lava-wait m)\n",
            "unset LAVA_RUNNER_PID\nlava-wait m\n",
            "unset LAVA_RUNNER_START\nlava-wait m\n",
            "/usr/bin/unshare --pid --fork --mount-proc lava-wait m\n",
            "/usr/bin/unshare --pid --fork lava-wait m\n",
            "mount -t tmpfs tmpfs /proc\nlava-wait m\n",
        ] {
            let seen = request(&device(shell), steps, "m");
            assert!(!seen.contains("LAVA_QUIET"), "{steps}: {seen}");
        }
    });
}

#[test]
fn what_an_earlier_stage_left_is_no_stranger() {
    each_shell(|shell| {
        let device = device(shell);
        let list = device.read("0/lava-test-runner.conf");
        device.write("1/lava-test-runner.conf", &list.replace("/0/tests", "/1/tests"));
        device.write("0/tests/0_suite/run.sh", "( trap '' HUP; sleep 60; lava-send go ) &\n");
        device.write("1/tests/0_suite/run.sh", "lava-wait m\n");
        device.script("both", "#!/bin/sh\nbin/lava-test-runner 0\nbin/lava-test-runner 1\n");
        let both = device.path("both");
        let mut console = device.start_command(&[both.to_str().unwrap()]);
        console.expect("<LAVA_TEST_RUNNER EXIT>").expect("WAIT m>\n").type_text("<LAVA_WAIT_COMPLETE>\n");
        let seen = console.finish();
        assert!(!seen.contains("LAVA_QUIET"), "{seen}");
    });
}

#[test]
fn who_was_there_before_the_first_runner_does_not_count() {
    each_shell(|shell| {
        let device = device(shell);
        device.write("0/tests/0_suite/run.sh", "lava-wait m\n");
        // The clock of /proc ticks a hundred times a second; a tick apart is what counts as before.
        device.script("boot", "#!/bin/sh\nsleep 60 &\nsleep 0.05\nbin/lava-test-runner 0\n");
        let boot = device.path("boot");
        let mut console = device.start_command(&[boot.to_str().unwrap()]);
        console.expect("<LAVA_QUIET WAIT m>\n<LAVA_MULTI_NODE> <LAVA_WAIT m>\n").type_text("<LAVA_WAIT_COMPLETE>\n");
        console.finish();
    });
}

#[test]
fn says_nothing_unless_asked() {
    each_shell(|shell| {
        let device = device(shell).set("LAVA_QUIET_REPORT", "");
        assert!(!request(&device, "lava-wait m\n", "m").contains("QUIET"));
    });
}
