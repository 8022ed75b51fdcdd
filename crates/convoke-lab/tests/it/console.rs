//! Talking to a shell on a console.

use std::time::Duration;

use convoke_dispatcher::device::{BootRequest, Console, Device, DeviceLog};
use convoke_journal::Recorder;
use convoke_lab::sandbox::{Ground, GroundSettings, SandboxDevice, SandboxSpec};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A boot of a sandbox; what the device has to say is not kept.
pub(crate) fn request() -> BootRequest {
    BootRequest::new("sandbox", DeviceLog::new(Recorder::for_tests(), 0))
}

/// Longer than anything here takes: a test that hangs fails.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// A console with what came from it and has not been looked at.
pub(crate) struct Shell {
    console: Console,
    seen: Vec<u8>,
}

impl Shell {
    pub(crate) fn new(console: Console) -> Self {
        Shell { console, seen: Vec::new() }
    }

    /// Waits for `text` and gives all that came up to its end.
    #[track_caller]
    pub(crate) fn expect<'a>(&'a mut self, text: &'a str) -> impl Future<Output = String> + 'a {
        let at = std::panic::Location::caller();
        async move {
            loop {
                if let Some(found) = self.seen.windows(text.len()).position(|window| window == text.as_bytes()) {
                    let rest = self.seen.split_off(found + text.len());
                    let before = std::mem::replace(&mut self.seen, rest);
                    return String::from_utf8_lossy(&before).into_owned();
                }
                let mut more = [0; 4096];
                let length = tokio::time::timeout(LIMIT, self.console.reader.read(&mut more)).await;
                let said = String::from_utf8_lossy(&self.seen);
                let length = length.unwrap_or_else(|_| panic!("{at}: `{text}` does not come: {said}")).unwrap();
                assert!(length > 0, "{at}: the console ended before `{text}`: {said}");
                self.seen.extend_from_slice(&more[..length]);
            }
        }
    }

    /// Types a line.
    pub(crate) async fn send(&mut self, line: &str) {
        self.console.writer.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    /// Types the interrupt character.
    pub(crate) async fn interrupt(&mut self) {
        self.console.writer.write_all(b"\x03").await.unwrap();
    }

    /// Runs a command: its output and exit status.
    pub(crate) async fn status(&mut self, command: &str) -> (String, i32) {
        // Quoted so that the terminal's echo of the line is not taken for its output.
        self.send(&format!("echo BEG''IN; {command}; echo E''ND $? OF IT")).await;
        self.expect("BEGIN\r\n").await;
        let output = self.expect(" OF IT\r\n").await;
        let (output, status) = output.rsplit_once("END ").unwrap();
        let status = status.split(' ').next().unwrap().parse().unwrap();
        (output.replace("\r\n", "\n"), status)
    }

    /// Runs a command that must succeed: its output.
    #[track_caller]
    pub(crate) fn run<'a>(&'a mut self, command: &'a str) -> impl Future<Output = String> + 'a {
        let at = std::panic::Location::caller();
        async move {
            let (output, status) = self.status(command).await;
            assert_eq!(status, 0, "{at}: `{command}` says: {output}");
            output
        }
    }

    /// Waits for the end of the console.
    pub(crate) async fn end(&mut self) {
        let mut rest = Vec::new();
        tokio::time::timeout(LIMIT, self.console.reader.read_to_end(&mut rest)).await.expect("no end").unwrap();
    }
}

/// Sandboxes of these names on one ground.
pub(crate) async fn sandboxes<const N: usize>(names: [&str; N]) -> [SandboxDevice; N] {
    let settings = GroundSettings { names: names.map(String::from).to_vec(), ..GroundSettings::default() };
    let ground = Ground::create(settings).await.unwrap();
    names.map(|name| ground.sandbox(SandboxSpec::named(name)).unwrap())
}

/// Boots and waits for the prompt.
pub(crate) async fn boot(device: &mut SandboxDevice) -> Shell {
    let prompt = format!("root@{}:~# ", device.info().name);
    let mut shell = Shell::new(device.boot(request()).await.unwrap());
    shell.expect(&prompt).await;
    shell
}
