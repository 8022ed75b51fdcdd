//! The overlay as files and as an archive.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use convoke_job::Source;
use convoke_job::ids::{RoleName, SubId};
use convoke_job::member::{Definition, DefinitionFrom, GroupMember};
use convoke_overlay::definition::TestDefinition;
use convoke_overlay::layout::{
    EntryKind, GroupTable, OverlayPlan, Stage, StagedDefinition, Tree, entries, environment, write_archive,
};
use serde_json::Value;

/// The plan of the recorded job 01: one device, five inline definitions.
fn recorded() -> OverlayPlan {
    let text = include_str!("../fixtures/01-single-qemu.job.yaml");
    let job: Value = serde_saphyr::from_str(text).unwrap();
    let checked = convoke_job::read(&Source::new("job.yaml", text), &convoke_job::Options::default());
    let member = checked.job.unwrap().split("", 9001).remove(0);
    let definitions = job["actions"][2]["test"]["definitions"].as_array().unwrap();
    let staged = definitions.iter().enumerate().map(|(index, entry)| {
        let document = entry["repository"].clone();
        let parameters = entry["parameters"].as_object().into_iter().flatten();
        StagedDefinition {
            index,
            entry: Definition {
                name: entry["name"].as_str().unwrap().into(),
                from: DefinitionFrom::Inline(document.clone()),
                path: entry["path"].as_str().unwrap().into(),
                parameters: parameters.map(|(k, v)| (k.clone(), v.as_str().map(str::to_string))).collect(),
                skip_install: Vec::new(),
                kmsg: entry["lava-signal"] == "kmsg",
                expected: None,
            },
            definition: TestDefinition::from_value(&document).unwrap(),
            document,
            uuid: format!("9001_1.1.3.{}", 4 * index + 1),
            commit: None,
            files: Vec::new(),
        }
    });
    let mut variables = vec![("LAB".to_string(), "loop back".to_string())];
    variables.push(("LAVA_DEVICE_INFO_0_board_id".into(), "1234".into()));
    variables.push(("LAVA_STORAGE_INFO_0_SATA".into(), "/dev/disk/by-id/ata-X".into()));
    variables.extend(member.environment);
    variables.extend([("LAVA_JOB_ID".into(), "9001".into()), ("LAVA_DISPATCHER_IP".into(), "127.0.0.1".into())]);
    OverlayPlan {
        job_id: "9001".into(),
        results_dir: "/lava-9001".into(),
        shell: "/bin/sh".into(),
        environment: variables,
        secrets: vec![("API_KEY".into(), "s3cr3t-value".into())],
        stages: vec![Stage { definitions: staged.collect() }],
        device_files: vec![("storage".into(), "SATA\t/dev/disk/by-id/ata-X\n".into())],
        ..OverlayPlan::default()
    }
}

fn text(plan: &OverlayPlan, path: &str) -> String {
    let entry = entries(plan).unwrap().into_iter().find(|entry| entry.path == path);
    match entry.unwrap_or_else(|| panic!("no {path}")).kind {
        EntryKind::File(bytes) => String::from_utf8(bytes).unwrap(),
        other => panic!("{path} is {other:?}"),
    }
}

#[test]
fn the_listing_of_the_recorded_job() {
    // The helpers have tests of their own.
    let listing = entries(&recorded()).unwrap().into_iter().filter(|entry| !entry.path.contains("/bin/"));
    let lines = listing.map(|entry| {
        let slash = if entry.kind == EntryKind::Directory { "/" } else { "" };
        format!("{:o} {}{slash}", entry.mode, entry.path)
    });
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"));
}

#[test]
fn the_texts_of_the_recorded_job() {
    let plan = recorded();
    insta::assert_snapshot!("environment", text(&plan, "lava-9001/environment"));
    insta::assert_snapshot!("run.sh", text(&plan, "lava-9001/0/tests/0_signals/run.sh"));
    insta::assert_snapshot!("run.sh-kmsg", text(&plan, "lava-9001/0/tests/3_kmsg/run.sh"));
    insta::assert_snapshot!("lava-test-runner.conf", text(&plan, "lava-9001/0/lava-test-runner.conf"));
    insta::assert_snapshot!("testdef.yaml", text(&plan, "lava-9001/0/tests/1_pattern/testdef.yaml"));
    assert_eq!(text(&plan, "lava-9001/secrets"), "API_KEY=s3cr3t-value\n");
    assert_eq!(text(&plan, "lava-9001/0/tests/1_pattern/uuid"), "9001_1.1.3.5");
}

#[test]
fn a_dumped_definition_reads_back_the_same() {
    let plan = recorded();
    for staged in &plan.stages[0].definitions {
        let dumped = text(&plan, &format!("lava-9001/0/tests/{}/testdef.yaml", staged.suite()));
        let read: Value = serde_saphyr::from_str(&dumped).unwrap();
        assert_eq!(read, staged.document, "{dumped}");
    }
}

