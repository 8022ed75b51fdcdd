//! Git repositories: cloned by git itself into the stage's tmpfs.
//!
//! Git never asks anything (no terminal, no askpass, ssh in batch mode), starts nothing that outlives it (no automatic
//! maintenance, no file system monitor) and runs no hooks of a template.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use convoke_artifact::place::{Place, shown};
use convoke_children::Control;
use convoke_children::foreign::{Foreign, ForeignOutput, run};

use super::message::Trouble;
use super::source::GitSource;

/// The longest document.
const LONGEST: u64 = 1 << 20;

/// A fetched repository.
#[derive(Debug)]
pub(super) struct Checkout {
    /// Its folder below the working directory.
    pub(super) folder: String,
    /// The commit that is checked out.
    pub(super) commit: String,
}

/// Clones `source` into the folder `folder` of the working directory.
pub(super) fn fetch(control: &Control, source: &GitSource, folder: &str) -> Result<Checkout, Trouble> {
    let git = Git { control, source };
    git.write_config()?;
    let place = match &source.place {
        Place::There(url) => url.clone(),
        Place::Here(path) if !path.exists() => {
            return Err(Trouble::job(format!("there is no git repository {} on this machine", path.display())));
        }
        // A bundle is read as a file; a shallow clone needs the transport that file:// takes.
        Place::Here(path) if path.is_file() => text(path)?,
        Place::Here(path) => format!("file://{}", text(path)?),
    };
    for name in [&source.branch, &source.revision].into_iter().flatten() {
        if name.starts_with('-') || name.chars().any(char::is_control) {
            return Err(Trouble::job(format!("{name:?} is neither a branch nor a revision")));
        }
    }
    let shallow = source.shallow && source.revision.is_none() && !place.ends_with(".bundle");
    let mut cloned = git.clone_from(&place, folder, shallow)?;
    if shallow && !cloned.status.success() && stderr(&cloned).contains("does not support shallow") {
        cloned = git.clone_from(&place, folder, false)?;
    }
    git.check(&cloned)?;
    if let Some(revision) = &source.revision {
        git.checkout(folder, revision)?;
    }
    if source.recursive {
        let mut args = vec!["submodule", "update", "--quiet", "--init", "--recursive"];
        if shallow {
            args.push("--depth=1");
        }
        git.check(&git.run(&args, Some(folder))?)?;
    }
    let head = git.run(&["rev-parse", "--verify", "HEAD"], Some(folder))?;
    if !head.status.success() {
        return Err(Trouble::job(format!("the git repository {} has no commit", source.place.shown())));
    }
    if !source.history {
        remove_history(Path::new(folder)).map_err(|error| super::format::writing(&error))?;
    }
    Ok(Checkout { folder: folder.into(), commit: String::from_utf8_lossy(&head.stdout).trim().into() })
}

/// The definition's document.
pub(super) fn document(checkout: &Checkout, source: &GitSource, path: &str) -> Result<Vec<u8>, Trouble> {
    let missing = |why: &str| {
        Trouble::job(format!("there is no file {path:?} in the git repository {}{why}", source.place.shown()))
    };
    let root = Path::new(&checkout.folder).canonicalize().map_err(|error| super::format::writing(&error))?;
    let file = root.join(path).canonicalize().map_err(|_| missing(" (path is relative to its root)"))?;
    if !file.starts_with(&root) || !file.is_file() {
        return Err(missing(""));
    }
    let read = || -> std::io::Result<Vec<u8>> {
        if file.metadata()?.len() > LONGEST {
            return Ok(Vec::new());
        }
        std::fs::read(&file)
    };
    let bytes = read().map_err(|error| super::format::writing(&error))?;
    if bytes.is_empty() {
        return Err(Trouble::job(format!("{path} is empty or longer than {LONGEST} bytes: not a test definition")));
    }
    Ok(bytes)
}

struct Git<'a> {
    control: &'a Control,
    source: &'a GitSource,
}

