//! QEMU beside the QEMU packages that are installed already. A machine may have `qemu-utils` from backports, beside which the
//! `qemu-system-x86` of the release cannot be installed: all packages of one source go to one version.

use std::process::{Command, Stdio};

/// The package that is wanted.
pub(crate) const SYSTEM: &str = "qemu-system-x86";

/// How it can be installed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// As apt would, with these `PACKAGE=VERSION` of what is installed, older or newer than now.
    Candidate(Vec<String>),
    /// From this suite, which has the very version that is installed of the others.
    Suite(String),
}

/// A version of a package, and the `SERVER SUITE/COMPONENT` that offers it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Offer {
    version: String,
    place: String,
}

impl Offer {
    fn suite(&self) -> Option<&str> {
        self.place.split(' ').nth(1)?.split('/').next()
    }
}

/// Looks at what is installed and what the package lists offer.
pub(crate) fn beside_what_is_installed() -> Result<Way, String> {
    let shown = output("dpkg-query", &["-W", "-f", "${source:Package} ${db:Status-Status} ${Package} ${Version}\n"])?;
    let installed: Vec<(String, String)> = shown.lines().filter_map(of_qemu).collect();
    let policy = output("apt-cache", &["policy", SYSTEM])?;
    let candidate = policy.lines().find_map(|line| line.trim().strip_prefix("Candidate: ")).unwrap_or_default();
    way(&installed, candidate, |package| Ok(offers(&output("apt-cache", &["madison", package])?)))
}

fn of_qemu(line: &str) -> Option<(String, String)> {
    let mut words = line.strip_prefix("qemu installed ")?.split(' ');
    Some((words.next()?.to_owned(), words.next()?.to_owned()))
}

fn way(
    installed: &[(String, String)],
    candidate: &str,
    offers: impl Fn(&str) -> Result<Vec<Offer>, String>,
) -> Result<Way, String> {
    let systems = offers(SYSTEM)?;
    // All packages of the source come from one place.
    let chosen = systems.iter().find(|offer| offer.version == candidate);
    let chosen = chosen.ok_or_else(|| format!("apt knows no {SYSTEM}"))?;
    let same =
        |offer: &&Offer| offer.version != candidate && installed.iter().any(|(_, version)| version == &offer.version);
    if let Some(suite) = systems.iter().find(same).and_then(Offer::suite) {
        return Ok(Way::Suite(suite.to_owned()));
    }
    let mut versions = Vec::new();
    for (package, version) in installed {
        let there = offers(package)?.into_iter().find(|offer| offer.place == chosen.place);
        versions.extend(
            there.filter(|offer| &offer.version != version).map(|offer| format!("{package}={}", offer.version)),
        );
    }
    Ok(Way::Candidate(versions))
}

/// Lines of `PACKAGE | VERSION | PLACE`, newest first.
fn offers(madison: &str) -> Vec<Offer> {
    let offer = |line: &str| {
        let mut columns = line.split(" | ").map(str::trim).skip(1);
        Some(Offer { version: columns.next()?.to_owned(), place: columns.next()?.to_owned() })
    };
    madison.lines().filter_map(offer).filter(|offer| offer.place.ends_with("Packages")).collect()
}

fn output(program: &str, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(program).args(arguments).stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| format!("cannot start {program}: {error}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const RELEASE: &str = "qemu-system-x86 | 1:7.2+b3 | http://deb.debian.org/debian bookworm/main amd64 Packages
qemu-system-x86 | 1:7.2 | http://deb.debian.org/debian-security bookworm-security/main amd64 Packages\n";
    const BACKPORTS: &str =
        "qemu-system-x86 | 1:10.0~bpo | http://deb.debian.org/debian bookworm-backports/main amd64 Packages\n";

    fn found(installed: &[(&str, &str)], lists: &str) -> Way {
        let installed: Vec<(String, String)> =
            installed.iter().map(|(name, version)| ((*name).to_owned(), (*version).to_owned())).collect();
        let utils = lists.replace(SYSTEM, "qemu-utils");
        let data = lists.replace(SYSTEM, "qemu-system-data").replace("+b3", "");
        way(&installed, "1:7.2+b3", |package| {
            Ok(offers(if package == SYSTEM {
                lists
            } else if package == "qemu-utils" {
                &utils
            } else {
                &data
            }))
        })
        .unwrap()
    }

    #[test]
    fn a_machine_without_qemu_needs_nothing_else() {
        assert_eq!(found(&[], RELEASE), Way::Candidate(vec![]));
        assert_eq!(found(&[("qemu-utils", "1:7.2+b3")], RELEASE), Way::Candidate(vec![]));
    }

    #[test]
    fn what_no_list_has_any_more_goes_to_the_version_of_the_release() {
        let installed = [("qemu-system-data", "1:10.0~bpo"), ("qemu-utils", "1:10.0~bpo")];
        let both = ["qemu-system-data=1:7.2".to_owned(), "qemu-utils=1:7.2+b3".to_owned()];
        assert_eq!(found(&installed, RELEASE), Way::Candidate(both.into()));
    }

    #[test]
    fn what_a_list_has_stays_and_gets_its_fellow() {
        let lists = format!("{BACKPORTS}{RELEASE}");
        assert_eq!(found(&[("qemu-utils", "1:10.0~bpo")], &lists), Way::Suite("bookworm-backports".into()));
    }
}
