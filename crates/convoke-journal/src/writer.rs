//! The one owner of `journal.jsonl`: a thread that takes what is queued, writes it, and shows it to the views.
//!
//! Whatever was queued is handed to the kernel before the thread sleeps, so a killed process loses nothing that it had
//! recorded. (It is not forced onto the medium: a power cut may lose the last seconds.) When the disk is full the journal
//! is cut back to its last whole line and ends there; the run and its views go on, and [`Journal::failure`] and
//! [`Journal::close`] say so.

use std::fmt;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;
use std::thread::JoinHandle;

use crate::event::{Body, Event, LogLevel};
use crate::pipeline::Pipeline;
use crate::recorder::{Item, Queued, Recorder, Shared};
use crate::view::{View, Views};

/// Name of the journal in a run's folder.
pub const FILE_NAME: &str = "journal.jsonl";

type Failure = Arc<Mutex<Option<(io::ErrorKind, String)>>>;

/// The open journal: owns the file and the views that see each event as it comes.
pub struct Journal {
    shared: Arc<Shared>,
    failure: Failure,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").field("failure", &self.failure).finish_non_exhaustive()
    }
}

/// What a journal is written to; a file, or in tests something that fails.
pub(crate) trait Target: Write + Send + 'static {
    /// Cuts everything after `length` bytes.
    fn cut(&mut self, length: u64) -> io::Result<()>;
}

impl Target for File {
    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)?;
        self.seek(SeekFrom::Start(length)).map(drop)
    }
}

impl Journal {
    /// Creates `journal.jsonl` in `dir`, with `dir` and its parents when they are missing, and gives a recorder for it.
    ///
    /// # Errors
    /// The folder or the file cannot be made, or there is a journal already: a finished run is not overwritten.
    pub fn create(dir: &Path) -> io::Result<(Journal, Recorder)> {
        let path = dir.join(FILE_NAME);
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        std::fs::create_dir_all(dir).map_err(named)?;
        let file = File::options().write(true).create_new(true).open(&path).map_err(named)?;
        Self::start(file, path)
    }

    pub(crate) fn start(target: impl Target, path: PathBuf) -> io::Result<(Journal, Recorder)> {
        let (recorder, shared) = Recorder::new();
        let failure = Failure::default();
        let writer = Writer { target, path, good: 0, failure: Arc::clone(&failure), broken: false };
        let thread = {
            let shared = Arc::clone(&shared);
            std::thread::Builder::new().name("journal".into()).spawn(move || run(writer, &shared))?
        };
        Ok((Journal { shared, failure, thread: Some(thread) }, recorder))
    }

    /// Lets `view` see every event that is recorded from now on.
    pub fn subscribe(&self, view: Box<dyn View>) {
        self.shared.push(&mut self.shared.lock(), None, Item::View(view));
    }

    /// Why the journal could not be written any further, if so. The views get a `Log` event about it too.
    pub fn failure(&self) -> Option<String> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|(_, message)| message.clone())
    }

    /// Waits until everything recorded is written and every view has seen it and has finished.
    ///
    /// # Errors
    /// The first error of the journal or, if there is none, of a view.
    pub fn close(mut self) -> io::Result<()> {
        self.end()
    }

    fn end(&mut self) -> io::Result<()> {
        self.shared.lock().closed = true;
        self.shared.filled.notify_all();
        let Some(thread) = self.thread.take() else { return Ok(()) };
        thread.join().unwrap_or_else(|_| Err(io::Error::other("the journal's writer panicked; this is a bug")))
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        // Nobody is left to tell an error to; `close` is for those who want to know.
        let _ = self.end();
    }
}

struct Writer<T> {
    target: T,
    path: PathBuf,
    /// Length of the journal up to its last whole line.
    good: u64,
    failure: Failure,
    broken: bool,
}

impl<T: Target> Writer<T> {
    /// Writes a batch. On failure the journal ends, and the log line to show about it is given.
    fn write(&mut self, events: &[Event]) -> Option<Event> {
        if self.broken || events.is_empty() {
            return None;
        }
        let mut lines = Vec::with_capacity(events.len() * 256);
        let written = events.iter().try_for_each(|event| {
            serde_json::to_writer(&mut lines, event).map_err(io::Error::other)?;
            lines.push(b'\n');
            Ok(())
        });
        let error = match written.and_then(|()| self.append(&lines)) {
            Ok(()) => return None,
            Err(error) => error,
        };
        self.broken = true;
        let message = format!("{}: the journal ends early: {error}", self.path.display());
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some((error.kind(), message.clone()));
        let last = events.last()?;
        let text = format!("{message}; the run goes on, but what happens from now on is not kept in the journal");
        let body = Body::Log { level: LogLevel::Error, text };
        Some(Event { seq: last.seq, at: last.at, elapsed_ns: last.elapsed_ns, member: None, body })
    }