impl Git<'_> {
    fn clone_from(&self, place: &str, folder: &str, shallow: bool) -> Result<ForeignOutput, Trouble> {
        let mut args = vec!["clone".to_string(), "--quiet".into()];
        if shallow {
            args.push("--depth=1".into());
        }
        args.extend(self.source.branch.iter().map(|branch| format!("--branch={branch}")));
        args.extend(["--".to_string(), place.into(), folder.into()]);
        self.run(&args.iter().map(String::as_str).collect::<Vec<_>>(), None)
    }

    /// Checks a revision out: one the clone has, or one the server gives when asked by name.
    fn checkout(&self, folder: &str, revision: &str) -> Result<(), Trouble> {
        let detach = |what: &str| self.run(&["checkout", "--quiet", "--detach", what, "--"], Some(folder));
        if detach(revision)?.status.success() {
            return Ok(());
        }
        if detach(&format!("origin/{revision}"))?.status.success() {
            return Ok(());
        }
        let fetched = self.run(&["fetch", "--quiet", "origin", revision], Some(folder))?;
        if fetched.status.success() && detach("FETCH_HEAD")?.status.success() {
            return Ok(());
        }
        if let Some(trouble) = network(&stderr(&fetched), &self.source.place.shown()) {
            return Err(trouble);
        }
        Err(Trouble::job(format!(
            "there is no revision {revision:?} in the git repository {}",
            self.source.place.shown()
        )))
    }

    fn run(&self, args: &[&str], folder: Option<&str>) -> Result<ForeignOutput, Trouble> {
        // In a hook of git, its own variables would turn every call to the repository of the hook.
        let mut all: Vec<OsString> = Vec::new();
        for variable in
            ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR", "GIT_PREFIX"]
        {
            all.extend(["-u".into(), variable.into()]);
        }
        all.push("git".into());
        for setting in [
            "gc.auto=0",
            "maintenance.auto=false",
            "core.fsmonitor=false",
            "core.hooksPath=/dev/null",
            "advice.detachedHead=false",
            "credential.interactive=false",
        ] {
            all.extend(["-c".into(), setting.into()]);
        }
        if matches!(self.source.place, Place::Here(_)) {
            // Submodules of a repository of this machine may be on this machine too.
            all.extend(["-c".into(), "protocol.file.allow=always".into()]);
        }
        all.extend(args.iter().map(OsString::from));
        let work = std::env::current_dir().map_err(|error| super::format::writing(&error))?;
        let ssh = std::env::var_os("GIT_SSH_COMMAND").unwrap_or_else(|| "ssh -o BatchMode=yes".into());
        let environment: Vec<(OsString, OsString)> = [
            ("LC_ALL", OsString::from("C")),
            ("GIT_TERMINAL_PROMPT", "0".into()),
            ("GIT_ASKPASS", "/bin/false".into()),
            ("SSH_ASKPASS", "/bin/false".into()),
            ("SSH_ASKPASS_REQUIRE", "never".into()),
            ("GCM_INTERACTIVE", "never".into()),
            ("GIT_SSH_COMMAND", ssh),
            ("GIT_CONFIG_GLOBAL", work.join("gitconfig").into()),
        ]
        .map(|(name, value)| (name.into(), value))
        .into();
        let directory = Some(folder.map_or_else(|| work.clone(), |folder| work.join(folder)));
        let foreign = Foreign { program: "env".into(), args: all, environment, directory };
        let output = run(self.control, &foreign).map_err(|error| Trouble::lab(format!("cannot run git: {error}")))?;
        if output.status.code() == Some(127) {
            return Err(Trouble::lab("git is not installed on this machine; install it to use definitions from git"));
        }
        Ok(output)
    }

    /// The user's own settings, and that repositories of other users on this machine may be read.
    fn write_config(&self) -> Result<(), Trouble> {
        let home = std::env::var_os("HOME").map(PathBuf::from);
        let xdg = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from);
        let xdg = xdg.or_else(|| home.as_ref().map(|home| home.join(".config")));
        let files = [xdg.map(|xdg| xdg.join("git/config")), home.map(|home| home.join(".gitconfig"))];
        let mut config = String::new();
        for file in files.into_iter().flatten().filter(|file| file.is_file()) {
            let name = file.display().to_string().replace('\\', "\\\\").replace('"', "\\\"");
            config.push_str(&format!("[include]\n\tpath = \"{name}\"\n"));
        }
        config.push_str("[safe]\n\tdirectory = *\n");
        std::fs::write("gitconfig", config).map_err(|error| super::format::writing(&error))
    }

    fn check(&self, output: &ForeignOutput) -> Result<(), Trouble> {
        if output.status.success() {
            return Ok(());
        }
        let said = stderr(output);
        let place = self.source.place.shown();
        if let Some(trouble) = network(&said, &place) {
            return Err(trouble);
        }
        if let Some(branch) = &self.source.branch
            && said.contains("Remote branch")
            && said.contains("not found")
        {
            return Err(Trouble::job(format!("there is no branch {branch:?} in the git repository {place}")));
        }
        let why = reason(&said);
        Err(Trouble::job(format!("cannot fetch the git repository {place}: {why}")))
    }
}

/// Signs of trouble that is not the repository's.
const NETWORK: [&str; 16] = [
    "Could not resolve host",
    "Could not resolve proxy",
    "Temporary failure in name resolution",
    "Name or service not known",
    "Failed to connect",
    "Couldn't connect",
    "Could not connect",
    "Connection refused",
    "Connection reset",
    "Connection timed out",
    "Operation timed out",
    "Network is unreachable",
    "No route to host",
    "unexpected disconnect",
    "The requested URL returned error: 5",
    "unable to connect",
];

fn network(said: &str, place: &str) -> Option<Trouble> {
    if said.contains("No space left on device") {
        return Some(Trouble::lab(format!("no memory is left to fetch the git repository {place} into")));
    }
    NETWORK
        .iter()
        .any(|sign| said.contains(sign))
        .then(|| Trouble::lab(format!("cannot reach the git repository {place}: {}", reason(said))))
}

/// The line of git's words that tells most.
fn reason(said: &str) -> String {
    let lines = || said.lines().map(str::trim).filter(|line| !line.is_empty());
    let telling = lines().find_map(|line| line.strip_prefix("fatal: ").or_else(|| line.strip_prefix("ERROR: ")));
    let line = telling.or_else(|| lines().next_back()).unwrap_or("git gives no reason");
    // The address may stand in it with a password.
    let words = line.split(' ').map(|word| match word.find("://") {
        Some(_) => {
            let (open, address) = word.split_at(word.find(|c: char| c.is_ascii_alphanumeric()).unwrap_or(0));
            format!("{open}{}", shown(address))
        }
        None => word.to_string(),
    });
    words.collect::<Vec<_>>().join(" ")
}

fn stderr(output: &ForeignOutput) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn text(path: &Path) -> Result<String, Trouble> {
    path.to_str().map(str::to_string).ok_or_else(|| Trouble::job("the path of the repository is not UTF-8"))
}

fn remove_history(folder: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if entry.file_name() == ".git" {
            if kind.is_dir() { std::fs::remove_dir_all(entry.path())? } else { std::fs::remove_file(entry.path())? }
        } else if kind.is_dir() {
            remove_history(&entry.path())?;
        }
    }
    Ok(())
}
