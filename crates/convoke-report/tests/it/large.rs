//! A large run: 50 members, 100,000 lines of log, the same every time.
//!
//! Two servers and 48 clients deploy and boot, synchronise ten times, wait for the servers' messages, and test. One client
//! fails, and whoever waits for it fails because of it.

use convoke_journal::event::VERSION;
use convoke_journal::{
    Body, ErrorClass, Event, Failure, Health, MemberInfo, MemberState, ResultRecord, ResultValue, Stage,
};
use serde_json::Value;

pub(crate) const MEMBERS: u32 = 50;
const SERVERS: u32 = 2;
const ROUNDS: u64 = 10;
/// The client that fails, and before which round.
const BROKEN: (u32, u64) = (17, 8);

/// How large.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) members: u32,
    /// Console lines of a member while it boots, and in each round.
    pub(crate) lines: (u64, u64),
}

/// What the report is measured with.
pub(crate) const LARGE: Size = Size { members: MEMBERS, lines: (350, 166) };

/// As many members and calls, hardly a line.
#[allow(dead_code)] // of the benchmark
pub(crate) const QUIET: Size = Size { members: MEMBERS, lines: (2, 1) };

/// Larger than it is made for: 200 members, 1,000,000 lines.
#[allow(dead_code)] // of the tests
pub(crate) const HUGE: Size = Size { members: 200, lines: (500, 455) };

/// Numbers that look random.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// Events with their times, not in order yet.
struct Script {
    events: Vec<(u64, Option<u32>, Body)>,
    numbers: Numbers,
    calls: u64,
    size: Size,
}

const MS: u64 = 1_000_000;

impl Script {
    fn at(&mut self, ns: u64, member: u32, body: Body) {
        self.events.push((ns, Some(member), body));
    }

    fn stage(&mut self, ns: u64, member: u32, stage: Stage) {
        self.at(ns, member, Body::MemberState { state: MemberState::Running, stage });
    }

    fn action(&mut self, from: u64, to: u64, member: u32, level: &str, name: &str) {
        let (level, name, namespace) = (level.to_owned(), name.to_owned(), "common".to_owned());
        let started = Body::ActionStarted {
            level: level.clone(),
            name: name.clone(),
            timeout_s: 600.0,
            namespace: namespace.clone(),
        };
        self.at(from, member, started);
        self.at(
            to,
            member,
            Body::ActionEnded { level, name, duration_s: (to - from) as f64 / 1e9, namespace, failure: None },
        );
    }

    /// So many console lines between two instants.
    fn console(&mut self, from: u64, to: u64, member: u32, lines: u64) {
        for line in 0..lines {
            let ns = from + (to - from) * line / lines;
            let number = self.numbers.below(1 << 32);
            let text = match number % 9 {
                0 => format!("\x1b[32m[  OK  ]\x1b[0m Started unit-{number:08x}.service - worker {member}.\r\n"),
                1 => format!(
                    "[{:12.6}] eth0: link up, {} Mbps, full duplex, flow control rx/tx\r\n",
                    ns as f64 / 1e9,
                    number % 1000
                ),
                2 => format!(
                    "\x1b[1;33mwarning\x1b[0m: queue {} is {} % full on member {member}\r\n",
                    number % 8,
                    number % 100
                ),
                3 => "  CC      drivers/net/ethernet/some/vendor/with/a/long/path/to/the/file.o\r\n".to_owned(),
                _ => format!(
                    "[{:12.6}] some-driver 0000:0{}:00.0: transferred block {number:#010x} in {} us\r\n",
                    ns as f64 / 1e9,
                    number % 8,
                    number % 4000
                ),
            };
            self.at(ns, member, Body::Console { text: Some(text), base64: None, connection: None });
        }
    }

    fn call(&mut self, ns: u64, member: u32, call: &str, id: &str, role: Option<&str>) -> u64 {
        let call_id = self.calls;
        self.calls += 1;
        let data = if call == "send" { vec![("port".to_owned(), (5200 + member).to_string())] } else { Vec::new() };
        let body = Body::CallMade {
            call_id,
            call: call.to_owned(),
            message_id: id.to_owned(),
            role: role.map(str::to_owned),
            data,
            from: "shell".to_owned(),
            limit_s: Some(60.0),
        };
        self.at(ns, member, body);
        call_id
    }

