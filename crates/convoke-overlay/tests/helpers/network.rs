//! lava-network and lava-echo-ipv4: what is sent of an interface, and what is answered from the cache (device-side.md
//! §6.4, D29).

use crate::device::{Device, Shell, each_shell, program};

/// Tools that are not about networks.
const PLAIN: [&str; 9] = ["cat", "mkdir", "mv", "rm", "sleep", "stty", "tty", "date", "grep"];

/// A device in a network namespace of its own with an interface net0, addresses, a default route and name servers.
fn with_network(shell: Shell, tools: Option<&[&str]>) -> Device {
    program("unshare", "util-linux");
    let mut device = Device::new(shell);
    if let Some(tools) = tools {
        device = device.only(&[&PLAIN, tools].concat());
    }
    let name_servers = "# a comment\nsearch example.org\nnameserver 192.168.1.5\nnameserver 8.8.8.8\n\
                        options x\nnameserver\t2001:db8::1\nnameserver 9.9.9.9";
    device.write("resolv.conf", name_servers);
    device.write("hosts", "127.0.0.1 localhost\n192.168.3.56 panda19.example.org panda19\n");
    // Which kinds a kernel has differs.
    let setup = "#!/bin/sh -e\nb=$1\nshift\nfor kind in dummy veth bridge; do\n\
                 ! $b ip link add net0 type $kind 2>/dev/null || break\ndone\n\
                 $b ip link set net0 address 02:0A:00:00:00:05\n$b ip link set net0 up\n\
                 $b ip addr add 192.168.3.56/22 brd + dev net0\n$b ip -6 addr add 2001:db8::5/64 dev net0\n\
                 $b ip route add default via 192.168.3.1 dev net0\n\
                 $b mount --bind resolv.conf /etc/resolv.conf\n$b mount --bind hosts /etc/hosts\n\
                 $b hostname panda19\nexec \"$@\"\n";
    device.script("setup", setup);
    let setup = device.path("setup");
    let busybox = program("busybox", "busybox");
    let words = ["/usr/bin/unshare", "--user", "--map-root-user", "--net", "--mount", "--uts"];
    device.inside(&[&words[..], &[setup.to_str().unwrap(), busybox.to_str().unwrap()]].concat())
}

#[test]
fn broadcasts_what_every_tool_can_tell() {
    each_shell(|shell| {
        for (tools, full) in [
            (None, "panda19.example.org"),
            (Some(&["ifconfig", "hostname"][..]), "panda19.example.org"),
            (Some(&[][..]), "panda19"),
        ] {
            let seen = with_network(shell, tools)
                .run("lava-network broadcast net0\nlava-network broadcast\nlava-echo-ipv4 net0\n");
            let line = format!(
                "<LAVA_MULTI_NODE> <LAVA_SEND network_info hostname=panda19 hostname-full={full} netmask=255.255.252.0 \
                 broadcast=192.168.3.255 mac=02:0a:00:00:00:05 ipv4=192.168.3.56 ipv6=2001:db8::5 \
                 default-gateway=192.168.3.1 dns_1=192.168.1.5 dns_2=8.8.8.8 dns_3=2001:db8::1 dns_4=9.9.9.9>\n"
            );
            if tools == Some(&[]) {
                // Without a tool the address of the hardware comes from /sys, which is this machine's here.
                let seen = seen.replace("mac=02:0a:00:00:00:05 ", "");
                assert_eq!(seen, format!("{line}{line}192.168.3.56\n").replace("mac=02:0a:00:00:00:05 ", ""));
            } else {
                assert_eq!(seen, format!("{line}{line}192.168.3.56\n"), "{tools:?}");
            }
        }
    });
}

#[test]
fn sends_nothing_without_an_address() {
    each_shell(|shell| {
        for tools in [None, Some(&["ifconfig"][..]), Some(&[][..])] {
            let seen = with_network(shell, tools).run(
                "lava-network broadcast wlan7 || echo $?\nlava-echo-ipv4 wlan7 || echo $?\nlava-network broadcast 'a b' || echo $?\n",
            );
            let expected = "lava-network: no interface wlan7, or no address on it; nothing sent\n1\n1\n\
                            lava-network: no interface a b, or no address on it; nothing sent\n1\n";
            assert_eq!(seen, expected);
        }
    });
}

