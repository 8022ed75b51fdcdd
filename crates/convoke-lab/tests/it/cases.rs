//! What a sandbox promises.

use std::fs::File;
use std::io::{Seek, Write};

use convoke_dispatcher::device::{Deployment, Device, OverlayArchive};
use convoke_dispatcher::error::ErrorClass;
use convoke_lab::sandbox::{Ground, GroundSettings, SandboxSpec, probe};
use futures_util::future::join_all;

use crate::console::{Shell, boot, request, sandboxes};

scenarios![
    boots_to_a_root_shell,
    is_apart_from_the_host,
    has_a_network_of_its_own,
    members_reach_each_other,
    may_write_anywhere,
    packages_can_be_installed,
    writes_do_not_reach_the_host,
    overlays_are_unpacked,
    a_reboot_keeps_the_disk_and_nothing_else,
    a_deployment_is_a_new_disk,
    the_console_outlives_its_shell,
    the_console_ends_with_the_device,
    guests_share_their_host,
    orphans_are_reaped,
    twenty_at_once,
    bad_names_are_refused,
    the_probe_agrees,
    root_may_do_without_a_user_namespace,
    a_sandbox_in_a_sandbox,
    a_full_disk_is_the_device_s_own_trouble,
];

async fn boots_to_a_root_shell() {
    let [mut alpha] = sandboxes(["alpha"]).await;
    let mut shell = boot(&mut alpha).await;
    assert_eq!(shell.run("id -u").await, "0\n");
    assert_eq!(shell.run("hostname").await, "alpha\n");
    assert_eq!(shell.run("tty").await, "/dev/pts/0\n");
    assert_eq!(shell.run("pwd").await, "/root\n");
    assert_eq!(shell.run("echo $HOME $USER").await, "/root root\n");
    assert_eq!(shell.run("echo one!two").await, "one!two\n");
    assert_eq!(shell.run("echo hello >/dev/console").await, "hello\n");
    // The terminal gives the shell its own job: an interrupt ends the job and not the shell.
    shell.expect("root@alpha:~# ").await;
    shell.send("sh -c \"echo wait''ing; exec cat\"").await;
    shell.expect("waiting\r\n").await;
    shell.interrupt().await;
    shell.expect("root@alpha:~# ").await;
    assert_eq!(shell.run("echo alive").await, "alive\n");
    alpha.power_off().await.unwrap();
    alpha.power_off().await.unwrap();
    shell.end().await;
}

async fn is_apart_from_the_host() {
    let marker = tempfile::NamedTempFile::with_prefix_in("host-", "/tmp").unwrap();
    let [mut alpha] = sandboxes(["alpha"]).await;
    let mut shell = boot(&mut alpha).await;
    assert_eq!(shell.run("ls -A /tmp").await, "");
    assert_eq!(shell.run("ls -A /root").await, "");
    let name = marker.path().display();
    shell.run(&format!("test ! -e {name}")).await;
    assert_eq!(shell.run("ls -d /lava-* 2>/dev/null || echo none").await, "none\n");
    // PID 1, the shell and this pipeline: no process of the host.
    let processes = shell.run("ls -d /proc/[0-9]* | wc -l").await;
    assert!(processes.trim().parse::<u32>().unwrap() <= 6, "{processes}");
    // No folder of the host's but through a layer, and no trace of where the layers are.
    let mounts = shell.run("cut -d' ' -f2,3 /proc/self/mounts").await;
    assert!(mounts.contains("/usr overlay\n"), "{mounts}");
    assert!(mounts.contains("/ tmpfs\n"), "{mounts}");
    assert!(!mounts.contains("/disks/"), "{mounts}");
    assert_eq!(shell.run("for k in mnt net pid uts ipc; do readlink /proc/self/ns/$k; done | wc -l").await, "5\n");
    let inside = shell.run("readlink /proc/self/ns/mnt /proc/self/ns/net /proc/self/ns/pid /proc/self/ns/uts").await;
    for line in inside.lines() {
        let kind = line.split(':').next().unwrap();
        let outside = std::fs::read_link(format!("/proc/self/ns/{kind}")).unwrap();
        assert_ne!(line, outside.to_str().unwrap());
    }
    assert_eq!(shell.run("stat -c %a /var/tmp /tmp; umask").await, "1777\n1777\n0022\n");
    // Root inside has no power over the machine.
    for command in [
        "echo 0 >/proc/sys/kernel/printk",
        "echo h >/proc/sysrq-trigger",
        "date -s 2001-01-01",
        "mknod /tmp/disk b 254 0",
    ] {
        let (said, status) = shell.status(&format!("( {command} ) 2>&1")).await;
        assert_ne!(status, 0, "{command}: {said}");
    }
}

