//! What the tests make: folders, archives, orders; and the tools they look with.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use convoke_artifact::{Artifact, Cache, Error, Order, Resource, prepare};
use serde_json::Value;
use tempfile::TempDir;

/// A program that ends with its test.
pub(crate) struct Ended(pub(crate) Child);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// A folder for one test.
pub(crate) struct World {
    pub(crate) folder: TempDir,
    cache: Option<Cache>,
}

impl World {
    pub(crate) fn new() -> World {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("scratch")).unwrap();
        World { folder, cache: None }
    }

    /// With a cache.
    pub(crate) fn cached() -> World {
        let world = World::new();
        let cache = Cache { folder: world.path("cache"), limit: Cache::LIMIT };
        World { cache: Some(cache), ..world }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file; gives its URL.
    pub(crate) fn file(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        format!("file://{}", path.display())
    }

    pub(crate) fn order(&self, resource: Value) -> Order {
        Order {
            resource: Resource::from_value(&resource).unwrap(),
            scratch: self.path("scratch"),
            base: self.folder.path().to_owned(),
            cache: self.cache.clone(),
            downloads: [].into(),
            patience: convoke_artifact::http::PATIENCE,
        }
    }

    pub(crate) async fn prepare(&self, resource: Value, lava: Option<&File>) -> Result<Artifact, Error> {
        let made = prepare(&self.order(resource), lava, |_| ()).await;
        assert_eq!(std::fs::read_dir(self.path("scratch")).unwrap().count(), 0, "something stayed in scratch");
        made
    }

    /// Starts another process that prepares an order, in namespaces of its own if `mounts` (shell commands) are given.
    pub(crate) fn start(&self, order: &Order, mounts: &str, environment: &[(&str, &Path)]) -> Child {
        let program = std::env::current_exe().unwrap();
        let mut command = if mounts.is_empty() {
            Command::new(program)
        } else {
            let mut command = Command::new("unshare");
            let script = format!("set -e; {mounts} exec \"$@\"");
            command.args(["-Urm", "sh", "-c", &script, "sh"]).arg(program);
            command
        };
        command.arg("__prepare").arg(serde_json::to_string(order).unwrap());
        command.envs(environment.iter().copied()).current_dir(self.folder.path());
        command.stdout(Stdio::piped()).spawn().unwrap()
    }

    /// The same to its end, without progress: what it says.
    pub(crate) fn elsewhere(&self, order: &Order, mounts: &str, environment: &[(&str, &Path)]) -> String {
        let mut environment = environment.to_vec();
        environment.push(("QUIET", Path::new("")));
        let output = self.start(order, mounts, &environment).wait_with_output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a shell script in the folder, which must succeed; gives what it prints.
    #[track_caller]
    pub(crate) fn shell(&self, script: &str) -> String {
        self.shell_with(script, &[])
    }

    /// The same with bytes on its standard input.
    #[track_caller]
    pub(crate) fn shell_with(&self, script: &str, input: &[u8]) -> String {
        let mut child = Command::new("sh")
            .args(["-euc", script])
            .current_dir(self.folder.path())
            .env("LC_ALL", "C")
            .env("TZ", "UTC")
            .env("PATH", format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{script}\n{}\n{}", text(&output.stdout), text(&output.stderr));
        text(&output.stdout)
    }
}

/// What `__prepare ORDER` does: prepares, and says what came of it.
pub(crate) fn prepare_and_tell(order: &str) {
    let order: Order = serde_json::from_str(order).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut out = std::io::stdout();
    let told = std::env::var_os("QUIET").is_some();
    let made = runtime.block_on(prepare(&order, None, |_| {
        if !told {
            writeln!(out, "progress").unwrap();
            out.flush().unwrap();
        }
    }));
    let mut out = std::io::stdout();
    match made {
        Ok(made) => writeln!(out, "{} bytes", made.size).unwrap(),
        Err(error) => writeln!(out, "{:?}: {error}", error.fault).unwrap(),
    }
}

pub(crate) fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap()
}

/// All bytes of an artifact.
pub(crate) fn content(made: &Artifact) -> Vec<u8> {
    let bytes = read(&made.path());
    assert_eq!(bytes.len() as u64, made.size);
    bytes
}

/// Entry of a tar archive: name, mode, what.
pub(crate) enum Tar {
    Dir(&'static str, u32),
    File(&'static str, u32, &'static [u8]),
    Symlink(&'static str, &'static str),
    Link(&'static str, &'static str),
}

/// A tar archive in a nameless file.
pub(crate) fn tar(entries: &[Tar]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    let bytes = tar_bytes(entries);
    file.write_all(&bytes).unwrap();
    file
}

pub(crate) fn tar_bytes(entries: &[Tar]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for entry in entries {
        let mut header = tar::Header::new_gnu();
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(86_400);
        match entry {
            Tar::Dir(name, mode) => {
                header.set_entry_type(tar::EntryType::Directory);
                header.set_mode(*mode);
                header.set_size(0);
                builder.append_data(&mut header, format!("{name}/"), &[][..]).unwrap();
            }
            Tar::File(name, mode, bytes) => {
                header.set_mode(*mode);
                header.set_size(bytes.len() as u64);
                builder.append_data(&mut header, name, *bytes).unwrap();
            }
            Tar::Symlink(name, to) => {
                header.set_entry_type(tar::EntryType::Symlink);
                header.set_mode(0o777);
                header.set_size(0);
                builder.append_link(&mut header, name, to).unwrap();
            }
            Tar::Link(name, to) => {
                header.set_entry_type(tar::EntryType::Link);
                header.set_mode(0o644);
                header.set_size(0);
                builder.append_link(&mut header, name, to).unwrap();
            }
        }
    }
    builder.into_inner().unwrap()
}

/// An overlay like the real one.
pub(crate) fn overlay() -> File {
    tar(&[
        Tar::Dir("lava-77", 0o755),
        Tar::Dir("lava-77/bin", 0o755),
        Tar::File("lava-77/bin/lava-test-runner", 0o755, b"#!/bin/sh\necho run\n"),
        Tar::File("lava-77/environment", 0o644, b"export A='b'\n"),
        Tar::File("lava-77/empty", 0o600, b""),
        Tar::Symlink("lava-77/link", "bin/lava-test-runner"),
        Tar::Link("lava-77/hard", "lava-77/environment"),
    ])
}
