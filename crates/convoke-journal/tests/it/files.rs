//! The files of a run.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use convoke_journal::{Body, FILE_NAME, Files, Journal, Reader, View, render};

use crate::support::{block_on, fixture, run_started};

/// All files below a folder with their content, the journal left out.
fn tree(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut out = BTreeMap::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with(FILE_NAME) {
                out.insert(path.strip_prefix(dir).unwrap().to_owned(), fs::read(&path).unwrap());
            }
        }
    }
    out
}

/// The fixture's run as files.
pub(crate) fn rendered() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::copy(fixture("two-members.jsonl"), dir.path().join(FILE_NAME)).unwrap();
    render(dir.path(), &mut []).unwrap();
    dir
}

#[test]
fn every_file_of_a_run_is_made() {
    for (path, content) in tree(rendered().path()) {
        let name = path.to_string_lossy().replace('/', "+");
        let text = String::from_utf8(content).unwrap();
        insta::assert_snapshot!(name, text);
    }
}

#[test]
fn rendering_again_gives_the_same_bytes_as_the_run_did() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, recorder) = Journal::create(dir.path()).unwrap();
    journal.subscribe(Box::new(Files::new(dir.path())));
    for event in Reader::open(&fixture("two-members.jsonl")).unwrap() {
        let event = event.unwrap();
        match event.member {
            Some(member) => recorder.member(member, event.body),
            None => recorder.group(event.body),
        }
    }
    block_on(recorder.console(1, b"\xff\x00 late bytes"));
    journal.close().unwrap();
    let live = tree(dir.path());
    assert!(live.len() >= 11);
    assert!(live[Path::new("members/1-client/console.log")].ends_with(b"\xff\x00 late bytes"));
    let result = render(dir.path(), &mut []).unwrap();
    assert!(!result.torn && result.skipped == 0);
    for (path, content) in tree(dir.path()) {
        let (was, is) = (String::from_utf8_lossy(&live[&path]), String::from_utf8_lossy(&content));
        assert_eq!(was, is, "{}", path.display());
    }
}

#[test]
fn a_killed_run_still_renders_and_says_that_it_was_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let journal = fs::read_to_string(fixture("two-members.jsonl")).unwrap();
    let cut = journal.find("\"waiting\"").unwrap();
    fs::write(dir.path().join(FILE_NAME), &journal[..cut]).unwrap();
    let result = render(dir.path(), &mut []).unwrap();
    assert!(result.torn);
    assert_eq!((result.model.health(), result.model.exit_status()), (None, 4));
    let results = fs::read_to_string(dir.path().join("results.yaml")).unwrap();
    assert!(results.contains("health: Unknown\ntests:"), "{results}");
}

#[test]
fn a_journal_that_cannot_be_read_leaves_the_files_alone() {
    let dir = rendered();
    let before = tree(dir.path());
    let path = dir.path().join(FILE_NAME);
    let mut journal = fs::read_to_string(&path).unwrap();
    journal.insert_str(journal.len() / 2, "\nnot an event\n");
    fs::write(&path, journal).unwrap();
    let error = render(dir.path(), &mut []).unwrap_err().to_string();
    assert!(error.contains(FILE_NAME) && error.contains("not an event"), "{error}");
    assert!(before == tree(dir.path()));
}

#[test]
fn a_folder_that_cannot_be_written_is_told_once_and_stops_nothing() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("members"), "a file where a folder should be").unwrap();
    let mut files = Files::new(dir.path());
    for event in Reader::open(&fixture("two-members.jsonl")).unwrap() {
        files.event(&event.unwrap());
    }
    let error = files.finish().unwrap_err().to_string();
    assert!(error.contains("members/0-server"), "{error}");
    assert!(dir.path().join("results.yaml").exists());
}

#[test]
fn an_endless_line_becomes_a_placeholder_but_its_bytes_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, recorder) = Journal::create(dir.path()).unwrap();
    journal.subscribe(Box::new(Files::new(dir.path())));
    recorder.group(run_started());
    let chunk = vec![b'x'; 10_000];
    for _ in 0..100 {
        block_on(recorder.console(0, &chunk));
    }
    block_on(recorder.console(0, b"\nshort\n"));
    recorder.member(0, Body::MemberEnded { health: convoke_journal::Health::Complete, failure: None });
    journal.close().unwrap();
    let files = tree(dir.path());
    let find = |name: &str| files.iter().find(|(path, _)| path.ends_with(name)).unwrap().1;
    assert_eq!(find("console.log").len(), 1_000_000 + 7);
    let log = String::from_utf8(find("log.yaml").clone()).unwrap();
    assert!(log.contains("\"<line way too long ...>\"") && log.contains("\"short\""), "{}", log.len());
    assert!(log.lines().all(|line| line.chars().count() <= 100_000));
}