async fn has_a_network_of_its_own() {
    let [mut alpha] = sandboxes(["alpha"]).await;
    let mut shell = boot(&mut alpha).await;
    let interfaces = shell.run("tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' ' | sort").await;
    assert_eq!(interfaces, "eth0\nlo\n");
    assert_eq!(shell.run("cat /sys/class/net/eth0/operstate").await, "up\n");
    let address = alpha.address().to_string();
    assert!(shell.run("cat /proc/net/fib_trie").await.contains(&address));
    assert!(shell.run("cat /etc/hosts").await.contains(&format!("{address}\talpha\n")));
    // Nothing of the ground is an interface of the machine.
    let outside = std::fs::read_to_string("/proc/net/dev").unwrap();
    assert!(!outside.contains("br0:"), "{outside}");
    // No way out: refused at once and not lost.
    let (said, status) = shell.status("( exec 3<>/dev/tcp/192.0.2.1/9 ) 2>&1").await;
    assert_ne!(status, 0);
    assert!(said.contains("unreachable"), "{said}");
}

async fn members_reach_each_other() {
    let [mut alpha, mut beta] = sandboxes(["alpha", "beta-2.lab"]).await;
    let (mut server, mut client) = (boot(&mut alpha).await, boot(&mut beta).await);
    let listen = r#"perl -MIO::Socket::INET -e '
        $s = IO::Socket::INET->new(Listen => 5, LocalPort => 7000, ReuseAddr => 1) or die $!;
        print "listening\n"; for (1, 2) { $c = $s->accept; print "got ", scalar <$c>; print $c "fine\n"; close $c }'"#;
    server.send(&listen.replace('\n', " ")).await;
    server.expect("listening\r\n").await;
    for target in ["alpha".to_owned(), alpha.address().to_string()] {
        let said = client.run(&format!("exec 3<>/dev/tcp/{target}/7000; echo hello >&3; cat <&3; exec 3>&-")).await;
        assert_eq!(said, "fine\n");
        server.expect("got hello\r\n").await;
    }
    assert_eq!(client.run("getent hosts beta-2.lab | cut -d' ' -f1").await, format!("{}\n", beta.address()));
    assert_eq!(client.run("hostname").await, "beta-2.lab\n");
}

async fn may_write_anywhere() {
    let [mut alpha] = sandboxes(["alpha"]).await;
    let mut shell = boot(&mut alpha).await;
    for command in [
        "for d in / /usr /usr/bin /usr/local/bin /usr/lib /etc /var /var/lib /opt /srv /home /tmp /run /root /mnt; \
         do echo x >$d/convoke-was-here && rm $d/convoke-was-here || exit 1; done",
        "printf '#!/bin/sh\\necho installed\\n' >/usr/bin/convoke-tool && chmod +x /usr/bin/convoke-tool && convoke-tool",
        "echo 192.0.2.7 elsewhere >>/etc/hosts && getent hosts elsewhere",
        "echo x >>/etc/passwd && sed -i '$d' /etc/passwd && grep -q root /etc/passwd",
        "mkdir -p /usr/share/doc/convoke/deep && rmdir /usr/share/doc/convoke/deep",
        // Installing a new version of a program, as package managers do.
        "cp /usr/bin/env /usr/bin/env.new && mv /usr/bin/env.new /usr/bin/env && env true",
        "rm /usr/bin/uniq && test ! -e /usr/bin/uniq",
        "rm -r /usr/share/misc 2>/dev/null; mkdir -p /usr/share/misc && test -z \"$(ls -A /usr/share/misc)\"",
        "mkdir /a-new-one && touch /a-new-one/file",
        "mount -t tmpfs none /mnt && umount /mnt",
        "hostname other && hostname alpha",
    ] {
        shell.run(&format!("( {command} ) 2>&1")).await;
    }
}

