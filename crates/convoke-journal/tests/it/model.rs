//! Verdicts, exit status, labels, and lines that time brings.

use convoke_journal::model::{Content, folder};
use convoke_journal::{
    Body, ErrorClass, Event, Failure, Health, LogLevel, MemberInfo, Recorder, ResultRecord, ResultValue, RunModel,
};
use proptest::prelude::*;

fn info(sub_id: u32, role: &str) -> MemberInfo {
    let (job_id, name) = (900 + u64::from(sub_id), (900 + sub_id).to_string());
    MemberInfo {
        sub_id,
        job_id,
        name,
        role: role.into(),
        device_type: "sandbox".into(),
        essential: false,
        played: false,
    }
}

fn failure(class: ErrorClass, consequence: bool) -> Option<Failure> {
    Some(Failure { class, message: format!("{class:?} it is"), reason: None, consequence })
}

/// A run in which the members end like this, one after the other, after a passing or failing test case each.
fn run(ends: &[(Health, Option<Failure>)], cases: &[ResultValue]) -> RunModel {
    let recorder = Recorder::for_tests();
    let members = (0..).take(ends.len()).map(|sub_id| info(sub_id, "role")).collect();
    let Body::RunStarted { version, program, job_file, job_name, group, rehearsal, secrets, .. } =
        crate::support::run_started()
    else {
        panic!()
    };
    recorder.group(Body::RunStarted { version, program, job_file, job_name, group, rehearsal, secrets, members });
    for (sub_id, result) in (0..).zip(cases) {
        let record = ResultRecord { definition: "0_t".into(), case: "c".into(), result: *result, ..Default::default() };
        recorder.member(sub_id, Body::Result(record));
    }
    for (sub_id, (health, failure)) in (0..).zip(ends) {
        recorder.member(sub_id, Body::MemberEnded { health: *health, failure: failure.clone() });
    }
    let mut model = RunModel::default();
    recorder.events().iter().for_each(|event| drop(model.apply(event)));
    model
}

#[test]
fn the_gravest_cause_decides_the_exit_status_and_consequences_do_not() {
    use ErrorClass::{Bug, Configuration, Infrastructure, Job, LAVATimeout, MultinodeTimeout, Test};
    use Health::{Canceled, Complete, Incomplete};
    let ok = (Complete, None);
    let failed = |class, consequence| (Incomplete, failure(class, consequence));
    let table = [
        (vec![ok.clone(), ok.clone()], ResultValue::Pass, 0, Complete),
        (vec![ok.clone()], ResultValue::Skip, 0, Complete),
        (vec![ok.clone(), ok.clone()], ResultValue::Fail, 1, Complete),
        (vec![failed(Test, false), ok.clone()], ResultValue::Pass, 1, Incomplete),
        (vec![failed(LAVATimeout, false)], ResultValue::Pass, 1, Incomplete),
        (vec![failed(MultinodeTimeout, false)], ResultValue::Pass, 1, Incomplete),
        (vec![failed(Job, false)], ResultValue::Fail, 2, Incomplete),
        (vec![failed(Configuration, false)], ResultValue::Pass, 2, Incomplete),
        (vec![failed(Job, false), failed(Infrastructure, false)], ResultValue::Pass, 3, Incomplete),
        (vec![failed(Infrastructure, true), failed(Test, false)], ResultValue::Pass, 1, Incomplete),
        (vec![failed(Test, true), failed(Infrastructure, true)], ResultValue::Pass, 1, Incomplete),
        (vec![failed(Bug, false), (Canceled, None)], ResultValue::Pass, 4, Canceled),
        (vec![failed(Infrastructure, false), (Canceled, None)], ResultValue::Pass, 130, Canceled),
        (
            vec![failed(Infrastructure, false), (Canceled, failure(ErrorClass::Canceled, true))],
            ResultValue::Pass,
            3,
            Incomplete,
        ),
    ];
    for (ends, case, status, health) in table {
        let model = run(&ends, &[case]);
        assert_eq!((model.exit_status(), model.health()), (status, Some(health)), "{ends:?} {case:?}");
    }
}

