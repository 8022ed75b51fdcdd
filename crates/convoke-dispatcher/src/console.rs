//! The console while the dispatcher holds it: one task reads, one types.
//!
//! ```text
//! device ─→ reader task ─→ journal (as it came)
//!                       └→ buffer (bounded) ─→ whoever runs: prompt wait or test shell
//! whoever runs ─→ lines, whole ones, in order ─→ typing task ─→ device
//! ```
//!
//! Invariants: memory is bounded whatever the device prints; nothing is lost while somebody reads; while nobody reads,
//! the journal still gets everything and the buffer keeps the newest bytes, so a device never stalls because the
//! dispatcher is busy elsewhere. Typing never blocks reading: a device that does not take input only delays what is
//! typed after it.
//!
//! It fails with end of file, which every reader sees after the bytes before it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use convoke_journal::Body;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;

use crate::desk::{Line, Visiting};
use crate::device::{Console, ConsoleEnd, DeviceEvent};
use crate::error::{ActionError, ErrorClass};
use crate::faults::{Fault, FaultWatch, Kind};
use crate::limits::CONSOLE_GONE;
use crate::log::Log;

/// Bytes kept for a reader. A full buffer stops reading from the device while somebody reads.
const BUFFER: usize = 256 * 1024;
/// Bytes of the newest output kept for messages.
const TAIL: usize = 2048;
/// Bytes taken from the device at once.
const CHUNK: usize = 16 * 1024;

/// A console that is being read and typed to. Dropping it closes it.
#[derive(Debug)]
pub(crate) struct ConsoleLink {
    shared: Arc<Shared>,
    lines: mpsc::UnboundedSender<Typed>,
    /// Whether the device tells of its resets itself.
    tells: bool,
    reader: JoinHandle<()>,
    typist: JoinHandle<()>,
}

#[derive(Debug)]
pub(crate) struct Typed {
    pub(crate) bytes: Vec<u8>,
    /// What is recorded.
    pub(crate) shown: String,
    /// Pause after each byte.
    pub(crate) pace: Duration,
}

#[derive(Debug, Default)]
pub(crate) struct Shared {
    state: Mutex<State>,
    readable: Notify,
    room: Notify,
    /// How a visitor and the test shell of this console agree.
    pub(crate) visiting: watch::Sender<Visiting>,
}

#[derive(Debug, Default)]
struct State {
    buffer: VecDeque<u8>,
    tail: VecDeque<u8>,
    /// Somebody reads: keep everything.
    attached: bool,
    /// Pause after each byte of what is typed from now on.
    pace: Duration,
    /// The device was reset since the last read.
    reset: bool,
    /// Its kernel has panicked since the last read.
    panicked: Option<String>,
    /// What its kernel had to complain about and nobody has taken yet.
    faults: Vec<Fault>,
    /// Why there will be no more bytes.
    closed: Option<ConsoleEnd>,
    /// Who hears what comes, beside the reader.
    beside: Option<mpsc::Sender<Vec<u8>>>,
    /// What was typed from there and the reader has not been told of.
    typed_beside: Vec<u8>,
}

/// What is read from a console.
#[derive(Debug)]
pub(crate) enum Came {
    /// Bytes, at least one.
    Bytes(Vec<u8>),
    /// The device was reset; the bytes before that have been read.
    Reset,
    /// Its kernel has panicked; the line that says so has been read.
    Panicked(String),
}

/// What may happen to a device beside what it prints.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// It was reset.
    Reset,
    /// Its kernel has panicked: the line that says so.
    Panicked(String),
}

impl ConsoleLink {
    /// Takes a console over. With `kernel`, the device's own kernel prints to it. `connection` is the namespace of a
    /// further connection.
    pub(crate) fn open(console: Console, kernel: bool, connection: Option<&str>, log: &Log) -> Self {
        let shared = Arc::new(Shared::default());
        let (lines, queue) = mpsc::unbounded_channel();
        let Console { reader, writer, events, .. } = console;
        ConsoleLink {
            tells: events.is_some(),
            reader: tokio::spawn(read(
                reader,
                events,
                kernel.then(FaultWatch::default),
                Arc::clone(&shared),
                Printed { log: log.clone(), connection: connection.map(str::to_owned) },
            )),
            typist: tokio::spawn(write(writer, queue, log.clone())),
            shared,
            lines,
        }
    }