async fn packages_can_be_installed() {
    let [mut alpha] = sandboxes(["alpha"]).await;
    let mut shell = boot(&mut alpha).await;
    if shell.status("command -v dpkg-deb").await.1 != 0 {
        return;
    }
    for command in [
        "mkdir -p /tmp/p/DEBIAN /tmp/p/usr/bin /tmp/p/etc/convoke-hello",
        "printf 'Package: convoke-hello\\nVersion: 1\\nArchitecture: all\\nMaintainer: x <x@y>\\nDescription: x\\n' \
         >/tmp/p/DEBIAN/control",
        "printf '#!/bin/sh\\necho hi\\n' >/tmp/p/usr/bin/convoke-hello && chmod 755 /tmp/p/usr/bin/convoke-hello",
        "echo x >/tmp/p/etc/convoke-hello/setting",
        "dpkg-deb --root-owner-group -b /tmp/p /tmp/p.deb",
        "dpkg -i /tmp/p.deb",
        "convoke-hello",
        "dpkg -r convoke-hello && test ! -e /usr/bin/convoke-hello",
        "apt-get install -y /tmp/p.deb && convoke-hello",
    ] {
        shell.run(&format!("( {command} ) 2>&1")).await;
    }
}

async fn writes_do_not_reach_the_host() {
    let folders = ["/usr/bin", "/etc", "/var", "/opt", "/home", "/tmp", "/root", "/run", ""];
    let [mut alpha] = sandboxes(["alpha"]).await;
    let mut shell = boot(&mut alpha).await;
    let name = format!("convoke-mark-{}", std::process::id());
    for folder in folders {
        shell.run(&format!("echo x >{folder}/{name}")).await;
    }
    shell.run("rm -f /etc/passwd; echo gone >/etc/hostname; rm -rf /usr/share/doc/tar /var/lib/dpkg").await;
    for folder in folders {
        assert!(!std::path::Path::new(&format!("{folder}/{name}")).exists(), "{folder}");
    }
    assert!(std::path::Path::new("/etc/passwd").exists());
    assert_ne!(std::fs::read_to_string("/etc/hostname").unwrap_or_default(), "gone\n");
}

/// An archive with what `fill` puts into it.
fn archive(fill: impl FnOnce(&mut tar::Builder<flate2::write::GzEncoder<File>>)) -> OverlayArchive {
    let mut file: File = tempfile::tempfile().unwrap();
    let mut archive =
        tar::Builder::new(flate2::write::GzEncoder::new(file.try_clone().unwrap(), flate2::Compression::fast()));
    fill(&mut archive);
    archive.into_inner().unwrap().finish().unwrap();
    file.rewind().unwrap();
    OverlayArchive { file_name: "overlay-1.1.5.tar.gz".into(), file, keep_at: None, applied: false }
}

/// An archive with one script, as the overlay of job `id`.
fn overlay(id: &str, keep_at: Option<&str>) -> OverlayArchive {
    let text = format!("#!/bin/sh\necho this is {id}\n");
    let mut header = tar::Header::new_gnu();
    header.set_size(text.len() as u64);
    header.set_mode(0o755);
    header.set_uid(1234);
    header.set_gid(1234);
    let fill = |archive: &mut tar::Builder<_>| {
        archive.append_data(&mut header, format!("lava-{id}/bin/hello"), text.as_bytes()).unwrap();
    };
    OverlayArchive { keep_at: keep_at.map(String::from), ..archive(fill) }
}

