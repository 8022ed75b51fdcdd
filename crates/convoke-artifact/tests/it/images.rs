//! Overlays in file systems and archives, looked at with e2fsprogs and tar.

use convoke_artifact::{Artifact, Fault, Origin};
use serde_json::{Value, json};

use crate::server::{Server, good};
use crate::world::{Tar, World, content, overlay, read, tar, tar_bytes};

scenarios![
    a_whole_file_system,
    all_kinds_and_sizes,
    what_exists_is_respected,
    names_of_all_kinds,
    many_files,
    further_overlays,
    a_partition_of_a_disk,
    no_room,
    not_an_image_of_that_kind,
    a_journal_is_replayed_first,
    the_sparse_form,
    a_damaged_sparse_form,
    an_archive,
    no_whole_archive,
    nothing_is_copied_without_need,
    references_to_earlier_downloads,
];

const EXT4: &str = "truncate -s 8M image && mke2fs -q -t ext4 image";

fn into_ext4(url: &str) -> Value {
    json!({"url": url, "format": "ext4", "overlays": {"lava": true}})
}

/// Checks the file system, then asks debugfs.
#[track_caller]
fn debugfs(world: &World, made: &Artifact, offset: u64, request: &str) -> String {
    let image = format!("{}?offset={offset}", made.path().display());
    world.shell(&format!("e2fsck -fn '{image}' >check 2>&1 || {{ cat check; exit 1; }}"));
    let script = format!("debugfs -R '{request}' '{image}' 2>said; grep -v ^debugfs.1 said || :");
    world.shell(&script)
}

async fn a_whole_file_system() {
    let world = World::new();
    world.shell(EXT4);
    let before = read(&world.path("image"));
    let made = world.prepare(into_ext4("image"), Some(&overlay())).await.unwrap();
    assert_eq!(debugfs(&world, &made, 0, "cat /lava-77/environment"), "export A='b'\n");
    let stat = debugfs(&world, &made, 0, "stat /lava-77/bin/lava-test-runner");
    assert!(stat.contains("Type: regular    Mode:  0755"), "{stat}");
    assert!(stat.contains("User:     0   Group:     0"), "{stat}");
    assert!(stat.contains("mtime: 0x00015180"), "{stat}");
    assert!(debugfs(&world, &made, 0, "stat /lava-77/link").contains("Fast link dest: \"bin/lava-test-runner\""));
    assert!(debugfs(&world, &made, 0, "stat /lava-77/hard").contains("Links: 2"));
    assert!(debugfs(&world, &made, 0, "stat /lava-77/empty").contains("Mode:  0600"));
    // The image itself is as it was.
    assert!(before == read(&world.path("image")));
}

async fn all_kinds_and_sizes() {
    let world = World::new();
    world.shell(EXT4);
    world.shell(
        "mkdir -p o/dir && cd o && head -c 3000000 /dev/urandom >dir/large && mkfifo fifo && chmod 640 fifo &&
         if [ $(id -u) = 0 ]; then mknod tty c 5 1; fi && cd .. &&
         tar -c --owner 1000:1000 --group 70000 --numeric-owner --xz -f o.tar.xz -C o .",
    );
    let resource = json!({"url": "image", "format": "ext4", "overlays": {
        "more": {"url": "o.tar.xz", "format": "tar", "path": "/srv"}}});
    let made = world.prepare(resource, None).await.unwrap();
    let stat = debugfs(&world, &made, 0, "stat /srv/dir/large");
    assert!(stat.contains("User:  1000   Group: 70000"), "{stat}");
    debugfs(&world, &made, 0, "dump /srv/dir/large back");
    world.shell("cmp back o/dir/large");
    assert!(debugfs(&world, &made, 0, "stat /srv/fifo").contains("Type: FIFO    Mode:  0640"));
    if world.path("o/tty").exists() {
        assert!(debugfs(&world, &made, 0, "stat /srv/tty").contains("Device major/minor number: 05:01"));
    }
}

