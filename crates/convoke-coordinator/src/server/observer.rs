//! What happens, told to those who look: counted for the metrics, and written to the log, one line an event with peer,
//! group, member and call as fields.
//!
//! Names come from whoever can connect. As fields they are written quoted, so that none makes a line of its own, and cut.

use std::borrow::Cow;
use std::net::SocketAddr;

use convoke_group::{GroupName, MemberName, Refusal};
use tokio::time::Instant;

use super::metrics::Metrics;
use super::reports::{Kind, Reports};
use crate::registry::Note;
use crate::registry::doing::About;
use crate::store::StoreError;
use crate::wire::{Reply, Request};

/// Characters of a name in the log.
const NAME: usize = 200;
/// Characters of a reason in the log.
const REASON: usize = 2_000;
/// Members named in one line.
const NAMED: usize = 20;

#[derive(Debug, Default)]
pub(super) struct Observer {
    pub(super) metrics: Metrics,
    pub(super) reports: Reports,
}

impl Observer {
    /// A connection was refused by the limit of all connections, or of those of one address.
    pub(super) fn refused(&self, peer: SocketAddr, limit: &'static str) {
        self.metrics.refused(limit);
        if self.reports.may(Kind::Connection) {
            tracing::warn!(%peer, limit, "too many connections: closed without a reply");
        }
    }

    /// A connection ended before there was a request: `broken`, `late`, without `tls`, or `gone`.
    pub(super) fn unread(&self, peer: SocketAddr, reason: &'static str, why: &str) {
        self.metrics.unread(reason);
        if reason == "gone" {
            tracing::debug!(%peer, why, "closed without a request");
        } else if self.reports.may(Kind::Unread) {
            tracing::info!(%peer, why = &*brief(why, REASON), "closed without a request");
        }
    }

    /// A listener cannot accept.
    pub(super) fn cannot_accept(&self, error: &std::io::Error) {
        if self.reports.may(Kind::Connection) {
            tracing::warn!(%error, "a connection cannot be accepted");
        }
    }

    /// What came is answered with nack before it is a request.
    pub(super) fn unusable(&self, peer: SocketAddr, why: &str) {
        self.metrics.answered("other", Some("nack"), None);
        if self.reports.may(Kind::Nack) {
            tracing::info!(%peer, why = &*brief(why, REASON), "nack");
        }
    }

    /// A request has come.
    pub(super) fn asked(&self, peer: SocketAddr, request: &Request) -> Asked<'_> {
        let about = About::of(&request.ask);
        let (group, member) = (request.group.clone(), request.member.clone());
        let asked = Asked { observer: self, peer, group, member, about, began: Instant::now(), held: false };
        tracing::debug!(
            %peer,
            group = &*brief(asked.group.as_str(), NAME),
            member = &*brief(asked.member.as_str(), NAME),
            call = asked.about.request,
            id = &*brief(asked.about.id.as_str(), NAME),
            "request"
        );
        asked
    }

    /// Something happened to a group.
    pub(super) fn note(&self, group: &GroupName, note: &Note) {
        if *note == Note::Ended {
            self.metrics.ended.add(1);
        }
        if !self.reports.may(Kind::Group) {
            return;
        }
        let group = &*brief(group.as_str(), NAME);
        match note {
            Note::Registered { member, role } => {
                let (member, role) = (&*brief(member.as_str(), NAME), &*brief(role.as_str(), NAME));
                tracing::info!(group, member, role, "registered");
            }
            Note::Finished { member, why } => {
                let why = why.as_deref().map(|why| brief(why, REASON));
                tracing::info!(group, member = &*brief(member.as_str(), NAME), why = why.as_deref(), "finished");
            }
            Note::ProbablyStuck { members } => {
                let names: Vec<Cow<'_, str>> =
                    members.iter().take(NAMED).map(|member| brief(member.as_str(), NAME)).collect();
                tracing::info!(group, waiting = members.len(), members = names.join(", "), "probably stuck: all wait");
            }
            Note::Ended => tracing::info!(group, "ended"),
        }
    }

    /// A group was forgotten.
    pub(super) fn expired(&self, group: &GroupName) {
        self.metrics.expired.add(1);
        if self.reports.may(Kind::Group) {
            tracing::info!(group = &*brief(group.as_str(), NAME), "forgotten: nothing was heard of it for long");
        }
    }

    /// What of a group could not be kept before is kept now.
    pub(super) fn kept_again(&self, group: &GroupName) {
        if self.reports.may(Kind::State) {
            tracing::info!(group = &*brief(group.as_str(), NAME), "kept now");
        }
    }

    /// Something of a group could not be kept.
    pub(super) fn not_kept(&self, group: &GroupName, error: &StoreError) {
        if self.reports.may(Kind::State) {
            tracing::error!(group = &*brief(group.as_str(), NAME), %error, "not kept, clients come again");
        }
    }
}

/// A request that was not answered yet.
pub(super) struct Asked<'a> {
    observer: &'a Observer,
    peer: SocketAddr,
    group: GroupName,
    member: MemberName,
    about: About,
    began: Instant,
    held: bool,
}

impl Asked<'_> {
    /// It is held.
    pub(super) fn held(&mut self) {
        self.held = true;
    }

    /// It is answered; none is a close without a reply.
    pub(super) fn answered(&self, reply: Option<&Reply>) {
        let took = self.began.elapsed();
        let word = reply.map(Reply::word);
        self.observer.metrics.answered(self.about.request, word, Some((self.held, took)));
        let refused = reply.and_then(Reply::why);
        let (peer, call) = (self.peer, self.about.request);
        if refused.is_none() && !tracing::enabled!(tracing::Level::DEBUG) {
            return;
        }
        let (group, member) = (&*brief(self.group.as_str(), NAME), &*brief(self.member.as_str(), NAME));
        let id = &*brief(self.about.id.as_str(), NAME);
        match (refused, reply) {
            (Some(why), Some(Reply::Refused(refusal))) if matches!(**refusal, Refusal::TimedOut { .. }) => {
                if self.observer.reports.may(Kind::Nack) {
                    tracing::info!(%peer, group, member, call, id, why = &*brief(&why, REASON), "timed out");
                }
            }
            (Some(why), _) => {
                if self.observer.reports.may(Kind::Nack) {
                    tracing::info!(%peer, group, member, call, id, why = &*brief(&why, REASON), "nack");
                }
            }
            (None, _) => {
                let reply = word.unwrap_or("none");
                tracing::debug!(%peer, group, member, call, id, reply, took_us = took.as_micros(), "reply");
            }
        }
    }
}

/// Text cut to so many characters.
fn brief(text: &str, most: usize) -> Cow<'_, str> {
    match text.char_indices().nth(most) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
    }
}
