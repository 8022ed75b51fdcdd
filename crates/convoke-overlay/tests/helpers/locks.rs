//! More than one helper at a time, and helpers that are ended: who reads the console, and how it is given back
//! (device-side.md §6).

use crate::device::{Device, each_shell, suite_of};

#[test]
fn waits_of_one_device_come_one_after_the_other() {
    each_shell(|shell| {
        let device = Device::new(shell);
        let steps = "lava-wait first & first=$!\nwhile ! [ -e \"$HOME_OF/go\" ]; do sleep 0.1; done\n\
                     lava-wait second & second=$!\nlava-send between k=1\nwait $first\nwait $second\necho over\n";
        let device = device.set("HOME_OF", ".");
        let mut console = device.start(steps);
        console.expect("<LAVA_MULTI_NODE> <LAVA_WAIT first>\n");
        device.write("go", "");
        // A send gets through while another waits; the second wait does not.
        console.expect("<LAVA_MULTI_NODE> <LAVA_SEND between k=1>\n");
        assert!(!console.seen().contains("WAIT second"), "{}", console.seen());
        console.type_text("<LAVA_WAIT_COMPLETE>\n");
        console.expect("<LAVA_MULTI_NODE> <LAVA_WAIT second>\n").type_text("<LAVA_WAIT_COMPLETE>\n");
        assert!(suite_of(&console.finish()).ends_with("over\n"));
        assert!(!device.path("multinode/lava-console.lock").exists());
    });
}

#[test]
fn a_helper_that_is_ended_gives_the_console_back() {
    for signal in ["HUP", "INT", "TERM"] {
        each_shell(|shell| {
            let device = Device::new(shell);
            // Not in the background, where a shell without job control has it ignore INT.
            let steps = format!("{}lava-wait n\necho over\n", until_killed(signal, "lava-wait m"));
            let mut console = device.start(&steps);
            let before = format!("{:?}", console.modes());
            console.expect("WAIT m>\n");
            assert_ne!(format!("{:?}", console.modes()), before);
            device.write("kill", "");
            console.expect("status 1");
            console.expect("WAIT n>\n").type_text("<LAVA_WAIT_COMPLETE>\n");
            assert!(suite_of(&console.finish()).ends_with("over\n"));
            assert_eq!(format!("{:?}", console.modes()), before);
        });
    }
}

#[test]
fn locks_of_the_dead_are_broken() {
    each_shell(|shell| {
        // Gone; in use again by a process that started at another time; never written into.
        for holder in ["999999999.5", "1.999999999999", "1.5"] {
            let device = Device::new(shell);
            device.write(&format!("multinode/lava-console.lock/{holder}"), "");
            let seen = device.play("lava-wait m\necho over\n", &[("WAIT m>", "<LAVA_WAIT_COMPLETE>")]);
            assert!(seen.ends_with("over\n"), "{seen}");
        }
        let device = Device::new(shell);
        std::fs::create_dir(device.path("multinode/lava-console.lock")).unwrap();
        device.play("lava-wait m\n", &[("WAIT m>", "<LAVA_WAIT_COMPLETE>")]);
    });
}

#[test]
fn a_killed_holder_blocks_nobody() {
    each_shell(|shell| {
        let device = Device::new(shell);
        let steps = "sh -c 'echo $$ >pid; exec lava-wait m' & \nwhile ! [ -e kill ]; do sleep 0.1; done\n\
                     kill -9 $(cat pid)\nwait || true\nlava-wait n\necho over\n";
        let mut console = device.start(steps);
        console.expect("WAIT m>\n");
        device.write("kill", "");
        console.expect("WAIT n>\n").type_text("<LAVA_WAIT_COMPLETE>\n");
        assert!(suite_of(&console.finish()).ends_with("over\n"));
    });
}

/// A step that runs a command until the file `kill` is there, and then sends a signal to it.
fn until_killed(signal: &str, command: &str) -> String {
    format!(
        "( while ! [ -e kill ]; do sleep 0.1; done; read -r pid <pid; kill -{signal} $pid ) &\n\
         sh -c 'echo $$ >pid; exec {command}' || echo status $?\n"
    )
}

/// "timeout" of coreutils, which puts its command into a process group of its own. ALRM is what ends its time.
fn timeout() -> String {
    crate::device::program("timeout", "coreutils").display().to_string()
}

#[test]
fn waits_in_the_background_of_the_terminal() {
    // There a process may not read the terminal.
    each_shell(|shell| {
        let device = Device::new(shell);
        let steps = format!(
            "{} 600 lava-wait m\ncat \"$LAVA_MULTI_NODE_CACHE\"\n{}lava-wait o\necho over\n",
            timeout(),
            until_killed("ALRM", &format!("{} 600 lava-wait n", timeout()))
        );
        let mut console = device.start(&steps);
        console.expect("WAIT m>\n").type_text("<LAVA_WAIT_COMPLETE 9102:a=1>\n").expect("9102:a=1\n");
        console.expect("WAIT n>\n");
        device.write("kill", "");
        console.expect("status 124\n");
        console.expect("WAIT o>\n").type_text("<LAVA_WAIT_COMPLETE>\n");
        assert!(suite_of(&console.finish()).ends_with("over\n"));
    });
}

#[test]
fn ends_with_the_timeout_of_busybox() {
    each_shell(|shell| {
        let device = Device::new(shell);
        let seen = device
            .play("timeout 0.3 lava-wait m || echo status $?\nlava-wait n\n", &[("WAIT n>", "<LAVA_WAIT_COMPLETE>")]);
        assert!(seen.contains("status 143\n"), "{seen}");
    });
}

#[test]
fn a_reply_that_nobody_waits_for_goes_to_nobody() {
    each_shell(|shell| {
        for (signal, command) in [
            ("TERM", "lava-wait m".to_owned()),
            ("KILL", "lava-wait m".to_owned()),
            ("ALRM", format!("{} 600 lava-wait m", timeout())),
            ("ALRM", format!("{} -s KILL 600 lava-wait m", timeout())),
        ] {
            let device = Device::new(shell).set("LAVA_QUIET_REPORT", "1");
            let steps = format!(
                "{}while ! [ -e go ]; do sleep 0.1; done\nlava-wait n\ncat \"$LAVA_MULTI_NODE_CACHE\"\n",
                until_killed(signal, &command)
            );
            let mut console = device.start(&steps);
            console.expect("WAIT m>\n");
            device.write("kill", "");
            console.expect("status ").type_text("<LAVA_WAIT_COMPLETE 9102:late=1>\n");
            // A killed helper leaves the terminal as it used it; else the echo shows that the line has arrived.
            if signal != "KILL" && !command.contains("KILL") {
                console.expect("late=1");
            }
            device.write("go", "");
            console.expect("<LAVA_MULTI_NODE> <LAVA_WAIT n>\n").type_text("<LAVA_WAIT_COMPLETE 9102:right=1>\n");
            let seen = console.finish();
            assert!(suite_of(&seen).ends_with("9102:right=1\n"), "{signal} {command}: {seen}");
            assert_eq!(seen.matches("<LAVA_GAVE_UP WAIT m>\n").count(), 1, "{signal} {command}: {seen}");
        }
    });
}
