//! One connection: one request, one reply (coordinator-protocol.md §1).
//!
//! ```text
//! read ──▶ broken, cut off, too late, the server ends ─────────────▶ close without a reply
//!   │
//!   └────▶ request ──▶ answered at once ───────────────────────────▶ reply, close
//!             │
//!             └──────▶ held ──▶ answered by another request ───────▶ reply, close
//!                        │  └─▶ its time is over, the server ends ─▶ wait, close
//!                        └────▶ its caller is gone ────────────────▶ withdrawn
//! ```
//!
//! Only who asked for it is held, and only with the sending side left open: its end is what tells that the caller is
//! gone.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};

use super::Shared;
use super::closing::{self, close};
use super::hub::Answered;
use crate::registry::Ticket;
use crate::wire::{Ask, Decoded, Decoder, Json, Reply, Request, frame};

const BLOCK: usize = 16 * 1024;

pub(super) async fn serve(shared: &Shared, mut stream: TcpStream, peer: SocketAddr) {
    // Without it a reply could wait for the acknowledgement of another segment; nothing depends on it.
    let _ = stream.set_nodelay(true);
    let _ = closing::probe_when_silent(&stream);
    let mut input = Input { decoder: Decoder::new(shared.settings.request_bytes), ended: false, received: 0 };
    let read = timeout(shared.settings.request_time, input.message(&mut stream));
    let read = tokio::select! {
        read = read => read,
        () = shared.end.cancelled() => return,
    };
    shared.observer.metrics.received.add(std::mem::take(&mut input.received));
    match read {
        Ok(Ok(message)) => answer(shared, stream, &mut input, &message, peer).await,
        Ok(Err(Unread::Unusable(why))) => {
            shared.observer.unusable(peer, why);
            let reply = frame(&Reply::Nack(why.to_owned()).to_text(false));
            if write(shared, &mut stream, &reply).await {
                close(&mut stream, input.ended, &shared.end).await;
            }
        }
        Ok(Err(Unread::Broken(why))) => {
            shared.observer.unread(peer, "broken", why);
            close(&mut stream, input.ended, &shared.end).await;
        }
        Ok(Err(Unread::Gone)) => shared.observer.unread(peer, "gone", "the caller is gone"),
        Err(_) => shared.observer.unread(peer, "late", "the request did not arrive in time"),
    }
}

async fn answer(shared: &Shared, mut stream: TcpStream, input: &mut Input, message: &Json, peer: SocketAddr) {
    let mut request = match Request::read(message) {
        Ok(request) => request,
        Err(rejection) => {
            shared.observer.unusable(peer, &rejection.why);
            let reply = frame(&Reply::Nack(rejection.why).to_text(rejection.extras.any()));
            if write(shared, &mut stream, &reply).await {
                close(&mut stream, input.ended, &shared.end).await;
            }
            return;
        }
    };
    let (group, extras) = (request.group.clone(), request.extras.any());
    if input.ended {
        // Nothing would tell that the caller is gone.
        request.extras.hold = None;
    }
    let is_sync = matches!(request.ask, Ask::Sync { .. });
    let mut asked = shared.observer.asked(peer, &request);
    let limit = request.extras.limit.flatten();
    let hold = request.extras.hold.map(|hold| limit.map_or(hold, |limit| hold.min(limit)));
    let deadline = hold.and_then(|hold| Instant::now().checked_add(hold));
    let Some((ticket, mut answered)) = shared.hub.ask(request).await else {
        asked.answered(None);
        close(&mut stream, input.ended, &shared.end).await;
        return;
    };
    // Withdraws the request when this task ends before its reply has arrived.
    let mut open = OpenRequest { shared, group: &group, ticket, settled: false };
    let answered = match answered.try_recv() {
        Ok(answered) => answered,
        Err(_) => {
            asked.held();
            match held(&open, &mut stream, input, &mut answered, deadline).await {
                Some(answered) => answered,
                None => return,
            }
        }
    };
    let kept = match answered.kept {
        Some(kept) => kept.wait().await,
        None => true,
    };
    let reply = answered.reply.filter(|_| kept);
    asked.answered(reply.as_ref());
    let Some(reply) = reply else {
        close(&mut stream, input.ended, &shared.end).await;
        return;
    };
    let released = is_sync && matches!(reply, Reply::AckWith(_));
    let text = frame(&reply.to_text(extras));
    if !write(shared, &mut stream, &text).await {
        return;
    }
    if released {
        open.settled = closing::has_arrived(&mut stream, &mut input.ended, shared.settings.request_time).await;
        if open.settled {
            shared.hub.delivered(&group, ticket, true);
        }
    } else {
        open.settled = true;
        close(&mut stream, input.ended, &shared.end).await;
    }
}

