//! The pages of the codes: every code in the source has one, its wrong example gives the code, its right one nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use convoke_flow::{Repositories, explain, judge, lint, read, times};
use convoke_job::legacy::{LegacyOptions, convert};
use convoke_job::{Options, Source};

use crate::example::{examples, is_of_files, legacy, scripts, whole};

/// Codes that no file brings about; their pages say what does.
const WITHOUT_EXAMPLES: [&str; 1] = ["inventory.busy"];
/// Texts of the source that look like codes and are none of a finding: reasons of a member's end, paths, file names.
const NO_CODES: [&str; 12] = [
    "actions.boot",
    "actions.deploy",
    "constants.posix",
    "coordinator.unreachable",
    "group.assembly-timeout",
    "group.member-lost",
    "guest.unreachable",
    "sandboxes.network",
    "root.ext4",
    "parse.pattern",
    "run.steps",
    "test.code",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn pages() -> BTreeMap<String, String> {
    let mut pages = BTreeMap::new();
    for entry in std::fs::read_dir(root().join("docs/codes")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if name != "README" {
            pages.insert(name, std::fs::read_to_string(&path).unwrap());
        }
    }
    pages
}

fn sources(folder: &Path, texts: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, texts);
        } else if path.extension().is_some_and(|end| end == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            // What stands in tests is no finding of the product.
            texts.push(text.split("#[cfg(test)]").next().unwrap_or_default().to_owned());
        }
    }
}

/// What looks like a code: two words with a dot, the first of them one that codes begin with.
fn codes_in(text: &str, families: &BTreeSet<&str>) -> BTreeSet<String> {
    let is_word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_alphabetic() || c == '-');
    let mut codes = BTreeSet::new();
    for quoted in text.split('"') {
        if let Some((family, rest)) = quoted.split_once('.')
            && families.contains(family)
            && is_word(rest)
            && !NO_CODES.contains(&quoted)
            && !["yaml", "json", "jsonl", "log", "xml", "sh", "lib"].contains(&rest)
        {
            codes.insert(quoted.to_owned());
        }
    }
    codes
}

#[test]
fn every_code_in_the_source_has_a_page() {
    let pages = pages();
    let families: BTreeSet<&str> = pages.keys().filter_map(|code| Some(code.split_once('.')?.0)).collect();
    let mut texts = Vec::new();
    for entry in std::fs::read_dir(root().join("crates")).unwrap() {
        let source = entry.unwrap().path().join("src");
        if source.is_dir() {
            sources(&source, &mut texts);
        }
    }
    let used: BTreeSet<String> = texts.iter().flat_map(|text| codes_in(text, &families)).collect();
    let missing: Vec<&String> = used.iter().filter(|code| !pages.contains_key(*code)).collect();
    assert!(missing.is_empty(), "no page in docs/codes for {missing:?}");
    let unused: Vec<&String> = pages.keys().filter(|code| !used.contains(*code)).collect();
    assert!(unused.is_empty(), "nothing in the source gives {unused:?}");
}

#[test]
fn every_page_is_within_the_program() {
    for (code, page) in pages() {
        assert_eq!(explain(&code), Some(page.as_str()), "{code}");
        assert!(page.starts_with(&format!("# {code}\n")), "{code}");
    }
    assert_eq!(explain("flow.nothing"), None);
}

#[test]
fn a_wrong_example_gives_the_code_and_a_right_one_nothing() {
    let mut bad = Vec::new();
    for (code, page) in pages() {
        let (wrong, right) = (examples(&page, "## Wrong"), examples(&page, "## Right"));
        if WITHOUT_EXAMPLES.contains(&code.as_str()) || is_of_files(&wrong) {
            continue;
        }
        let ([wrong], [right]) = (&wrong[..], &right[..]) else {
            bad.push(format!("{code}: an example is missing"));
            continue;
        };
        let found = findings(wrong);
        if !found.iter().any(|(found, _)| *found == code) {
            bad.push(format!("{code}: the wrong example gives {found:?}"));
        }
        let found = findings(right);
        if !found.is_empty() {
            bad.push(format!("{code}: the right example gives {found:?}"));
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

/// Codes and messages that an example gives.
fn findings((language, text): &(String, String)) -> Vec<(String, String)> {
    let source = match language.as_str() {
        "json" => {
            let source = Source::new("job.json", legacy(text));
            let converted = convert(&source, &LegacyOptions::default());
            return converted.diagnostics.iter().map(|found| (found.code.to_owned(), found.message.clone())).collect();
        }
        "sh" => Source::new("job.yaml", scripts(text)),
        _ => Source::new("job.yaml", whole(text)),
    };
    let checked = convoke_job::read(&source, &Options::default());
    let mut found: Vec<(String, String)> =
        checked.diagnostics.iter().map(|found| (found.code.to_owned(), found.message.clone())).collect();
    if let Some(job) = &checked.job {
        let flow = read(job, &source, &Repositories::new());
        let judgement = judge(&flow);
        found.extend(judgement.reasons.iter().map(|reason| (reason.code().to_owned(), reason.message(&flow))));
        let more = lint(&flow, &judgement).into_iter().chain(times::too_short(&flow, &judgement.played));
        found.extend(more.map(|found| (found.code.to_owned(), found.message)));
    }
    found
}