/// What `tool` answers, and what is found out from it.
#[track_caller]
fn check_tool(tool: &str, answer: &str, expected: &str) {
    each_shell(|shell| {
        let device = Device::new(shell).only(&PLAIN);
        device.write("answer", answer);
        device.script("bin/hostname", "#!/bin/sh\necho name\n");
        device.script(&format!("bin/{tool}"), &format!("#!/bin/sh\ncat '{}'\n", device.path("answer").display()));
        let seen = device.run("lava-network broadcast eth7\n");
        let seen = seen.split(" default-gateway=").next().unwrap().split(" dns_1=").next().unwrap().trim_end();
        let start = "<LAVA_MULTI_NODE> <LAVA_SEND network_info hostname=name hostname-full=name ";
        assert_eq!(seen.trim_end_matches('>'), format!("{start}{expected}"));
    });
}

#[test]
fn reads_both_layouts_of_ifconfig() {
    check_tool(
        "ifconfig",
        "eth7      Link encap:Ethernet  HWaddr 52:54:30:10:34:56\n          \
         inet addr:10.1.2.3  Bcast:10.1.2.255  Mask:255.255.255.0\n          \
         inet6 addr: fe80::5054:30ff:fe10:3456/64 Scope:Link\n          inet6 addr: 2001:db8::7/64 Scope:Global\n          \
         UP BROADCAST RUNNING MULTICAST  MTU:1500  Metric:1\n",
        "netmask=255.255.255.0 broadcast=10.1.2.255 mac=52:54:30:10:34:56 ipv4=10.1.2.3 ipv6=2001:db8::7",
    );
    check_tool(
        "ifconfig",
        "eth7: flags=4163<UP,BROADCAST,RUNNING,MULTICAST>  mtu 1500\n        \
         inet 10.1.2.3  netmask 255.255.0.0  broadcast 10.1.255.255\n        \
         inet6 fe80::5054:30ff:fe10:3456  prefixlen 64  scopeid 0x20<link>\n        \
         ether 52:54:30:10:34:56  txqueuelen 1000  (Ethernet)\n",
        "netmask=255.255.0.0 broadcast=10.1.255.255 mac=52:54:30:10:34:56 ipv4=10.1.2.3 \
         ipv6=fe80::5054:30ff:fe10:3456",
    );
}

#[test]
fn prefers_the_global_address_of_a_third_layout() {
    check_tool(
        "ifconfig",
        "eth7      Link encap:Ethernet  HWaddr 52:54:30:10:34:56  Driver virtio_net\n          \
         inet addr:10.1.2.3  Bcast:10.1.2.255  Mask:255.255.255.0 \n          \
         inet6 addr: fe80::7/64 Scope: Link\n          inet6 addr: 2001:db8::7/64 Scope: Global\n",
        "netmask=255.255.255.0 broadcast=10.1.2.255 mac=52:54:30:10:34:56 ipv4=10.1.2.3 ipv6=2001:db8::7",
    );
}

#[test]
fn query_compares_literally_and_whole() {
    each_shell(|shell| {
        let device = Device::new(shell);
        device.write(
            "network_cache.txt",
            "xkvm1:ipv4=1.1.1.1\nkvm-01:ipv4=2.2.2.2\nkvm1:ipv4=3.3.3.3\nkvm1:x=a=b=c d\nkvm-0:myipv4=4.4.4.4\nkvm-0:ipv4=5.5.5.5",
        );
        let seen = device.run(
            "lava-network query kvm1 ipv4\nlava-network query kvm1 x\nlava-network query kvm-0 ipv4\n\
             lava-network query 'kvm.*' ipv4 || echo $?\nlava-network query kvm1 ipv || echo $?\nlava-network query kvm ipv4 || echo $?\n",
        );
        assert_eq!(seen, "3.3.3.3\na=b=c d\n5.5.5.5\n1\n1\n1\n");
        let seen = Device::new(shell).run("lava-network query kvm1 ipv4 || echo $?\n");
        assert_eq!(seen, "1\n");
    });
}

