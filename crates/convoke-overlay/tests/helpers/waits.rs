//! lava-wait, lava-wait-all and lava-sync: requests, replies and the cache file (device-side.md §6.3, D4–D12, D24–D28).

use crate::device::{Device, each_shell, suite_of};

#[test]
fn writes_a_pair_a_line() {
    each_shell(|shell| {
        let device = Device::new(shell);
        let seen = device.play(
            "lava-wait one\nlava-wait-all two client\nlava-wait-all three\nlava-sync four\necho over\n",
            &[
                ("<LAVA_MULTI_NODE> <LAVA_WAIT one>\n", "<LAVA_WAIT_COMPLETE 9101:ip=10.0.0.1 9101:port=5201>"),
                ("<LAVA_MULTI_NODE> <LAVA_WAIT_ALL two client>\n", "<LAVA_WAIT_ALL_COMPLETE 9102:a=1 9103:a=2>"),
                ("<LAVA_MULTI_NODE> <LAVA_WAIT_ALL three>\n", "<LAVA_WAIT_ALL_COMPLETE 9102:b=3>"),
                ("<LAVA_MULTI_NODE> <LAVA_SYNC four>\n", "<LAVA_SYNC_COMPLETE>"),
            ],
        );
        // Nothing but the requests: no echo of the replies, no words of the helpers (D24).
        let expected = "<LAVA_MULTI_NODE> <LAVA_WAIT one>\n<LAVA_MULTI_NODE> <LAVA_WAIT_ALL two client>\n\
                        <LAVA_MULTI_NODE> <LAVA_WAIT_ALL three>\n<LAVA_MULTI_NODE> <LAVA_SYNC four>\nover\n";
        assert_eq!(seen, expected);
        // The sync has left what the wait wrote.
        assert_eq!(device.read("cache.txt"), "9102:b=3\n");
    });
}

/// The cache file that a reply's data makes.
#[track_caller]
fn check(group: &str, data: &str, cache: &str) {
    each_shell(|shell| {
        let device = Device::new(shell);
        device.group(group);
        device.play("lava-wait m\n", &[("WAIT m>\n", &format!("<LAVA_WAIT_COMPLETE {data}>"))]);
        assert!(device.read("cache.txt") == cache, "{data}\n{}", device.read("cache.txt"));
        assert!(device.read("multinode/cache.txt") == cache);
    });
}

const NUMBERS: &str = "9101\tserver\n9102\tclient\n9103\tclient\n";

#[test]
fn cuts_only_at_names_of_the_group() {
    check(
        NUMBERS,
        "9101:w=at 12:30 9102:k=x  y 9105:z=1 9103:t= 9102: 9102:e=a=b: 9103:f=:: 9101:g=",
        "9101:w=at 12:30\n9102:k=x  y 9105:z=1\n9103:t= 9102:\n9102:e=a=b:\n9103:f=::\n9101:g=\n",
    );
    check(NUMBERS, "9101:a=1 9102:no key 9102:b c=2 9103:d.e-f=3", "9101:a=1 9102:no key 9102:b c=2\n9103:d.e-f=3\n");
}

#[test]
fn cuts_at_host_names() {
    check(
        "panda01\tserver\nhigh.bank-1\tclient\n",
        "panda01:a=1 high.bank-1:b=2 highXbank-1:c=3 panda01:d=xpanda01:e=4",
        "panda01:a=1\nhigh.bank-1:b=2 highXbank-1:c=3\npanda01:d=xpanda01:e=4\n",
    );
}

#[test]
fn keeps_every_character() {
    check(
        NUMBERS,
        "9101:k=c:\\new\\tab\\\\ 9102:s=* /e*/p?ss* [a-z] 9103:q='\"`$HOME`$(x) %s%% 9101:u=grün ↔ 日本 9102:l=a<b& ",
        "9101:k=c:\\new\\tab\\\\\n9102:s=* /e*/p?ss* [a-z]\n9103:q='\"`$HOME`$(x) %s%%\n9101:u=grün ↔ 日本\n9102:l=a<b& \n",
    );
}