async fn overlays_are_unpacked() {
    let [mut alpha] = sandboxes(["alpha"]).await;
    alpha.deploy(Deployment::of_overlay("sandbox", overlay("7", Some("/7-overlay-1.1.5.tar.gz")))).await.unwrap();
    let mut shell = boot(&mut alpha).await;
    assert_eq!(shell.run("/lava-7/bin/hello").await, "this is 7\n");
    assert_eq!(shell.run("stat -c %u:%g:%a /lava-7/bin/hello").await, "0:0:755\n");
    assert_eq!(shell.run("tar -tzf /7-overlay-*.tar.gz").await, "lava-7/bin/hello\n");

    let mut broken = overlay("8", None);
    broken.file = tempfile::tempfile().unwrap();
    broken.file.write_all(b"not an archive").unwrap();
    alpha.deploy(Deployment::of_overlay("sandbox", broken)).await.unwrap();
    let error = alpha.boot(request()).await.err().unwrap();
    assert_eq!(error.class, ErrorClass::Infrastructure);
    assert!(error.message.starts_with("cannot unpack overlay-1.1.5.tar.gz on the device: "), "{error}");
}

async fn a_reboot_keeps_the_disk_and_nothing_else() {
    let [mut alpha, mut beta] = sandboxes(["alpha", "beta"]).await;
    alpha.deploy(Deployment::of_overlay("sandbox", overlay("7", None))).await.unwrap();
    let mut peer = boot(&mut beta).await;
    let mut shell = boot(&mut alpha).await;
    shell.run("echo kept | tee /root/file /usr/bin/file-7 /tmp/file /run/file >/dev/null").await;
    shell.run("( sleep 1000 & )").await;
    let mut again = boot(&mut alpha).await;
    shell.end().await;
    assert_eq!(again.run("cat /root/file /usr/bin/file-7").await, "kept\nkept\n");
    assert_eq!(again.run("ls -A /tmp; test ! -e /run/file").await, "");
    assert_eq!(again.run("/lava-7/bin/hello").await, "this is 7\n");
    assert_eq!(again.run("ps -e | grep -c [s]leep || true").await, "0\n");
    // The same address, reachable at once.
    again.send("perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new(Listen => 1, LocalPort => 7000); print \"up\\n\"; $s->accept'").await;
    again.expect("up\r\n").await;
    peer.run("exec 3<>/dev/tcp/alpha/7000").await;
}

async fn a_deployment_is_a_new_disk() {
    let [mut alpha] = sandboxes(["alpha"]).await;
    alpha.deploy(Deployment::of_overlay("sandbox", overlay("7", None))).await.unwrap();
    let mut shell = boot(&mut alpha).await;
    shell.run("touch /root/file").await;
    alpha.deploy(Deployment::of_overlay("sandbox", overlay("8", None))).await.unwrap();
    let mut shell = boot(&mut alpha).await;
    assert_eq!(shell.run("ls -A /root").await, "");
    assert_eq!(shell.run("ls -d /lava-*").await, "/lava-8\n");
}

async fn the_console_outlives_its_shell() {
    let [mut alpha] = sandboxes(["alpha"]).await;
    let mut shell = boot(&mut alpha).await;
    let first = shell.run("echo $$").await;
    shell.send("exit").await;
    shell.expect("root@alpha:~# ").await;
    assert_ne!(shell.run("echo $$").await, first);
    assert_eq!(shell.run("tty").await, "/dev/pts/0\n");
    // Without bash it is whatever sh is.
    shell.run("rm -f /bin/bash /usr/bin/bash && ln -sf dash /usr/bin/sh").await;
    shell.send("exit").await;
    shell.expect("root@alpha:~# ").await;
    assert_eq!(shell.run("echo $0").await, "/bin/sh\n");
    // Without any shell there is no use in trying again.
    shell.send("rm /usr/bin/sh; exit").await;
    shell.expect("cannot run /bin/sh: No such file").await;
    shell.end().await;
}