#[test]
fn collect_waits_and_keeps() {
    each_shell(|shell| {
        let device = Device::new(shell);
        let seen = device.play(
            "lava-network collect eth0 client\nlava-network query 9102 hostname-full\nlava-network collect eth0\n\
             lava-network query 9103 ipv4\nlava-network collect || echo $?\n",
            &[
                (
                    "WAIT_ALL network_info client>\n",
                    "<LAVA_WAIT_ALL_COMPLETE 9102:ipv4=1.2.3.4 9102:hostname-full=a.b>",
                ),
                ("WAIT_ALL network_info>\n", "<LAVA_WAIT_ALL_COMPLETE 9102:ipv4=1.2.3.4 9103:ipv4=1.2.3.5>"),
                ("WAIT_ALL network_info>\n", "<LAVA_WAIT_ALL_COMPLETE nack>"),
            ],
        );
        let expected = "<LAVA_MULTI_NODE> <LAVA_WAIT_ALL network_info client>\na.b\n\
                        <LAVA_MULTI_NODE> <LAVA_WAIT_ALL network_info>\n1.2.3.5\n\
                        <LAVA_MULTI_NODE> <LAVA_WAIT_ALL network_info>\n\
                        lava-network: WAIT_ALL network_info was refused: it failed or its time is over\n1\n";
        assert_eq!(seen, expected);
        let cache = "9102:ipv4=1.2.3.4\n9103:ipv4=1.2.3.5\n";
        assert_eq!(device.read("network_cache.txt"), cache);
        assert_eq!(device.read("multinode/network_cache.txt"), cache);
    });
}

#[test]
fn hosts_are_appended_once() {
    each_shell(|shell| {
        let device = Device::new(shell);
        device.group("9101\tServer 1!\n9102\tclient\n9103\tclient\n9104\tno-address\n9105\tclient\n9106\t日本\n");
        device.write(
            "network_cache.txt",
            "9101:ipv4=10.0.0.1\n9101:hostname=server\n9101:hostname-full=server.lan\n\
             9102:hostname=client-a\n9102:hostname-full=client-a\n9102:ipv4=10.0.0.2\n\
             9105:ipv4=10.0.0.5\n9104:hostname=nothing\n9106:ipv4=10.0.0.6\n",
        );
        // Its last line has no end.
        device.write("etc", "127.0.0.1\tlocalhost\n10.0.0.5\t9105");
        let steps = format!(
            "cd '{}'\nlava-network hosts etc\nlava-network hosts etc\nlava-network alias-hosts aliases\n\
             lava-network alias-hosts aliases\nlava-network hosts /nowhere/x || echo $?\n",
            device.path("").display()
        );
        assert_eq!(device.run(&steps), "lava-network: cannot write to /nowhere/x\n1\n");
        let hosts = "127.0.0.1\tlocalhost\n10.0.0.5\t9105\n10.0.0.1\tserver.lan\n10.0.0.2\tclient-a\n10.0.0.6\t9106\n";
        assert_eq!(device.read("etc"), hosts);
        let aliases = "10.0.0.1\tserver.lan\terver101\n10.0.0.2\tclient-a\tclient01\n10.0.0.5\t9105\tclient03\n\
                       10.0.0.6\t9106\n";
        assert_eq!(device.read("aliases"), aliases);
    });
}

#[test]
fn hosts_needs_a_collect_first() {
    each_shell(|shell| {
        let device = Device::new(shell);
        let seen = device.run("lava-network hosts /tmp/never-made 2>&1 || echo $?\n");
        assert!(seen.ends_with("network_cache.txt: lava-network collect comes first\n1\n"), "{seen}");
    });
}
