//! One connection: one request, one reply (coordinator-protocol.md §1); and then the next one, for a client that asked to
//! keep the connection and was told that it is kept.
//!
//! ```text
//! read ──▶ broken, cut off, too late, the server ends ─────────────▶ close without a reply
//!   │
//!   ├────▶ request ──▶ answered at once ───────────────────────────▶ reply, close or keep
//!   │         │
//!   │         └──────▶ held ──▶ answered by another request ───────▶ reply, close or keep
//!   │                    │  └─▶ its time is over, the server ends ─▶ wait, close or keep
//!   │                    └────▶ its caller is gone ────────────────▶ withdrawn
//!   └──── next request ◀──── kept ──▶ nothing comes, or the place is needed ──▶ close
//! ```
//!
//! Only who asked for it is held, and only with the sending side open: its end is what tells that the caller is
//! gone. Who sends more before it has its reply is not kept.
//!
//! **Whether the release of a sync arrived.** On a connection that is closed after its reply, the end of the connection
//! tells. On a kept one the next request does, which its client sends only after it has read the reply; or again the end,
//! when there is no further request.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Poll, ready};

use convoke_group::GroupName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::Shared;
use super::closing::{self, close};
use super::hub::Answered;
use super::places::{Idle, Place};
use super::stream::Stream;
use crate::registry::Ticket;
use crate::wire::{Ask, Decoded, Decoder, Json, Rejection, Reply, Request, frame};

thread_local! {
    static BLOCK: RefCell<Vec<u8>> = RefCell::new(vec![0; 16 << 10]);
}

pub(super) async fn serve(shared: &Shared, mut stream: Stream, peer: SocketAddr, place: &mut Place) {
    let mut input =
        Input { decoder: Decoder::new(shared.settings.request_bytes), ended: false, hurried: false, received: 0 };
    loop {
        let read = timeout(shared.settings.request_time, input.message(&mut stream));
        let read = tokio::select! {
            biased;
            read = read => read,
            () = shared.end.cancelled() => return,
        };
        shared.observer.metrics.received.add(std::mem::take(&mut input.received));
        match read {
            Ok(Ok(message)) => {
                let kept = answer(shared, &mut stream, &mut input, &message, peer, place).await;
                let Some(kept) = kept else { return };
                if !next_begins(shared, &mut stream, &mut input, kept, place).await {
                    return;
                }
            }
            Ok(Err(Unread::Unusable(why))) => {
                shared.observer.unusable(peer, why);
                let reply = frame(&Reply::Nack(why.to_owned()).to_text(false));
                if write(shared, &mut stream, &reply).await {
                    close(&mut stream, input.ended, &shared.end).await;
                }
                return;
            }
            Ok(Err(Unread::Broken(why))) => {
                shared.observer.unread(peer, "broken", why);
                return close(&mut stream, input.ended, &shared.end).await;
            }
            Ok(Err(Unread::Gone)) => return shared.observer.unread(peer, "gone", "the caller is gone"),
            Err(_) => return shared.observer.unread(peer, "late", "the request did not arrive in time"),
        }
    }
}

/// A connection that is kept after a reply.
struct Kept<'a> {
    /// The request that was answered; not settled when it has to be learnt whether the reply arrived.
    last: OpenRequest<'a>,
    idle: Idle,
}

