//! The overlay on a disk of its own, and handed out over http.

use std::io::{Read, Seek, Write};
use std::net::TcpStream;

use convoke_artifact::{DiskOrder, Fault, HandOut, overlay_disk};
use uuid::Uuid;

use crate::world::{Tar, World, overlay, tar};

scenarios![a_disk_of_its_own, a_disk_that_is_too_small, handed_out_once, handed_out_to_those_who_know];

fn order(world: &World, size: u64) -> DiskOrder {
    DiskOrder { scratch: world.path("scratch"), folder: "/lava-77".into(), size, uuid: Uuid::from_u128(77) }
}

async fn a_disk_of_its_own() {
    let world = World::new();
    let disk = overlay_disk(&order(&world, 512 << 20), &overlay()).await.unwrap();
    let path = disk.path().display().to_string();
    assert_eq!(
        world.shell(&format!("e2fsck -fn {path} >/dev/null 2>&1; blkid -s UUID -o value {path}")),
        format!("{}\n", disk.uuid)
    );
    assert_eq!(world.shell(&format!("debugfs -R 'cat /environment' {path} 2>/dev/null")), "export A='b'\n");
    let stat = world.shell(&format!("debugfs -R 'stat /bin/lava-test-runner' {path} 2>/dev/null"));
    assert!(stat.contains("Mode:  0755"), "{stat}");
    assert!(world.shell(&format!("debugfs -R 'stat /hard' {path} 2>/dev/null")).contains("Links: 2"));
    // It is sparse.
    let blocks = world.shell(&format!("stat -Lc %b {path}"));
    assert!(blocks.trim().parse::<u64>().unwrap() * 512 < 64 << 20, "{blocks}");
    assert_eq!(std::fs::read_dir(world.path("scratch")).unwrap().count(), 0);
}

async fn a_disk_that_is_too_small() {
    let world = World::new();
    let error = overlay_disk(&order(&world, 1000), &overlay()).await.unwrap_err();
    assert!(error.fault == Fault::Lab && error.message.contains("guest.size"), "{error}");
    let large = tar(&[Tar::File("lava-77/large", 0o644, &[b'x'; 3 << 20])]);
    let error = overlay_disk(&order(&world, 2 << 20), &large).await.unwrap_err();
    assert!(error.message.starts_with("there is no room in the overlay disk for its overlays"), "{error}");
}

async fn handed_out_once() {
    let world = World::new();
    let mut file = overlay();
    let mut whole = Vec::new();
    file.rewind().unwrap();
    file.read_to_end(&mut whole).unwrap();
    let out = HandOut::start(listener().await, file, "overlay.tar.gz").unwrap();
    let url = out.url();
    let (there, path) = (url.clone(), url.clone());
    assert!(url.contains("/tmp/") && url.ends_with("/overlay.tar.gz"), "{url}");
    // A client that breaks off leaves it there.
    let path = path.strip_prefix("http://").unwrap();
    let (host, path) = path.split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    write!(stream, "GET /{path} HTTP/1.0\r\n").unwrap();
    drop(stream);
    assert!(!out.taken());
    let (refused, world) = tokio::task::spawn_blocking(move || {
        world.shell(&format!("busybox wget -q -O got {there}"));
        let again = world.shell(&format!("busybox wget -q -O again {there} 2>&1 || echo refused"));
        (again, world)
    })
    .await
    .unwrap();
    assert!(refused.contains("410") && refused.contains("refused"), "{refused}");
    assert!(crate::world::read(&world.path("got")) == whole);
    assert!(out.taken());
    // With it goes its port.
    let host = host.to_owned();
    drop(out);
    while TcpStream::connect(&host).is_ok() {
        tokio::task::yield_now().await;
    }
}

async fn handed_out_to_those_who_know() {
    let out = HandOut::start(listener().await, overlay(), "overlay.tar.gz").unwrap();
    let host = out.url()["http://".len()..].split('/').next().unwrap().to_owned();
    let path = out.url()["http://".len() + host.len()..].to_owned();
    let ask = move |request: String| {
        let mut stream = TcpStream::connect(&host).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.lines().next().unwrap_or_default().to_owned()
    };
    let answers = tokio::task::spawn_blocking(move || {
        [
            ask("GET /tmp/overlay.tar.gz HTTP/1.1\r\n\r\n".into()),
            ask("GET / HTTP/1.1\r\n\r\n".into()),
            ask(format!("POST {path} HTTP/1.1\r\n\r\n")),
            ask(format!("HEAD {path} HTTP/1.1\r\n\r\n")),
            ask(format!("GET {}\r\n\r\n", "x".repeat(9000))),
        ]
    });
    let answers = answers.await.unwrap().map(|line| line.split(' ').nth(1).unwrap_or_default().to_owned());
    assert_eq!(answers, ["404", "404", "405", "200", "404"]);
    assert!(!out.taken());
}

async fn listener() -> tokio::net::TcpListener {
    tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap()
}