    /// Appends whole lines; what a failure leaves of the last line is cut off.
    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let mut done = 0;
        while done < lines.len() {
            match self.target.write(&lines[done..]) {
                Ok(0) => return self.cut(&lines[..done], io::ErrorKind::WriteZero.into()),
                Ok(count) => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return self.cut(&lines[..done], error),
            }
        }
        self.good += lines.len() as u64;
        Ok(())
    }

    fn cut(&mut self, done: &[u8], error: io::Error) -> io::Result<()> {
        let whole = done.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        self.good += whole as u64;
        // When even this fails the journal has a torn last line, which readers tolerate.
        let _ = self.target.cut(self.good);
        Err(error)
    }
}

fn run<T: Target>(mut writer: Writer<T>, shared: &Shared) -> io::Result<()> {
    let (mut pipeline, mut views) = (Pipeline::default(), Views::default());
    loop {
        let (batch, taken_ns, closed) = take(shared, &views);
        let mut batch = batch.into_iter();
        // A view sees what was recorded after it joined, so a batch is cut where one joins.
        loop {
            let part = batch.take_while_inclusive(|queued| !matches!(queued.item, Item::View(_)));
            if part.is_empty() {
                break;
            }
            let mut joining = Vec::new();
            let events = pipeline.batch(part, |view| joining.push(view));
            show(&mut writer, &mut views, &events);
            joining.into_iter().for_each(|view| views.add(view));
        }
        if closed {
            let tail = pipeline.end(jiff::Timestamp::now(), shared.elapsed_ns());
            show(&mut writer, &mut views, &tail);
            break;
        }
        // All that was recorded before `taken_ns` has been shown.
        views.idle(taken_ns.saturating_sub(1));
    }
    drop(writer.target);
    let views = views.finish();
    let failure = writer.failure.lock().unwrap_or_else(PoisonError::into_inner);
    match &*failure {
        Some((kind, message)) => Err(io::Error::new(*kind, message.clone())),
        None => views,
    }
}

trait TakeInclusive: Iterator {
    /// The items up to and including the first that does not fit.
    fn take_while_inclusive(&mut self, fits: impl Fn(&Self::Item) -> bool) -> Vec<Self::Item>;
}

impl<I: Iterator> TakeInclusive for I {
    fn take_while_inclusive(&mut self, fits: impl Fn(&Self::Item) -> bool) -> Vec<Self::Item> {
        let mut out = Vec::new();
        for item in self {
            let more = fits(&item);
            out.push(item);
            if !more {
                break;
            }
        }
        out
    }
}

fn show<T: Target>(writer: &mut Writer<T>, views: &mut Views, events: &[Event]) {
    let broken = writer.write(events);
    for event in events {
        views.event(event);
    }
    if let Some(notice) = broken {
        views.event(&notice);
    }
}

/// Waits for items, for the end, or for the next tick; makes room for consoles that wait.
fn take(shared: &Shared, views: &Views) -> (Vec<Queued>, u64, bool) {
    let mut queue = shared.lock();
    if queue.items.is_empty() && !queue.closed {
        queue = match views.tick() {
            Some(tick) => shared.filled.wait_timeout(queue, tick).map_or_else(|e| e.into_inner().0, |(queue, _)| queue),
            None => shared.filled.wait(queue).unwrap_or_else(PoisonError::into_inner),
        };
    }
    let items = std::mem::take(&mut queue.items);
    queue.console.clear();
    let wakers = std::mem::take(&mut queue.wakers);
    let closed = queue.closed;
    let taken_ns = shared.elapsed_ns();
    drop(queue);
    wakers.into_iter().for_each(Waker::wake);
    (items, taken_ns, closed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk with room for so many bytes.
    struct Small {
        room: usize,
        data: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Small {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut data = self.data.lock().expect("data");
            let count = bytes.len().min(self.room - data.len());
            if count == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            data.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Target for Small {
        fn cut(&mut self, length: u64) -> io::Result<()> {
            self.data.lock().expect("data").truncate(usize::try_from(length).expect("small"));
            Ok(())
        }
    }

    struct Count(Arc<Mutex<Vec<String>>>);

    impl View for Count {
        fn event(&mut self, event: &Event) {
            if let Body::Log { text, .. } = &event.body {
                self.0.lock().expect("texts").push(text.clone());
            }
        }

        fn finish(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_ends_the_journal_but_not_the_run() {
        let (data, seen) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
        let small = Small { room: 1000, data: Arc::clone(&data) };
        let (journal, recorder) = Journal::start(small, "run/journal.jsonl".into()).expect("thread");
        journal.subscribe(Box::new(Count(Arc::clone(&seen))));
        for number in 0..100 {
            recorder.group(Body::Log { level: LogLevel::Info, text: format!("line {number}") });
        }
        let error = journal.close().expect_err("full");
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert!(error.to_string().contains("run/journal.jsonl"), "{error}");
        let data = data.lock().expect("data");
        let kept = String::from_utf8(data.clone()).expect("text");
        assert!(kept.ends_with('\n') && kept.lines().count() >= 5, "whole lines are kept: {kept}");
        let seen = seen.lock().expect("seen");
        assert_eq!(seen.iter().filter(|text| text.starts_with("line ")).count(), 100);
        assert_eq!(seen.iter().filter(|text| text.contains("ends early")).count(), 1);
    }
}
