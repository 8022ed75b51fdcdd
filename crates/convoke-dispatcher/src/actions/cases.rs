//! The cases of a monitor or an interactive script: reported under its name, compared with what is expected
//! (job-definition.md §9.2, §9.3, §14).

use std::collections::BTreeSet;

use convoke_journal::{Body, ResultRecord, ResultValue};
use serde_json::{Map, Value};

use crate::log::Log;

/// A suite that is not run by the test shell.
pub(crate) struct Cases<'a> {
    log: &'a Log,
    suite: &'a str,
    expected: Option<&'a [String]>,
    seen: BTreeSet<String>,
    begun: bool,
}

impl<'a> Cases<'a> {
    /// A suite that has not begun.
    pub(crate) fn new(log: &'a Log, suite: &'a str, expected: Option<&'a [String]>) -> Self {
        Cases { log, suite, expected, seen: BTreeSet::new(), begun: false }
    }

    /// It begins.
    pub(crate) fn begin(&mut self) {
        self.begun = true;
        self.log.record(Body::SuiteStarted { suite: self.suite.to_owned() });
    }

    /// A result. One that is not expected counts as failed.
    pub(crate) fn report(&mut self, mut record: ResultRecord) {
        self.seen.insert(record.case.clone());
        if self.expected.is_some_and(|expected| !expected.contains(&record.case)) {
            self.log.warning(format_args!(
                "{}: case {} is not in the expected list and counts as failed",
                self.suite, record.case
            ));
            record.result = ResultValue::Fail;
            record.extra.insert("error_msg".into(), "not in the expected list".into());
        }
        self.log.result(ResultRecord { definition: self.suite.to_owned(), ..record });
    }

    /// The result of a call of the group, which nobody expects.
    pub(crate) fn call(&self, record: ResultRecord) {
        self.log.result(ResultRecord { definition: self.suite.to_owned(), ..record });
    }

    /// It has ended without a word about what is expected.
    pub(crate) fn leave(mut self) {
        self.expected = None;
        self.end();
    }

    /// It has ended, or will not begin: expected cases that were not reported have failed.
    pub(crate) fn end(self) {
        for case in self.expected.into_iter().flatten().filter(|case| !self.seen.contains(*case)) {
            self.log.error(format_args!("{}: the expected case {case} was not reported", self.suite));
            self.log.result(ResultRecord {
                definition: self.suite.to_owned(),
                case: case.clone(),
                result: ResultValue::Fail,
                extra: Map::from_iter([("error_msg".to_owned(), Value::from("expected, but not reported"))]),
                ..ResultRecord::default()
            });
        }
        if self.begun {
            self.log.record(Body::SuiteEnded { suite: self.suite.to_owned() });
        }
    }
}
