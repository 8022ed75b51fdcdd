//! The stage `artifact`: the work in a process of its own, and convoke's side of it.
//!
//! Downloading, hashing and unpacking block, sometimes for minutes; in a process of their own they end at once when the
//! future is dropped (a limit, a cancel), with every program they run, and when convoke is killed. What they make has
//! no name until it is whole, so nothing stays behind.

use std::cell::Cell;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use convoke_children::{Control, Stage, StageEntry, StageFailure};
use serde::{Deserialize, Serialize};

use crate::checksum::Sums;
use crate::error::Error;
use crate::order::{Artifact, Order, Origin, Progress};
use crate::store::Store;
use crate::work::{self, Bench};

/// The stages of this crate, for the table of the program's `main`.
pub const STAGES: [(&str, StageEntry); 1] = [("artifact", StageEntry::Controlled(run))];

/// To the stage, with the descriptor of the test overlay if there is one.
#[derive(Debug, Serialize, Deserialize)]
struct Task {
    order: Order,
}

/// From the stage.
#[derive(Debug, Serialize, Deserialize)]
enum Answer {
    Progress(Progress),
    /// With the file.
    Done {
        size: u64,
        own: bool,
        origin: Origin,
        sums: Sums,
        notes: Vec<String>,
    },
    Failed(Error),
}

/// Makes what is ordered. `lava` is the test overlay, a tar archive, which goes where the order says `lava: true`; its
/// position is of no importance. Dropping the future ends all work.
///
/// # Errors
/// One line that names the place, with whose fault it is.
pub async fn prepare(
    order: &Order,
    lava: Option<&File>,
    mut progress: impl FnMut(Progress),
) -> Result<Artifact, Error> {
    let failed = |error: convoke_children::StageError| Error::lab(error.to_string());
    let fds: Vec<BorrowedFd<'_>> = lava.iter().map(|file| file.as_fd()).collect();
    let stage = Stage::spawn("artifact", &Task { order: order.clone() }, &fds).await.map_err(failed)?;
    loop {
        let (answer, mut files) = stage.recv::<Answer>().await.map_err(failed)?;
        match answer {
            Answer::Progress(now) => progress(now),
            Answer::Done { size, own, origin, sums, notes } => {
                let file = files.pop().ok_or_else(|| Error::bug("an artifact came without its file"))?;
                return Ok(Artifact { file: file.into(), size, own, origin, sums, notes });
            }
            Answer::Failed(error) => return Err(error),
        }
    }
}

/// How often progress is told.
const OFTEN: Duration = Duration::from_millis(200);

fn run(control: Control) -> Result<(), StageFailure> {
    let (task, mut files) = control.recv::<Task>()?;
    let told: Cell<Option<Instant>> = Cell::new(None);
    let tell = |progress: Progress| {
        let now = Instant::now();
        if told.get().is_none_or(|last| now.duration_since(last) >= OFTEN) {
            told.set(Some(now));
            // When nobody is there to hear it, this process is about to be killed.
            let _ = control.send(&Answer::Progress(progress), &[]);
        }
    };
    let (mut store, mut note) = (None, None);
    if let Some(cache) = &task.order.cache {
        match Store::open(cache) {
            Ok(opened) => store = Some(opened),
            Err(error) => {
                note = Some(format!("the cache {} cannot be used: {error}; nothing is kept", cache.folder.display()));
            }
        }
    }
    let bench = Bench { order: &task.order, control: &control, store: store.as_ref(), tell: &tell };
    match work::make(&bench, files.pop()) {
        Ok(mut artifact) => {
            artifact.notes.extend(note);
            let Artifact { file, size, own, origin, sums, notes } = artifact;
            control.send(&Answer::Done { size, own, origin, sums, notes }, &[file.as_fd()])?;
        }
        Err(mut error) => {
            error.message = error.message.chars().take(2000).collect();
            control.send(&Answer::Failed(error), &[])?;
        }
    }
    Ok(())
}