async fn what_exists_is_respected() {
    let world = World::new();
    world.shell(
        "mkdir -p root/usr/bin root/root root/tmp && ln -s usr/bin root/bin && ln -s /usr/bin root/sbin &&
         chmod 700 root/root && chmod 1777 root/tmp && echo old >root/root/file && echo old >root/usr/bin/tool &&
         truncate -s 8M image && mke2fs -q -t ext4 -d root image",
    );
    let tree = tar(&[
        Tar::Dir("root", 0o755),
        Tar::File("root/file", 0o600, b"new\n"),
        Tar::File("tmp/implied", 0o644, b"x"),
        Tar::File("bin/tool", 0o755, b"new\n"),
        Tar::File("sbin/other", 0o755, b"there\n"),
    ]);
    let made = world.prepare(into_ext4("image"), Some(&tree)).await.unwrap();
    assert!(debugfs(&world, &made, 0, "stat /root").contains("Mode:  0700"));
    assert!(debugfs(&world, &made, 0, "stat /tmp").contains("Mode:  01777"));
    assert_eq!(debugfs(&world, &made, 0, "cat /root/file"), "new\n");
    assert_eq!(debugfs(&world, &made, 0, "cat /usr/bin/tool"), "new\n");
    assert_eq!(debugfs(&world, &made, 0, "cat /usr/bin/other"), "there\n");
    assert!(debugfs(&world, &made, 0, "stat /bin").contains("Type: symlink"));
    let clash = tar(&[Tar::File("tmp", 0o644, b"x")]);
    let error = world.prepare(into_ext4("image"), Some(&clash)).await.unwrap_err();
    assert!(error.message.contains("/tmp is a file in an overlay, but a folder in"), "{error}");
    let clash = tar(&[Tar::Dir("root/file", 0o755)]);
    let error = world.prepare(into_ext4("image"), Some(&clash)).await.unwrap_err();
    assert!(error.message.contains("/root/file is a folder in an overlay, but a file in"), "{error}");
}

async fn names_of_all_kinds() {
    let world = World::new();
    world.shell(EXT4);
    let names = ["a b", "quo\"te", "-dash", "<7>", "é", "$HOME", "back\\slash", "#hash", "semi;colon", "it's"];
    let entries: Vec<Tar> = names.iter().map(|name| Tar::File(name, 0o644, name.as_bytes())).collect();
    let made = world.prepare(into_ext4("image"), Some(&tar(&entries))).await.unwrap();
    world.shell("mkdir back");
    debugfs(&world, &made, 0, "rdump / back");
    for name in names {
        assert_eq!(read(&world.path("back").join(name)), name.as_bytes(), "{name}");
    }
    let error = world.prepare(into_ext4("image"), Some(&tar(&[Tar::File("a\nb", 0o644, b"")]))).await.unwrap_err();
    assert!(error.fault == Fault::Job && error.message.contains("control character"), "{error}");
}

async fn many_files() {
    let world = World::new();
    world.shell(EXT4);
    world.shell("mkdir o; i=0; while [ $i -lt 450 ]; do echo $i >o/$i; i=$((i+1)); done; tar -cf o.tar o");
    let tree = std::fs::File::open(world.path("o.tar")).unwrap();
    let made = world.prepare(into_ext4("image"), Some(&tree)).await.unwrap();
    world.shell("mkdir back");
    debugfs(&world, &made, 0, "rdump /o back");
    world.shell("diff -r o back/o");
}

async fn further_overlays() {
    let world = World::new();
    world.shell(EXT4);
    world.file("firmware.bin", b"firmware");
    world.shell("gzip -k firmware.bin");
    let resource = json!({"url": "image", "format": "ext4", "overlays": {
        "lava": true,
        "plain": {"url": "firmware.bin", "format": "file", "path": "/lib/firmware/"},
        "named": {"url": "firmware.bin.gz", "compression": "gz", "format": "file", "path": "/etc/other"}}});
    let made = world.prepare(resource, Some(&overlay())).await.unwrap();
    for path in ["/lib/firmware/firmware.bin", "/etc/other"] {
        assert_eq!(debugfs(&world, &made, 0, &format!("cat {path}")), "firmware");
    }
    let resource = json!({"url": "image", "format": "ext4", "overlays": {
        "bad": {"url": "firmware.bin", "format": "tar", "path": "/"}}});
    let error = world.prepare(resource, None).await.unwrap_err();
    assert!(
        error.fault == Fault::Job && error.message.starts_with("overlay bad is not a whole tar archive"),
        "{error}"
    );
    let resource = json!({"url": "image", "format": "ext4", "overlays": {
        "gone": {"url": "gone", "format": "tar", "path": "/"}}});
    let error = world.prepare(resource, None).await.unwrap_err();
    assert!(error.message.starts_with("overlay gone: cannot read "), "{error}");
}

