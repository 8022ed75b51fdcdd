//! lava-test-runner and lava-test-shell: order, what is said on the console, what is left in files (device-side.md §3.1,
//! §5.3–5.4).

use crate::device::{Device, each_shell};

fn with_suites(device: &Device, suites: &[(&str, Option<&str>, &str)]) {
    let mut list = String::new();
    for (name, install, run) in suites {
        list.push_str(&format!("{}/\n", device.path(&format!("0/tests/{name}")).display()));
        device.write(&format!("0/tests/{name}/run.sh"), run);
        if let Some(install) = install {
            device.write(&format!("0/tests/{name}/install.sh"), install);
        }
    }
    device.write("0/lava-test-runner.conf", list.trim_end());
}

#[test]
fn runs_every_definition_and_says_how_it_ended() {
    each_shell(|shell| {
        let device = Device::new(shell);
        with_suites(
            &device,
            &[
                ("0_fails", None, "echo a\nfalse\necho not reached\n"),
                ("1_install-fails", Some("echo installing\nexit 3\n"), "echo not reached\n"),
                ("2_install-works", Some("false\ntrue\n"), "printf 'no line end'\n"),
                ("3_kills", None, "kill -9 $$\n"),
            ],
        );
        let mut console = device.start_stage();
        let expected = "a\n\n<LAVA_TEST_RUNNER>: 0_fails exited with: 1\n\
                        installing\n\n<LAVA_TEST_RUNNER INSTALL_FAIL>\n\
                        no line end\n<LAVA_TEST_RUNNER>: 2_install-works exited with: 0\n";
        let seen = console.finish();
        let (before, after) = seen.split_at(expected.len());
        assert_eq!(before, expected);
        assert!(after.contains("\n<LAVA_TEST_RUNNER>: 3_kills exited with: 137\n"), "{after}");
        assert!(after.trim_end().ends_with("\n\n<LAVA_TEST_RUNNER EXIT>"), "{after}");
    });
}

#[test]
fn leaves_the_statuses_and_renames_the_list() {
    each_shell(|shell| {
        let device = Device::new(shell);
        with_suites(
            &device,
            &[("0_a", Some("exit 3\n"), ""), ("1_b", Some("exit 0"), "echo $LAVA_RESULT_DIR\nexit 7\n")],
        );
        device.start_stage().finish();
        let mut found = Vec::new();
        for entry in std::fs::read_dir(device.path("0/results")).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            let (suite, time) = name.rsplit_once('-').unwrap();
            assert!(time.parse::<u64>().unwrap() > 1_600_000_000, "{name}");
            for file in ["install_return_code", "return_code"] {
                found.push(format!("{suite} {file} {:?}", std::fs::read_to_string(path.join(file)).ok()));
            }
        }
        found.sort();
        let expected = [
            "0_a install_return_code Some(\"3\\n\")",
            "0_a return_code None",
            "1_b install_return_code Some(\"0\\n\")",
            "1_b return_code Some(\"7\\n\")",
        ];
        assert_eq!(found, expected);
        assert!(!device.path("0/lava-test-runner.conf").exists());
        // As after a reboot: nothing runs again, and the dispatcher hears of the end all the same.
        let seen = device.start_stage().finish();
        assert!(seen.contains("the stage has run already"), "{seen}");
    });
}

#[test]
fn suites_have_the_helpers_and_their_results_directory() {
    each_shell(|shell| {
        let device = Device::new(shell);
        let seen = device.run("echo \"${PATH%%:*}\" \"${LAVA_RESULT_DIR%-*}\"\necho \"$-\" | grep -c e\n");
        let (bin, results) = (device.path("bin"), device.path("0/results/0_suite"));
        assert_eq!(seen, format!("{} {}\n1\n", bin.display(), results.display()));
    });
}

