//! Splitting (job-definition.md §12): the worked example, and what holds for every job.

use std::collections::BTreeMap;

use convoke_job::node::Node;
use convoke_job::{DeviceName, JobId, MemberJob};
use proptest::prelude::*;

use crate::fixtures;

const WORKED: &str = include_str!("../fixtures/worked-example.yaml");

#[test]
fn the_worked_example() {
    let job = fixtures::job(WORKED);
    let mut members = job.split("5d8f", 900);
    let device = |name: &str| Some(DeviceName::new(name));
    job.assign(&mut members, &[device("x86-01"), device("qemu-01"), device("qemu-02"), None]);
    let shown: String = members
        .iter()
        .map(|member| format!("{}\n", serde_json::to_string_pretty(&member.definition).unwrap()))
        .collect();
    insta::assert_snapshot!(shown);
    let ids: Vec<_> = members.iter().map(|member| (member.job_id.0, member.sub_id.0, member.blocks.len())).collect();
    assert_eq!(ids, [(900, 0, 3), (901, 1, 3), (902, 2, 3), (903, 3, 3)]);
}

#[test]
fn the_split_form_lists_members_by_role() {
    let job = fixtures::job(&fixtures::text("jobs/zero-count-role.yaml"));
    let value = job.split_value(&job.split("g", 1));
    let sizes: Vec<_> = value["roles"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(role, list)| (role.as_str(), list.as_array().unwrap().len()))
        .collect();
    assert_eq!(sizes, [("main", 2), ("spare", 0)]);
}

#[test]
fn sub_jobs_are_those_of_the_index() {
    for (file, expected) in [
        ("seed-ex3-variable-clients", "server client client client client"),
        ("seed-flow-table", "server server client observer"),
        ("seed003-mustang-ssh-guest", "guest guest guest host"),
        ("secondary-two-hosts", "host-a host-b shell-a shell-a shell-b shell-b"),
        ("mixed-boot-methods", "emu emu arm server64 pc plain box lab"),
        ("lenient-role-forms", "server cli client"),
        ("zero-count-role", "main main"),
    ] {
        let members = fixtures::job(&fixtures::text(&format!("jobs/{file}.yaml"))).split("g", 1);
        let roles: Vec<_> = members.iter().map(|member| member.role().unwrap().as_str()).collect();
        assert_eq!(roles.join(" "), expected, "{file}");
        assert!(members.iter().all(|member| member.group.as_ref().unwrap().size == members.len() as u32));
    }
}

#[test]
fn role_forms_are_matched_exactly() {
    let members = fixtures::job(&fixtures::text("jobs/lenient-role-forms.yaml")).split("g", 1);
    let prompts: Vec<_> =
        members.iter().map(|member| format!("{:?}", member.blocks[1].parameters["command"])).collect();
    assert_eq!(prompts, ["String(\"bash\")", "String(\"bash\")", "String(\"sh\")"]);
    assert!(members.iter().all(|member| member.blocks.len() == 3));
    assert_eq!(members[1].blocks[0].parameters["role"], "cli");
}

#[test]
fn a_role_timeout_goes_before_the_groups() {
    let members = fixtures::job(&fixtures::text("jobs/timeouts-inheritance.yaml")).split("g", 1);
    let limits: Vec<_> =
        members.iter().map(|member| member.group.as_ref().unwrap().timeout.unwrap().as_secs()).collect();
    assert_eq!(limits, [420, 240]);
}

#[test]
fn the_first_of_each_role_is_as_all_are_split() {
    let job = fixtures::job(&fixtures::text("jobs/mixed-boot-methods.yaml"));
    let all = job.split("group", 0);
    let firsts = job.first_of_each_role();
    let same = |first: &&MemberJob| all[first.sub_id.0 as usize].definition == first.definition;
    assert_eq!(firsts.iter().filter(same).count(), 7);
    assert_eq!(firsts.len(), 7);
}

#[test]
fn other_protocols_survive() {
    let text = WORKED.replace("protocols:\n", "protocols:\n  lava-xnbd: {port: auto}\n");
    for member in fixtures::job(&text).split("g", 1) {
        assert_eq!(member.definition["protocols"]["lava-xnbd"]["port"], "auto");
    }
}

#[test]
fn a_single_device_job_has_one_member_without_a_group() {
    let job = fixtures::job(&fixtures::text("jobs/single-qemu.yaml"));
    let members = job.split("g", 7);
    assert_eq!(members.len(), 1);
    let member = &members[0];
    assert!(member.group.is_none());
    assert_eq!(
        (member.job_id, member.environment.as_slice()),
        (JobId(7), &[("MODE".to_owned(), "quick".to_owned())][..])
    );
    assert!(member.blocks[2].common.skip);
    assert_eq!(job.split_value(&members)["roles"]["single"][0]["device_type"], "qemu");
}