async fn a_partition_of_a_disk() {
    for label in ["gpt", "dos"] {
        let world = World::new();
        world.shell(&format!(
            "truncate -s 24M disk
             printf 'label: {label}\\n start=2048, size=4096\\n start=8192, size=16384\\n' | sfdisk -q disk
             mke2fs -q -t ext4 -E offset=$((8192*512)) disk 8M"
        ));
        let resource = |partition: Value| json!({"url": "disk", "format": "ext4", "partition": partition, "overlays": {"lava": true}});
        let made = world.prepare(resource(2.into()), Some(&overlay())).await.unwrap();
        assert_eq!(made.size, 24 << 20);
        assert_eq!(debugfs(&world, &made, 8192 * 512, "cat /lava-77/environment"), "export A='b'\n");
        world.shell(&format!("sfdisk -q -V {}", made.path().display()));
        for (partition, words) in [
            (1.into(), "partition 1 of "),
            (7.into(), "has no partition 7: it has partitions 1, 2"),
            (Value::Null, "it is a disk with one in partition 2: say `partition`"),
        ] {
            let error = world.prepare(resource(partition), Some(&overlay())).await.unwrap_err();
            assert!(error.fault == Fault::Job && error.message.contains(words), "{error}");
        }
    }
    let world = World::new();
    world.shell(
        "truncate -s 24M disk
         printf 'label: dos\\n start=2048, size=40000, type=5\\n start=4096, size=4096\\n start=10240, size=16384\\n' |
             sfdisk -q disk
         mke2fs -q -t ext2 -E offset=$((10240*512)) disk 8M",
    );
    let resource = json!({"url": "disk", "format": "ext4", "partition": 6, "overlays": {"lava": true}});
    let made = world.prepare(resource, Some(&overlay())).await.unwrap();
    assert_eq!(debugfs(&world, &made, 10240 * 512, "cat /lava-77/environment"), "export A='b'\n");
}

async fn no_room() {
    let world = World::new();
    world.shell(EXT4);
    world.shell("head -c 9000000 /dev/urandom >large");
    let resource = json!({"url": "image", "format": "ext4", "overlays": {
        "large": {"url": "large", "format": "file", "path": "/large"}}});
    let error = world.prepare(resource, None).await.unwrap_err();
    assert_eq!(error.fault, Fault::Job);
    assert!(
        error.message.contains("there is no room in ") && error.message.ends_with("their files take 8789 KiB"),
        "{error}"
    );
    // Without inodes.
    world.shell("truncate -s 1M few && mke2fs -q -t ext2 -N 16 few");
    let error = world.prepare(into_ext4("few"), Some(&overlay())).await.unwrap_err();
    assert!(error.message.contains("there is no room in "), "{error}");
}

async fn not_an_image_of_that_kind() {
    let world = World::new();
    world.shell(&format!(
        "{EXT4}; echo text >text; : >empty; printf 'QFI\\373' >qcow; head -c 100000 /dev/zero >zeros; head -c 3000 image >cut"
    ));
    for (url, words) in [
        ("text", "is no ext2, ext3 or ext4 file system"),
        ("empty", "is no ext2"),
        ("qcow", "it is a qcow2 image"),
        ("zeros", "is no ext2"),
        ("cut", "cannot be used"),
    ] {
        let error = world.prepare(into_ext4(url), Some(&overlay())).await.unwrap_err();
        assert!(error.fault == Fault::Job && error.message.contains(words), "{url}: {error}");
    }
}

async fn a_journal_is_replayed_first() {
    let world = World::new();
    world.shell(EXT4);
    world.shell("debugfs -w -R 'feature needs_recovery' image 2>&1; dumpe2fs -h image 2>&1 | grep needs_recovery");
    let made = world.prepare(into_ext4("image"), Some(&overlay())).await.unwrap();
    assert_eq!(debugfs(&world, &made, 0, "cat /lava-77/environment"), "export A='b'\n");
    assert!(!debugfs(&world, &made, 0, "features").contains("needs_recovery"));
}

/// An image in sparse form: raw blocks, holes, and a filled block.
fn sparse(plain: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut chunks = 0u32;
    for block in plain.chunks(4096) {
        chunks += 1;
        let word = |kind: u16, data: &[u8]| {
            let mut chunk = [kind.to_le_bytes(), [0; 2]].concat();
            chunk.extend(1u32.to_le_bytes());
            chunk.extend((12 + data.len() as u32).to_le_bytes());
            chunk.extend(data);
            chunk
        };
        out.extend(if block.iter().all(|byte| *byte == 0) {
            word(0xcac3, b"")
        } else if block.chunks(4).all(|four| four == &block[..4]) {
            word(0xcac2, &block[..4])
        } else {
            word(0xcac1, block)
        });
    }
    let mut head = vec![0x3a, 0xff, 0x26, 0xed, 1, 0, 0, 0, 28, 0, 12, 0];
    for number in [4096, (plain.len() / 4096) as u32, chunks, 0] {
        head.extend(number.to_le_bytes());
    }
    [head, out].concat()
}

async fn the_sparse_form() {
    let world = World::new();
    world.shell(EXT4);
    let mut plain = read(&world.path("image"));
    let end = plain.len() - 4096;
    plain[end..].fill(b'f');
    world.file("image.simg", &sparse(&plain));
    let resource = json!({"url": "image.simg", "format": "ext4", "sparse": true, "overlays": {"lava": true}});
    let made = world.prepare(resource, Some(&overlay())).await.unwrap();
    assert_eq!(debugfs(&world, &made, 0, "cat /lava-77/environment"), "export A='b'\n");
    let bytes = content(&made);
    assert!(bytes.len() == plain.len() && bytes[end..] == plain[end..]);
    assert!(made.notes[0].contains("sparse form"));
}