#[test]
fn takes_long_replies() {
    // One long value, many short ones, and one of nothing but places to cut.
    let long = "x".repeat(100_000);
    check(NUMBERS, &format!("9101:k={long} 9102:j=2"), &format!("9101:k={long}\n9102:j=2\n"));
    let pairs: Vec<_> = (0..2000).map(|number| format!("9102:key{number}=value {number}")).collect();
    check(NUMBERS, &pairs.join(" "), &format!("{}\n", pairs.join("\n")));
    let colons = ": 9101:".repeat(2000);
    check(NUMBERS, &format!("9101:k={colons}"), &format!("9101:k={colons}\n"));
}

#[test]
fn knows_guests_by_the_whole_table() {
    each_shell(|shell| {
        let device = Device::new(shell);
        device.group("9101\thost\n");
        device.write("multinode/all", "9101\thost\n9102\tguest\n");
        device.play("lava-wait m\n", &[("WAIT m>", "<LAVA_WAIT_COMPLETE 9101:a=1 9102:b=2>")]);
        assert_eq!(device.read("cache.txt"), "9101:a=1\n9102:b=2\n");
    });
}

#[test]
fn no_data_is_an_empty_file() {
    each_shell(|shell| {
        let device = Device::new(shell);
        device.write("cache.txt", "9102:old=1\n");
        let steps = "lava-wait m\ncat \"$LAVA_MULTI_NODE_CACHE\"\n";
        let seen = device.play(steps, &[("WAIT m>", "<LAVA_WAIT_COMPLETE>")]);
        assert_eq!(seen, "<LAVA_MULTI_NODE> <LAVA_WAIT m>\n");
        assert_eq!(device.read("cache.txt"), "");
    });
}

#[test]
fn refusal_is_status_1_and_leaves_the_cache() {
    each_shell(|shell| {
        let device = Device::new(shell);
        device.write("cache.txt", "9102:old=1\n");
        let seen = device.play(
            "lava-wait a || echo $?\nlava-wait-all b || echo $?\nlava-sync c || echo $?\n",
            &[
                ("WAIT a>", "<LAVA_WAIT_COMPLETE nack>"),
                ("WAIT_ALL b>", "<LAVA_WAIT_ALL_COMPLETE nack 9102 has left the group>"),
                ("SYNC c>", "<LAVA_SYNC_COMPLETE nack>"),
            ],
        );
        let expected = "<LAVA_MULTI_NODE> <LAVA_WAIT a>\n\
                        lava-wait: WAIT a was refused: it failed or its time is over\n1\n\
                        <LAVA_MULTI_NODE> <LAVA_WAIT_ALL b>\n\
                        lava-wait-all: WAIT_ALL b was refused: 9102 has left the group\n1\n\
                        <LAVA_MULTI_NODE> <LAVA_SYNC c>\n\
                        lava-sync: SYNC c was refused: it failed or its time is over\n1\n";
        assert_eq!(seen, expected);
        assert_eq!(device.read("cache.txt"), "9102:old=1\n");
    });
}

#[test]
fn a_refusal_ends_the_suite() {
    each_shell(|shell| {
        let device = Device::new(shell);
        let mut console = device.start("lava-wait a\necho not reached\n");
        console.expect("WAIT a>").type_text("<LAVA_WAIT_COMPLETE nack>\n");
        let seen = console.finish();
        assert!(!seen.contains("not reached"), "{seen}");
        assert!(seen.contains("<LAVA_TEST_RUNNER>: 0_suite exited with: 1\n"), "{seen}");
    });
}

