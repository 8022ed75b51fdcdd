//! The helper files as text: what no test on a device would notice until a shell comes along that is none of the four
//! (device-side.md §6, D25).

use std::process::Command;

use convoke_overlay::helpers;

use crate::device::program;

#[test]
fn shellcheck_has_nothing_to_say() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(program("shellcheck", "shellcheck"));
    command.args(["--norc", "--shell=sh", "--external-sources"]).current_dir(folder.path());
    for helper in helpers::all() {
        std::fs::write(folder.path().join(helper.name), helper.text).unwrap();
        command.arg(helper.name);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn every_file_of_the_folder_is_a_helper() {
    let mut files: Vec<_> = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/helpers"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    let mut names: Vec<_> = helpers::all().iter().map(|helper| helper.name).collect();
    names.sort();
    assert_eq!(names, files);
}

#[test]
fn starts_with_the_line_that_the_layout_replaces() {
    for helper in helpers::all() {
        let start = format!("#!/bin/sh\n\n# {}: ", helper.name);
        assert!(helper.text.starts_with(&start), "{}", helper.name);
    }
}

#[test]
fn a_single_device_job_has_no_multinode_helper_and_misses_none() {
    let lacks: Vec<_> = helpers::all().iter().filter(|helper| helper.multinode).map(|helper| helper.name).collect();
    for helper in helpers::all().iter().filter(|helper| !helper.multinode) {
        for name in &lacks {
            assert!(!helper.text.contains(&format!("lava_bin/{name}\"")), "{} uses {name}", helper.name);
        }
    }
}

#[test]
fn uses_no_tool_that_small_images_lack_or_that_spoils_data() {
    // What is in every shell is shellcheck's to say.
    for helper in helpers::all() {
        for (number, line) in helper.text.lines().enumerate() {
            for word in ["echo ", "awk ", "expr ", "basename ", "readlink "] {
                let code = line.trim_start();
                let found = code.starts_with(word)
                    || code.contains(&format!("$({word}"))
                    || code.contains(&format!("| {word}"));
                assert!(!found, "{}:{}: {word:?} in {line:?}", helper.name, number + 1);
            }
        }
    }
}
