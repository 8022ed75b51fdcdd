//! Definitions from archives, on this machine and over the network.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};

use convoke_dispatcher::error::ErrorClass;
use convoke_job::member::DefinitionFrom;

use crate::world::{SMOKE, World, entry, files, refused, tar_of, url};

scenarios![
    every_compression_is_unpacked,
    leading_directories_are_stripped,
    checksums_are_compared,
    what_is_no_archive_is_named,
    a_server_is_asked,
];

fn packed(kind: &str, bytes: &[u8]) -> Vec<u8> {
    match kind {
        "gz" => {
            let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            out.write_all(bytes).unwrap();
            out.finish().unwrap()
        }
        "bz2" => {
            let mut out = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
            out.write_all(bytes).unwrap();
            out.finish().unwrap()
        }
        "xz" => {
            let mut out = liblzma::write::XzEncoder::new(Vec::new(), 1);
            out.write_all(bytes).unwrap();
            out.finish().unwrap()
        }
        "zst" => zstd::encode_all(bytes, 1).unwrap(),
        _ => bytes.to_vec(),
    }
}

async fn every_compression_is_unpacked() {
    let world = World::new();
    let tar = tar_of("", &[("tests/smoke.yaml", SMOKE), ("more", "text")]);
    for kind in ["tar", "gz", "bz2", "xz", "zst"] {
        for name in [format!("a.tar.{kind}"), "a".into()] {
            std::fs::write(world.path(&name), packed(kind, &tar)).unwrap();
            for place in [world.text(&name), format!("file://{}", world.text(&name))] {
                let fetched = world.fetch(&entry(url(&place), "tests/smoke.yaml")).await.unwrap();
                assert_eq!(fetched.definition.run_steps.len(), 2);
                assert_eq!(fetched.commit, None);
                let files = files(&fetched);
                assert_eq!(files.keys().collect::<Vec<_>>(), ["more", "tests/smoke.yaml"], "{kind}");
                assert_eq!(files["tests/smoke.yaml"], SMOKE);
            }
        }
        let mut from = url(&world.text("a"));
        if let DefinitionFrom::Url { compression, .. } = &mut from {
            *compression = Some(kind.into());
        }
        world.fetch(&entry(from, "tests/smoke.yaml")).await.unwrap();
    }
}

async fn leading_directories_are_stripped() {
    let world = World::new();
    std::fs::write(world.path("a.tar"), tar_of("top/x", &[("tests/smoke.yaml", SMOKE)])).unwrap();
    let at = |count: u32| {
        let mut from = url(&world.text("a.tar"));
        if let DefinitionFrom::Url { strip_components, .. } = &mut from {
            *strip_components = count;
        }
        entry(from, "tests/smoke.yaml")
    };
    assert_eq!(files(&world.fetch(&at(2)).await.unwrap()).keys().collect::<Vec<_>>(), ["tests/smoke.yaml"]);
    refused(world.fetch(&at(0)).await, ErrorClass::Job, "did you mean strip-components: 2?");
    refused(world.fetch(&at(9)).await, ErrorClass::Job, "there is no file");
}

async fn checksums_are_compared() {
    let world = World::new();
    std::fs::write(world.path("a.tar"), b"not an archive").unwrap();
    let with = |name: &str, sum: &str| {
        let mut from = url(&world.text("a.tar"));
        if let DefinitionFrom::Url { checksums, .. } = &mut from {
            *checksums = vec![(name.into(), sum.into())];
        }
        entry(from, "x")
    };
    // A good checksum lets the next trouble show.
    let good = "7A4B9B6CDA7B8E5B6FA4E6D6E2E9BB6A";
    refused(world.fetch(&with("md5sum", good)).await, ErrorClass::Job, "the md5 sum of");
    for (name, bad) in [("sha256sum", "00"), ("sha512sum", "00")] {
        refused(world.fetch(&with(name, bad)).await, ErrorClass::Job, "the job says 00");
    }
    refused(world.fetch(&with("crc", "00")).await, ErrorClass::Job, "is not md5, sha256 or sha512");
    let tar = tar_of("", &[("x", SMOKE)]);
    std::fs::write(world.path("a.tar"), &tar).unwrap();
    for name in ["md5", "sha256", "sha512"] {
        let sum = std::process::Command::new(format!("{name}sum")).arg(world.path("a.tar")).output().unwrap();
        let sum = String::from_utf8(sum.stdout).unwrap();
        world.fetch(&with(&format!("{name}sum"), sum.split(' ').next().unwrap())).await.unwrap();
    }
}