async fn the_console_ends_with_the_device() {
    let [mut alpha] = sandboxes(["alpha"]).await;
    let mut shell = boot(&mut alpha).await;
    drop(alpha);
    shell.end().await;
}

async fn guests_share_their_host() {
    let [mut alpha] = sandboxes(["alpha"]).await;
    let (mut one, mut two) = (alpha.guest("guest-1"), alpha.guest("guest-2"));
    assert_eq!(one.info().name, "guest-1");
    let error = one.boot(request()).await.err().unwrap();
    assert_eq!((error.class, error.reason.as_deref()), (ErrorClass::Job, Some("guest.unreachable")));

    let mut host = boot(&mut alpha).await;
    host.run("echo from the host >/tmp/note").await;
    one.deploy(Deployment::of_overlay("sandbox", overlay("71", Some("/71-overlay-1.1.5.tar.gz")))).await.unwrap();
    two.deploy(Deployment::of_overlay("sandbox", overlay("72", None))).await.unwrap();
    let mut first = Shell::new(one.boot(request()).await.unwrap());
    let mut second = Shell::new(two.boot(request()).await.unwrap());
    first.expect("root@alpha:~# ").await;
    second.expect("root@alpha:~# ").await;
    assert_eq!(first.run("cat /tmp/note; tty; /lava-71/bin/hello").await, "from the host\n/dev/pts/1\nthis is 71\n");
    assert_eq!(second.run("tty; ls -1d /lava-*").await, "/dev/pts/2\n/lava-71\n/lava-72\n");
    first.run("test -s /71-overlay-1.1.5.tar.gz").await;

    // A guest logs out: its console ends, the host's does not.
    first.send("exit").await;
    first.end().await;
    assert_eq!(host.run("echo here").await, "here\n");
    // The host ends: so do its guests.
    alpha.power_off().await.unwrap();
    second.end().await;
    let error = two.boot(request()).await.err().unwrap();
    assert_eq!(error.reason.as_deref(), Some("guest.unreachable"));
}

async fn orphans_are_reaped() {
    let [mut alpha] = sandboxes(["alpha"]).await;
    let mut shell = boot(&mut alpha).await;
    // The middle one ends first, so the last belongs to PID 1; then wait until it is gone without a trace.
    let orphan = shell.run("sh -c '( sleep 0 & echo $! )'").await;
    shell.run(&format!("while test -e /proc/{}; do :; done", orphan.trim())).await;
}

async fn twenty_at_once() {
    let names: Vec<String> = (0..20).map(|number| format!("node-{number}")).collect();
    let ground = Ground::create(GroundSettings { names: names.clone(), ..GroundSettings::default() }).await.unwrap();
    let mut devices: Vec<_> = names.iter().map(|name| ground.sandbox(SandboxSpec::named(name)).unwrap()).collect();
    let mut shells = join_all(devices.iter_mut().map(boot)).await;
    let said = join_all(shells.iter_mut().map(|shell| shell.run("hostname"))).await;
    assert_eq!(said, names.iter().map(|name| format!("{name}\n")).collect::<Vec<_>>());
    for ended in join_all(devices.iter_mut().map(|device| device.power_off())).await {
        ended.unwrap();
    }
    join_all(shells.iter_mut().map(Shell::end)).await;
}