/// Answers one request. None when the connection is closed.
async fn answer<'a>(
    shared: &'a Shared,
    stream: &mut Stream,
    input: &mut Input,
    message: &Json,
    peer: SocketAddr,
    place: &mut Place,
) -> Option<Kept<'a>> {
    let request = Request::read(message).and_then(|mut request| match shared.settings.guard.admit(&mut request) {
        Ok(()) => Ok(request),
        Err(why) => Err(Rejection { why: why.to_owned(), knows_extras: request.extras.any() }),
    });
    let mut request = match request {
        Ok(request) => request,
        Err(rejection) => {
            shared.observer.unusable(peer, &rejection.why);
            let reply = frame(&Reply::Nack(rejection.why).to_text(rejection.knows_extras));
            if write(shared, stream, &reply).await {
                close(stream, input.ended, &shared.end).await;
            }
            return None;
        }
    };
    let (group, extras, keep) = (request.group.clone(), request.extras.any(), request.extras.keep);
    if request.extras.hold.is_some() || keep {
        input.look(stream);
    }
    if input.ended && request.extras.hold.is_some() && request.extras.call.is_some() {
        // Who names its calls leaves its side open while it waits, so it is gone, and may have asked again already on
        // another connection. What came late on this one must not count as asking once more after the answer.
        shared.observer.unread(peer, "gone", "the caller is gone");
        return None;
    }
    if input.ended {
        // Nothing would tell that the caller is gone.
        request.extras.hold = None;
    }
    let is_sync = matches!(request.ask, Ask::Sync { .. });
    let mut asked = shared.observer.asked(peer, &request);
    let limit = request.extras.limit.flatten();
    let hold = request.extras.hold.map(|hold| limit.map_or(hold, |limit| hold.min(limit)));
    let deadline = hold.and_then(|hold| Instant::now().checked_add(hold));
    let Some((ticket, mut answered)) = shared.hub.ask(request, peer.ip().to_canonical()).await else {
        asked.answered(None);
        close(stream, input.ended, &shared.end).await;
        return None;
    };
    // Withdraws the request when this task ends before its reply has arrived.
    let mut open = OpenRequest { shared, group, ticket, settled: false };
    let answered = match answered.try_recv() {
        Ok(answered) => answered,
        Err(_) => {
            asked.held();
            held(&open, stream, input, &mut answered, deadline).await?
        }
    };
    let kept = match answered.kept {
        Some(kept) => kept.wait().await,
        None => true,
    };
    let reply = answered.reply.filter(|_| kept);
    asked.answered(reply.as_ref());
    let Some(reply) = reply else {
        close(stream, input.ended, &shared.end).await;
        return None;
    };
    let released = is_sync && matches!(reply, Reply::AckWith(_));
    let keep = keep && !shared.end.is_cancelled() && !input.has_ended_or_hurries();
    let idle = if keep { place.idle() } else { None };
    let text = if idle.is_some() { reply.to_kept_text() } else { reply.to_text(extras) };
    if !write(shared, stream, &frame(&text)).await {
        return None;
    }
    open.settled = !released;
    if released {
        // The others that were released with it have their replies before this connection is closed.
        tokio::task::yield_now().await;
    }
    match idle {
        Some(idle) => return Some(Kept { last: open, idle }),
        None if released => open.settle_at_end(stream, input).await,
        None => close(stream, input.ended, &shared.end).await,
    }
    None
}

/// Waits with a kept connection until its next request begins. False when it has ended.
async fn next_begins(
    shared: &Shared,
    stream: &mut Stream,
    input: &mut Input,
    mut kept: Kept<'_>,
    place: &mut Place,
) -> bool {
    let began = tokio::select! {
        biased;
        began = input.begins(stream) => Some(began),
        () = kept.idle.taken_away() => None,
        () = sleep(shared.settings.idle_time) => None,
        () = shared.end.cancelled() => None,
    };
    let stays = place.busy();
    match began {
        // What the caller asks next it asks after it has read the reply.
        Some(Ok(())) if !input.ended => kept.last.arrived(),
        // Withdrawn: the reply may be lost.
        Some(Err(_)) => return false,
        _ if kept.last.settled => {
            close(stream, input.ended, &shared.end).await;
            return false;
        }
        _ => {
            kept.last.settle_at_end(stream, input).await;
            return false;
        }
    }
    if !stays {
        // The request is not read; its caller asks again on another connection.
        close(stream, input.ended, &shared.end).await;
    }
    stays
}

/// Waits with a held request; none when its caller is gone.
async fn held(
    open: &OpenRequest<'_>,
    stream: &mut Stream,
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
                open.shared.hub.tick(&open.group);
                // Either the call's limit has passed as well, and the group has said so, or only the hold is over.
                return Some(answered.try_recv().unwrap_or_else(|_| open.come_again()));
            }
            () = open.shared.end.cancelled() => return Some(open.come_again()),
            read = stream.read(&mut rest) => match read {
                // A request is one message; what follows it is nothing.
                Ok(count) if count > 0 => input.hurried = true,
                _ => {
                    input.ended = true;
                    return None;
                }
            },
        }
    }
}

