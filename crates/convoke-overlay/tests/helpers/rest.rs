//! Device data, background processes and packages (device-side.md §6.5, §5.3).

use crate::device::{Device, each_shell};

#[test]
fn prints_device_data() {
    each_shell(|shell| {
        let device = Device::new(shell);
        device.write("device/ip", "10.0.0.7\n");
        device.write("device/mac", "52:54:00:12:34:56");
        device.write("device/storage", "SATA\t/dev/disk/by-id/ata-X\nUSB.1\t/dev/a b\nSATA\t/dev/second\n");
        device.write("device/probe-channel", "2\n");
        let seen = device.run(
            "lava-target-ip\nlava-target-mac\nlava-target-storage\nlava-target-storage SATA\nlava-target-storage USB.1\n\
             lava-target-storage USBx1 || echo $?\nlava-target-storage 'S*' || echo $?\nlava-probe-channel\nlava-probe-ip || echo $?\n",
        );
        let expected = "10.0.0.7\n52:54:00:12:34:56\nSATA\t/dev/disk/by-id/ata-X\nUSB.1\t/dev/a b\nSATA\t/dev/second\n\
                        /dev/disk/by-id/ata-X\n/dev/second\n/dev/a b\n1\n1\n2\n1\n";
        assert_eq!(seen, expected);
        let seen = Device::new(shell).run("lava-target-storage || echo $?\nlava-target-storage SATA || echo $?\n");
        assert_eq!(seen, "1\n1\n");
    });
}

#[test]
fn a_background_process_is_started_once_and_ended() {
    each_shell(|shell| {
        let device = Device::new(shell);
        let seen = device.run(
            "cd \"${PATH%%/bin:*}\"\n\
             lava-background-process-start 'a b' --cmd 'echo started >>count; trap \"echo ended >>count; exit\" TERM; sleep 600 & wait'\n\
             while ! [ -e count ]; do sleep 0.1; done\n\
             lava-background-process-start 'a b' --cmd true 2>/dev/null || echo twice $?\n\
             lava-background-process-stop 'a b'\ncat count\n\
             lava-background-process-stop 'a b' || echo unknown $?\n\
             lava-background-process-start quick --cmd 'echo $0 done; read x || echo no input'\n\
             read -r pid <background/quick/pid\nwhile kill -0 $pid 2>/dev/null; do sleep 0.1; done\ncat background/quick/log\n\
             lava-background-process-stop quick; echo $?\n",
        );
        let shell = device.interpreter();
        let expected = format!(
            "twice 1\nstarted\nended\nlava-background-process-stop: nothing was started as a b\nunknown 1\n\
             {shell} done\nno input\nlava-background-process-stop: quick had ended by itself\n0\n"
        );
        assert_eq!(seen, expected);
    });
}

#[test]
fn a_background_process_may_be_ended_at_once() {
    each_shell(|shell| {
        let device = Device::new(shell);
        let seen = device.run(
            "for i in 1 2 3; do lava-background-process-start x --cmd 'sleep 600'\n\
             read -r pid <\"${PATH%%/bin:*}/background/x/pid\"\nlava-background-process-stop x\n\
             case $(cat /proc/$pid/stat 2>/dev/null) in ''|*') Z '*) ;; *) echo alive ;; esac\ndone\n",
        );
        assert_eq!(seen, "");
    });
}

/// A device with a package tool that writes down how it was called, and fails as often as told.
fn with_tool(device: Device, tool: &str, failures: u32) -> Device {
    let place = device.path("");
    device.script(
        &format!("bin/{tool}"),
        &format!(
            "#!/bin/sh\ncd '{}'\nread x && echo read\necho {tool} \"$@\" >>calls\n\
             case \"$*\" in *install*|*add*) echo x >>tries; [ $(grep -c . tries) -gt {failures} ] || exit 7 ;; esac\n",
            place.display()
        ),
    );
    device.set("LAVA_INSTALL_PAUSE", "0")
}

#[test]
fn installs_with_the_tool_that_is_there() {
    each_shell(|shell| {
        for (tool, distro, calls) in [
            ("apt-get", "debian", "apt-get -q update\napt-get -q -y install a b c=1\n"),
            ("dnf", "fedora", "dnf -q -y makecache\ndnf -q -y install a b c=1\n"),
            ("yum", "centos", "yum -q -y makecache\nyum -q -y install a b c=1\n"),
            ("opkg", "oe", "opkg update\nopkg install a b c=1\n"),
            ("apk", "alpine", "apk update -q\napk add -q a b c=1\n"),
            ("pacman", "", "pacman -Sy --noconfirm\npacman -S --noconfirm --needed a b c=1\n"),
        ] {
            let device = with_tool(Device::new(shell), tool, 0);
            device.write("device/distro", distro);
            assert_eq!(device.run("lava-install-packages a b c=1\n"), "");
            assert_eq!(device.read("calls"), calls);
        }
    });
}

#[test]
fn tries_five_times_and_ends_with_the_tools_status() {
    each_shell(|shell| {
        let device = with_tool(Device::new(shell), "apt-get", 4);
        let seen = device.run("lava-install-packages a 2>&1 && echo installed\n");
        assert_eq!(seen.matches("failed with status 7, trying again").count(), 4, "{seen}");
        assert!(seen.ends_with("installed\n"), "{seen}");
        let device = with_tool(Device::new(shell), "apt-get", 99);
        let seen = device.run("lava-install-packages a 2>/dev/null || echo $?\n");
        assert_eq!(seen, "7\n");
        assert_eq!(device.read("tries").lines().count(), 5);
    });
}

#[test]
fn an_unknown_distribution_is_no_error() {
    each_shell(|shell| {
        let device = Device::new(shell).only(&["cat", "mkdir", "mv"]);
        let seen = device
            .run("lava-install-packages a b\nlava-add-keys k\nlava-add-sources 'deb x y'\nlava-installed-packages\n");
        let expected = "a b\nlava-install-packages: unsupported distro, nothing installed\n\
                        k\nlava-add-keys: unsupported distro, no key added\n\
                        deb x y\nlava-add-sources: unsupported distro, no source added\n\
                        lava-installed-packages: unsupported distro, no list of packages\n";
        assert_eq!(seen, expected);
    });
}

#[test]
fn says_what_the_system_is() {
    each_shell(|shell| {
        let device = Device::new(shell);
        let seen = device.run("lava-os-build\n. /etc/os-release\necho \"$PRETTY_NAME\"\n");
        let lines: Vec<_> = seen.lines().collect();
        assert_eq!(lines[0], lines[1]);
    });
}