    /// The way to it for somebody beside the pipeline.
    pub(crate) fn line(&self) -> Line {
        Line { shared: Arc::downgrade(&self.shared), lines: self.lines.downgrade() }
    }

    /// How a visitor and whoever reads agree.
    pub(crate) fn visiting(&self) -> &watch::Sender<Visiting> {
        &self.shared.visiting
    }

    /// What was typed from beside the pipeline since the last time.
    pub(crate) fn take_typed_beside(&self) -> Vec<u8> {
        std::mem::take(&mut self.shared.lock().typed_beside)
    }

    /// From now on every byte is kept until it is read; dropping the guard ends that.
    pub(crate) fn attach(&self) -> Attached<'_> {
        self.shared.lock().attached = true;
        Attached(self)
    }

    /// From now on so long a pause follows each byte that is typed (device-side.md §8.6).
    pub(crate) fn pace(&self, pause: Duration) {
        self.shared.lock().pace = pause;
    }

    /// That pause.
    pub(crate) fn current_pace(&self) -> Duration {
        self.shared.lock().pace
    }

    /// Types a line and its LF.
    pub(crate) fn type_line(&self, line: &str) {
        let text = format!("{line}\n");
        self.send(text.clone().into_bytes(), text);
    }

    /// Types a password: it is not recorded.
    pub(crate) fn type_hidden(&self, line: &str) {
        self.send(format!("{line}\n").into_bytes(), "********\n".into());
    }

    /// Types Ctrl-C.
    pub(crate) fn interrupt(&self) {
        self.send(vec![3], "^C".into());
    }

    /// Types bytes as they are.
    pub(crate) fn type_raw(&self, bytes: &[u8]) {
        self.send(bytes.to_vec(), String::from_utf8_lossy(bytes).into_owned());
    }

    /// Nobody hears what comes beside the reader any more.
    pub(crate) fn hush(&self) {
        self.shared.hush();
    }

    fn send(&self, bytes: Vec<u8>, shown: String) {
        let pace = self.current_pace();
        // The typing task ends only with the console: then the reader says so.
        let _ = self.lines.send(Typed { bytes, shown, pace });
    }

    /// The newest lines of output as one line, for messages.
    pub(crate) fn last_lines(&self) -> String {
        let tail: Vec<u8> = self.shared.lock().tail.iter().copied().collect();
        summary(&String::from_utf8_lossy(&tail))
    }

    /// What the kernel has complained about since this was asked last.
    pub(crate) fn take_faults(&self) -> Vec<Fault> {
        std::mem::take(&mut self.shared.lock().faults)
    }

    /// Whether the device tells of its resets itself, so that what it prints is no sign of one.
    pub(crate) fn tells_resets(&self) -> bool {
        self.tells
    }

    /// Whether the device has closed it.
    pub(crate) fn is_closed(&self) -> bool {
        self.shared.lock().closed.is_some()
    }

    /// The error of the action `name` when the console has ended because of `end`.
    pub(crate) fn ended(&self, name: &str, end: &ConsoleEnd, when: &str) -> ActionError {
        let last = self.last_lines();
        let last = if last.is_empty() { "nothing came from it".into() } else { format!("its last lines: {last}") };
        ActionError::new(end.class, format!("{name}: {}{when}; {last}", end.message))
    }
}

impl ConsoleLink {
    /// What has happened so far is known.
    pub(crate) fn forget_trouble(&self) {
        let mut state = self.shared.lock();
        (state.panicked, state.reset) = (None, false);
    }

    /// What happens to the device, while nobody reads this console. The bytes stay for whoever reads it next.
    pub(crate) async fn trouble(&self) -> Trouble {
        loop {
            let readable = self.shared.readable.notified();
            {
                let mut state = self.shared.lock();
                if let Some(line) = state.panicked.take() {
                    return Trouble::Panicked(line);
                }
                if std::mem::take(&mut state.reset) {
                    return Trouble::Reset;
                }
            }
            readable.await;
        }
    }
}

impl Drop for ConsoleLink {
    fn drop(&mut self) {
        self.reader.abort();
        self.typist.abort();
    }
}

/// The right to read a console.
#[derive(Debug)]
pub(crate) struct Attached<'a>(&'a ConsoleLink);

