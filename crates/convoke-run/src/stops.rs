//! A group that is stopped where the user wants to look (`--break`), and the doors to its members' devices.
//!
//! ```text
//! group's task ── Stopped ──► observer ──► journal
//!      ▲                         └───────► Stop ──► whoever talks to the user: enters devices, drops the Stop
//!      └─────────── go on ◄───────────────────────────────┘
//! ```
//!
//! A device that can open another shell beside its console (a sandbox, a machine reached by ssh) is entered by one, since
//! on its console the helper of the test waits. Of any other the console is all there is: a helper that waits gives it to a
//! shell meanwhile, and where none waits it is entered as it is.
//!
//! Invariant: a group goes on when its [`Stop`] is dropped, so nothing that happens to the user's side leaves it standing.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use convoke_coordinator::Brake;
use convoke_dispatcher::device::{BootRequest, Device, DeviceLog, Resize};
use convoke_dispatcher::{Desk, Seat};
use convoke_group::MessageId;
use convoke_journal::{Body, LogLevel, Recorder};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard, mpsc};

use crate::verdict::Known;

/// Where the user wants a group to stop.
#[derive(Debug)]
pub struct Stops {
    /// The IDs.
    pub at: Vec<String>,
    /// Who hears of each stop.
    pub tell: mpsc::UnboundedSender<Stop>,
}

/// Another shell on a device; booting it logs in, and it is taken by one at a time.
pub(crate) type Another = Box<dyn Device>;

/// The way to one member's device.
pub(crate) struct Door {
    pub(crate) sub_id: u32,
    pub(crate) device: String,
    pub(crate) desk: Desk,
    pub(crate) another: Option<Arc<AsyncMutex<Another>>>,
}

/// What a running group needs in order to be stopped.
#[derive(Clone)]
pub(crate) struct Stoppable(Arc<Inner>);

struct Inner {
    at: Vec<String>,
    tell: mpsc::UnboundedSender<Stop>,
    reached: Mutex<BTreeSet<String>>,
    doors: Mutex<Vec<Door>>,
    known: Known,
    recorder: Recorder,
}

impl Stoppable {
    pub(crate) fn new(stops: Stops, known: Known, recorder: Recorder) -> Stoppable {
        let Stops { at, tell } = stops;
        Stoppable(Arc::new(Inner { at, tell, reached: Mutex::default(), doors: Mutex::default(), known, recorder }))
    }

    /// The IDs at which to stop.
    pub(crate) fn at(&self) -> Vec<MessageId> {
        self.0.at.iter().map(MessageId::new).collect()
    }

    pub(crate) fn doors(&self, doors: Vec<Door>) {
        *self.0.doors.lock().unwrap_or_else(PoisonError::into_inner) = doors;
    }

    /// The group has stopped.
    pub(crate) fn stopped(&self, message_id: &MessageId, brake: Brake) {
        self.0.reached.lock().unwrap_or_else(PoisonError::into_inner).insert(message_id.as_str().to_owned());
        let stop = Stop { message_id: message_id.as_str().to_owned(), run: self.clone(), brake };
        // Nobody hears it any more: dropped with the error, and the group goes on.
        let _ = self.0.tell.send(stop);
    }

    /// Says at which IDs the group never was, once it has ended, and closes the doors.
    pub(crate) fn ended(&self) {
        self.doors(Vec::new());
        let reached = self.0.reached.lock().unwrap_or_else(PoisonError::into_inner);
        for id in self.0.at.iter().filter(|id| !reached.contains(*id)) {
            let text = format!("no wait or sync of {id} was satisfied, so the group was never stopped there");
            self.0.recorder.group(Body::Log { level: LogLevel::Warning, text });
        }
    }
}

/// A group that stands still. Dropping this lets it go on.
pub struct Stop {
    message_id: String,
    run: Stoppable,
    brake: Brake,
}

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stop").field("message_id", &self.message_id).finish_non_exhaustive()
    }
}

impl Drop for Stop {
    fn drop(&mut self) {
        self.brake.go_on();
    }
}

/// A member that can be entered while its group stands still.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entrance {
    /// Its number in the group.
    pub sub_id: u32,
    /// `client.2`
    pub label: String,
    /// Name of its device.
    pub device: String,
    /// Entering gives another shell; else it gives the console, on which the test runs.
    pub another_shell: bool,
}

impl Stop {
    /// Where.
    pub fn message_id(&self) -> &str {
        &self.message_id
    }

    /// The group is not stopped any more after this time.
    pub fn stop_no_more(&self) {
        // Where it was not stopped because it was not to be, nothing is missing.
        self.run.0.reached.lock().unwrap_or_else(PoisonError::into_inner).extend(self.run.0.at.iter().cloned());
        self.brake.stop_at(Vec::new());
    }

    /// The members, in order.
    pub fn entrances(&self) -> Vec<Entrance> {
        let doors = self.run.0.doors.lock().unwrap_or_else(PoisonError::into_inner);
        let entrance = |door: &Door| Entrance {
            sub_id: door.sub_id,
            label: self.run.0.known.look(|model| model.label(door.sub_id)),
            device: door.device.clone(),
            another_shell: door.another.is_some(),
        };
        doors.iter().map(entrance).collect()
    }

