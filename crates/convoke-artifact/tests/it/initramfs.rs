//! Overlays in an initramfs.

use std::io::Read;

use convoke_artifact::{Artifact, Fault};
use serde_json::json;

use crate::world::{Tar, World, overlay, tar};

scenarios![appended_to_a_plain_archive, appended_to_a_packed_archive, folders_keep_their_modes, no_initramfs,];

const BASE: &str = "mkdir -p root/bin root/tmp root/root && chmod 1777 root/tmp && chmod 700 root/root &&
    head -c 3000 /dev/urandom >root/bin/hello && ln -s bin root/sbin && (cd root && find . | cpio --quiet -R 0:0 -o -H newc) >base.cpio";

/// What is in an initramfs of several members, as the kernel would see it.
fn listing(world: &World, artifact: &mut Artifact) -> String {
    let mut bytes = Vec::new();
    std::io::Seek::rewind(&mut artifact.file).unwrap();
    artifact.file.read_to_end(&mut bytes).unwrap();
    // Each archive is read by cpio, which stops at its trailer and leaves the rest to the next.
    let second = bytes.windows(6).rposition(|six| six == b"TRAILE").unwrap();
    let first = bytes[..second].windows(6).rposition(|six| six == b"TRAILE");
    let start = first.map_or(0, |at| at + 10);
    let start = start + bytes[start..].windows(6).position(|six| six == b"070701").unwrap();
    assert_eq!(start % 4, 0);
    world.shell_with("cpio --quiet -itvn", &bytes[start..])
}

async fn appended_to_a_plain_archive() {
    let world = World::new();
    world.shell(BASE);
    let url = format!("file://{}", world.path("base.cpio").display());
    let resource = json!({"url": url, "format": "cpio.newc", "overlays": {"lava": true}});
    let mut made = world.prepare(resource, Some(&overlay())).await.unwrap();
    let list = listing(&world, &mut made);
    assert!(list.contains("-rwxr-xr-x   1 0        0"), "{list}");
    assert!(list.contains("lava-77/link -> bin/lava-test-runner"), "{list}");
}

async fn appended_to_a_packed_archive() {
    let world = World::new();
    world.shell(BASE);
    world.shell("gzip -9 <base.cpio >base.gz; head -c 2000 base.gz >cut.gz; echo nonsense | gzip >none.gz");
    for compression in [None, Some("gz")] {
        let resource = json!({"url": "base.gz", "format": "cpio.newc", "compression": compression,
            "overlays": {"lava": true}});
        let mut made = world.prepare(resource, Some(&overlay())).await.unwrap();
        assert!(made.own);
        assert!(listing(&world, &mut made).contains("lava-77/hard"));
        let resource = json!({"url": "cut.gz", "format": "cpio.newc", "compression": compression,
            "overlays": {"lava": true}});
        let error = world.prepare(resource, Some(&overlay())).await.unwrap_err();
        assert_eq!(error.fault, Fault::Job);
        assert!(error.message.contains("cut.gz ends early: it is not a whole "), "{error}");
    }
}

async fn folders_keep_their_modes() {
    let world = World::new();
    world.shell(BASE);
    world.shell("gzip -k base.cpio");
    let tree = tar(&[
        Tar::File("tmp/x", 0o644, b"x"),
        Tar::Dir("root", 0o755),
        Tar::File("sbin/tool", 0o755, b"x"),
        Tar::File("srv/new/x", 0o644, b"x"),
    ]);
    for url in ["base.cpio", "base.cpio.gz"] {
        let resource = json!({"url": url, "format": "cpio.newc", "overlays": {"lava": true}});
        let mut made = world.prepare(resource, Some(&tree)).await.unwrap();
        let list = listing(&world, &mut made);
        let names: Vec<&str> = list.lines().filter_map(|line| line.split(' ').next_back()).collect();
        // Neither a folder that is there nor a link to one; those that are not come first.
        assert_eq!(names, ["tmp/x", "sbin/tool", "srv", "srv/new", "srv/new/x"]);
    }
}

async fn no_initramfs() {
    let world = World::new();
    world.shell(BASE);
    world.shell(
        "echo text >text; : >empty; echo text | gzip >packed; (cd root && find . | cpio --quiet -o -H odc) >odc
         size=$(stat -c %s base.cpio); head -c $((size / 2)) base.cpio >cut; (cat base.cpio; echo text) >more",
    );
    for (url, words) in [
        ("text", "is no cpio.newc archive, nor one packed"),
        ("empty", "is empty"),
        ("packed", "there is no cpio.newc archive in it"),
        ("odc", "the old portable format"),
        ("cut", "ends early: it is not a whole cpio.newc archive"),
        ("more", "is no cpio.newc archive"),
    ] {
        let resource = json!({"url": url, "format": "cpio.newc", "overlays": {"lava": true}});
        let error = world.prepare(resource, Some(&overlay())).await.unwrap_err();
        assert!(error.fault == Fault::Job && error.message.contains(words), "{url}: {error}");
    }
}
