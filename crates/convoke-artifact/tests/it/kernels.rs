//! What was made, on a machine that boots it: a kernel is the judge of an initramfs and of file systems.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use convoke_artifact::{Artifact, DiskOrder, overlay_disk};
use serde_json::json;
use uuid::Uuid;

use crate::world::{Ended, World, overlay};

scenarios![a_kernel_finds_it_all, a_kernel_unpacks_what_is_packed];

/// The guest of the tests, made by `cargo xtask images`.
fn guest(name: &str) -> PathBuf {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/images")).join(name);
    assert!(path.exists(), "{} is missing; run cargo xtask images", path.display());
    path
}

const PROMPT: &[u8] = b"root@dut:~# ";

/// Boots a machine, types `line` at its shell; gives what comes before the next prompt.
fn boot(initramfs: &Artifact, disks: &[PathBuf], line: &str) -> String {
    let mut command = Command::new("qemu-system-x86_64");
    command.args("-machine pc -accel tcg -cpu max -smp 1 -m 256 -nodefaults -display none -serial stdio".split(' '));
    command.arg("-kernel").arg(guest("vmlinuz")).arg("-initrd").arg(initramfs.path()).args(["-no-reboot", "-append"]);
    command.arg("console=ttyS0 quiet panic=-1 mitigations=off nokaslr no_timer_check tsc=reliable random.trust_cpu=on");
    for disk in disks {
        command.arg("-drive").arg(format!("file={},format=raw,if=virtio,snapshot=on", disk.display()));
    }
    let mut machine = Ended(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap());
    let (mut typed, mut console) = (machine.0.stdin.take().unwrap(), machine.0.stdout.take().unwrap());
    let mut seen = Vec::new();
    let mut until_prompt = || {
        seen.clear();
        while !seen.ends_with(PROMPT) {
            let mut byte = [0];
            let count = console.read(&mut byte).unwrap();
            assert!(count == 1, "the machine ended: {}", String::from_utf8_lossy(&seen));
            seen.push(byte[0]);
        }
        String::from_utf8_lossy(&seen).into_owned()
    };
    until_prompt();
    writeln!(typed, "{line}").unwrap();
    until_prompt()
}

async fn a_kernel_finds_it_all() {
    let world = World::new();
    world.shell(&format!("gzip -1 <{} >base.gz", guest("base.cpio").display()));
    world.shell(
        "truncate -s 12M disk; printf 'label: gpt\\n start=2048, size=16384\\n' | sfdisk -q disk
         mke2fs -q -t ext4 -E offset=$((2048*512)) disk 8M",
    );
    let lava = overlay();
    let initramfs = json!({"url": "base.gz", "format": "cpio.newc", "overlays": {"lava": true}});
    let initramfs = world.prepare(initramfs, Some(&lava)).await.unwrap();
    let image = json!({"url": "disk", "format": "ext4", "partition": 1, "overlays": {"lava": true}});
    let image = world.prepare(image, Some(&lava)).await.unwrap();
    let order =
        DiskOrder { scratch: world.path("scratch"), folder: "/lava-77".into(), size: 16 << 20, uuid: Uuid::new_v4() };
    let disk = overlay_disk(&order, &lava).await.unwrap();
    let line = format!(
        "sh /lava-77/bin/lava-test-runner; stat -c '%a %u %h' /lava-77/hard /lava-77/empty; mkdir /a /b; \
         mount -t ext2 /dev/disk/by-uuid/{} /a && mount /dev/vda1 /b && cat /a/environment && sh /b/lava-77/link",
        disk.uuid
    );
    let paths = [image.path(), disk.path()];
    let seen = tokio::task::spawn_blocking(move || boot(&initramfs, &paths, &line)).await.unwrap();
    let lines: Vec<&str> = seen.lines().map(str::trim).collect();
    let wanted = ["run", "644 0 2", "600 0 1", "export A='b'", "run"];
    assert!(lines.windows(wanted.len()).any(|lines| lines == wanted), "{seen}");
}

async fn a_kernel_unpacks_what_is_packed() {
    let world = World::new();
    // The kernel itself unpacks the first archive; ours stands behind it.
    world.shell(&format!("xz --check=crc32 -1 <{} >base.xz", guest("base.cpio").display()));
    let initramfs = json!({"url": "base.xz", "format": "cpio.newc", "overlays": {"lava": true}});
    let initramfs = world.prepare(initramfs, Some(&overlay())).await.unwrap();
    let line = "sh /lava-77/bin/lava-test-runner";
    let seen = tokio::task::spawn_blocking(move || boot(&initramfs, &[], line)).await.unwrap();
    assert!(seen.contains("\nrun\r\n"), "{seen}");
}