async fn what_is_no_archive_is_named() {
    let world = World::new();
    let at = async |place: &str| world.fetch(&entry(url(place), "x")).await;
    refused(at(&world.text("absent")).await, ErrorClass::Job, "cannot read the archive");
    refused(at(&world.text("")).await, ErrorClass::Job, "is not a file");
    std::fs::write(world.path("text.tar"), "x".repeat(3000)).unwrap();
    refused(at(&world.text("text.tar")).await, ErrorClass::Job, "not a whole tar archive");
    std::fs::write(world.path("empty.tar"), "").unwrap();
    refused(at(&world.text("empty.tar")).await, ErrorClass::Job, "not a tar archive");
    let whole = packed("gz", &tar_of("", &[("x", SMOKE), ("y", &"z".repeat(5000))]));
    std::fs::write(world.path("cut.tar.gz"), &whole[..whole.len() / 2]).unwrap();
    refused(at(&world.text("cut.tar.gz")).await, ErrorClass::Job, "not a whole tar archive");
    refused(at("ftp://example.com/x.tar").await, ErrorClass::Job, "only http, https and file");
    let mut from = url(&world.text("empty.tar"));
    if let DefinitionFrom::Url { compression, .. } = &mut from {
        *compression = Some("zip".into());
    }
    refused(world.fetch(&entry(from, "x")).await, ErrorClass::Job, "the compression \"zip\"");
}

/// A server that gives one answer after another and remembers the requests.
fn server(answers: Vec<Vec<u8>>) -> (SocketAddr, std::thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let thread = std::thread::spawn(move || {
        let mut requests = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            let mut byte = [0];
            while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() > 0 {
                request.push(byte[0]);
            }
            requests.push(String::from_utf8(request).unwrap());
            stream.write_all(&answer).unwrap();
        }
        requests
    });
    (address, thread)
}

async fn a_server_is_asked() {
    let world = World::new();
    let body = packed("gz", &tar_of("", &[("x.yaml", SMOKE)]));
    let answer = |status: &str, body: &[u8], length: usize| {
        let mut out =
            format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n").into_bytes();
        out.extend(body);
        out
    };
    let (address, thread) = server(vec![
        answer("200 OK", &body, body.len()),
        answer("404 Not Found", b"", 0),
        answer("503 Busy", b"", 0),
        answer("200 OK", &body[..20], body.len()),
    ]);
    let mut from = url(&format!("http://me:secret@{address}/a.tar.gz?x=1"));
    if let DefinitionFrom::Url { headers, .. } = &mut from {
        *headers = vec![("X-Token".into(), "abc".into())];
    }
    let entry = entry(from, "x.yaml");
    assert_eq!(files(&world.fetch(&entry).await.unwrap())["x.yaml"], SMOKE);
    let missing = world.fetch(&entry).await;
    assert!(!missing.as_ref().unwrap_err().1.contains("secret"), "{missing:?}");
    refused(missing, ErrorClass::Job, "the server answers 404");
    refused(world.fetch(&entry).await, ErrorClass::Infrastructure, "the server answers 503");
    refused(world.fetch(&entry).await, ErrorClass::Infrastructure, "broke off");
    let requests = thread.join().unwrap();
    assert!(requests[0].to_ascii_lowercase().contains("x-token: abc"), "{requests:?}");
    refused(world.fetch(&entry).await, ErrorClass::Infrastructure, "cannot download");
}
