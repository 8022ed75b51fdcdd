//! Levels, names and limits of a member's pipeline (job-definition.md §3.3, §6.4).

use std::time::Duration;

use convoke_job::node::Node;
use convoke_job::{DeviceLimits, JobId, MemberJob, methods, pipeline};

use crate::fixtures;

fn text_of(member: &MemberJob) -> String {
    pipeline::to_text(&pipeline(member, &DeviceLimits::default()))
}

fn member(job: &str, k: usize) -> MemberJob {
    fixtures::job(job).split("g", 900).swap_remove(k)
}

#[test]
fn limits_are_inherited_as_the_sample_says() {
    insta::assert_snapshot!(text_of(&member(&fixtures::text("jobs/timeouts-inheritance.yaml"), 0)));
}

#[test]
fn a_guest_compresses_its_overlay_at_level_1_1_5() {
    let guest = member(&fixtures::text("jobs/seed003-mustang-ssh-guest.yaml"), 0);
    let planned = pipeline(&guest, &DeviceLimits::default());
    let all: Vec<_> = planned.iter().flat_map(|action| action.walk()).collect();
    let level = |name: &str| all.iter().find(|action| action.name == name).unwrap().level.clone();
    assert_eq!(level("compress-overlay"), "1.1.5");
    assert_eq!(level("prepare-scp-overlay"), "1.2");
    let with_requests: Vec<_> = all.iter().filter(|action| !action.requests.is_empty()).collect();
    assert_eq!(with_requests.len(), 1);
    assert_eq!(with_requests[0].name, "prepare-scp-overlay");
    insta::assert_snapshot!(text_of(&guest));
}

#[test]
fn levels_are_those_of_a_recorded_run() {
    let job = fixtures::text("recorded-two-node-server.yaml");
    let recorded = fixtures::text("recorded-two-node-server.levels");
    let source = convoke_job::Source::new("t", job.as_str());
    let (root, _) = convoke_job::yaml::parse(&source, Default::default());
    let (member, findings) = MemberJob::from_definition(&root.unwrap(), JobId(9101));
    assert!(findings.is_empty(), "{findings:?}");
    let planned = pipeline(&member.unwrap(), &DeviceLimits::default());
    let levels: String = planned
        .iter()
        .flat_map(|action| action.walk())
        .map(|action| format!("{} {}\n", action.level, action.name))
        .collect();
    assert_eq!(levels, recorded);
}

const SANDBOX: &str = "
job_name: two sandboxes
visibility: public
timeouts: {job: {minutes: 5}, action: {minutes: 1}}
protocols:
  lava-multinode:
    roles:
      a: {device_type: sandbox, count: 1}
actions:
- deploy:
    to: sandbox
    authorize: ssh
    protocols:
      lava-multinode:
      - {action: lava-overlay, request: lava-send, messageID: m, message: {k: 1}}
      - {action: deploy-sandbox, request: lava-sync, messageID: s, timeout: {seconds: 9}}
      - {action: lava-overlay, request: lava_wait_all, messageID: m, role: a}
- boot: {method: sandbox, failure_retry: 3, failure_retry_interval: 2, timeout: {seconds: 31}}
- test:
    repeat: 2
    definitions:
    - {from: git, repository: r, path: t.yaml, name: one}
    - {from: url, repository: 'http://h/t.tar', path: t.yaml, name: two}
";

#[test]
fn a_sandbox_has_only_what_it_does() {
    insta::assert_snapshot!(text_of(&member(SANDBOX, 0)));
}

#[test]
fn device_limits_stand_between_the_default_and_the_block() {
    let limits = DeviceLimits {
        actions: vec![
            ("lava-overlay".into(), Duration::from_secs(7)),
            ("boot-sandbox".into(), Duration::from_secs(99)),
        ],
        connections: vec![("start-sandbox".into(), Duration::from_secs(3))],
    };
    let planned = pipeline(&member(SANDBOX, 0), &limits);
    let find = |name: &str| {
        let all = planned.iter().flat_map(|action| action.walk());
        all.into_iter().find(|action| action.name == name).unwrap()
    };
    assert_eq!(find("lava-overlay").limit.as_secs(), 7);
    assert_eq!(find("boot-sandbox").limit.as_secs(), 31, "the block's timeout wins");
    assert_eq!(find("start-sandbox").limit.as_secs(), 10, "31 over three attempts");
    assert_eq!(find("start-sandbox").connection_limit.as_secs(), 3);
}

#[test]
fn every_name_of_every_tree_is_known() {
    let known = methods::all_names();
    assert!(known.is_sorted());
    for (name, text) in fixtures::all("jobs") {
        for member in fixtures::job(&text).split("g", 1) {
            for action in pipeline(&member, &DeviceLimits::default()).iter().flat_map(|action| action.walk()) {
                assert!(known.contains(&action.name), "{name}: {}", action.name);
            }
        }
    }
}

#[test]
fn a_definition_is_numbered_within_its_namespace() {
    let member = member(&fixtures::text("jobs/namespaces.yaml"), 0);
    let numbers: Vec<_> = ["tool", "dut"]
        .into_iter()
        .flat_map(|namespace| methods::namespace_definitions(&member.blocks, namespace))
        .map(|(index, block, definition)| (index, block, definition.name.as_str()))
        .collect();
    assert_eq!(numbers, [(0, 1, "check-files"), (0, 4, "dut")]);
}

#[test]
fn a_members_definition_without_a_device_type_is_refused() {
    let (member, findings) =
        MemberJob::from_definition(&Node::from_value(&serde_json::json!({"job_name": "x"})), JobId(1));
    assert!(member.is_none());
    assert!(findings.iter().any(|finding| finding.path.is_empty() && finding.code == "schema.missing"));
}