    fn answer(&mut self, ns: u64, member: u32, call_id: u64, refused: Option<&str>, messages: Vec<(String, Value)>) {
        let reason = refused.map(str::to_owned);
        self.at(ns, member, Body::CallAnswered { call_id, ok: refused.is_none(), reason, messages });
    }

    fn result(&mut self, ns: u64, member: u32, suite: &str, case: String, result: ResultValue) {
        let record = ResultRecord { definition: suite.to_owned(), case, result, ..ResultRecord::default() };
        self.at(ns, member, Body::Result(record));
    }
}

fn name(member: u32) -> String {
    (1000 + member).to_string()
}

fn info(member: u32) -> MemberInfo {
    MemberInfo {
        sub_id: member,
        job_id: u64::from(1000 + member),
        name: name(member),
        role: if member < SERVERS { "server" } else { "client" }.to_owned(),
        device_type: "qemu".to_owned(),
        essential: false,
        played: false,
    }
}

/// The events of a run of this size.
pub(crate) fn events(size: Size) -> Vec<Event> {
    let mut script = Script { events: Vec::new(), numbers: Numbers(7), calls: 0, size };
    let started = Body::RunStarted {
        version: VERSION,
        program: "convoke 0.1.0".to_owned(),
        job_file: "large.yaml".to_owned(),
        job_name: "fifty members".to_owned(),
        group: "large".to_owned(),
        rehearsal: false,
        members: (0..size.members).map(info).collect(),
        secrets: 0,
    };
    script.events.push((0, None, started));
    let mut ready: Vec<u64> = Vec::new();
    for member in 0..size.members {
        let start = 10 * MS + script.numbers.below(40) * MS;
        let device = Body::DeviceAllocated {
            device: format!("qemu-{member:02}"),
            device_type: "qemu".to_owned(),
            addresses: Vec::new(),
        };
        script.at(start, member, device);
        script.stage(start, member, Stage::Deploy);
        let deployed = start + (800 + script.numbers.below(900)) * MS;
        script.action(start, deployed, member, "1", "deploy-images");
        script.stage(deployed, member, Stage::Boot);
        let booted = deployed + (3000 + script.numbers.below(5000)) * MS;
        script.action(deployed, booted, member, "2", "boot-qemu-image");
        script.console(deployed, booted, member, size.lines.0);
        script.stage(booted, member, Stage::Test(0));
        script.at(booted + MS, member, Body::SuiteStarted { suite: suite(member).to_owned() });
        ready.push(booted + 2 * MS);
    }
    let mut round = 0;
    let mut gone: Option<u64> = None;
    while round < ROUNDS {
        steps(&mut script, &mut ready, round, &mut gone);
        round += 1;
    }
    finish(&mut script, &ready, gone)
}

fn suite(member: u32) -> &'static str {
    if member < SERVERS { "0_serve" } else { "0_fetch" }
}

/// A round: work, a message of the servers, results, a sync of all.
fn steps(script: &mut Script, ready: &mut [u64], round: u64, gone: &mut Option<u64>) {
    let mut sent = Vec::new();
    for member in 0..script.size.members {
        let from = ready[member as usize];
        let worked = from + (300 + script.numbers.below(1500)) * MS;
        script.console(from, worked, member, script.size.lines.1);
        for case in 0..4 {
            let result = if script.numbers.below(97) == 0 { ResultValue::Fail } else { ResultValue::Pass };
            let at = from + (worked - from) * (case + 1) / 5;
            script.result(at, member, suite(member), format!("round-{round}-case-{case}"), result);
        }
        ready[member as usize] = worked;
        if member < SERVERS {
            let id = format!("data-{round}");
            let call = script.call(worked, member, "send", &id, None);
            script.answer(worked + MS, member, call, None, Vec::new());
            sent.push(worked);
            ready[member as usize] = worked + 2 * MS;
        }
        if (member, round) == BROKEN {
            *gone = Some(worked);
        }
    }
    let is_over = |member: u32| gone.is_some() && member == BROKEN.0;
    let all_sent = sent.iter().copied().max().unwrap_or_default();
    for member in (SERVERS..script.size.members).filter(|member| !is_over(*member)) {
        let made = ready[member as usize];
        let call = script.call(made, member, "wait_all", &format!("data-{round}"), Some("server"));
        for (place, _) in sent.iter().enumerate().filter(|(_, at)| **at > made) {
            let missing = (place as u32..SERVERS).collect();
            script.at(made + MS / 10 + place as u64, member, Body::Waiting { call_id: call, missing });
        }
        let done = made.max(all_sent) + MS;
        let messages =
            (0..SERVERS).map(|server| (name(server), serde_json::json!({"port": (5200 + server).to_string()})));
        script.answer(done, member, call, None, messages.collect());
        ready[member as usize] = done + (20 + script.numbers.below(300)) * MS;
    }
    let mut arrivals: Vec<(u64, u32)> = (0..script.size.members)
        .filter(|member| !is_over(*member))
        .map(|member| (ready[member as usize], member))
        .collect();
    arrivals.sort_unstable();
    let last = arrivals.last().map_or(0, |(at, _)| *at);
    let released = gone.map_or(last, |gone| last.max(gone)) + MS;
    let mut parked: Vec<(u32, u64)> = Vec::new();
    for (place, (at, member)) in arrivals.iter().enumerate() {
        let call = script.call(*at, *member, "sync", &format!("round-{round}"), None);
        parked.push((*member, call));
        let mut missing: Vec<u32> = arrivals[place + 1..].iter().map(|(_, member)| *member).collect();
        missing.extend(gone.map(|_| BROKEN.0));
        if !missing.is_empty() {
            for (waiting, call) in &parked {
                let body = Body::Waiting { call_id: *call, missing: missing.clone() };
                script.at(at + MS / 5, *waiting, body);
            }
        }
    }
    let reason = gone.map(|_| format!("lava-sync round-{round}: client.16 left without arriving: its job ended"));
    for (member, call) in parked {
        script.answer(released, member, call, reason.as_deref(), Vec::new());
        ready[member as usize] = released + MS;
    }
}

