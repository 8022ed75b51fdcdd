//! Files out of Debian's packages, without installing them: what goes into a guest must not change the machine, and
//! `busybox-static` would push `busybox` out.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Packages that were downloaded into a folder and unpacked into another.
pub(crate) struct Unpacked {
    /// File names of the packages, which tell their versions, in alphabetical order.
    pub(crate) names: Vec<String>,
    pub(crate) root: PathBuf,
}

/// Downloads what is not there yet and unpacks everything. `root` is emptied first.
pub(crate) fn unpack(packages: &[&str], store: &Path, root: &Path) -> Result<Unpacked, String> {
    fs::create_dir_all(store).map_err(|error| format!("{}: {error}", store.display()))?;
    let missing: Vec<&str> = packages.iter().filter(|name| stored(store, name).is_none()).copied().collect();
    if !missing.is_empty() {
        eprintln!("xtask: downloading {}", missing.join(" "));
        let mut arguments = vec!["-q", "download"];
        arguments.extend(&missing);
        output(Command::new("apt-get").current_dir(store).args(arguments))?;
    }
    if root.exists() {
        fs::remove_dir_all(root).map_err(|error| format!("{}: {error}", root.display()))?;
    }
    let mut names = Vec::new();
    for package in packages {
        let file = stored(store, package).ok_or_else(|| format!("apt-get has not downloaded {package}"))?;
        output(Command::new("dpkg-deb").arg("-x").arg(&file).arg(root))?;
        names.extend(file.file_name().map(|name| name.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(Unpacked { names, root: root.to_owned() })
}

/// The package's file: `NAME_VERSION_ARCH.deb`.
fn stored(store: &Path, package: &str) -> Option<PathBuf> {
    let files = fs::read_dir(store).ok()?;
    let mut files: Vec<PathBuf> = files.flatten().map(|entry| entry.path()).collect();
    files.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.ends_with(".deb") && name.split_once('_').is_some_and(|(before, _)| before == package)
    });
    files.sort();
    files.pop()
}

/// The package behind a name that stands for the newest kernel.
pub(crate) fn behind(name: &str) -> Result<String, String> {
    let shown = output(Command::new("apt-cache").args(["show", "--no-all-versions", name]))?;
    let depends = shown.lines().find_map(|line| line.strip_prefix("Depends: "));
    let first = depends.and_then(|depends| depends.split([' ', ',']).next());
    first.map(str::to_owned).ok_or_else(|| format!("apt-cache knows no {name}; `apt-get update` fetches its lists"))
}

fn output(command: &mut Command) -> Result<String, String> {
    let words = format!("{command:?}").replace('"', "");
    let output = command.output().map_err(|error| format!("cannot start `{words}`: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    Err(format!("`{words}` ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim()))
}
