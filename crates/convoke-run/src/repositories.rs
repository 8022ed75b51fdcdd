//! The repositories of a job that are on this machine, read for the flow: which calls do their scripts make.
//!
//! Each is fetched as a run fetches it, at the branch or revision that the job names, and nothing is taken from elsewhere.
//! What cannot be read is not at hand; the run that needs it says why.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use convoke_dispatcher::fetch;
use convoke_flow::{Repositories, Repository};
use convoke_job::Job;
use convoke_job::member::{BlockKind, Definition, DefinitionFrom, TestKind};

/// A longer file is no script.
const LONGEST: u64 = 1 << 20;
/// More files are not looked at.
const MOST: usize = 10_000;

/// Definitions whose repositories are on this machine.
pub fn on_this_machine(job: &Job) -> Vec<&Definition> {
    let mut all: Vec<&Definition> = Vec::new();
    for action in &job.actions {
        if let BlockKind::Test(TestKind::Definitions(definitions)) = &action.block.kind {
            all.extend(definitions.iter().filter(|definition| fetch::path_of(definition).is_some()));
        }
    }
    all
}

/// Reads the repositories of these definitions, each once.
pub async fn read_repositories(definitions: &[&Definition]) -> Repositories {
    let mut repositories = Repositories::new();
    for definition in definitions {
        if repositories.get(definition).is_none()
            && let Some(repository) = read(definition).await
        {
            repositories.insert(definition, repository);
        }
    }
    repositories
}

async fn read(definition: &Definition) -> Option<Repository> {
    let path = fetch::path_of(definition)?;
    let scratch = scratch(&path)?;
    let fetched = fetch::fetch(&alone(definition), &scratch).await.ok()?;
    let mut files = BTreeMap::new();
    for tree in &fetched.files {
        let mut archive = tar::Archive::new(tree.open().ok()?);
        add(&mut archive, &mut files)?;
    }
    Some(Repository { name: path.display().to_string(), files })
}

/// A folder for files without a name that does not hide the repository from its reader.
fn scratch(repository: &Path) -> Option<PathBuf> {
    let folders = [PathBuf::from("/dev/shm"), std::env::temp_dir()];
    folders.into_iter().find(|folder| folder.is_dir() && !repository.starts_with(folder))
}

/// The definition without what it takes from elsewhere.
fn alone(definition: &Definition) -> Definition {
    let mut alone = definition.clone();
    alone.skip_install.push("git-repos".into());
    if let DefinitionFrom::Git { recursive, .. } = &mut alone.from {
        *recursive = false;
    }
    alone
}

fn add(archive: &mut tar::Archive<impl Read>, files: &mut BTreeMap<String, Option<String>>) -> Option<()> {
    let mut links = Vec::new();
    for entry in archive.entries().ok()? {
        let mut entry = entry.ok()?;
        let path = entry.path().ok()?.to_str().map(|path| path.trim_start_matches("./").to_owned());
        let Some(path) = path.filter(|_| files.len() < MOST) else { continue };
        match entry.header().entry_type() {
            tar::EntryType::Regular => {
                let mut text = String::new();
                let short = entry.size() <= LONGEST;
                // A file that is no text is there, and no script.
                let whole = short && entry.read_to_string(&mut text).is_ok();
                files.insert(path, whole.then_some(text));
            }
            tar::EntryType::Symlink => {
                let to = entry.link_name().ok()?.and_then(|to| resolve(&path, &to));
                links.extend(to.map(|to| (path, to)));
            }
            _ => {}
        }
    }
    for (path, to) in links {
        if let Some(file) = files.get(&to).cloned() {
            files.insert(path, file);
        }
    }
    Some(())
}

/// Where a link in the repository leads, when that is in the repository too.
fn resolve(link: &str, to: &Path) -> Option<String> {
    let mut parts: Vec<&str> = link.split('/').collect();
    parts.pop();
    for part in to.to_str()?.split('/') {
        match part {
            "" => return None,
            "." => {}
            ".." => drop(parts.pop()?),
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_files_of_the_repository_alone() {
        let lead = |link: &str, to: &str| resolve(link, Path::new(to));
        assert_eq!(lead("run-client.sh", "common.sh").as_deref(), Some("common.sh"));
        assert_eq!(lead("a/b.sh", "../c/./d.sh").as_deref(), Some("c/d.sh"));
        assert_eq!(lead("a.sh", "../outside.sh"), None);
        assert_eq!(lead("a.sh", "/etc/passwd"), None);
    }
}
