//! The stage `fetch-work`: PID 1 of its namespace; fetches into its tmpfs and streams the result into convoke's files.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use convoke_artifact::place::Place;
use convoke_children::{Control, StageFailure};

use super::message::{Answer, Repos, Trouble, Work};
use super::source::{GitSource, Source};
use super::{archive, format, git};

pub(super) type Tar = tar::Builder<BufWriter<File>>;

pub(super) fn run(control: Control) -> Result<(), StageFailure> {
    let control = Arc::new(control);
    let watched = Arc::clone(&control);
    // Whatever the main thread waits for: when convoke is gone this process ends, and being PID 1 takes all others along.
    std::thread::Builder::new().name("channel".into()).spawn(move || {
        let _ = watched.wait_eof();
        std::process::exit(1);
    })?;
    let (work, files) = control.recv::<Work>()?;
    let Ok([archive, document]) = <[OwnedFd; 2]>::try_from(files) else {
        return Err(StageFailure::new("two files are to come with the work"));
    };
    let mut tar = tar::Builder::new(BufWriter::with_capacity(256 * 1024, File::from(archive)));
    let answer = first(&control, &work, &mut tar, File::from(document));
    if !told(&control, answer)? {
        return Ok(());
    }
    let (Repos(repos), _) = control.recv()?;
    let mut answer = Ok(None);
    for (number, repo) in repos.iter().enumerate() {
        let source = GitSource {
            place: Place::of(&repo.url),
            branch: repo.branch.clone(),
            shallow: true,
            history: true,
            ..GitSource::default()
        };
        answer = git::fetch(&control, &source, &format!("repo-{number}"))
            .and_then(|checkout| format::add_tree(&mut tar, Path::new(&checkout.folder), &repo.destination))
            .map(|()| None);
        if answer.is_err() {
            break;
        }
    }
    let answer = answer.and_then(|commit| {
        tar.finish().and_then(|()| tar.get_mut().flush()).map_err(|error| format::writing(&error)).map(|()| commit)
    });
    told(&control, answer)?;
    Ok(())
}

fn first(control: &Control, work: &Work, tar: &mut Tar, mut document: File) -> Result<Option<String>, Trouble> {
    match &work.source {
        None => Ok(None),
        Some(Source::Git(source)) => {
            let checkout = git::fetch(control, source, "checkout")?;
            let text = git::document(&checkout, source, &work.path)?;
            document.write_all(&text).map_err(|error| format::writing(&error))?;
            format::add_tree(tar, Path::new(&checkout.folder), "")?;
            Ok(Some(checkout.commit))
        }
        Some(Source::Archive(source)) => {
            let text = archive::fetch(source, &work.path, tar)?;
            document.write_all(&text).map_err(|error| format::writing(&error))?;
            Ok(None)
        }
    }
}

/// Sends the answer; false when it is the last one.
fn told(control: &Control, answer: Result<Option<String>, Trouble>) -> Result<bool, StageFailure> {
    let (answer, good) = match answer {
        Ok(commit) => (Answer::Done { commit }, true),
        Err(Trouble { class, message }) => {
            let message: String = message.chars().take(2000).collect();
            (Answer::Failed { class, message }, false)
        }
    };
    control.send(&answer, &[])?;
    Ok(good)
}