impl Attached<'_> {
    /// Whatever has come; an error, why it was closed, after the last of it. Dropping the future loses nothing.
    pub(crate) async fn read(&self) -> Result<Came, ConsoleEnd> {
        let shared = &self.0.shared;
        loop {
            let readable = shared.readable.notified();
            {
                let mut state = shared.lock();
                if !state.buffer.is_empty() {
                    let bytes = std::mem::take(&mut state.buffer).into();
                    shared.room.notify_one();
                    return Ok(Came::Bytes(bytes));
                }
                if let Some(line) = state.panicked.take() {
                    return Ok(Came::Panicked(line));
                }
                if std::mem::take(&mut state.reset) {
                    return Ok(Came::Reset);
                }
                if let Some(why) = &state.closed {
                    return Err(why.clone());
                }
            }
            readable.await;
        }
    }
}

impl Attached<'_> {
    /// Gives bytes back that were read too far: whoever reads next gets them first.
    pub(crate) fn put_back(&self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let mut state = self.0.shared.lock();
        let later = std::mem::take(&mut state.buffer);
        state.buffer = bytes.iter().copied().chain(later).collect();
        self.0.shared.readable.notify_one();
    }

    /// Forgets what has come and nobody has read.
    pub(crate) fn drain(&self) {
        self.0.shared.lock().buffer.clear();
        self.0.shared.room.notify_one();
    }
}

impl Drop for Attached<'_> {
    fn drop(&mut self) {
        self.0.shared.lock().attached = false;
        self.0.shared.room.notify_one();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on `beside` hears what comes.
    pub(crate) fn listen(&self, beside: mpsc::Sender<Vec<u8>>) {
        let mut state = self.lock();
        state.beside = Some(beside).filter(|_| state.closed.is_none());
    }

    /// Nobody hears it beside the reader any more.
    pub(crate) fn hush(&self) {
        self.lock().beside = None;
    }

    pub(crate) fn typed_beside(&self, bytes: &[u8]) {
        let mut state = self.lock();
        let room = BUFFER.saturating_sub(state.typed_beside.len());
        state.typed_beside.extend(&bytes[..bytes.len().min(room)]);
    }

    /// Waits for room when somebody reads, else makes room.
    async fn put(&self, bytes: &[u8]) {
        if let Some(beside) = &self.lock().beside {
            // Who does not listen fast enough misses it, and the device is not held up.
            let _ = beside.try_send(bytes.to_vec());
        }
        loop {
            let room = self.room.notified();
            {
                let mut state = self.lock();
                if !state.attached || state.buffer.len() < BUFFER {
                    state.buffer.extend(bytes);
                    state.tail.extend(&bytes[bytes.len().saturating_sub(TAIL)..]);
                    let surplus = state.tail.len().saturating_sub(TAIL);
                    state.tail.drain(..surplus);
                    if !state.attached {
                        let surplus = state.buffer.len().saturating_sub(BUFFER);
                        state.buffer.drain(..surplus);
                    }
                    self.readable.notify_one();
                    return;
                }
            }
            room.await;
        }
    }

    fn faults(&self, faults: Vec<Fault>) {
        if faults.is_empty() {
            return;
        }
        let mut state = self.lock();
        if let Some(panic) = faults.iter().find(|fault| fault.kind == Kind::Panic) {
            state.panicked.get_or_insert_with(|| panic.line.clone());
        }
        state.faults.extend(faults);
        self.readable.notify_one();
    }

    fn reset(&self) {
        self.lock().reset = true;
        self.readable.notify_one();
    }

    fn close(&self, end: ConsoleEnd) {
        let mut state = self.lock();
        state.closed = Some(end);
        state.beside = None;
        drop(state);
        self.readable.notify_one();
    }
}

/// Where what is printed is recorded.
#[derive(Debug)]
struct Printed {
    log: Log,
    connection: Option<String>,
}

type Events = mpsc::UnboundedReceiver<DeviceEvent>;

