//! How long preparing takes: `cargo bench -p convoke-artifact`. Median, least and most of several runs, with a plain copy of
//! the same file beside it.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use convoke_artifact::{Cache, DiskOrder, Order, Resource, overlay_disk, prepare};
use serde_json::{Value, json};

const RUNS: usize = 11;

fn main() -> ExitCode {
    // This executable is its own stages.
    if let Some(code) = convoke_children::dispatch_stage(&convoke_artifact::STAGES) {
        return code;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(measure());
    ExitCode::SUCCESS
}

async fn measure() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    shell(
        folder,
        "mkdir tree scratch && head -c 25000000 /dev/urandom >tree/data && (cd tree && find . | cpio --quiet -o -H newc) >base.cpio
         head -c 200000000 /dev/urandom >data && mkdir root && ln data root/data
         truncate -s 1G image && /sbin/mke2fs -q -t ext4 -d root image && gzip -1 <data >data.gz",
    );
    let overlay = overlay();
    let url = serve(folder.join("data"));
    let file = |name: &str| json!({"url": folder.join(name)});
    let with =
        |name: &str, format: &str| json!({"url": folder.join(name), "format": format, "overlays": {"lava": true}});
    let order = |resource: &Value, kept: bool| Order {
        resource: Resource::from_value(resource).unwrap(),
        scratch: folder.join("scratch"),
        base: folder.to_owned(),
        cache: kept.then(|| Cache { folder: folder.join("cache"), limit: Cache::LIMIT }),
        downloads: [].into(),
        patience: Duration::from_secs(60),
    };
    let gz = json!({"url": folder.join("data.gz"), "compression": "gz"});
    let once = json!({"url": url, "use_cache": false});
    let sum = shell(folder, "sha256sum data");
    let again = json!({"url": url, "sha256sum": &sum[..64]});
    for (what, resource, kept) in [
        ("a file used in place", file("image"), false),
        ("the overlay into an initramfs of 25 MB", with("base.cpio", "cpio.newc"), false),
        ("the overlay into an ext4 image of 1 GiB, 200 MB used", with("image", "ext4"), false),
        ("200 MB unpacked from gz", gz.clone(), false),
        ("the same, kept", gz, true),
        ("200 MB downloaded from this machine", once, true),
        ("the same, kept", again, true),
    ] {
        // What is kept is made once before.
        prepare(&order(&resource, kept), Some(&overlay), |_| ()).await.unwrap();
        let mut times = Vec::new();
        for _ in 0..RUNS {
            let start = Instant::now();
            prepare(&order(&resource, kept), Some(&overlay), |_| ()).await.unwrap();
            times.push(start.elapsed());
        }
        line(what, times);
    }
    let mut times = Vec::new();
    for _ in 0..RUNS {
        let order = DiskOrder {
            scratch: folder.join("scratch"),
            folder: "/lava-77".into(),
            size: 512 << 20,
            uuid: uuid::Uuid::new_v4(),
        };
        let start = Instant::now();
        overlay_disk(&order, &overlay).await.unwrap();
        times.push(start.elapsed());
    }
    line("an overlay disk of 512 MiB", times);
    for (what, name) in [("a plain copy of 25 MB", "base.cpio"), ("a plain copy of 200 MB", "data")] {
        let mut times = Vec::new();
        for _ in 0..RUNS {
            let start = Instant::now();
            std::fs::copy(folder.join(name), folder.join("copy")).unwrap();
            times.push(start.elapsed());
        }
        line(what, times);
    }
}

fn line(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let ms = |at: usize| times[at].as_secs_f64() * 1000.0;
    println!("{what}: {:.1} ms ({:.1} … {:.1})", ms(RUNS / 2), ms(0), ms(RUNS - 1));
}

fn shell(folder: &Path, script: &str) -> String {
    let output = Command::new("sh").args(["-ec", script]).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// As many files as an overlay has.
fn overlay() -> File {
    let mut tar = tar::Builder::new(tempfile::tempfile().unwrap());
    for number in 0..60 {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o755);
        header.set_size(2000);
        tar.append_data(&mut header, format!("lava-77/bin/helper-{number}"), &[b'x'; 2000][..]).unwrap();
    }
    tar.into_inner().unwrap()
}

/// Serves one file, again and again.
fn serve(path: std::path::PathBuf) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/data", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, mut file) = (stream.unwrap(), File::open(&path).unwrap());
            let mut head = [0; 4096];
            let _ = stream.read(&mut head).unwrap();
            let length = file.metadata().unwrap().len();
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n").unwrap();
            std::io::copy(&mut file, &mut stream).unwrap();
        }
    });
    url
}
