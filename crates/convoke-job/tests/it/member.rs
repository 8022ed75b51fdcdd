//! A member's definition from elsewhere: as LAVA's own dispatcher gets it.

use convoke_job::member::{BlockKind, OnSyncTimeout, Place};
use convoke_job::{JobId, MemberJob, RoleName, Source, yaml};

use crate::fixtures;

fn read(text: &str) -> (Option<MemberJob>, Vec<String>) {
    let (root, findings) = yaml::parse(&Source::new("member.yaml", text), yaml::Limits::default());
    assert!(findings.is_empty(), "{findings:?}");
    let (member, findings) = MemberJob::from_definition(&root.unwrap(), JobId(9202));
    let findings = findings.iter().map(|finding| format!("{} {}", finding.code, finding.path)).collect();
    (member, findings)
}

#[test]
fn a_recorded_guest() {
    let (member, findings) = read(&fixtures::text("recorded-guest.yaml"));
    assert_eq!(findings, [""; 0]);
    let member = member.unwrap();
    assert_eq!(member.place, Place::Guest { host_role: RoleName::new("host") });
    let group = member.group.as_ref().unwrap();
    assert_eq!((group.role.as_str(), group.size, member.sub_id.0), ("guest", 2, 1));
    assert!(group.delayed_start && !group.essential);
    assert_eq!(group.expect_role, Some(RoleName::new("host")));
    assert_eq!(group.timeout.map(|limit| limit.as_secs()), Some(60));
    assert_eq!(group.on_sync_timeout, OnSyncTimeout::Continue);
    let table: Vec<_> = group.members.iter().map(|member| (member.name.as_str(), member.role.as_str())).collect();
    assert_eq!(table, [("9201", "host"), ("9202", "guest")]);
    let BlockKind::Boot { host_address, prompts, .. } = &member.blocks[1].kind else {
        panic!("{:?}", member.blocks[1])
    };
    assert_eq!(host_address.clone(), Some(("ipv4".to_owned(), "ipaddr".to_owned())));
    assert_eq!(prompts, &["root@host:~# "]);
}

#[test]
fn a_whole_job_is_no_member() {
    let (member, findings) = read(&fixtures::text("jobs/seed-ex4-peer-to-peer.yaml"));
    assert!(member.is_none());
    assert!(findings.iter().filter(|finding| finding.starts_with("schema.missing")).count() >= 3, "{findings:?}");
}

#[test]
fn the_group_says_what_an_expired_wait_does() {
    let text =
        fixtures::text("worked-example.yaml").replace("    roles:\n", "    on-sync-timeout: fail-job\n    roles:\n");
    let members = fixtures::job(&text).split("g", 1);
    assert!(members.iter().all(|member| member.group.as_ref().unwrap().on_sync_timeout == OnSyncTimeout::FailJob));
}

#[test]
fn an_environment_is_flattened() {
    let environment = "{LAB: loop back, FAST: yes, SLOW: off, PORTS: [80, {tls: 443}], DISK: {size: 1.5, name: ~}}";
    let expected = [
        ("LAB", "loop back"),
        ("FAST", "1"),
        ("SLOW", "0"),
        ("PORTS_0", "80"),
        ("PORTS_1_tls", "443"),
        ("DISK_size", "1.5"),
        ("DISK_name", ""),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let single = "job_name: j\nvisibility: public\ntimeouts: {job: {minutes: 20}}\ndevice_type: sandbox\n\
        actions: [{deploy: {to: sandbox}}]\n";
    let member = &fixtures::job(&format!("{single}environment: {environment}\n")).split("g", 1)[0];
    assert_eq!(member.environment, expected);
    let text = fixtures::text("worked-example.yaml").replace("{LISTEN: '5201'}", environment);
    let members = fixtures::job(&text).split("g", 1);
    let of = |role: &str| members.iter().find(|member| member.role() == Some(&RoleName::new(role))).unwrap();
    assert_eq!(of("server").environment, expected);
    // A dispatcher reads the same from the definition it is given.
    let definition = Source::new("member.yaml", of("server").definition.to_string());
    let (root, _) = yaml::parse(&definition, yaml::Limits::default());
    let (again, findings) = MemberJob::from_definition(&root.unwrap(), JobId(1));
    assert_eq!(again.unwrap_or_else(|| panic!("{findings:?}")).environment, expected);
}

#[test]
fn a_group_has_a_size() {
    for size in ["0", "-1", "two", "1.5"] {
        let (member, findings) =
            read(&fixtures::text("recorded-guest.yaml").replace("group_size: 2", &format!("group_size: {size}")));
        assert!(member.is_none());
        assert_eq!(findings, ["schema.type protocols.lava-multinode.group_size"], "{size}");
    }
}

#[test]
fn line_ends_do_not_matter() {
    let text = fixtures::text("worked-example.yaml");
    let shown = |text: &str| format!("{:?}", fixtures::job(text).split("g", 1));
    assert_eq!(shown(&text.replace('\n', "\r\n")), shown(&text));
}