/// Ends all members, and puts everything into order.
fn finish(script: &mut Script, ready: &[u64], gone: Option<u64>) -> Vec<Event> {
    let failure = Failure {
        class: ErrorClass::Infrastructure,
        message: "the device does not answer any more; look at its power and its console".to_owned(),
        reason: None,
        consequence: false,
    };
    for member in 0..script.size.members {
        let (at, ended) = match gone.filter(|_| member == BROKEN.0) {
            Some(gone) => (gone, Body::MemberEnded { health: Health::Incomplete, failure: Some(failure.clone()) }),
            None => (ready[member as usize], Body::MemberEnded { health: Health::Complete, failure: None }),
        };
        let later = if member == BROKEN.0 { at } else { at + 4 * MS };
        if member != BROKEN.0 {
            script.at(at, member, Body::SuiteEnded { suite: suite(member).to_owned() });
            script.stage(at + MS, member, Stage::Finalize);
        }
        script.at(later, member, ended);
        // What was written for a device that is gone does not come.
        if let Some(gone) = gone.filter(|_| member == BROKEN.0) {
            script.events.retain(|(at, whose, body)| {
                *whose != Some(member) || *at < gone || matches!(body, Body::MemberEnded { .. })
            });
        }
    }
    let end = script.events.iter().map(|(at, ..)| *at).max().unwrap_or_default() + MS;
    let first_failure = Some((BROKEN.0, failure));
    script.events.push((end, None, Body::RunEnded { health: Health::Incomplete, first_failure, exit_status: 3 }));
    script.events.sort_by_key(|(at, ..)| *at);
    let begin = jiff::Timestamp::constant(1_795_000_000, 0);
    std::mem::take(&mut script.events)
        .into_iter()
        .zip(0..)
        .map(|((elapsed_ns, member, body), seq)| {
            let at = begin + jiff::SignedDuration::from_nanos(i64::try_from(elapsed_ns).unwrap_or(0));
            Event { seq, at, elapsed_ns, member, body }
        })
        .collect()
}

/// The journal of the run, one event a line.
#[allow(dead_code)] // of the benchmark
pub(crate) fn journal(size: Size) -> String {
    let mut text = String::new();
    for event in events(size) {
        text.push_str(&serde_json::to_string(&event).unwrap());
        text.push('\n');
    }
    text
}

#[test]
fn it_is_as_large_as_it_says_and_the_same_every_time() {
    assert_eq!(events(QUIET), events(QUIET));
    let story = convoke_report::Story::of(&events(LARGE));
    assert_eq!(story.lanes.len(), MEMBERS as usize);
    let lines = story.log.lines().len();
    assert!((100_000..105_000).contains(&lines), "{lines}");
    let first = story.first_failure.unwrap();
    assert_eq!(first.member, BROKEN.0);
}
