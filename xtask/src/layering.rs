//! Arrows run downwards only: which room may use which, and what the pure rooms may not depend on.
//!
//! Read from `cargo metadata`, so that a dependency added anywhere is seen. Backs the table of ARCHITECTURE.md.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

use crate::chores::root;

/// Each room and the rooms it may use.
const MAY_USE: &[(&str, &[&str])] = &[
    ("convoke-job", &[]),
    ("convoke-group", &[]),
    ("convoke-schedule", &[]),
    ("convoke-overlay", &["convoke-job"]),
    ("convoke-flow", &["convoke-job", "convoke-group", "convoke-overlay"]),
    ("convoke-journal", &[]),
    ("convoke-report", &["convoke-journal"]),
    ("convoke-children", &[]),
    ("convoke-artifact", &["convoke-children"]),
    ("convoke-device", &["convoke-job"]),
    ("convoke-coordinator", &["convoke-group"]),
    (
        "convoke-dispatcher",
        &[
            "convoke-job",
            "convoke-device",
            "convoke-overlay",
            "convoke-group",
            "convoke-coordinator",
            "convoke-journal",
            "convoke-children",
            "convoke-artifact",
        ],
    ),
    (
        "convoke-lab",
        &[
            "convoke-job",
            "convoke-device",
            "convoke-schedule",
            "convoke-dispatcher",
            "convoke-children",
            "convoke-artifact",
            "convoke-journal",
        ],
    ),
    (
        "convoke-run",
        &[
            "convoke-job",
            "convoke-device",
            "convoke-schedule",
            "convoke-lab",
            "convoke-dispatcher",
            "convoke-coordinator",
            "convoke-group",
            "convoke-journal",
            "convoke-report",
            "convoke-flow",
            "convoke-report",
        ],
    ),
    (
        "convoke",
        &[
            "convoke-job",
            "convoke-flow",
            "convoke-group",
            "convoke-schedule",
            "convoke-overlay",
            "convoke-journal",
            "convoke-coordinator",
            "convoke-children",
            "convoke-artifact",
            "convoke-dispatcher",
            "convoke-lab",
            "convoke-run",
        ],
    ),
    ("xtask", &[]),
];

/// Rooms without I/O, clock and runtime.
pub(crate) const PURE: &[&str] =
    &["convoke-job", "convoke-device", "convoke-group", "convoke-schedule", "convoke-overlay", "convoke-flow"];

/// Rooms whose own sources are held to the same, though a room that they use is not.
pub(crate) const PURE_THEMSELVES: &[&str] = &["convoke-report"];

/// What a pure room never depends on, directly or through others.
const NOT_IN_PURE: &[&str] =
    &["tokio", "mio", "rustix", "nix", "ureq", "socket2", "async-std", "jiff", "chrono", "rand"];

pub(crate) fn check() -> Result<(), String> {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .current_dir(root())
        .args(["metadata", "--format-version", "1"])
        .output()
        .map_err(|error| format!("cargo metadata: {error}"))?;
    let metadata: Value = serde_json::from_slice(&output.stdout).map_err(|error| format!("cargo metadata: {error}"))?;
    let graph = Graph::read(&metadata);
    let mut faults = Vec::new();
    for room in &graph.rooms {
        match MAY_USE.iter().find(|(name, _)| name == room) {
            None => faults.push(format!("{room} is not in the table of rooms; add it there and to ARCHITECTURE.md")),
            Some((_, allowed)) => {
                for used in graph.direct(room).filter(|used| graph.rooms.contains(*used)) {
                    if !allowed.contains(&used) {
                        faults.push(format!("{room} may not use {used}: arrows run downwards only"));
                    }
                }
            }
        }
    }
    for room in PURE {
        for reached in graph.reached(room) {
            if NOT_IN_PURE.contains(&reached.as_str()) {
                faults.push(format!("{room} is pure and may not depend on {reached} (see `cargo tree -i {reached}`)"));
            }
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\nxtask: ")) }
}

/// Normal (not dev, not build) dependencies by package name.
struct Graph {
    rooms: BTreeSet<String>,
    uses: BTreeMap<String, BTreeSet<String>>,
}

impl Graph {
    fn read(metadata: &Value) -> Graph {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let items = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let names: BTreeMap<String, String> =
            items(&metadata["packages"]).iter().map(|p| (text(&p["id"]), text(&p["name"]))).collect();
        let name = |id: &Value| names.get(&text(id)).cloned().unwrap_or_default();
        let rooms = items(&metadata["workspace_members"]).iter().map(name).collect();
        let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for node in items(&metadata["resolve"]["nodes"]) {
            let entry = uses.entry(name(&node["id"])).or_default();
            for dependency in items(&node["deps"]) {
                // A kind of null is an ordinary dependency.
                if items(&dependency["dep_kinds"]).iter().any(|kind| kind["kind"].is_null()) {
                    entry.insert(name(&dependency["pkg"]));
                }
            }
        }
        Graph { rooms, uses }
    }

    fn direct(&self, package: &str) -> impl Iterator<Item = &str> {
        self.uses.get(package).into_iter().flatten().map(String::as_str)
    }

    fn reached(&self, package: &str) -> BTreeSet<String> {
        let mut seen = BTreeSet::new();
        let mut open = vec![package.to_owned()];
        while let Some(next) = open.pop() {
            for used in self.direct(&next) {
                if seen.insert(used.to_owned()) {
                    open.push(used.to_owned());
                }
            }
        }
        seen
    }
}