async fn read(
    mut reader: Box<dyn tokio::io::AsyncRead + Send + Unpin>,
    mut events: Option<Events>,
    mut watch: Option<FaultWatch>,
    shared: Arc<Shared>,
    log: Printed,
) {
    let mut ended = None;
    let why = bytes(&mut reader, &mut events, &mut watch, &mut ended, &shared, &log).await;
    // A device that can say why does so before or soon after.
    let said = async {
        while let (None, Some(inbox)) = (&ended, &mut events) {
            match inbox.recv().await {
                Some(DeviceEvent::Ended(end)) => ended = Some(end),
                Some(DeviceEvent::Reset) => {}
                None => break,
            }
        }
    };
    let _ = tokio::time::timeout(CONSOLE_GONE, said).await;
    let unsaid =
        || ConsoleEnd { class: ErrorClass::Infrastructure, message: format!("the console was closed ({why})") };
    shared.close(ended.unwrap_or_else(unsaid));
}

/// Reads until there is no more, and says why.
async fn bytes(
    reader: &mut Box<dyn tokio::io::AsyncRead + Send + Unpin>,
    events: &mut Option<Events>,
    watch: &mut Option<FaultWatch>,
    ended: &mut Option<ConsoleEnd>,
    shared: &Shared,
    Printed { log, connection }: &Printed,
) -> String {
    let mut buffer = vec![0; CHUNK];
    loop {
        let told = async {
            match events.as_mut() {
                Some(events) => events.recv().await,
                None => std::future::pending().await,
            }
        };
        let read = tokio::select! {
            // What was printed before something happened is read before it.
            biased;
            read = reader.read(&mut buffer) => read,
            event = told => {
                match event {
                    Some(DeviceEvent::Reset) => shared.reset(),
                    Some(DeviceEvent::Ended(end)) => *ended = Some(end),
                    None => *events = None,
                }
                continue;
            }
        };
        match read {
            Ok(0) => return "end of file".into(),
            Ok(count) => {
                log.console(connection.as_deref(), &buffer[..count]).await;
                shared.put(&buffer[..count]).await;
                let faults = watch.as_mut().map(|watch| watch.feed(&buffer[..count])).unwrap_or_default();
                for Fault { kind, line } in &faults {
                    log.warning(format_args!("{}: {line}", kind.name()));
                }
                shared.faults(faults);
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            // The other side of a pty that closed.
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => {
                return "end of file".into();
            }
            Err(error) => return error.to_string(),
        }
    }
}

async fn write(
    mut writer: Box<dyn tokio::io::AsyncWrite + Send + Unpin>,
    mut queue: mpsc::UnboundedReceiver<Typed>,
    log: Log,
) {
    while let Some(typed) = queue.recv().await {
        log.record(Body::Input { text: typed.shown });
        let pieces = if typed.pace.is_zero() { typed.bytes.len().max(1) } else { 1 };
        let written = async {
            for piece in typed.bytes.chunks(pieces) {
                writer.write_all(piece).await?;
                writer.flush().await?;
                if !typed.pace.is_zero() {
                    tokio::time::sleep(typed.pace).await;
                }
            }
            Ok::<(), std::io::Error>(())
        };
        if let Err(error) = written.await {
            log.debug(format_args!("typing to the console failed: {error}"));
            return;
        }
    }
}

/// The last three non-empty lines of `text`, printable, joined, at most 200 characters.
fn summary(text: &str) -> String {
    let lines: Vec<String> = text
        .split(['\n', '\r'])
        .map(|line| line.chars().filter(|c| !c.is_control()).collect::<String>())
        .filter(|line| !line.trim().is_empty())
        .collect();
    let last = lines[lines.len().saturating_sub(3)..].join(" | ");
    let count = last.chars().count();
    if count <= 200 {
        return last;
    }
    let end: String = last.chars().skip(count - 200).collect();
    // Not in the middle of a word: half a secret would not be known for one.
    format!("…{}", end.split_once(' ').map_or(end.as_str(), |(_, rest)| rest))
}

#[cfg(test)]
mod tests {
    use super::summary;

    #[test]
    fn a_summary_is_one_short_printable_line() {
        assert_eq!(summary("a\r\nb\r\n\r\nc\u{1b}[6n\r\nd"), "b | c[6n | d");
        assert_eq!(summary(&"x".repeat(1000)).chars().count(), 201);
        assert_eq!(summary(&format!("secret{}", " y".repeat(98))), format!("…{}", "y ".repeat(98).trim_end()));
        assert_eq!(summary(""), "");
    }
}
