//! Overlays in an initramfs.

use std::io::Read;

use convoke_artifact::{Artifact, Fault};
use serde_json::json;

use crate::world::{World, overlay};

scenarios![appended_to_a_plain_archive, appended_to_a_packed_archive];

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
