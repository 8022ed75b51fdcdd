//! Recording on behalf of one member.

use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use convoke_journal::{Body, LogLevel, MemberState, Recorder, ResultRecord, ResultValue, Stage};

/// The member's recorder. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    recorder: Recorder,
    member: u32,
    failed: Arc<AtomicU32>,
}

impl Log {
    pub(crate) fn new(recorder: Recorder, member: u32) -> Self {
        Log { recorder, member, failed: Arc::default() }
    }

    /// Any event.
    pub(crate) fn record(&self, body: Body) {
        self.recorder.member(self.member, body);
    }

    /// Bytes from the console, or from the connection of a namespace; waits while the journal is behind.
    pub(crate) async fn console(&self, connection: Option<&str>, bytes: &[u8]) {
        self.recorder.connection(self.member, connection, bytes).await;
    }

    /// A number for a MultiNode call.
    pub(crate) fn next_call_id(&self) -> u64 {
        self.recorder.next_call_id()
    }

    pub(crate) fn debug(&self, text: impl Display) {
        self.line(LogLevel::Debug, text);
    }

    pub(crate) fn info(&self, text: impl Display) {
        self.line(LogLevel::Info, text);
    }

    pub(crate) fn warning(&self, text: impl Display) {
        self.line(LogLevel::Warning, text);
    }

    pub(crate) fn error(&self, text: impl Display) {
        self.line(LogLevel::Error, text);
    }

    pub(crate) fn line(&self, level: LogLevel, text: impl Display) {
        self.record(Body::Log { level, text: text.to_string() });
    }

    pub(crate) fn state(&self, state: MemberState, stage: Stage) {
        self.record(Body::MemberState { state, stage });
    }

    /// A result. Failing cases, and test suites that failed, are counted.
    pub(crate) fn result(&self, record: ResultRecord) {
        let counts = record.definition != "lava" || record.case.starts_with(|first: char| first.is_ascii_digit());
        if counts && record.result == ResultValue::Fail {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
        self.record(Body::Result(record));
    }

    /// A test has failed that has no result of its own.
    pub(crate) fn count_failure(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    /// How many test cases and suites have failed.
    pub(crate) fn failed(&self) -> u32 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Forgets failures after the first `count`: a retry clears what the failed attempt collected.
    pub(crate) fn forget_failures(&self, count: u32) {
        self.failed.fetch_min(count, Ordering::Relaxed);
    }
}