#[test]
fn members_may_be_called_by_their_devices() {
    let text = WORKED.replace("  lava-multinode:\n", "  lava-multinode:\n    member-names: hostname\n");
    let job = fixtures::job(&text);
    let mut members = job.split("g", 900);
    let device = |name: &str| Some(DeviceName::new(name));
    job.assign(&mut members, &[device("x86-01"), device("qemu-01"), device("qemu-02"), None]);
    let names: Vec<_> = members[0].group.as_ref().unwrap().members.iter().map(|member| member.name.as_str()).collect();
    assert_eq!(names, ["x86-01", "qemu-01", "qemu-02", "x86-01-3"]);
}

/// What a member is, for comparison.
fn shown(member: &MemberJob) -> String {
    format!("{member:?}")
}

/// Split members written down and read back are the same members.
#[track_caller]
fn round_trip(member: &MemberJob) {
    let text = serde_json::to_string(&member.definition).unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let (again, _) = MemberJob::from_definition(&Node::from_value(&value), member.job_id);
    assert_eq!(shown(&again.unwrap()), shown(member));
    // JSON is YAML: a member's file is read like any other document.
    let source = convoke_job::Source::new("member", text);
    let limits = convoke_job::yaml::Limits { depth: 120, ..Default::default() };
    let (root, findings) = convoke_job::yaml::parse(&source, limits);
    let (again, _) = MemberJob::from_definition(&root.unwrap_or_else(|| panic!("{findings:?}")), member.job_id);
    assert_eq!(shown(&again.unwrap()), shown(member));
}

#[test]
fn split_members_can_be_read_back() {
    for (_, text) in fixtures::all("jobs") {
        let job = fixtures::job(&text);
        let mut members = job.split("5d8f", 900);
        members.iter().for_each(round_trip);
        let devices: Vec<_> = (0..members.len()).map(|k| Some(DeviceName::new(format!("d{k}")))).collect();
        job.assign(&mut members, &devices);
        members.iter().for_each(round_trip);
    }
}

/// Counts of the roles, and for each action the roles it names (none = all).
fn jobs() -> impl Strategy<Value = (Vec<u32>, Vec<Vec<usize>>)> {
    (1_usize..6).prop_flat_map(|roles| {
        let counts = prop::collection::vec(0_u32..5, roles);
        let actions = prop::collection::vec(prop::collection::vec(0..roles, 0..4), 1..7);
        (counts, actions)
    })
}

fn written((counts, actions): &(Vec<u32>, Vec<Vec<usize>>)) -> String {
    let mut text = String::from(
        "job_name: j\nvisibility: public\ntimeouts: {job: {minutes: 9}}\nprotocols:\n  lava-multinode:\n    roles:\n",
    );
    for (at, count) in counts.iter().enumerate() {
        text += &format!("      r{at}: {{device_type: sandbox, count: {count}}}\n");
    }
    text += "actions:\n";
    for roles in actions {
        let role = match roles.as_slice() {
            [] => String::new(),
            [one] => format!("role: r{one}, "),
            many => format!("role: [{}], ", many.iter().map(|at| format!("r{at}")).collect::<Vec<_>>().join(", ")),
        };
        text += &format!("- boot: {{{role}method: sandbox}}\n");
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    /// Over all members, an action appears once for each member of each of its roles (§12.5).
    #[test]
    fn every_action_reaches_every_member_of_its_roles(generated in jobs()) {
        let text = written(&generated);
        let checked = fixtures::check(&text);
        let Some(job) = checked.job else {
            // Only a role without actions, or a group without members, is refused.
            prop_assert!(checked.diagnostics.iter().all(|finding| ["role.no-actions", "multinode.empty"].contains(&finding.code)));
            return Ok(());
        };
        let (counts, actions) = generated;
        let members = job.split("g", 1);
        prop_assert_eq!(members.len() as u32, counts.iter().sum::<u32>());
        let mut expected: BTreeMap<String, u32> = BTreeMap::new();
        for roles in &actions {
            let mut roles: Vec<usize> = if roles.is_empty() { (0..counts.len()).collect() } else { roles.clone() };
            roles.sort_unstable();
            roles.dedup();
            for role in roles {
                *expected.entry(format!("r{role}")).or_default() += counts[role];
            }
        }
        expected.retain(|_, count| *count > 0);
        let mut found: BTreeMap<String, u32> = BTreeMap::new();
        for member in &members {
            let blocks = member.definition["actions"].as_array().unwrap();
            prop_assert_eq!(blocks.len(), member.blocks.len());
            for block in blocks {
                *found.entry(block["boot"]["role"].as_str().unwrap().to_owned()).or_default() += 1;
            }
            prop_assert_eq!(&member.definition["protocols"]["lava-multinode"]["sub_id"], member.sub_id.0);
        }
        prop_assert_eq!(found, expected);
        members.iter().for_each(round_trip);
    }
}
