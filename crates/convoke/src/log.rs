//! The log of a program that serves: to standard error, standard output, or a file that may be rotated.
//!
//! Invariant: logging never waits. A thread of its own writes; when nobody takes what it writes (a pipe that is not read, a
//! disk that hangs) lines queue up to a limit, and after that they are left out, counted, and the number is logged once there
//! is room again.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::time::Duration;

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::arguments::LogLevel;
use crate::failure::Failure;

/// Bytes of lines that wait to be written.
const WAITING: usize = 4 << 20;
/// How long the last lines may take at the end.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Begins to log. What is still to be written when the result is dropped is written then, if it can be.
pub(crate) fn start(path: Option<&Path>, level: LogLevel) -> Result<Log, Failure> {
    let writer: Box<dyn Write + Send> = match path {
        None => Box::new(io::stderr()),
        Some(path) if path == Path::new("-") => Box::new(io::stdout()),
        Some(path) => Box::new(LogFile::open(path)?),
    };
    let level = match level {
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Error => LevelFilter::ERROR,
    };
    let (lines, entries) = Lines::new(WAITING);
    let queue = Arc::clone(&lines.queue);
    std::thread::Builder::new()
        .name("log".to_owned())
        .spawn(move || write(writer, &entries, &queue))
        .map_err(|error| Failure::Lab(format!("the machine gives no threads: {error}")))?;
    let log = tracing_subscriber::fmt().with_max_level(level).with_ansi(false).with_target(false);
    log.with_writer(lines.clone())
        .try_init()
        .map_err(|error| Failure::Bug(format!("the log cannot be started: {error}")))?;
    Ok(Log(lines))
}

/// A log that was started.
pub(crate) struct Log(Lines);

impl Drop for Log {
    fn drop(&mut self) {
        let (tell, told) = sync_channel(1);
        if self.0.send.send(Entry::Flush(tell)).is_ok() {
            // Nobody takes the lines: then they are lost.
            let _ = told.recv_timeout(LAST_LINES);
        }
    }
}

enum Entry {
    Line(Vec<u8>),
    Flush(SyncSender<()>),
}

/// Takes lines, each in one piece, and never waits.
#[derive(Clone)]
struct Lines {
    send: Sender<Entry>,
    queue: Arc<Queue>,
}

struct Queue {
    most: usize,
    waiting: AtomicUsize,
    left_out: AtomicU64,
}

impl Lines {
    fn new(most: usize) -> (Self, Receiver<Entry>) {
        let (send, entries) = channel();
        let queue = Queue { most, waiting: AtomicUsize::new(0), left_out: AtomicU64::new(0) };
        (Self { send, queue: Arc::new(queue) }, entries)
    }
}

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let waiting = self.queue.waiting.fetch_add(line.len(), Ordering::Relaxed);
        if waiting + line.len() > self.queue.most || self.send.send(Entry::Line(line.to_vec())).is_err() {
            self.queue.waiting.fetch_sub(line.len(), Ordering::Relaxed);
            self.queue.left_out.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

fn write(mut writer: impl Write, entries: &Receiver<Entry>, queue: &Queue) {
    while let Ok(entry) = entries.recv() {
        match entry {
            Entry::Line(line) => {
                if writer.write_all(&line).and_then(|()| writer.flush()).is_err() {
                    queue.left_out.fetch_add(1, Ordering::Relaxed);
                    queue.waiting.fetch_sub(line.len(), Ordering::Relaxed);
                    continue;
                }
                let waiting = queue.waiting.fetch_sub(line.len(), Ordering::Relaxed) - line.len();
                if waiting <= queue.most / 2 {
                    let left_out = queue.left_out.swap(0, Ordering::Relaxed);
                    if left_out > 0 {
                        tracing::warn!(left_out, "lines of the log were left out: they could not be written in time");
                    }
                }
            }
            Entry::Flush(tell) => drop(tell),
        }
    }
}

/// A file that is opened again when something else stands at its path.
struct LogFile {
    path: PathBuf,
    file: File,
}

impl LogFile {
    fn open(path: &Path) -> Result<Self, Failure> {
        let file =
            append(path).map_err(|error| Failure::User(format!("{}: cannot be written: {error}", path.display())))?;
        Ok(Self { path: path.to_owned(), file })
    }

    fn was_rotated(&self) -> bool {
        let identity = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
        std::fs::metadata(&self.path).map(identity).ok() != self.file.metadata().map(identity).ok()
    }
}

impl Write for LogFile {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.was_rotated() {
            // When it cannot be opened again the old file still takes the lines.
            if let Ok(file) = append(&self.path) {
                self.file = file;
            }
        }
        self.file.write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Mutex;

    use tracing_subscriber::util::SubscriberInitExt;

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_that_nobody_takes_are_left_out_and_counted() {
        let (mut lines, entries) = Lines::new(20);
        for _ in 0..9 {
            lines.write_all(b"12345678\n").unwrap();
        }
        let (queue, written) = (Arc::clone(&lines.queue), Written::default());
        assert_eq!(queue.left_out.load(Ordering::Relaxed), 7);
        drop(lines);
        // Nobody writes until here; what is said about it goes to another log.
        let said = Written::default();
        let log = said.clone();
        let logging = tracing_subscriber::fmt().with_writer(move || log.clone()).finish().set_default();
        write(written.clone(), &entries, &queue);
        drop(logging);
        assert_eq!(written.0.lock().unwrap().as_slice(), b"12345678\n12345678\n");
        let said = String::from_utf8(said.0.lock().unwrap().clone()).unwrap();
        assert!(said.contains("left_out") && said.contains('7'), "{said}");
        assert_eq!(queue.left_out.load(Ordering::Relaxed), 0);
    }
}