pub(super) async fn write(shared: &Shared, stream: &mut Stream, reply: &[u8]) -> bool {
    shared.observer.metrics.sent.add(reply.len() as u64);
    let write = async {
        // One write, so that the whole reply is there when the caller begins to read (§1 rule 4).
        stream.write_all(reply).await?;
        stream.flush().await
    };
    matches!(timeout(shared.settings.request_time, write).await, Ok(Ok(())))
}

struct OpenRequest<'a> {
    shared: &'a Shared,
    group: GroupName,
    ticket: Ticket,
    settled: bool,
}

impl OpenRequest<'_> {
    /// The request is not held any longer; its caller is told to ask again.
    fn come_again(&self) -> Answered {
        self.shared.hub.come_again(&self.group, self.ticket);
        Answered { reply: Some(Reply::Wait), kept: None }
    }

    /// The reply has reached its caller.
    fn arrived(&mut self) {
        if !self.settled {
            self.settled = true;
            self.shared.hub.delivered(&self.group, self.ticket, true);
        }
    }

    /// Ends the connection, which tells whether the reply arrived.
    async fn settle_at_end(&mut self, stream: &mut Stream, input: &mut Input) {
        let Shared { settings, end, .. } = self.shared;
        if closing::has_arrived(stream, &mut input.ended, settings.request_time, end).await {
            self.arrived();
        }
    }
}

impl Drop for OpenRequest<'_> {
    fn drop(&mut self) {
        if !self.settled {
            self.shared.hub.withdraw(&self.group, self.ticket);
        }
    }
}

/// The incoming half of a connection.
struct Input {
    decoder: Decoder,
    /// The caller has closed its sending side.
    ended: bool,
    /// The caller has sent more before it had its reply.
    hurried: bool,
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
    async fn message(&mut self, stream: &mut Stream) -> Result<Json, Unread> {
        loop {
            match self.decoder.poll() {
                Decoded::More => {}
                other => return Self::decoded(other),
            }
            match self.more(stream).await {
                Ok(0) => {
                    self.ended = true;
                    let last = self.decoder.end();
                    return Self::decoded(last);
                }
                Ok(count) => self.received += count as u64,
                Err(_) => return Err(Unread::Gone),
            }
        }
    }

    /// Reads what is there, or comes first.
    async fn more(&mut self, stream: &mut Stream) -> io::Result<usize> {
        poll_fn(|context| {
            // Used within one poll only, so that one block a thread is enough.
            BLOCK.with_borrow_mut(|block| {
                let mut buffer = ReadBuf::new(block);
                ready!(Pin::new(&mut *stream).poll_read(context, &mut buffer))?;
                self.decoder.push(buffer.filled());
                Poll::Ready(Ok(buffer.filled().len()))
            })
        })
        .await
    }

    /// Waits for the first bytes of a further message, or the end.
    async fn begins(&mut self, stream: &mut Stream) -> io::Result<()> {
        let mut block = [0; 512];
        let count = match stream.read(&mut block).await {
            // Within TLS: it closed without saying so before.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => 0,
            read => read?,
        };
        self.ended = count == 0;
        self.received += count as u64;
        self.decoder.push(&block[..count]);
        Ok(())
    }

    /// Whether the caller has closed its sending side, or has sent more than its request.
    fn has_ended_or_hurries(&self) -> bool {
        self.ended || self.hurried || !self.decoder.is_empty()
    }

    /// Looks for what has come with the request: a half-close, or more.
    fn look(&mut self, stream: &Stream) {
        match stream.next_byte() {
            Some(0) => self.ended = true,
            Some(_) => self.hurried = true,
            None => {}
        }
    }

    fn decoded(decoded: Decoded) -> Result<Json, Unread> {
        match decoded {
            Decoded::Message(message) => Ok(message),
            Decoded::Broken(why) => Err(Unread::Broken(why)),
            Decoded::Unusable(why) => Err(Unread::Unusable(why)),
            Decoded::More => Err(Unread::Gone),
        }
    }
}