#[test]
fn every_generated_script_is_read_by_a_shell() {
    for entry in entries(&recorded()).unwrap() {
        let EntryKind::File(bytes) = entry.kind else { continue };
        if entry.path.ends_with(".sh") || entry.path.ends_with("/environment") {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), bytes).unwrap();
            let output = std::process::Command::new("/bin/sh").arg("-n").arg(file.path()).output().unwrap();
            assert!(output.status.success(), "{}: {}", entry.path, String::from_utf8_lossy(&output.stderr));
        }
    }
}

#[test]
fn helpers_begin_with_the_devices_shell_and_an_empty_line() {
    let mut plan = recorded();
    plan.shell = "/system/bin/sh".into();
    let helpers: Vec<_> =
        entries(&plan).unwrap().into_iter().filter(|entry| entry.path.starts_with("lava-9001/bin/")).collect();
    assert!(!helpers.is_empty());
    assert!(!helpers.iter().any(|entry| entry.path.ends_with("/lava-sync")));
    for entry in helpers {
        let EntryKind::File(bytes) = entry.kind else { panic!("{}", entry.path) };
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.starts_with("#!/system/bin/sh\n\n"), "{}", entry.path);
        assert!(!text[2..].contains("#!/"), "{}", entry.path);
        assert_eq!(entry.mode, 0o755);
    }
}

fn group() -> GroupTable {
    let member = |name: &str, role: &str, sub_id, guest| GroupMember {
        name: name.into(),
        role: RoleName::new(role),
        sub_id: SubId(sub_id),
        guest,
        device: None,
    };
    GroupTable {
        self_name: "9002".into(),
        role: "big server".into(),
        members: vec![
            member("9001", "client", 0, false),
            member("9002", "big server", 1, false),
            member("9003", "guest", 2, true),
        ],
    }
}

#[test]
fn a_group_is_written_as_data() {
    let mut plan = recorded();
    plan.group = Some(group());
    assert_eq!(text(&plan, "lava-9001/multinode/self"), "9002\n");
    assert_eq!(text(&plan, "lava-9001/multinode/role"), "big server\n");
    assert_eq!(text(&plan, "lava-9001/multinode/group"), "9001\tclient\n9002\tbig server\n");
    assert_eq!(text(&plan, "lava-9001/multinode/all"), "9001\tclient\n9002\tbig server\n9003\tguest\n");
    text(&plan, "lava-9001/bin/lava-sync");
    let broken = |change: fn(&mut GroupTable)| {
        let mut plan = plan.clone();
        change(plan.group.as_mut().unwrap());
        entries(&plan).unwrap_err().to_string()
    };
    assert!(broken(|group| group.role = "a\nb".into()).contains("must be one line"));
    assert!(broken(|group| group.members[0].name = "a\tb".into()).contains("must be one line"));
}

#[test]
fn environments_survive_any_name_and_value() {
    let variables =
        [("GOOD", "it's"), ("1bad-name", "x"), ("", "y"), ("NUL", "a\0b"), ("LINES", "a\nb"), ("EMPTY", "")];
    let variables: Vec<_> = variables.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    let environment = environment(&variables, "9001");
    insta::assert_snapshot!(environment.text, @r#"
    export GOOD='it'"'"'s'
    export _1bad_name=x
    export _=y
    export NUL=ab
    export LINES='a
    b'
    export EMPTY=''
    export LAVA_QUIET_REPORT=1
    export LAVA_LINK=2
    export LAVA_LINK_NONCE=bd1c
    "#);
    assert_eq!(environment.warnings.len(), 3, "{:?}", environment.warnings);
}

#[track_caller]
fn check_refused(change: impl FnOnce(&mut OverlayPlan), needle: &str) {
    let mut plan = recorded();
    change(&mut plan);
    let error = write_archive(&plan, Vec::new()).unwrap_err().to_string();
    assert!(error.contains(needle), "{error:?} does not say {needle:?}");
}

#[test]
fn nothing_leaves_the_results_directory() {
    for path in ["../x", "/etc/passwd", "a/../../b", "", "a//b", "a\nb"] {
        check_refused(|plan| plan.stages[0].definitions[0].entry.path = path.into(), "must be relative");
    }
    for name in ["", "a/b", "..x/y", "a b"] {
        check_refused(|plan| plan.stages[0].definitions[0].entry.name = name.into(), "must be made of");
    }
    for directory in ["", "/", "lava", "/lava/../etc"] {
        check_refused(|plan| plan.results_dir = directory.into(), "must be an absolute path");
    }
    check_refused(|plan| plan.device_files[0].0 = "../storage".into(), "is not a file name");
    check_refused(
        |plan| {
            let copy = plan.stages[0].clone();
            plan.stages.push(copy);
        },
        "two definitions have this suite name",
    );
}

fn tree(entries: &[(&str, tar::EntryType, &str)]) -> Arc<dyn Tree> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, kind, text) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(*kind);
        header.set_mode(0o640);
        header.set_uid(1000);
        header.set_mtime(1_700_000_000);
        let data = if kind.is_file() { text.as_bytes() } else { b"" };
        header.set_size(data.len() as u64);
        if kind.is_symlink() || kind.is_hard_link() {
            header.set_link_name(text).unwrap();
        }
        // Set directly, so that bad names get through.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        builder.append(&header, data).unwrap();
    }
    Arc::new(builder.into_inner().unwrap())
}

