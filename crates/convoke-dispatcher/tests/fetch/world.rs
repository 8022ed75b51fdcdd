//! What the scenarios share: a folder, repositories and archives in it, a fetch and its errors.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use convoke_dispatcher::error::ErrorClass;
use convoke_dispatcher::fetch::{Fetched, fetch};
use convoke_job::member::{Definition, DefinitionFrom};
use tempfile::TempDir;

/// A document with nothing special.
pub(crate) const SMOKE: &str =
    "metadata: {format: Lava-Test Test Definition 1.0, name: smoke}\nrun: {steps: [\"true\", 'yes: no']}\n";

pub(crate) struct World {
    pub(crate) folder: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("scratch")).unwrap();
        World { folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_string()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn git(&self, folder: &str, args: &[&str]) -> String {
        let output = Command::new("git")
            .args(["-c", "user.name=T", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main"])
            .args(["-c", "protocol.file.allow=always"])
            .args(args)
            .current_dir(self.path(folder))
            .output()
            .unwrap();
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_string()
    }

    /// A repository with two commits on `main` and a branch `other`; gives the commits.
    pub(crate) fn repository(&self, name: &str) -> [String; 3] {
        self.write(&format!("{name}/tests/smoke.yaml"), SMOKE);
        self.git(name, &["init", "-q"]);
        let commit = |text: &str| {
            self.write(&format!("{name}/text"), text);
            self.git(name, &["add", "-A"]);
            self.git(name, &["commit", "-q", "-m", text]);
            self.git(name, &["rev-parse", "HEAD"])
        };
        let commits = [commit("one"), commit("two")];
        self.git(name, &["checkout", "-q", "-b", "other"]);
        let other = commit("other");
        self.git(name, &["checkout", "-q", "main"]);
        let [one, two] = commits;
        [one, two, other]
    }

    pub(crate) async fn fetch(&self, entry: &Definition) -> Result<Fetched, (ErrorClass, String)> {
        let scratch = self.path("scratch");
        let fetched = fetch(entry, &scratch).await.map_err(|error| (error.class, error.message));
        assert_eq!(std::fs::read_dir(&scratch).unwrap().count(), 0, "something was left in the scratch folder");
        if let Err((_, message)) = &fetched {
            assert!(!message.contains('\n'), "{message}");
        }
        fetched
    }
}

/// An entry of a job.
pub(crate) fn entry(from: DefinitionFrom, path: &str) -> Definition {
    Definition {
        name: "d".into(),
        from,
        path: path.into(),
        parameters: Vec::new(),
        skip_install: Vec::new(),
        kmsg: false,
        expected: None,
    }
}

/// `from: git` with nothing but a repository.
pub(crate) fn git(repository: &str) -> DefinitionFrom {
    DefinitionFrom::Git {
        repository: repository.into(),
        branch: None,
        revision: None,
        shallow: true,
        history: true,
        recursive: false,
    }
}

/// `from: url` with nothing but a repository.
pub(crate) fn url(repository: &str) -> DefinitionFrom {
    DefinitionFrom::Url {
        repository: repository.into(),
        compression: None,
        strip_components: 0,
        headers: Vec::new(),
        checksums: Vec::new(),
    }
}

/// The files of a fetched definition with their text.
pub(crate) fn files(fetched: &Fetched) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    for tree in &fetched.files {
        let mut archive = tar::Archive::new(tree.open().unwrap());
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().to_str().unwrap().to_string();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            out.insert(path, String::from_utf8_lossy(&bytes).into_owned());
        }
    }
    out
}

/// A tar archive of files, each below `top`.
pub(crate) fn tar_of(top: &str, files: &[(&str, &str)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o755);
        builder.append_data(&mut header, Path::new(top).join(name), text.as_bytes()).unwrap();
    }
    builder.into_inner().unwrap()
}

#[track_caller]
pub(crate) fn refused<T>(result: Result<T, (ErrorClass, String)>, class: ErrorClass, needle: &str) {
    let Err((found, message)) = result else { panic!("it was fetched") };
    assert!(message.contains(needle), "{message:?} does not say {needle:?}");
    assert_eq!(found, class, "{message}");
}