async fn bad_names_are_refused() {
    for names in [vec!["two words"], vec![""], vec!["same", "same"], vec!["../up"]] {
        let names = names.into_iter().map(String::from).collect();
        let error = Ground::create(GroundSettings { names, ..GroundSettings::default() }).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Configuration, "{error}");
    }
    let names = (0..10).map(|number| format!("n{number}")).collect();
    let network = (std::net::Ipv4Addr::new(10, 0, 0, 0), 29);
    let error = Ground::create(GroundSettings { names, network, ..GroundSettings::default() }).await.unwrap_err();
    assert_eq!(
        error.message,
        "the sandboxes' network 10.0.0.0/29 has addresses for 5 members, not for 10: give a wider one"
    );
    let ground = Ground::create(GroundSettings::default()).await.unwrap();
    assert_eq!(ground.sandbox(SandboxSpec::named("stranger")).unwrap_err().class, ErrorClass::Configuration);
}

async fn the_probe_agrees() {
    probe().await.unwrap();
}

async fn root_may_do_without_a_user_namespace() {
    let settings = GroundSettings { names: vec!["alpha".into()], ..GroundSettings::default() };
    let ground = Ground::create_plain(settings).await;
    if !rustix::process::geteuid().is_root() {
        let error = ground.unwrap_err();
        assert!(error.message.contains("CAP_SYS_ADMIN"), "{error}");
        return;
    }
    let mut alpha = ground.unwrap().sandbox(SandboxSpec::named("alpha")).unwrap();
    let mut shell = boot(&mut alpha).await;
    assert_eq!(shell.run("id -u").await, "0\n");
    shell.run("touch /usr/bin/new /etc/new && rm /usr/bin/env && echo 192.0.2.7 elsewhere >>/etc/hosts").await;
    for command in ["echo 0 >/proc/sys/kernel/printk", "date -s 2001-01-01", "mknod /tmp/disk b 254 0"] {
        let (said, status) = shell.status(&format!("( {command} ) 2>&1")).await;
        assert_ne!(status, 0, "{command}: {said}");
    }
    alpha.power_off().await.unwrap();
}

/// A sandbox is what a container is: an overlay of somebody else's files, other namespaces, no network.
async fn a_sandbox_in_a_sandbox() {
    let [mut alpha] = sandboxes(["alpha"]).await;
    // The folder of this executable need not be visible inside.
    let mut this = archive(|archive| archive.append_path_with_name("/proc/self/exe", "it").unwrap());
    this.file_name = "this.tar.gz".into();
    alpha.deploy(Deployment::of_overlay("sandbox", this)).await.unwrap();
    let mut shell = boot(&mut alpha).await;
    let (said, status) = shell.status("RUST_BACKTRACE=0 /it --exact root::members_reach_each_other 2>&1").await;
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("1 passed"), "{said}");
}

async fn a_full_disk_is_the_device_s_own_trouble() {
    let names = vec!["alpha".into(), "beta".into()];
    let settings = GroundSettings { names, disk_limit: Some(8 << 20), ..GroundSettings::default() };
    let ground = Ground::create(settings).await.unwrap();
    let [mut alpha, mut beta] = ["alpha", "beta"].map(|name| ground.sandbox(SandboxSpec::named(name)).unwrap());
    let (mut full, mut other) = (boot(&mut alpha).await, boot(&mut beta).await);
    for folder in ["/root", "/usr", "/tmp", "/run", "/dev/shm"] {
        let (said, status) = full.status(&format!("head -c 16M /dev/zero 2>&1 >{folder}/big; rm {folder}/big")).await;
        assert!(said.contains("No space left on device"), "{folder}: {status} {said}");
    }
    other.run("head -c 4M /dev/zero >/root/big").await;
    let mut large = archive(|archive| {
        let mut header = tar::Header::new_gnu();
        header.set_size(16 << 20);
        archive.append_data(&mut header, "lava-7/large", std::io::Read::take(std::io::repeat(0), 16 << 20)).unwrap();
    });
    large.file.rewind().unwrap();
    alpha.deploy(Deployment::of_overlay("sandbox", large)).await.unwrap();
    let error = alpha.boot(request()).await.err().unwrap();
    assert!(error.message.contains("No space left on device"), "{error}");
}
