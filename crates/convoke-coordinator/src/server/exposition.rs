//! The metrics as text in Prometheus' format, version 0.0.4.
//!
//! Names of groups and members are no labels: there are too many, and strangers choose them.

use std::fmt::{Display, Write};
use std::sync::atomic::Ordering;

use super::Shared;
use super::metrics::{ANSWERS, Counter, LIMITS, REQUESTS, UNREAD};
use super::status::totals;
use crate::measure::{COUNTS, Distribution, STEPS, TIMES, WAITS};
use crate::status::seconds;
use crate::store::StoreStats;

/// What all names begin with.
const PREFIX: &str = "convoke_coordinator_";

/// The text of now.
pub(super) fn text(shared: &Shared) -> String {
    let mut text = Text(String::with_capacity(32 * 1024));
    groups(shared, &mut text);
    traffic(shared, &mut text);
    if let Some(stats) = shared.hub.store_stats() {
        state(&stats, &mut text);
    }
    text.0
}

fn groups(shared: &Shared, text: &mut Text) {
    let totals = totals(shared);
    text.family("build_info", "gauge", "Version of the program; always 1.");
    text.sample("build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    text.family("start_time_seconds", "gauge", "When it began to serve, since the Unix epoch.");
    text.sample("start_time_seconds", &[], seconds(shared.hub.started()));
    text.family("groups", "gauge", "Groups, by whether all of their members have registered.");
    text.sample("groups", &[("state", "complete")], totals.complete);
    text.sample("groups", &[("state", "assembling")], totals.groups - totals.complete);
    text.family("members", "gauge", "Registered members, by whether they have finished.");
    text.sample("members", &[("state", "active")], totals.members - totals.finished);
    text.sample("members", &[("state", "finished")], totals.finished);
    text.family("polling_members", "gauge", "Members that were last told to ask again.");
    text.sample("polling_members", &[], totals.polling);
    text.family("held_requests", "gauge", "Requests that wait for their answer, by request.");
    for (word, held) in totals.held.by_request() {
        text.sample("held_requests", &[("request", word)], held);
    }
    let metrics = &shared.observer.metrics;
    text.counter("groups_ended_total", "Groups that ended because all of their members had finished.", &metrics.ended);
    text.counter(
        "groups_expired_total",
        "Groups that were forgotten because nothing was heard of them for long.",
        &metrics.expired,
    );
    text.family("connections", "gauge", "Open connections; idle ones are kept for their next request.");
    text.sample("connections", &[("state", "busy")], totals.connections - totals.idle_connections);
    text.sample("connections", &[("state", "idle")], totals.idle_connections);
    text.family("unkept_groups", "gauge", "Groups of which something is not kept yet.");
    text.sample("unkept_groups", &[], totals.unkept);
}

fn traffic(shared: &Shared, text: &mut Text) {
    let metrics = &shared.observer.metrics;
    text.counter("connections_accepted_total", "Connections that were accepted.", &metrics.accepted);
    text.family(
        "connections_refused_total",
        "counter",
        "Connections that were closed at once, by the limit they were beyond.",
    );
    for (limit, refused) in LIMITS.iter().zip(&metrics.refused) {
        text.sample("connections_refused_total", &[("limit", limit)], refused.get());
    }
    text.family(
        "connections_unread_total",
        "counter",
        "Connections that ended before there was a request, by the reason.",
    );
    for (why, unread) in UNREAD.iter().zip(&metrics.unread) {
        text.sample("connections_unread_total", &[("reason", why)], unread.get());
    }
    text.counter("received_bytes_total", "Bytes of requests.", &metrics.received);
    text.counter("sent_bytes_total", "Bytes of replies.", &metrics.sent);
    text.family("requests_total", "counter", "Requests by what was answered; none is a close without a reply.");
    for (request, answers) in REQUESTS.iter().zip(&metrics.answers) {
        for (answer, count) in ANSWERS.iter().zip(answers) {
            text.sample("requests_total", &[("request", request), ("answer", answer)], count.get());
        }
    }
    text.family("request_seconds", "histogram", "From a request to its reply, of requests that were answered at once.");
    for (request, times) in REQUESTS.iter().zip(&metrics.seconds) {
        text.histogram("request_seconds", Some(request), &TIMES, &times.read(), MICROSECONDS);
    }
    text.family("held_seconds", "histogram", "From a request to its reply, of requests that were held.");
    for (request, times) in REQUESTS.iter().zip(&metrics.held_seconds) {
        text.histogram("held_seconds", Some(request), &WAITS, &times.read(), MICROSECONDS);
    }
    text.family("log_lines_left_out_total", "counter", "Lines that were not logged because there were too many.");
    text.sample("log_lines_left_out_total", &[], shared.observer.reports.left_out.load(Ordering::Relaxed));
}

fn state(stats: &StoreStats, text: &mut Text) {
    let mut counter = |name, help, value| {
        text.family(name, "counter", help);
        text.sample(name, &[], value);
    };
    counter("state_records_total", "Records kept in the state directory.", stats.records);
    counter("state_written_bytes_total", "Bytes written for them.", stats.bytes);
    counter("state_commits_total", "Commits; many records share one.", stats.commits);
    counter("state_commit_failures_total", "Commits that failed.", stats.failures);
    counter("state_compactions_total", "Segments rewritten or removed.", stats.compactions);
    text.family("state_pending_appends", "gauge", "Appends that are queued and not kept yet.");
    text.sample("state_pending_appends", &[], stats.pending);
    text.family("state_commit_seconds", "histogram", "How long commits took, those that failed included.");
    text.histogram("state_commit_seconds", None, &TIMES, &stats.commit_times, MICROSECONDS);
    text.family("state_commit_appends", "histogram", "Appends a commit.");
    text.histogram("state_commit_appends", None, &COUNTS, &stats.commit_sizes, 1.0);
}

const MICROSECONDS: f64 = 1_000_000.0;

struct Text(String);

// Writing to a String does not fail.
impl Text {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {PREFIX}{name} {help}\n# TYPE {PREFIX}{name} {kind}");
    }

    fn counter(&mut self, name: &str, help: &str, counter: &Counter) {
        self.family(name, "counter", help);
        self.sample(name, &[], counter.get());
    }

    /// The values of labels are words of ours, without anything that would have to be escaped.
    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let _ = write!(self.0, "{PREFIX}{name}");
        for (place, (label, word)) in labels.iter().enumerate() {
            let _ = write!(self.0, "{}{label}=\"{word}\"", if place == 0 { '{' } else { ',' });
        }
        let _ = writeln!(self.0, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }

    fn histogram(&mut self, name: &str, request: Option<&str>, scale: &[u64; STEPS], seen: &Distribution, unit: f64) {
        let own = |more: Option<&str>| {
            let own = request.map(|request| format!("request=\"{request}\""));
            let more = more.map(|end| format!("le=\"{end}\""));
            let labels: Vec<String> = own.into_iter().chain(more).collect();
            if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) }
        };
        let mut count = 0;
        for (end, here) in scale.iter().zip(&seen.counts) {
            count += here;
            let end = (*end as f64 / unit).to_string();
            let _ = writeln!(self.0, "{PREFIX}{name}_bucket{} {count}", own(Some(&end)));
        }
        count += seen.beyond;
        let _ = writeln!(self.0, "{PREFIX}{name}_bucket{} {count}", own(Some("+Inf")));
        let _ = writeln!(self.0, "{PREFIX}{name}_sum{} {}", own(None), seen.sum as f64 / unit);
        let _ = writeln!(self.0, "{PREFIX}{name}_count{} {count}", own(None));
    }
}