#[test]
fn accepts_anything_in_front_of_a_reply() {
    each_shell(|shell| {
        let device = Device::new(shell);
        let reply = "\n\nroot@dut:~# \n<LAVA_SYNC_COMPLETE>\n<LAVA_WAIT_COMPLETED>\n\
                     [   12.345678] usb 1-1: new <LAVA_WAIT_COMPLETE 9102:a=1>\r";
        device.play("lava-wait m\n", &[("WAIT m>", reply)]);
        assert_eq!(device.read("cache.txt"), "9102:a=1\n");
    });
}

#[test]
fn a_cut_reply_is_asked_for_again_once() {
    each_shell(|shell| {
        let device = Device::new(shell);
        let seen = device.play(
            "lava-wait m\ncat \"$LAVA_MULTI_NODE_CACHE\"\nlava-wait n || echo $?\nlava-sync s\n",
            &[
                ("WAIT m>", "<LAVA_WAIT_COMPLETE 9102:a=1 9103:b"),
                ("WAIT m>", "<LAVA_WAIT_COMPLETE 9102:a=1 9103:b=2>"),
                ("WAIT n>", "<LAVA_WAIT_COMPLETE 9102:a"),
                ("WAIT n>", "<LAVA_WAIT_COMPLETE 9102:a"),
                // Asking for a sync again would open its next round.
                ("SYNC s>", "<LAVA_SYNC_COMPLETE"),
            ],
        );
        let expected = "<LAVA_MULTI_NODE> <LAVA_WAIT m>\n\
                        lava-wait: the reply to WAIT m was cut; asking again\n\
                        <LAVA_MULTI_NODE> <LAVA_WAIT m>\n9102:a=1\n9103:b=2\n\
                        <LAVA_MULTI_NODE> <LAVA_WAIT n>\n\
                        lava-wait: the reply to WAIT n was cut; asking again\n\
                        <LAVA_MULTI_NODE> <LAVA_WAIT n>\n\
                        lava-wait: the reply to WAIT n was cut twice; send less data\n1\n\
                        <LAVA_MULTI_NODE> <LAVA_SYNC s>\n";
        assert_eq!(seen, expected);
    });
}

#[test]
fn input_and_output_may_be_anything() {
    each_shell(|shell| {
        let device = Device::new(shell);
        let place = device.path("");
        let steps = format!(
            "cd '{}'\nx=$(lava-wait a)\necho \"x=$x\"\nlava-wait b >log\nlava-wait c </dev/null\n\
             printf '1\\n2\\n' >lines\nwhile read -r l; do lava-sync \"s$l\"; done <lines\n\
             lava-send m k=1 >log2\nlava-wait d | cat\nlava-wait e <&- >&-\ncat log log2\n",
            place.display()
        );
        let seen = device.play(
            &steps,
            &[
                ("WAIT a>", "<LAVA_WAIT_COMPLETE>"),
                ("WAIT b>", "<LAVA_WAIT_COMPLETE>"),
                ("WAIT c>", "<LAVA_WAIT_COMPLETE>"),
                ("SYNC s1>", "<LAVA_SYNC_COMPLETE>"),
                ("SYNC s2>", "<LAVA_SYNC_COMPLETE>"),
                ("WAIT d>", "<LAVA_WAIT_COMPLETE>"),
                ("WAIT e>", "<LAVA_WAIT_COMPLETE>"),
            ],
        );
        let expected = "<LAVA_MULTI_NODE> <LAVA_WAIT a>\nx=\n<LAVA_MULTI_NODE> <LAVA_WAIT b>\n\
                        <LAVA_MULTI_NODE> <LAVA_WAIT c>\n<LAVA_MULTI_NODE> <LAVA_SYNC s1>\n\
                        <LAVA_MULTI_NODE> <LAVA_SYNC s2>\n<LAVA_MULTI_NODE> <LAVA_SEND m k=1>\n\
                        <LAVA_MULTI_NODE> <LAVA_WAIT d>\n<LAVA_MULTI_NODE> <LAVA_WAIT e>\n";
        assert_eq!(seen, expected);
    });
}