async fn a_damaged_sparse_form() {
    let world = World::new();
    let whole = sparse(&[b'a', b'b', 0, 0].repeat(4096));
    let mut longer = whole.clone();
    longer[16] = 1;
    for (bytes, words) in [
        (whole[..20].to_vec(), "it ends early"),
        (whole[..40].to_vec(), "it ends early"),
        (longer, "it is longer than it says"),
        ([&whole[..28], &[0xff; 12]].concat(), "longer than it says"),
    ] {
        world.file("image", &bytes);
        let error = world.prepare(into_ext4("image"), Some(&overlay())).await.unwrap_err();
        assert!(error.fault == Fault::Job && error.message.contains(words), "{error}");
    }
}

async fn an_archive() {
    let world = World::new();
    world.shell(
        "mkdir -p base/tmp && chmod 1777 base/tmp && echo b >base/b && tar -cf base.tar -C base . && gzip -k base.tar",
    );
    for resource in [json!({"url": "base.tar"}), json!({"url": "base.tar.gz", "compression": "gz"})] {
        let mut resource = resource;
        resource["format"] = "tar".into();
        resource["overlays"] = json!({"lava": true, "more": {"url": "base/b", "format": "file", "path": "/tmp/b"}});
        let made = world.prepare(resource, Some(&overlay())).await.unwrap();
        let list = world.shell(&format!("tar -tvf {}", made.path().display()));
        for line in
            ["./b\n", " lava-77/bin/lava-test-runner\n", "lava-77/hard link to lava-77/environment\n", " tmp/b\n"]
        {
            assert!(list.contains(line), "{list}");
        }
        world.shell(&format!("mkdir -p back && tar -xpf {} -C back && cmp back/tmp/b base/b", made.path().display()));
        assert_eq!(world.shell("stat -c %a back/tmp; rm -rf back"), "1777\n");
    }
}

async fn no_whole_archive() {
    let world = World::new();
    world.file("base.tar", &tar_bytes(&[Tar::File("a", 0o644, &[b'x'; 5000])]));
    world.shell("truncate -s 1M holes; tar -Scf sparse.tar holes; gzip -k base.tar; head -c 3000 base.tar >cut.tar; echo text >text; : >empty");
    for (url, words) in [
        ("base.tar.gz", "say `compression: gz`"),
        ("cut.tar", "not a whole tar archive"),
        ("text", "not a whole tar archive"),
        ("empty", "is empty"),
        ("sparse.tar", "holds holes in sparse form"),
    ] {
        let resource = json!({"url": url, "format": "tar", "overlays": {"lava": true}});
        let error = world.prepare(resource, Some(&overlay())).await.unwrap_err();
        assert!(error.fault == Fault::Job && error.message.contains(words), "{url}: {error}");
    }
}

async fn nothing_is_copied_without_need() {
    use std::os::unix::fs::MetadataExt;
    let world = World::cached();
    world.shell(EXT4);
    let inode = |made: &Artifact| made.file.metadata().unwrap().ino();
    for resource in [json!({"url": "image"}), into_ext4("image")] {
        let made = world.prepare(resource, None).await.unwrap();
        assert_eq!(inode(&made), world.path("image").metadata().unwrap().ino());
        assert!(!made.own && made.origin == Origin::Here);
    }
    // What is packed is unpacked once; of a local file only when it cannot have changed within the same tick.
    world.shell("gzip -k image");
    let packed = read(&world.path("image.gz"));
    let server = Server::start(move |asked, stream| good(asked, stream, "\"1\"", &packed));
    for (url, same) in [(server.url("/image.gz"), true), ("image.gz".into(), false)] {
        let resource = json!({"url": url, "compression": "gz"});
        let first = world.prepare(resource.clone(), None).await.unwrap();
        let second = world.prepare(resource, None).await.unwrap();
        assert_eq!(inode(&first) == inode(&second), same, "{url}");
        assert!(content(&second) == read(&world.path("image")));
    }
}

async fn references_to_earlier_downloads() {
    let world = World::new();
    world.file("got", b"bytes");
    let mut order = world.order(json!({"url": "downloads://got"}));
    let error = convoke_artifact::prepare(&order, None, |_| ()).await.unwrap_err();
    assert!(error.fault == Fault::Job && error.message.contains("nothing was downloaded before"), "{error}");
    order.downloads.insert("got".into(), world.path("got"));
    let made = convoke_artifact::prepare(&order, None, |_| ()).await.unwrap();
    assert_eq!(content(&made), b"bytes");
}
