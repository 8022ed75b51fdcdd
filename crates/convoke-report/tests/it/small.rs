//! A small run with everything in it: messages, syncs, waits, a failure with consequences, results, and a console that says
//! what would do harm in a page that believed it.

use convoke_journal::event::VERSION;
use convoke_journal::{
    Body, ErrorClass, Event, Failure, Health, LogLevel, MemberInfo, MemberState, ResultRecord, ResultValue, Stage,
};
use serde_json::json;

pub(crate) const SERVER: u32 = 0;
pub(crate) const FIRST: u32 = 1;
pub(crate) const SECOND: u32 = 2;

/// What the console of the first client says.
pub(crate) const HOSTILE: &[&str] = &[
    "</script><script>window.harmed = 1</script>\r\n",
    "<img src=x onerror=\"window.harmed = 2\">\r\n",
    "<!-- \u{1b}[31mred\u{1b}[0m \u{1b}]0;title\u{7} \u{0}\u{7f}\u{9b}31m ]]> --> {{story}} \u{2028}\u{2029}\r\n",
    "\u{202e}turned \u{2066}around\r\n",
    "&lt;b&gt; &amp; \"quoted\" 'twice' `three` ${four}\r\n",
];

/// Events in order, from times in milliseconds.
pub(crate) struct Journal(pub(crate) Vec<Event>);

impl Journal {
    pub(crate) fn new(roles: &[&str]) -> Journal {
        let members = roles.iter().zip(0..).map(|(role, sub_id)| MemberInfo {
            sub_id,
            job_id: u64::from(sub_id) + 1001,
            name: (sub_id + 1001).to_string(),
            role: (*role).to_owned(),
            device_type: "sandbox".into(),
            essential: false,
            played: false,
        });
        let started = Body::RunStarted {
            version: VERSION,
            program: "convoke 0.1.0".into(),
            job_file: "<job>.yaml".into(),
            job_name: "a <b>small</b> run & more".into(),
            group: "g".into(),
            rehearsal: false,
            members: members.collect(),
            secrets: 1,
        };
        let mut journal = Journal(Vec::new());
        journal.group(0, started);
        journal
    }

    pub(crate) fn group(&mut self, ms: u64, body: Body) {
        self.push(ms, None, body);
    }

    pub(crate) fn member(&mut self, ms: u64, member: u32, body: Body) {
        self.push(ms, Some(member), body);
    }

    fn push(&mut self, ms: u64, member: Option<u32>, body: Body) {
        let begin = jiff::Timestamp::constant(1_795_000_000, 0);
        let at = begin + jiff::SignedDuration::from_millis(i64::try_from(ms).unwrap());
        self.0.push(Event { seq: self.0.len() as u64, at, elapsed_ns: ms * 1_000_000, member, body });
    }

    pub(crate) fn made(&mut self, ms: u64, member: u32, call_id: u64, call: &str, id: &str) {
        let data = if call == "send" { vec![("port".to_owned(), "5201".to_owned())] } else { Vec::new() };
        let body = Body::CallMade {
            call_id,
            call: call.into(),
            message_id: id.into(),
            role: None,
            data,
            from: "shell".into(),
            limit_s: Some(30.0),
        };
        self.member(ms, member, body);
    }

    pub(crate) fn waiting(&mut self, ms: u64, member: u32, call_id: u64, missing: &[u32]) {
        self.member(ms, member, Body::Waiting { call_id, missing: missing.to_vec() });
    }

    /// Satisfied, with messages of these senders.
    pub(crate) fn answered(&mut self, ms: u64, member: u32, call_id: u64, senders: &[u32]) {
        let messages = senders.iter().map(|sender| ((sender + 1001).to_string(), json!({"port": "5201"}))).collect();
        self.member(ms, member, Body::CallAnswered { call_id, ok: true, reason: None, messages });
    }

    pub(crate) fn refused(&mut self, ms: u64, member: u32, call_id: u64, reason: &str) {
        let reason = Some(reason.to_owned());
        self.member(ms, member, Body::CallAnswered { call_id, ok: false, reason, messages: Vec::new() });
    }

    pub(crate) fn stage(&mut self, ms: u64, member: u32, stage: Stage) {
        self.member(ms, member, Body::MemberState { state: MemberState::Running, stage });
    }

    pub(crate) fn result(&mut self, ms: u64, member: u32, case: &str, result: ResultValue) {
        let record = ResultRecord {
            definition: "0_tests".into(),
            case: case.into(),
            result,
            measurement: Some("12.5".into()),
            units: Some("MB/s".into()),
            ..ResultRecord::default()
        };
        self.member(ms, member, Body::Result(record));
    }