#[test]
fn without_the_runners_word_the_terminal_is_the_console() {
    each_shell(|shell| {
        let device = Device::new(shell);
        device.play("unset LAVA_CONSOLE\nlava-wait a </dev/null >/dev/null\n", &[("WAIT a>", "<LAVA_WAIT_COMPLETE>")]);
    });
}

#[test]
fn without_a_terminal_it_talks_on_its_input_and_output() {
    each_shell(|shell| {
        let device = Device::new(shell);
        let steps = "unset LAVA_CONSOLE\nprintf '<LAVA_WAIT_COMPLETE 9102:a=1>\\n' | setsid lava-wait m | cat\n\
                     cat \"$LAVA_MULTI_NODE_CACHE\"\n";
        assert_eq!(device.run(steps), "<LAVA_MULTI_NODE> <LAVA_WAIT m>\n9102:a=1\n");
    });
}

#[test]
fn a_console_that_ends_is_an_error() {
    each_shell(|shell| {
        let device = Device::new(shell);
        let seen = device.run("unset LAVA_CONSOLE\nsetsid lava-wait m </dev/null 2>&1 | cat\n");
        assert_eq!(seen, "<LAVA_MULTI_NODE> <LAVA_WAIT m>\nlava-wait: the console - cannot be read\n");
    });
}

#[test]
fn leaves_the_terminal_as_it_was() {
    each_shell(|shell| {
        let device = Device::new(shell);
        let mut console = device.start("lava-wait m\nlava-wait n\nlava-send over\nlava-wait o\n");
        let before = format!("{:?}", console.modes());
        console.expect("WAIT m>").type_text("<LAVA_WAIT_COMPLETE>\n");
        console.expect("WAIT n>").type_text("<LAVA_WAIT_COMPLETE nack>\n");
        let seen = suite_of(&console.finish());
        assert!(!seen.contains("COMPLETE"), "the reply is not echoed: {seen}");
        assert_eq!(format!("{:?}", console.modes()), before);
    });
}

#[test]
fn cannot_write_the_cache_file() {
    each_shell(|shell| {
        let device = Device::new(shell).set("LAVA_MULTI_NODE_CACHE", "/nowhere/cache.txt");
        let seen = device.play("lava-wait m || echo $?\n", &[("WAIT m>", "<LAVA_WAIT_COMPLETE 9102:a=1>")]);
        let expected =
            "<LAVA_MULTI_NODE> <LAVA_WAIT m>\nlava-wait: cannot write the cache file /nowhere/cache.txt\n1\n";
        assert_eq!(seen, expected);
        assert_eq!(device.read("multinode/cache.txt"), "9102:a=1\n");
    });
}

#[test]
fn needs_hardly_a_tool() {
    each_shell(|shell| {
        let device = Device::new(shell).only(&["cat", "mkdir", "mv"]);
        let seen = device.play(
            "lava-self\nlava-send m k=1\nlava-wait m\nlava-sync s\nlava-test-case t --shell true\n",
            &[("WAIT m>", "<LAVA_WAIT_COMPLETE 9101:k=1>"), ("SYNC s>", "<LAVA_SYNC_COMPLETE>")],
        );
        assert!(seen.ends_with("<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=t RESULT=pass>\n"), "{seen}");
        assert!(!seen.contains("not found"), "{seen}");
        assert_eq!(device.read("cache.txt"), "9101:k=1\n");
    });
}