    /// Enters a member's device.
    ///
    /// # Errors
    /// Why that is not possible, in words.
    pub async fn enter(&self, sub_id: u32) -> Result<Visit, String> {
        let (desk, another, device) = {
            let doors = self.run.0.doors.lock().unwrap_or_else(PoisonError::into_inner);
            let door = doors.iter().find(|door| door.sub_id == sub_id).ok_or("it has no device of its own here")?;
            (door.desk.clone(), door.another.clone(), door.device.clone())
        };
        let recorder = self.run.0.recorder.clone();
        let (output, input) = match another {
            Some(another) => {
                let mut another = another.lock_owned().await;
                let log = DeviceLog::new(recorder.clone(), sub_id);
                let console = another.boot(BootRequest::new("", log)).await.map_err(|error| error.message)?;
                (
                    Output::Shell(console.reader),
                    Input::Shell { writer: console.writer, resize: console.resize, another },
                )
            }
            None => {
                let (hear, say) =
                    desk.sit().await.ok_or("its console is not open: it has not booted yet, or it has ended")?;
                (Output::Console(hear), Input::Console(say))
            }
        };
        let found = match &input {
            Input::Shell { .. } => Found::AnotherShell,
            Input::Console(seat) if seat.is_shell() => Found::ShellOnConsole,
            Input::Console(_) | Input::Left => Found::Console,
        };
        let what = match found {
            Found::AnotherShell => "another shell",
            Found::ShellOnConsole => "a shell on the console",
            Found::Console => "the console",
        };
        let text = |verb: &str| format!("somebody {verb} {what} of {device}");
        let log = |text: String| recorder.member(sub_id, Body::Log { level: LogLevel::Info, text });
        log(text("is at"));
        let left = Left { recorder: recorder.clone(), sub_id, text: text("has left") };
        Ok(Visit { found, output: VisitOutput(output), input: VisitInput { input, _left: left } })
    }
}

/// What somebody has found on entering a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// A shell beside its console.
    AnotherShell,
    /// A shell on its console, where the test stands and waits.
    ShellOnConsole,
    /// Its console, and whatever runs there.
    Console,
}

/// Somebody on a device. Dropping both ends leaves it.
pub struct Visit {
    /// What they have found.
    pub found: Found,
    /// What it prints.
    pub output: VisitOutput,
    /// What is typed there.
    pub input: VisitInput,
}

impl fmt::Debug for Visit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Visit").finish_non_exhaustive()
    }
}

/// What a visited device prints.
pub struct VisitOutput(Output);

enum Output {
    Shell(Box<dyn AsyncRead + Send + Unpin>),
    Console(mpsc::Receiver<Vec<u8>>),
}

impl VisitOutput {
    /// The next bytes; none at the end. Dropping the future loses nothing.
    pub async fn read(&mut self) -> Option<Vec<u8>> {
        match &mut self.0 {
            Output::Console(output) => output.recv().await,
            Output::Shell(reader) => {
                let mut buffer = vec![0; 4096];
                let count = reader.read(&mut buffer).await.ok().filter(|count| *count > 0)?;
                buffer.truncate(count);
                Some(buffer)
            }
        }
    }
}

/// What is typed on a visited device.
pub struct VisitInput {
    input: Input,
    _left: Left,
}

enum Input {
    Shell { writer: Box<dyn AsyncWrite + Send + Unpin>, resize: Option<Resize>, another: OwnedMutexGuard<Another> },
    Console(Seat),
    Left,
}

impl VisitInput {
    /// Types bytes as they are. What cannot be typed any more is lost: the output ends then.
    pub async fn write(&mut self, bytes: &[u8]) {
        match &mut self.input {
            Input::Left => {}
            Input::Console(seat) => seat.type_bytes(bytes),
            Input::Shell { writer, .. } => {
                if writer.write_all(bytes).await.is_ok() {
                    let _ = writer.flush().await;
                }
            }
        }
    }

    /// Tells the other shell how large the user's terminal is. A console keeps the size that the test knows.
    pub fn resize(&self, rows: u16, columns: u16) {
        if let Input::Shell { resize: Some(resize), .. } = &self.input {
            resize(rows, columns);
        }
    }

    /// Leaves: the other shell ends, the console is as it was. False when a program keeps the shell on the console from
    /// ending; then there is more to say there, and the test cannot go on.
    pub async fn leave(&mut self) -> bool {
        if let Input::Console(seat) = &self.input {
            return seat.leave().await;
        }
        if let Input::Shell { writer, resize, mut another } = std::mem::replace(&mut self.input, Input::Left) {
            drop((writer, resize));
            // Whether or not it takes its leave, it is gone with its connection.
            let _ = another.power_off().await;
        }
        true
    }
}

/// Says that the visit is over.
struct Left {
    recorder: Recorder,
    sub_id: u32,
    text: String,
}

impl Drop for Left {
    fn drop(&mut self) {
        let text = std::mem::take(&mut self.text);
        self.recorder.member(self.sub_id, Body::Log { level: LogLevel::Info, text });
    }
}
