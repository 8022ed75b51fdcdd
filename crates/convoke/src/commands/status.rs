//! `convoke coordinator status`: asks a running coordinator of this machine what it does.
//!
//! With `--json` what it says, in one document; else a summary, and a line for each group, those with the longest wait
//! first, or for few groups who does what and who waits for whom.

mod page;

use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::process::ExitCode;
use std::time::Duration;

use convoke_coordinator::status::{CoordinatorStatus, GroupStatus, SOCKETS, StatusRequest, VERSION, socket_name};
use serde_json::Value;

use crate::arguments::StatusArguments;
use crate::failure::Failure;
use crate::output;
use page::Page;

/// How long a coordinator may take for its next word.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn status(arguments: &StatusArguments) -> Result<ExitCode, Failure> {
    let port = match arguments.port {
        Some(port) => port,
        None => the_one_that_runs(&running())?,
    };
    let request = StatusRequest { groups: arguments.groups.clone(), waiting: arguments.waiting };
    let mut answer = Answer::ask(port, &request)?;
    let first = answer.next()?;
    let version = first.get("version").and_then(Value::as_u64).unwrap_or_default();
    if version != u64::from(VERSION) {
        let how = format!("tells its status in version {version}, this program knows {VERSION}");
        return Err(Failure::Lab(format!("the coordinator of port {port} {how}: ask with its own program")));
    }
    if arguments.json {
        json(first, answer)?
    } else {
        page(first, answer, arguments)?
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes the answer as one document, a group a line.
fn json(first: Value, mut answer: Answer) -> Result<(), Failure> {
    let mut text = first.to_string();
    text.pop();
    text.push_str(", \"groups\": [");
    let mut separator = "\n";
    while let Some(group) = answer.group()? {
        text.push_str(separator);
        text.push_str(&group.to_string());
        separator = ",\n";
        if text.len() > 1 << 16 {
            output::print(&std::mem::take(&mut text))?;
        }
    }
    text.push_str("\n]}\n");
    output::print(&text)
}

fn page(first: Value, mut answer: Answer, arguments: &StatusArguments) -> Result<(), Failure> {
    let coordinator: CoordinatorStatus = understood(first)?;
    let mut page = Page::new(coordinator, !arguments.groups.is_empty() || arguments.waiting);
    while let Some(group) = answer.group()? {
        page.add(understood::<GroupStatus>(group)?);
    }
    output::print(&page.text(arguments.all))
}

fn understood<T: serde::de::DeserializeOwned>(line: Value) -> Result<T, Failure> {
    serde_json::from_value(line)
        .map_err(|error| Failure::Lab(format!("what the coordinator says is not understood: {error}")))
}

/// The ports of the coordinators that run on this machine.
fn running() -> BTreeSet<u16> {
    // Without the table none is known, and one has to be named.
    let table = std::fs::read_to_string("/proc/net/unix").unwrap_or_default();
    let names = table.lines().filter_map(|line| line.rsplit_once('@'));
    names.filter_map(|(_, name)| name.strip_prefix(SOCKETS)?.parse().ok()).collect()
}

fn the_one_that_runs(ports: &BTreeSet<u16>) -> Result<u16, Failure> {
    let mut ports_in_turn = ports.iter();
    match (ports_in_turn.next(), ports_in_turn.next()) {
        (Some(port), None) => Ok(*port),
        (None, _) => Err(Failure::Lab("no coordinator of Convoke runs on this machine".to_owned())),
        (Some(_), Some(_)) => {
            let list: Vec<String> = ports.iter().map(ToString::to_string).collect();
            let list = list.join(", ");
            Err(Failure::User(format!("several coordinators run on this machine: choose one with --port, of {list}")))
        }
    }
}

/// What a coordinator says, line by line.
struct Answer {
    lines: io::Lines<BufReader<UnixStream>>,
    port: u16,
}

impl Answer {
    fn ask(port: u16, request: &StatusRequest) -> Result<Self, Failure> {
        let address = SocketAddr::from_abstract_name(socket_name(port));
        let stream = address.and_then(|address| UnixStream::connect_addr(&address)).map_err(|error| {
            Failure::Lab(format!("no coordinator of Convoke that listens on port {port} runs on this machine: {error}"))
        })?;
        let mut line = serde_json::to_string(request)
            .map_err(|error| Failure::Bug(format!("the question cannot be written: {error}")))?;
        line.push('\n');
        let asked = stream.set_read_timeout(Some(PATIENCE)).and_then(|()| (&stream).write_all(line.as_bytes()));
        match asked {
            // Whoever is refused is so before the question is read.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(Failure::Lab(format!("the coordinator of port {port} cannot be asked: {error}")))
            }
            _ => Ok(Self { lines: BufReader::new(stream).lines(), port }),
        }
    }

    fn next(&mut self) -> Result<Value, Failure> {
        let port = self.port;
        let line = match self.lines.next() {
            Some(Ok(line)) => line,
            Some(Err(error)) => {
                return Err(Failure::Lab(format!("the coordinator of port {port} does not answer: {error}")));
            }
            None => return Err(Failure::Lab(format!("the coordinator of port {port} ended before it had told all"))),
        };
        let line: Value = serde_json::from_str(&line)
            .map_err(|error| Failure::Lab(format!("what the coordinator says is not understood: {error}")))?;
        match line.get("refused").and_then(Value::as_str) {
            Some(why) => Err(Failure::User(format!("the coordinator of port {port} refuses: {why}"))),
            None => Ok(line),
        }
    }

    /// The next group; none after the last.
    fn group(&mut self) -> Result<Option<Value>, Failure> {
        let line = self.next()?;
        Ok(line.get("told").is_none().then_some(line))
    }
}
