//! The status of a running coordinator, for those who ask on its status socket (docs/decisions/coordinator-status.md).
//!
//! One line with what is asked; then a line for the coordinator, a line for each group, and a line that says that this was
//! all. Only the user of this process and root are answered.
//!
//! Groups are looked at one by one, a large one in portions, and between two of them other tasks have their turn: a
//! reader that is slow or gone holds up nobody but itself. What is told of different groups is therefore not of one
//! instant.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use convoke_group::{GroupName, MemberName};
use serde::Serialize;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};

use super::Shared;
use crate::registry::doing::About;
use crate::status::{
    CoordinatorStatus, GroupStatus, StatusEnd, StatusRequest, Totals, VERSION, WaitStatus, seconds, socket_name,
};

/// How long a question may take to come, and a reader to take what it is given.
const PATIENCE: Duration = Duration::from_secs(30);
/// Who asks at once; the others wait.
const AT_ONCE: usize = 8;
/// The longest question.
const LONGEST: u64 = 64 * 1024;
/// Waits of a group that are asked for at once.
const PORTION: usize = 16;
/// How long a listener that cannot accept pauses.
const NO_ACCEPT: Duration = Duration::from_millis(100);

/// Takes the status socket of the coordinator that listens on `port`.
///
/// # Errors
/// The name is taken: by another coordinator of this port on another address, or by a stranger.
pub(super) fn bind(port: u16) -> io::Result<UnixListener> {
    let address = SocketAddr::from_abstract_name(socket_name(port))?;
    let listener = std::os::unix::net::UnixListener::bind_addr(&address)?;
    listener.set_nonblocking(true)?;
    UnixListener::from_std(listener)
}

pub(super) async fn serve(shared: Arc<Shared>, listener: UnixListener, addresses: Vec<std::net::SocketAddr>) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let addresses: Arc<[String]> = addresses.iter().map(ToString::to_string).collect();
    loop {
        let place = Arc::clone(&places).acquire_owned();
        let accepted = async { (place.await, listener.accept().await) };
        let (place, accepted) = tokio::select! {
            accepted = accepted => accepted,
            () = shared.end.cancelled() => return,
        };
        match accepted {
            Ok((stream, _)) => {
                let (asked, addresses) = (Arc::clone(&shared), Arc::clone(&addresses));
                shared.tasks.spawn(async move {
                    let _place = place;
                    let told = answer(&asked, stream, &addresses);
                    tokio::select! {
                        told = told => if let Err(error) = told {
                            tracing::debug!(%error, "the status was not told to the end");
                        },
                        () = asked.end.cancelled() => {}
                    }
                });
            }
            Err(error) => {
                tracing::debug!(%error, "who asks for the status cannot be accepted");
                sleep(NO_ACCEPT).await;
            }
        }
    }
}

async fn answer(shared: &Shared, stream: UnixStream, addresses: &[String]) -> io::Result<()> {
    let peer = stream.peer_cred()?;
    let (read, mut write) = stream.into_split();
    let own = rustix::process::geteuid().as_raw();
    if peer.uid() != 0 && peer.uid() != own {
        let refusal = Refusal { refused: "only root and the user of the coordinator may ask it" };
        return tell(&mut write, &refusal).await;
    }
    let mut line = String::new();
    let mut read = BufReader::new(read.take(LONGEST));
    timeout(PATIENCE, read.read_line(&mut line)).await??;
    let request: StatusRequest = match serde_json::from_str(&line) {
        Ok(request) => request,
        Err(_) => return tell(&mut write, &Refusal { refused: "the question is not understood" }).await,
    };
    tell(&mut write, &coordinator(shared, addresses)).await?;
    let mut told = 0;
    for shard in 0..shared.hub.shards() {
        for name in shared.hub.names(shard) {
            if !request.groups.is_empty() && !request.groups.iter().any(|part| name.as_str().contains(part.as_str())) {
                continue;
            }
            // Others have their turn.
            yield_now().await;
            let Some(group) = group(shared, &name).await else { continue };
            if request.waiting && group.waits.is_empty() {
                continue;
            }
            tell(&mut write, &group).await?;
            told += 1;
        }
    }
    tell(&mut write, &StatusEnd { told }).await
}

/// What is said instead of an answer.
#[derive(Serialize)]
struct Refusal {
    refused: &'static str,
}

async fn tell(write: &mut (impl AsyncWriteExt + Unpin), line: &impl Serialize) -> io::Result<()> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    timeout(PATIENCE, write.write_all(&text)).await?
}

fn coordinator(shared: &Shared, addresses: &[String]) -> CoordinatorStatus {
    CoordinatorStatus {
        version: VERSION,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        process: std::process::id(),
        started: seconds(shared.hub.started()),
        now: seconds(shared.hub.now()),
        addresses: addresses.to_vec(),
        durable: shared.hub.is_durable(),
        totals: totals(shared),
    }
}

/// Counts over all groups and connections.
pub(super) fn totals(shared: &Shared) -> Totals {
    let (connections, idle_connections) = shared.places.count();
    Totals { connections, idle_connections, ..shared.hub.count() }
}

async fn group(shared: &Shared, name: &GroupName) -> Option<GroupStatus> {
    let (mut group, waits) = shared.hub.look(name)?;
    let first: Vec<(&About, &MemberName)> =
        waits.iter().filter_map(|(about, waiting)| Some((about, &waiting.first()?.member))).collect();
    let mut lacking = Vec::with_capacity(first.len());
    for portion in first.chunks(PORTION) {
        lacking.extend(shared.hub.lacking(name, portion));
        yield_now().await;
    }
    for ((about, waiting), lacking) in waits.into_iter().zip(lacking) {
        // None when the group has ended meanwhile.
        let Some(lacking) = lacking else { continue };
        group.waits.push(WaitStatus {
            request: about.request.to_owned(),
            message_id: about.id,
            role: about.role,
            call: lacking.what,
            waiting,
            satisfied: lacking.satisfied,
            missing: lacking.members,
            unregistered: lacking.unregistered,
        });
    }
    Some(group)
}
