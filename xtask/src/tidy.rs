//! House rules that no compiler checks. Each rule says why; ARCHITECTURE.md names the invariant it backs.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::chores::root;
use crate::layering::{PURE, PURE_THEMSELVES};

/// A text that may not stand in some of our sources.
struct Ban {
    text: &'static str,
    /// Crates where it may not stand; empty: everywhere but in `allowed`.
    only_in: &'static [&'static str],
    /// Path prefixes where it may stand.
    allowed: &'static [&'static str],
    why: &'static str,
}

const BANS: &[Ban] = &[
    Ban {
        text: "Command::new",
        only_in: &[],
        allowed: &["crates/convoke-children/src/", "xtask/src/"],
        why: "every child process has an owner that ends it: convoke-children",
    },
    Ban {
        text: "Group::new",
        only_in: &[],
        allowed: &[
            "crates/convoke-group/src/",
            "crates/convoke-coordinator/src/",
            "crates/convoke-flow/src/",
            "xtask/src/",
        ],
        why: "one set of group rules, driven by convoke-coordinator in a run and by convoke-flow before it",
    },
    Ban { text: "Instant::now", only_in: PURE, allowed: &[], why: "a pure room is given the time" },
    Ban { text: "SystemTime", only_in: PURE, allowed: &[], why: "a pure room is given the time" },
    Ban { text: "std::fs", only_in: PURE, allowed: &[], why: "a pure room does no I/O" },
    Ban { text: "std::net", only_in: PURE, allowed: &[], why: "a pure room does no I/O" },
    Ban { text: "tokio::", only_in: PURE, allowed: &[], why: "a pure room knows no runtime" },
    Ban { text: "unsafe_code)", only_in: &[], allowed: &["xtask/src/"], why: "unsafe code is forbidden everywhere" },
    Ban { text: "#[ignore", only_in: &[], allowed: &["xtask/src/"], why: "a test that is not run proves nothing" },
];

pub(crate) fn check() -> Result<(), String> {
    let top = root();
    let mut files = Vec::new();
    collect(&top.join("crates"), &mut files);
    collect(&top.join("xtask"), &mut files);
    let mut faults = Vec::new();
    let mut functions = BTreeSet::new();
    for path in files {
        let relative = path.strip_prefix(&top).unwrap_or(&path).to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).map_err(|error| format!("{relative}: {error}"))?;
        functions.extend(text.split("fn ").skip(1).filter_map(|rest| Some(rest.split_once('(')?.0.to_owned())));
        // Tests and benchmarks start processes and read files as they need; tests stand in `tests/` or behind `#[cfg(test)]`.
        let in_tests = ["/tests/", "/examples/", "/benches/"].iter().any(|folder| relative.contains(folder));
        let product = product(&text);
        if !text.starts_with("//!") && !in_tests {
            faults.push(format!("{relative}: opens without `//!`: what is it for?"));
        }
        for ban in BANS {
            let crate_of = |name: &&str| relative.starts_with(&format!("crates/{name}/"));
            let concerns = if ban.only_in.is_empty() {
                !ban.allowed.iter().any(|prefix| relative.starts_with(prefix))
            } else {
                let as_pure = ban.only_in == PURE && PURE_THEMSELVES.iter().any(crate_of);
                as_pure || ban.only_in.iter().any(crate_of)
            };
            let searched = if ban.text.starts_with('#') {
                &text
            } else if in_tests {
                continue;
            } else {
                product
            };
            if concerns && let Some(line) = searched.lines().position(|line| line.contains(ban.text)) {
                faults.push(format!("{relative}:{}: `{}`: {}", line + 1, ban.text, ban.why));
            }
        }
    }
    let page = std::fs::read_to_string(top.join(CONFORMANCE)).map_err(|error| format!("{CONFORMANCE}: {error}"))?;
    for test in tests_of(&page).filter(|test| !functions.contains(*test)) {
        faults.push(format!("{CONFORMANCE}: there is no test `{test}`; name the one that backs the rule now"));
    }
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\nxtask: ")) }
}

/// A source without its test module, which stands at its end. `#[cfg(test)]` before anything else ends nothing.
fn product(text: &str) -> &str {
    let module = |(at, mark): &(usize, &str)| {
        let code =
            text[at + mark.len()..].lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
        code.is_some_and(|line| line.starts_with("mod ") && line.ends_with('{'))
    };
    text.match_indices("#[cfg(test)]").find(module).map_or(text, |(at, _)| &text[..at])
}

/// Rules, where they are implemented, and the tests that back them.
const CONFORMANCE: &str = "docs/conformance.md";

/// The tests that a page names: what stands between backquotes in the last column of its tables.
fn tests_of(page: &str) -> impl Iterator<Item = &str> {
    let rows = page.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")?.rsplit(" | ").next());
    rows.flat_map(|last| last.split('`').skip(1).step_by(2))
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target" && name != "fixtures") {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}
