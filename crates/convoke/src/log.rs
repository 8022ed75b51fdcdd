//! The log of a program that serves: to standard error, standard output, or a file that may be rotated.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;

use crate::arguments::LogLevel;
use crate::failure::Failure;

/// Begins to log.
pub(crate) fn start(path: Option<&Path>, level: LogLevel) -> Result<(), Failure> {
    let writer = match path {
        None => BoxMakeWriter::new(io::stderr),
        Some(path) if path == Path::new("-") => BoxMakeWriter::new(io::stdout),
        Some(path) => BoxMakeWriter::new(Mutex::new(LogFile::open(path)?)),
    };
    let level = match level {
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Error => LevelFilter::ERROR,
    };
    let log = tracing_subscriber::fmt().with_writer(writer).with_max_level(level).with_ansi(false).with_target(false);
    log.try_init().map_err(|error| Failure::Bug(format!("the log cannot be started: {error}")))
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
