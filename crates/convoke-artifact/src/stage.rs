//! The stage `artifact`: the work in a process of its own, and convoke's side of it.
//!
//! Downloading, hashing and unpacking block, sometimes for minutes; in a process of their own they end at once when the
//! future is dropped (a limit, a cancel), with every program they run, and when convoke is killed. What they make has
//! no name until it is whole, so nothing stays behind.

use std::cell::Cell;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use convoke_children::{Control, Stage, StageEntry, StageFailure};
use serde::{Deserialize, Serialize};

use crate::checksum::Sums;
use crate::disk::{self, DiskOrder, OverlayDisk};
use crate::error::Error;
use crate::order::{Artifact, Order, Origin, Progress};
use crate::store::Store;
use crate::tools::Tools;
use crate::work::{self, Bench};

/// The stages of this crate, for the table of the program's `main`.
pub const STAGES: [(&str, StageEntry); 1] = [("artifact", StageEntry::Controlled(run))];

/// To the stage, with the descriptor of the test overlay if there is one.
#[derive(Debug, Serialize, Deserialize)]
enum Task {
    Prepare(Order),
    Disk(DiskOrder),
}

/// From the stage.
#[derive(Debug, Serialize, Deserialize)]
enum Answer {
    Progress(Progress),
    /// With the disk.
    Disk,
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
    let stage = Stage::spawn("artifact", &Task::Prepare(order.clone()), &fds).await.map_err(failed)?;
    loop {
        let (answer, mut files) = stage.recv::<Answer>().await.map_err(failed)?;
        match answer {
            Answer::Progress(now) => progress(now),
            Answer::Done { size, own, origin, sums, notes } => {
                let file = files.pop().ok_or_else(|| Error::bug("an artifact came without its file"))?;
                return Ok(Artifact { file: file.into(), size, own, origin, sums, notes });
            }
            Answer::Disk => return Err(Error::bug("a disk came for an artifact")),
            Answer::Failed(error) => return Err(error),
        }
    }
}

/// Makes a disk with an overlay, a tar archive. Dropping the future ends all work.
///
/// # Errors
/// A job error when the overlay does not fit, a lab error when the disk cannot be made.
pub async fn overlay_disk(order: &DiskOrder, overlay: &File) -> Result<OverlayDisk, Error> {
    let failed = |error: convoke_children::StageError| Error::lab(error.to_string());
    let stage = Stage::spawn("artifact", &Task::Disk(order.clone()), &[overlay.as_fd()]).await.map_err(failed)?;
    let (answer, mut files) = stage.recv::<Answer>().await.map_err(failed)?;
    match (answer, files.pop()) {
        (Answer::Disk, Some(file)) => Ok(OverlayDisk { file: file.into(), uuid: order.uuid }),
        (Answer::Failed(error), _) => Err(error),
        _ => Err(Error::bug("something else came than an overlay disk")),
    }
}

/// How often progress is told.
const OFTEN: Duration = Duration::from_millis(200);

fn run(control: Control) -> Result<(), StageFailure> {
    let (task, mut files) = control.recv::<Task>()?;
    let overlay = files.pop();
    let (answer, file) = match &task {
        Task::Prepare(order) => match prepared(&control, order, overlay) {
            Ok(Artifact { file, size, own, origin, sums, notes }) => {
                (Answer::Done { size, own, origin, sums, notes }, Some(file))
            }
            Err(error) => (Answer::Failed(error), None),
        },
        Task::Disk(order) => {
            let overlay = overlay.ok_or_else(|| StageFailure::new("an overlay is to come with the work"))?;
            match disk::make(&Tools { control: &control, scratch: &order.scratch }, order, overlay) {
                Ok(file) => (Answer::Disk, Some(file)),
                Err(error) => (Answer::Failed(error), None),
            }
        }
    };
    let answer = match answer {
        Answer::Failed(error) => Answer::Failed(Error { message: error.message.chars().take(2000).collect(), ..error }),
        answer => answer,
    };
    let fds: Vec<BorrowedFd<'_>> = file.iter().map(|file| file.as_fd()).collect();
    Ok(control.send(&answer, &fds)?)
}

fn prepared(control: &Control, order: &Order, overlay: Option<OwnedFd>) -> Result<Artifact, Error> {
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
    if let Some(cache) = &order.cache {
        match Store::open(cache) {
            Ok(opened) => store = Some(opened),
            Err(error) => {
                note = Some(format!("the cache {} cannot be used: {error}; nothing is kept", cache.folder.display()));
            }
        }
    }
    let tools = Tools { control, scratch: &order.scratch };
    let mut artifact = work::make(&Bench { order, tools, store: store.as_ref(), tell: &tell }, overlay)?;
    artifact.notes.extend(note);
    Ok(artifact)
}
