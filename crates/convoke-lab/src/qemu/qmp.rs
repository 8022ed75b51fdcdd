//! What QEMU tells of its machine: QMP, one JSON object a line.

use std::io;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

/// A connection to a machine's monitor.
pub(super) struct Qmp {
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    line: Vec<u8>,
}

impl Qmp {
    /// Greets: QEMU is up and its machine made when this returns.
    pub(super) async fn greet(stream: UnixStream) -> io::Result<Qmp> {
        let (reader, writer) = stream.into_split();
        let mut qmp = Qmp { reader: BufReader::new(reader), writer, line: Vec::new() };
        let greeting = qmp.next().await?;
        if greeting.get("QMP").is_none() {
            return Err(io::Error::other(format!("QEMU's monitor greets with {greeting}")));
        }
        qmp.command("qmp_capabilities").await?;
        Ok(qmp)
    }

    /// Gives a command and waits for its answer.
    pub(super) async fn command(&mut self, name: &str) -> io::Result<()> {
        let mut line = json!({"execute": name}).to_string();
        line.push('\n');
        self.writer.write_all(line.as_bytes()).await?;
        loop {
            let answer = self.next().await?;
            if let Some(error) = answer.get("error") {
                let text = error.get("desc").and_then(Value::as_str).unwrap_or_default();
                return Err(io::Error::other(format!("QEMU refuses {name}: {text}")));
            }
            if answer.get("return").is_some() {
                return Ok(());
            }
        }
    }

    /// The next object. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> io::Result<Value> {
        loop {
            let end = self.reader.read_until(b'\n', &mut self.line).await? == 0;
            if end {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if self.line.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                if line.iter().any(|byte| !byte.is_ascii_whitespace()) {
                    return serde_json::from_slice(&line).map_err(io::Error::other);
                }
            }
        }
    }
}