/// Without stty what is typed is echoed, and a line of it ends at 4095 bytes; the rest is as with other tools.
#[test]
fn the_tools_of_toybox_will_do() {
    each_shell(|shell| {
        let device = Device::new(shell).toybox();
        let seen = device.play(
            "lava-self\nlava-group client\nlava-send m k=1\nlava-wait m\ncat \"$LAVA_MULTI_NODE_CACHE\"\nlava-sync s\n\
             lava-test-case t --shell true\nlava-test-case u --shell 'exit 3'\nlava-network collect\n\
             lava-network query 9102 ipv4\nlava-background-process-start b --cmd 'sleep 60'\n\
             lava-background-process-stop b\nlava-os-build\n",
            &[
                ("WAIT m>", "<LAVA_WAIT_COMPLETE 9102:k=1 9102:at=12:30>"),
                ("SYNC s>", "<LAVA_SYNC_COMPLETE>"),
                ("WAIT_ALL network_info>", "<LAVA_WAIT_ALL_COMPLETE 9102:ipv4=1.2.3.4>"),
            ],
        );
        for wanted in [
            "9101\n9102\n9103\n<LAVA_MULTI_NODE> <LAVA_SEND m k=1>\n",
            "\n9102:k=1\n9102:at=12:30\n",
            "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=t RESULT=pass>\n",
            "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=u RESULT=fail>\n",
            "\n1.2.3.4\n",
        ] {
            assert!(seen.contains(wanted), "{wanted:?} in\n{seen}");
        }
        assert!(!seen.contains("not found") && !seen.contains("toybox"), "{seen}");
    });
}

#[test]
fn the_cache_file_has_a_place_of_its_own_and_one_that_all_know() {
    each_shell(|shell| {
        // Two members with one /tmp, as a host and its guest.
        // The device itself may stand below the machine's /tmp; it is put there again.
        let mount = "mount --bind \"$0\" /mnt; mount -t tmpfs tmpfs /tmp; /bin/mkdir -p \"$0\"; /bin/mount --bind /mnt \"$0\"; \
                     unset LAVA_MULTI_NODE_CACHE LAVA_MULTI_NODE_NETWORK_CACHE; exec \"$@\"";
        let devices = env!("CARGO_TARGET_TMPDIR");
        let device = Device::new(shell).inside(&["/usr/bin/unshare", "-Urm", "/bin/sh", "-c", mount, devices]);
        let seen = device.play(
            "lava-wait m\ncat /tmp/lava_multi_node_cache.txt\necho other >/tmp/lava_multi_node_cache.txt\n\
             cat \"${PATH%%/bin:*}/multinode/cache.txt\"\n\
             lava-network collect\ncat /tmp/lava_multi_node_network_cache.txt\n\
             echo 9102:ipv4=other >/tmp/lava_multi_node_network_cache.txt\nlava-network query 9102 ipv4\n",
            &[
                ("WAIT m>", "<LAVA_WAIT_COMPLETE 9102:a=1>"),
                ("WAIT_ALL network_info>", "<LAVA_WAIT_ALL_COMPLETE 9102:ipv4=1.2.3.4>"),
            ],
        );
        let expected = "<LAVA_MULTI_NODE> <LAVA_WAIT m>\n9102:a=1\n9102:a=1\n\
                        <LAVA_MULTI_NODE> <LAVA_WAIT_ALL network_info>\n9102:ipv4=1.2.3.4\n1.2.3.4\n";
        assert_eq!(seen, expected);
    });
}

#[test]
fn talks_only_when_asked() {
    each_shell(|shell| {
        let device = Device::new(shell).set("LAVA_MULTI_NODE_DEBUG", "1");
        let seen = device.play("lava-wait m\n", &[("WAIT m>", "<LAVA_WAIT_COMPLETE 9102:a=1>")]);
        let expected = "lava-wait: asks for WAIT m\n<LAVA_MULTI_NODE> <LAVA_WAIT m>\n\
                        lava-wait: has the reply to WAIT m: 9102:a=1\n";
        assert_eq!(seen, expected);
    });
}

#[test]
fn a_lock_that_cannot_be_made_is_an_error() {
    each_shell(|shell| {
        let seen = Device::new(shell).run("PATH=\"${PATH%%:*}\" lava-wait m || echo status $?\n");
        assert!(seen.starts_with("lava-wait: cannot make the lock "), "{seen}");
        assert!(seen.ends_with("/multinode/lava-console.lock\nstatus 1\n") && seen.lines().count() == 2, "{seen}");
    });
}