/// Waits with a held request; none when its caller is gone.
async fn held(
    open: &OpenRequest<'_>,
    stream: &mut TcpStream,
    input: &mut Input,
    answered: &mut tokio::sync::oneshot::Receiver<Answered>,
    deadline: Option<Instant>,
) -> Option<Answered> {
    let mut rest = [0; 512];
    let over = async {
        match deadline {
            Some(deadline) => sleep_until(deadline).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(over);
    loop {
        tokio::select! {
            biased;
            answered = &mut *answered => return answered.ok(),
            () = &mut over => {
                open.shared.hub.tick(open.group);
                // Either the call's limit has passed as well, and the group has said so, or only the hold is over.
                return Some(answered.try_recv().unwrap_or_else(|_| open.come_again()));
            }
            () = open.shared.end.cancelled() => return Some(open.come_again()),
            read = stream.read(&mut rest) => match read {
                // A request is one message; what follows it is nothing.
                Ok(count) if count > 0 => {}
                _ => {
                    input.ended = true;
                    return None;
                }
            },
        }
    }
}

async fn write(shared: &Shared, stream: &mut TcpStream, reply: &[u8]) -> bool {
    shared.observer.metrics.sent.add(reply.len() as u64);
    // One write, so that the whole reply is there when the caller begins to read (§1 rule 4).
    matches!(timeout(shared.settings.request_time, stream.write_all(reply)).await, Ok(Ok(())))
}

struct OpenRequest<'a> {
    shared: &'a Shared,
    group: &'a convoke_group::GroupName,
    ticket: Ticket,
    settled: bool,
}

impl OpenRequest<'_> {
    /// The request is not held any longer; its caller is told to ask again.
    fn come_again(&self) -> Answered {
        self.shared.hub.come_again(self.group, self.ticket);
        Answered { reply: Some(Reply::Wait), kept: None }
    }
}

impl Drop for OpenRequest<'_> {
    fn drop(&mut self) {
        if !self.settled {
            self.shared.hub.withdraw(self.group, self.ticket);
        }
    }
}

/// The incoming half of a connection.
struct Input {
    decoder: Decoder,
    /// The caller has closed its sending side.
    ended: bool,
    /// Bytes that were not counted yet.
    received: u64,
}

enum Unread {
    /// Nobody is there to be told.
    Gone,
    Broken(&'static str),
    Unusable(&'static str),
}

impl Input {
    async fn message(&mut self, stream: &mut TcpStream) -> Result<Json, Unread> {
        let mut block = vec![0; BLOCK];
        loop {
            match self.decoder.poll() {
                Decoded::More => {}
                other => return self.decoded(stream, other),
            }
            match stream.read(&mut block).await {
                Ok(0) => {
                    self.ended = true;
                    let last = self.decoder.end();
                    return self.decoded(stream, last);
                }
                Ok(count) => {
                    self.received += count as u64;
                    self.decoder.push(&block[..count]);
                }
                Err(_) => return Err(Unread::Gone),
            }
        }
    }

    fn decoded(&mut self, stream: &TcpStream, decoded: Decoded) -> Result<Json, Unread> {
        match decoded {
            Decoded::Message(message) => {
                // A half-close that is already there has come with the request.
                let mut byte = [0];
                self.ended = self.ended || matches!(stream.try_read(&mut byte), Ok(0));
                Ok(message)
            }
            Decoded::Broken(why) => Err(Unread::Broken(why)),
            Decoded::Unusable(why) => Err(Unread::Unusable(why)),
            Decoded::More => Err(Unread::Gone),
        }
    }
}