    fn console(&mut self, ms: u64, member: u32, text: &str) {
        self.member(ms, member, Body::Console { text: Some(text.into()), base64: None, connection: None });
    }
}

/// The run.
pub(crate) fn events() -> Vec<Event> {
    let mut journal = Journal::new(&["server", "client", "client"]);
    for member in [SERVER, FIRST, SECOND] {
        let start = 10 + u64::from(member);
        journal.member(
            start,
            member,
            Body::DeviceAllocated {
                device: format!("sandbox-{member}"),
                device_type: "sandbox".into(),
                addresses: Vec::new(),
            },
        );
        journal.stage(start, member, Stage::Deploy);
    }
    for member in [SERVER, FIRST, SECOND] {
        journal.member(
            30,
            member,
            Body::ActionStarted {
                level: "1".into(),
                name: "deploy-sandbox".into(),
                timeout_s: 60.0,
                namespace: "common".into(),
            },
        );
        journal.stage(100, member, Stage::Boot);
        journal.member(
            100,
            member,
            Body::ActionEnded {
                level: "1".into(),
                name: "deploy-sandbox".into(),
                duration_s: 0.07,
                namespace: "common".into(),
                failure: None,
            },
        );
    }
    for line in 0..300 {
        journal.console(110 + line, FIRST, &format!("[{line:6}] booting the kernel of client.1\r\n"));
    }
    for member in [SERVER, FIRST, SECOND] {
        journal.stage(500, member, Stage::Test(0));
        journal.member(500, member, Body::SuiteStarted { suite: "0_tests".into() });
    }
    // A round of a sync: the server comes last.
    journal.made(600, FIRST, 1, "sync", "up");
    journal.waiting(600, FIRST, 1, &[SERVER, SECOND]);
    journal.made(700, SECOND, 2, "sync", "up");
    journal.waiting(700, FIRST, 1, &[SERVER]);
    journal.waiting(700, SECOND, 2, &[SERVER]);
    journal.made(1000, SERVER, 3, "sync", "up");
    for (member, call) in [(SERVER, 3), (FIRST, 1), (SECOND, 2)] {
        journal.answered(1001, member, call, &[]);
    }
    // A message: one client waits for it, to the other it is there already.
    journal.made(1100, FIRST, 4, "wait", "ready");
    journal.waiting(1100, FIRST, 4, &[SERVER, SECOND]);
    for line in 0..40 {
        journal.console(1200 + line * 10, SERVER, &format!("server line {line}\r\n"));
    }
    journal.made(2000, SERVER, 5, "send", "ready");
    journal.answered(2001, SERVER, 5, &[]);
    journal.answered(2002, FIRST, 4, &[SERVER]);
    journal.made(2100, SECOND, 6, "wait", "ready");
    journal.answered(2101, SECOND, 6, &[SERVER]);
    for (text, at) in HOSTILE.iter().zip(2200..) {
        journal.console(at, FIRST, text);
    }
    journal.member(2300, FIRST, Body::TestCaseMark { case: "<i>fetch</i>".into(), start: true });
    journal.result(2400, FIRST, "<i>fetch</i>", ResultValue::Fail);
    journal.result(2450, SECOND, "<i>fetch</i>", ResultValue::Pass);
    journal.member(2460, SECOND, Body::Log { level: LogLevel::Warning, text: "odd, but it goes on".into() });
    // The server fails; whoever waits for it is told.
    journal.made(2500, FIRST, 7, "sync", "end");
    journal.waiting(2500, FIRST, 7, &[SERVER, SECOND]);
    let failure = Failure {
        class: ErrorClass::Infrastructure,
        message: "the <device> is gone".into(),
        reason: None,
        consequence: false,
    };
    journal.member(3000, SERVER, Body::MemberEnded { health: Health::Incomplete, failure: Some(failure.clone()) });
    journal.refused(3001, FIRST, 7, "lava-sync end: server left without arriving: its job ended");
    let lost = Failure {
        class: ErrorClass::Job,
        message: "lava-sync end failed".into(),
        reason: Some("group.member-lost".into()),
        consequence: true,
    };
    journal.member(3100, FIRST, Body::MemberEnded { health: Health::Incomplete, failure: Some(lost) });
    journal.member(3200, SECOND, Body::SuiteEnded { suite: "0_tests".into() });
    journal.member(3200, SECOND, Body::MemberEnded { health: Health::Complete, failure: None });
    let first_failure = Some((SERVER, failure));
    journal.group(3300, Body::RunEnded { health: Health::Incomplete, first_failure, exit_status: 3 });
    journal.0
}
