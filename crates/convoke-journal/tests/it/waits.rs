//! Open waits: who has arrived, who is missing and where, and the line about a wait that lasts long.

use convoke_journal::{Body, Event, MemberInfo, MemberState, RunModel, Stage};

const S: u64 = 1_000_000_000;

/// A run of three members, told event by event.
struct Told {
    model: RunModel,
    seq: u64,
    lines: Vec<(u64, String)>,
}

impl Told {
    fn new() -> Told {
        let Body::RunStarted { version, program, job_file, job_name, group, rehearsal, secrets, .. } =
            crate::support::run_started()
        else {
            panic!()
        };
        let members = (0..3)
            .map(|sub_id| MemberInfo {
                sub_id,
                job_id: 1001 + u64::from(sub_id),
                name: (1001 + sub_id).to_string(),
                role: if sub_id == 0 { "server".into() } else { "client".into() },
                device_type: "sandbox".into(),
                essential: false,
                played: false,
            })
            .collect();
        let mut told = Told { model: RunModel::default(), seq: 0, lines: Vec::new() };
        let started = Body::RunStarted { version, program, job_file, job_name, group, rehearsal, secrets, members };
        told.at(0, None, started);
        told
    }

    fn at(&mut self, seconds: u64, member: Option<u32>, body: Body) {
        let at = jiff::Timestamp::UNIX_EPOCH;
        let event = Event { seq: self.seq, at, elapsed_ns: seconds * S, member, body };
        self.seq += 1;
        let lines = self.model.apply(&event);
        self.keep(&lines);
    }

    fn tick(&mut self, seconds: u64) {
        let lines = self.model.tick(seconds * S);
        self.keep(&lines);
    }

    fn keep(&mut self, lines: &[convoke_journal::LogLine]) {
        for line in lines.iter().filter(|line| line.member.is_none()) {
            if let convoke_journal::model::Content::Text(_, text) = &line.content
                && text.contains("missing")
            {
                self.lines.push((line.elapsed_ns / S, text.clone()));
            }
        }
    }

    fn call(&mut self, seconds: u64, member: u32, call: &str, limit_s: f64, missing: &[u32]) {
        let made = Body::CallMade {
            call_id: u64::from(member),
            call: call.into(),
            message_id: "end".into(),
            role: None,
            data: Vec::new(),
            from: "shell".into(),
            limit_s: Some(limit_s),
        };
        self.at(seconds, Some(member), made);
        self.at(seconds, Some(member), Body::Waiting { call_id: u64::from(member), missing: missing.to_vec() });
    }
}

#[test]
fn a_wait_knows_who_has_arrived_and_who_is_missing() {
    let mut told = Told::new();
    told.call(10, 0, "sync", 60.0, &[1, 2]);
    told.call(12, 2, "sync", 60.0, &[1]);
    told.at(12, Some(0), Body::Waiting { call_id: 0, missing: vec![1] });
    let waits = told.model.waits();
    assert_eq!(waits.len(), 1, "one barrier, however many wait at it");
    assert_eq!((waits[0].arrived.clone(), waits[0].missing.clone()), (vec![0, 2], vec![1]));
    assert_eq!((waits[0].count(), waits[0].lasted(22 * S)), ("2 of 3 arrived".into(), "12 s of 1 min 00 s".into()));
}

#[test]
fn a_long_wait_is_told_once_with_where_the_missing_ones_are() {
    let mut told = Told::new();
    told.at(1, Some(1), Body::MemberState { state: MemberState::Running, stage: Stage::Boot });
    told.at(2, Some(1), Body::Console { text: Some("\u{1b}[1mlogin: ".into()), base64: None, connection: None });
    told.call(10, 0, "sync", 60.0, &[1, 2]);
    told.tick(29);
    assert_eq!(told.lines, []);
    told.tick(90);
    let text = "lava-sync end: 20 s of 1 min 00 s, 1 of 3 arrived; here: server; missing: client.1, client.2\n\
                client.1 is in boot\n  last console line \"login:\" 28 s ago\n\
                client.2 has not begun\n  nothing on its console yet";
    assert_eq!(told.lines, [(30, text.into())]);
    told.tick(95);
    told.call(96, 1, "sync", 60.0, &[2]);
    told.tick(200);
    assert_eq!(told.lines.len(), 1, "once for everybody at it: {:?}", told.lines);
}

#[test]
fn a_short_limit_needs_no_line_in_between() {
    let mut told = Told::new();
    told.call(10, 0, "wait", 4.0, &[1, 2]);
    told.tick(100);
    assert_eq!(told.lines, []);
}

#[test]
fn time_in_which_the_group_was_stopped_does_not_count() {
    let mut told = Told::new();
    told.call(10, 0, "sync", 60.0, &[1, 2]);
    told.at(20, None, Body::Stopped { message_id: "go".into() });
    told.call(25, 1, "wait", 60.0, &[2]);
    told.tick(500);
    assert_eq!(told.lines, [], "nothing runs while the group is stopped");
    let time = told.model.waiting_time(500 * S);
    assert_eq!(told.model.waits()[0].lasted(time), "10 s of 1 min 00 s");
    told.at(1020, None, Body::WentOn { message_id: "go".into(), stood_s: 1000.0 });
    assert_eq!(told.model.waits()[0].lasted(1021 * S), "11 s of 1 min 00 s");
    assert_eq!(told.model.waits()[1].lasted(1021 * S), "1 s of 1 min 00 s");
    told.tick(1031);
    assert_eq!(told.lines.len(), 1);
    assert_eq!(told.lines[0].0, 1030);
}