#[test]
fn the_first_failure_is_nobodys_consequence() {
    let ends = [
        (Health::Incomplete, failure(ErrorClass::MultinodeTimeout, true)),
        (Health::Incomplete, failure(ErrorClass::Infrastructure, false)),
        (Health::Complete, None),
        (Health::Incomplete, failure(ErrorClass::Test, false)),
    ];
    let first = run(&ends, &[]).first_failure().unwrap();
    assert_eq!((first.member, first.failure.class), (1, ErrorClass::Infrastructure));
    assert_eq!(first.consequences.iter().map(|(member, _)| *member).collect::<Vec<_>>(), [0]);
    assert_eq!(first.others.iter().map(|(member, _)| *member).collect::<Vec<_>>(), [3]);
}

#[test]
fn a_member_that_never_ended_is_a_bug_of_ours() {
    let recorder = Recorder::for_tests();
    recorder.member(0, Body::Log { level: LogLevel::Info, text: "x".into() });
    let mut model = RunModel::default();
    recorder.events().iter().for_each(|event| drop(model.apply(event)));
    assert_eq!((model.health(), model.exit_status()), (None, 4));
}

#[test]
fn folders_have_names_that_every_file_system_takes() {
    assert_eq!(folder(&info(0, "server")), "0-server");
    assert_eq!(folder(&info(12, "../a b/ü")), "12-.._a_b__");
    assert_eq!(folder(&info(3, "")), "3");
    assert!(folder(&info(1, &"x".repeat(1000))).len() < 128);
}

#[test]
fn members_of_one_role_are_numbered() {
    let roles = ["server", "client", "client", "", "client"];
    let recorder = Recorder::for_tests();
    let members = (0..).zip(roles).map(|(sub_id, role)| info(sub_id, role)).collect();
    let mut started = crate::support::run_started();
    if let Body::RunStarted { members: all, .. } = &mut started {
        *all = members;
    }
    recorder.group(started);
    let mut model = RunModel::default();
    recorder.events().iter().for_each(|event| drop(model.apply(event)));
    let labels: Vec<_> = model.members.iter().map(|member| member.label.as_str()).collect();
    assert_eq!(labels, ["server", "client.1", "client.2", "sandbox", "client.3"]);
}

proptest! {
    /// A view that looks at the clock between two events sees the same lines as one that does not, in the same order;
    /// a line without end is shown once two seconds have passed without a byte.
    #[test]
    fn what_time_brings_does_not_depend_on_who_looks(
        steps in prop::collection::vec((0u64..4_000, prop::sample::select(vec!["a", "b\n", "\n", "c\nd"]), 0u32..2), 1..30),
        mut looks in prop::collection::vec(0u64..60_000, 0..40),
    ) {
        let (mut quiet, mut curious) = (RunModel::default(), RunModel::default());
        let (mut expected, mut lines) = (Vec::new(), Vec::new());
        looks.sort_unstable();
        let mut looks = looks.into_iter().peekable();
        let (mut now, mut last) = (0, [None; 2]);
        for (seq, (wait, text, member)) in (0..).zip(steps) {
            now += wait;
            let at = jiff::Timestamp::from_millisecond(i64::try_from(now).unwrap()).unwrap();
            let body = Body::Console { text: Some(text.into()), base64: None, connection: None };
            let event = Event { seq, at, elapsed_ns: now * 1_000_000, member: Some(member), body };
            while let Some(look) = looks.next_if(|look| *look < now) {
                lines.extend(curious.tick(look * 1_000_000));
            }
            let new = quiet.apply(&event);
            for line in new.iter().filter(|line| matches!(line.content, Content::Target { partial: true, .. })) {
                let since = last[line.member.unwrap() as usize].unwrap();
                prop_assert_eq!(line.elapsed_ns, (since + 2_000) * 1_000_000);
                prop_assert!(since + 2_000 < now);
                prop_assert_eq!(line.at.as_millisecond(), i64::try_from(since + 2_000).unwrap());
            }
            expected.extend(new);
            lines.extend(curious.apply(&event));
            last[member as usize] = Some(now);
        }
        prop_assert_eq!(expected, lines);
    }
}