#[test]
fn the_terminal_is_as_it_was_found() {
    each_shell(|shell| {
        let device = Device::new(shell);
        let mut console = device.start("lava-wait m\nstty raw -echo <\"$LAVA_CONSOLE\"\n");
        let before = format!("{:?}", console.modes());
        console.expect("WAIT m>").type_text("<LAVA_WAIT_COMPLETE>\n");
        console.finish();
        assert_eq!(format!("{:?}", console.modes()), before);
    });
}

#[test]
fn says_exit_once_when_it_is_ended() {
    each_shell(|shell| {
        let device = Device::new(shell);
        let mut console = device.start("echo ready\nkill $LAVA_RUNNER_PID\nsleep 0\n");
        let seen = console.expect("ready").finish();
        assert_eq!(seen.matches("<LAVA_TEST_RUNNER EXIT>").count(), 1, "{seen}");
    });
}

#[test]
fn a_suite_reads_the_console_not_the_list() {
    each_shell(|shell| {
        let device = Device::new(shell);
        with_suites(
            &device,
            &[("0_a", None, "echo ready\nread line\necho \"got $line\"\n"), ("1_b", None, "echo b\n")],
        );
        let mut console = device.start_stage();
        console.expect("ready").type_text("typed\n");
        let seen = console.finish();
        assert!(seen.contains("got typed\n") && seen.contains("\nb\n"), "{seen}");
    });
}

#[test]
fn the_console_is_found_without_any_tool() {
    each_shell(|shell| {
        let device = Device::new(shell).only(&["cat", "mkdir", "mv"]);
        let seen =
            device.run("[ -c \"$LAVA_CONSOLE\" ] && [ \"$LAVA_CONSOLE\" -ef /proc/$LAVA_RUNNER_PID/fd/0 ]; echo $?\n");
        assert_eq!(seen, "0\n");
    });
}

#[test]
fn starts_from_a_shell_as_a_dispatcher_types_it() {
    each_shell(|shell| {
        let device = Device::new(shell).set("PS1", "dut:~# ").set("ENV", "/dev/null");
        device.write("0/tests/0_suite/run.sh", "lava-wait m\nlava-test-case t --shell lava-sync s\n");
        let mut console = device.start_command(&[&device.interpreter(), "-i"]);
        let runner = device.path("bin/lava-test-runner");
        console.expect("# ").type_text("#\n").expect("# ");
        console.type_text(&format!("export SHELL={}\n", device.interpreter())).expect("# ");
        console.type_text(&format!("'{}' '{}'\n", runner.display(), device.path("0").display()));
        console.expect("<LAVA_MULTI_NODE> <LAVA_WAIT m>\n").type_text("<LAVA_WAIT_COMPLETE 9102:a=1>\n");
        console.expect("<LAVA_MULTI_NODE> <LAVA_SYNC s>\n").type_text("<LAVA_SYNC_COMPLETE>\n");
        console.expect("TEST_CASE_ID=t RESULT=pass>").expect("<LAVA_TEST_RUNNER EXIT>").expect("# ");
        console.type_text("exit\n");
        assert_eq!(device.read("cache.txt"), "9102:a=1\n");
    });
}

#[test]
fn without_a_terminal_it_talks_through_the_pipe() {
    each_shell(|shell| {
        let device = Device::new(shell);
        device.write("1/tests/1_piped/run.sh", "lava-sync s\nlava-test-case t --result pass\n");
        device.write("1/lava-test-runner.conf", &device.path("1/tests/1_piped").display().to_string());
        let steps = format!(
            "unset LAVA_CONSOLE\nprintf '<LAVA_SYNC_COMPLETE>\\n' | setsid lava-test-runner '{}' | sed 's/^/| /'\n",
            device.path("1").display()
        );
        let expected = "| <LAVA_MULTI_NODE> <LAVA_SYNC s>\n| <LAVA_SIGNAL_TESTCASE TEST_CASE_ID=t RESULT=pass>\n\
                        | \n| <LAVA_TEST_RUNNER>: 1_piped exited with: 0\n| \n| <LAVA_TEST_RUNNER EXIT>\n";
        assert_eq!(device.run(&steps), expected);
    });
}