fn with_tree(entries: &[(&str, tar::EntryType, &str)]) -> OverlayPlan {
    let mut plan = recorded();
    plan.stages[0].definitions[0].files = vec![tree(entries)];
    plan
}

use tar::EntryType as T;

#[test]
fn a_fetched_tree_is_put_into_the_definitions_directory() {
    let plan = with_tree(&[
        ("./", T::Directory, ""),
        ("./bin/", T::Directory, ""),
        ("./bin/tool", T::Regular, "tool"),
        ("link", T::Symlink, "bin/tool"),
        ("hard", T::Link, "bin/tool"),
        ("uuid", T::Regular, "forged"),
        ("run.sh", T::Symlink, "/etc/passwd"),
        ("pipe", T::Fifo, ""),
    ]);
    let mut bytes = Vec::new();
    let warnings = write_archive(&plan, &mut bytes).unwrap();
    assert_eq!(warnings.len(), 3, "{warnings:?}");
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(&bytes[..]));
    let mut found = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let header = entry.header();
        assert_eq!((header.uid().unwrap(), header.gid().unwrap(), header.mtime().unwrap()), (0, 0, 86_400));
        let path = entry.path().unwrap().to_str().unwrap().to_string();
        let Some(name) = path.strip_prefix("lava-9001/0/tests/0_signals/").map(str::to_string) else { continue };
        let link = entry.link_name().unwrap().map(|link| format!(" -> {}", link.display())).unwrap_or_default();
        let mode = entry.header().mode().unwrap();
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        if name == "uuid" {
            assert_eq!(text, "9001_1.1.3.1");
        }
        found.push(format!("{mode:o} {name}{link}"));
    }
    insta::assert_snapshot!(found.join("\n"));
}

#[test]
fn a_tree_that_would_leave_its_directory_is_refused() {
    let refused = |entries: &[(&str, T, &str)]| write_archive(&with_tree(entries), Vec::new()).unwrap_err().to_string();
    assert!(refused(&[("../x", T::Regular, "x")]).contains("leaves the definition's directory"));
    assert!(refused(&[("/etc/x", T::Regular, "x")]).contains("leaves the definition's directory"));
    assert!(refused(&[("a", T::Link, "../../x")]).contains("is a hard link that leaves"));
    assert!(refused(&[("a", T::Symlink, "/etc"), ("a/x", T::Regular, "x")]).contains("behind a symbolic link"));
}

#[test]
fn the_same_plan_gives_the_same_bytes() {
    let make = || {
        let mut plan = with_tree(&[("a", T::Regular, "x")]);
        plan.group = Some(group());
        plan.character_delay = Some(Duration::from_millis(10));
        let mut out = Vec::new();
        write_archive(&plan, &mut out).unwrap();
        out
    };
    assert_eq!(make(), make());
}

#[derive(Debug)]
struct Broken;

impl Tree for Broken {
    fn open(&self) -> std::io::Result<Box<dyn Read + '_>> {
        Err(std::io::Error::other("gone"))
    }
}

/// A writer that is full after some bytes.
struct Full(usize);

impl std::io::Write for Full {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if bytes.len() > self.0 {
            return Err(std::io::Error::from(std::io::ErrorKind::StorageFull));
        }
        self.0 -= bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_tree_that_cannot_be_read_and_a_full_disk_are_told_apart() {
    let mut plan = recorded();
    plan.stages[0].definitions[0].files = vec![Arc::new(Broken)];
    let error = write_archive(&plan, Vec::new()).unwrap_err().to_string();
    assert_eq!(error, "cannot read what was fetched for 0_signals: gone");
    let error = write_archive(&recorded(), Full(100)).unwrap_err().to_string();
    assert!(error.starts_with("cannot write the overlay: "), "{error}");
}

#[test]
fn a_key_may_log_in_and_its_file_is_roots_alone() {
    let plan = OverlayPlan { authorized_key: Some("ssh-ed25519 AAAA convoke".into()), ..recorded() };
    let modes: Vec<_> = entries(&plan)
        .unwrap()
        .into_iter()
        .filter(|entry| entry.path.contains(".ssh") || entry.path.ends_with("authorized_keys"))
        .map(|entry| (entry.path, entry.mode))
        .collect();
    let expected = [("lava-9001/authorized_keys", 0o600), ("root/.ssh", 0o700), ("root/.ssh/authorized_keys", 0o600)];
    assert_eq!(modes, expected.map(|(path, mode)| (path.to_owned(), mode)));
    assert_eq!(text(&plan, "root/.ssh/authorized_keys"), "ssh-ed25519 AAAA convoke\n");
    let forged = OverlayPlan { authorized_key: Some("ssh-ed25519 A\ncommand=".into()), ..recorded() };
    assert!(entries(&forged).is_err());
}
