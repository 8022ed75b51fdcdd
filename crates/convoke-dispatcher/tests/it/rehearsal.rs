//! Jobs for other devices, tried on a sandbox; requests of actions.

use std::sync::Arc;
use std::time::Duration;

use convoke_coordinator::CallOptions;
use convoke_dispatcher::error::ErrorClass;
use convoke_group::{Call, MessageId};
use convoke_job::JobId;
use convoke_job::member::{BlockKind, Request, RequestCall, TestKind};
use convoke_journal::{Body, Health};
use serde_json::{Value, json};

use crate::group::group;
use crate::pty::PtyDevice;
use crate::support::{Bench, Scripted, block, blocks, boot, definition, deploy, job, member, test};

/// A runner that ends every suite `0_a` well, whatever its uuid is.
fn runner() -> Scripted {
    Scripted::new(|mut player| async move {
        while let Some(line) = player.shell("/lava-").await {
            let _ = line;
            player.print("<LAVA_TEST_RUNNER EXIT>\r\n").await;
        }
    })
}

fn levels(bench: &Bench) -> String {
    let lines = bench.bodies().into_iter().filter_map(|body| match body {
        Body::ActionStarted { level, name, .. } => Some(format!("{level} {name}")),
        _ => None,
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn with_image(mut deploy: convoke_job::member::Block) -> convoke_job::member::Block {
    deploy.parameters.insert("images".into(), json!({"kernel": {"url": "http://files.example.org/kernel"}}));
    deploy
}

#[tokio::test]
async fn the_tree_of_the_real_method_is_walked_and_the_sandbox_boots_once() {
    let bench = Bench::rehearsal();
    let device = runner();
    let calls = Arc::clone(&device.calls);
    let blocks = vec![with_image(deploy("tmpfs")), boot("qemu"), test(&[("a", &["true"])])];
    let outcome = bench.run(job(blocks), device).await;
    assert_eq!(outcome.health, Health::Complete, "{}", bench.log());
    assert_eq!(*calls.lock().unwrap(), ["deploy", "boot", "off"]);
    insta::assert_snapshot!(levels(&bench), @r"
    1 deployimages
    1.1 lava-overlay
    1.1.1 lava-vland-overlay
    1.1.2 lava-multinode-overlay
    1.1.3 test-definition
    1.1.3.1 inline-repo-action
    1.1.3.2 test-overlay
    1.1.3.3 test-install-overlay
    1.1.3.4 test-runscript-overlay
    1.1.4 compress-overlay
    1.1.5 persistent-nfs-overlay
    1.2 apply-overlay-guest
    1.3 deploy-device-env
    1.4 download-retry
    1.4.1 http-download
    2 boot-image-retry
    2.1 boot-qemu-image
    2.1.1 execute-qemu
    2.2 auto-login-action
    2.2.1 login-action
    2.3 expect-shell-connection
    2.4 export-device-env
    3 lava-test-retry
    3.1 lava-test-shell
    4 finalize
    4.1 power-off
    4.2 read-feedback
    ");
    insta::assert_snapshot!(bench.results(), @r"
    lava.validate pass
    lava.http-download skip
    lava.execute-qemu skip
    lava.0_a skip
    lava.job pass
    ");
}

#[tokio::test]
async fn without_rehearsal_a_method_that_is_not_there_is_refused_before_anything_runs() {
    let bench = Bench::new();
    let device = runner();
    let calls = Arc::clone(&device.calls);
    let outcome = bench.run(job(vec![deploy("tmpfs"), boot("qemu"), test(&[("a", &["true"])])]), device).await;
    assert_eq!(outcome.failure.unwrap().class, ErrorClass::Job);
    assert_eq!(*calls.lock().unwrap(), ["off"]);
    insta::assert_snapshot!(bench.results(), @r"
    lava.validate fail
    lava.job fail
    ");
}

#[tokio::test]
async fn every_boot_method_with_a_table_boots_the_sandbox_once() {
    for method in ["qemu", "u-boot", "grub", "grub-efi", "ipxe", "docker", "minimal", "kexec"] {
        let bench = Bench::rehearsal();
        let device = runner();
        let calls = Arc::clone(&device.calls);
        let outcome = bench.run(job(vec![deploy("tftp"), boot(method), test(&[("a", &["true"])])]), device).await;
        assert_eq!(outcome.health, Health::Complete, "{method}: {}", bench.log());
        assert_eq!(*calls.lock().unwrap(), ["deploy", "boot", "off"], "{method}");
    }
}

fn request(action: &str, call: RequestCall, id: &str, message: &[(&str, &str)]) -> Request {
    Request {
        action: action.into(),
        call,
        message_id: id.into(),
        message: message.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect(),
        timeout: Some(Duration::from_secs(20)),
    }
}

/// A guest that waits for its host's address, and a host that sends `data`.
async fn guest(data: Value) -> (Bench, convoke_dispatcher::MemberOutcome) {
    let roles = ["host", "guest"];
    let bench = Bench::rehearsal();
    let clients = group(&roles);
    let mut deploy = deploy("ssh");
    deploy.common.requests = vec![request("prepare-scp-overlay", RequestCall::Wait, "ipv4", &[("ipaddr", "$ipaddr")])];
    let mut boot = boot("ssh");
    if let BlockKind::Boot { host_address, .. } = &mut boot.kind {
        *host_address = Some(("ipv4".into(), "ipaddr".into()));
    }
    let guest = member(job(vec![deploy, boot, test(&[("a", &["true"])])]), 1, &roles);
    let client = Arc::clone(&clients[1]);
    let host = async {
        let call = Call::Send { message_id: MessageId::new("ipv4"), message: data };
        clients[0].call(call, CallOptions::default()).await;
    };
    let (outcome, ()) = tokio::join!(bench.run_in(guest, runner(), Some(client)), host);
    (bench, outcome)
}

#[tokio::test]
async fn a_guest_learns_its_hosts_address_by_a_request_of_its_deploy() {
    let (bench, outcome) = guest(json!({"ipaddr": "10.0.0.1"})).await;
    assert_eq!(outcome.health, Health::Complete, "{}", bench.log());
    assert!(bench.log().contains("the host's address is 10.0.0.1"), "{}", bench.log());
}

#[tokio::test]
async fn a_key_that_does_not_come_is_a_job_error_that_names_what_came() {
    let (_, outcome) = guest(json!({"address": "10.0.0.1"})).await;
    let failure = outcome.failure.unwrap();
    assert_eq!(failure.class, ErrorClass::Job);
    insta::assert_snapshot!(failure.message, @r"
    prepare-scp-overlay: message ipv4 has no key ipaddr; it has: address
    ");
}

#[tokio::test(start_paused = true)]
async fn a_guest_whose_connection_fails_is_unreachable_and_no_fault_of_the_lab() {
    let bench = Bench::rehearsal();
    let mut guest = job(vec![deploy("ssh"), boot("ssh"), test(&[("a", &["true"])])]);
    guest.place = convoke_job::member::Place::Guest { host_role: convoke_job::RoleName::new("host") };
    let device = Scripted::new(|mut player| async move { player.print("Connection refused\r\n").await });
    let failure = bench.run(guest, device).await.failure.unwrap();
    assert_eq!((failure.class, failure.reason.as_deref()), (ErrorClass::Job, Some("guest.unreachable")));
    assert!(failure.message.contains("Connection refused"), "{}", failure.message);
}

#[tokio::test]
async fn a_guest_without_a_request_lacks_its_address() {
    let bench = Bench::rehearsal();
    let mut boot = boot("ssh");
    if let BlockKind::Boot { host_address, .. } = &mut boot.kind {
        *host_address = Some(("ipv4".into(), "ipaddr".into()));
    }
    let outcome = bench.run(job(vec![deploy("ssh"), boot, test(&[("a", &["true"])])]), runner()).await;
    insta::assert_snapshot!(outcome.failure.unwrap().message, @r"
    Unable to retrieve ipv4 - missing ssh deploy? no request of the deploy block has stored key ipaddr under hostID ipv4
    ");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_refused_says_why() {
    let roles = ["one", "two"];
    for (leaves, class, reason) in
        [(true, ErrorClass::Job, "group.member-lost"), (false, ErrorClass::MultinodeTimeout, "sync-timeout")]
    {
        let bench = Bench::rehearsal();
        let clients = group(&roles);
        let mut deploy = deploy("tmpfs");
        deploy.common.requests = vec![request("lava-overlay", RequestCall::Sync, "go", &[])];
        if leaves {
            clients[1].leave("its job ended");
        }
        let one = member(job(vec![deploy, boot("qemu"), test(&[("a", &["true"])])]), 0, &roles);
        let outcome = bench.run_in(one, runner(), Some(Arc::clone(&clients[0]))).await;
        let failure = outcome.failure.unwrap();
        assert_eq!((failure.class, failure.reason.as_deref()), (class, Some(reason)), "{}", failure.message);
        assert_eq!(failure.consequence, leaves);
    }
}

#[tokio::test]
async fn interactive_steps_of_the_group_are_made_and_the_rest_is_skipped() {
    let roles = ["one", "two"];
    let bench = Bench::rehearsal();
    let clients = group(&roles);
    let script = json!({"name": "uboot", "prompts": ["=>"], "script": [
        {"name": "dhcp", "command": "dhcp"},
        {"lava-send": "addr ip=192.0.2.10"},
        {"lava-wait": "go"},
        {"lava-sync": "done"},
    ]});
    let blocks = blocks(json!([
        {"boot": {"method": "bootloader", "bootloader": "u-boot"}}, {"test": {"interactive": [script]}},
    ]));
    let one = member(job(blocks), 0, &roles);
    let two = async {
        let of = |id: &str| MessageId::new(id);
        let calls = [
            Call::Wait { message_id: of("addr") },
            Call::Send { message_id: of("go"), message: json!({}) },
            Call::Sync { message_id: of("done") },
        ];
        for call in calls {
            clients[1].call(call, CallOptions::default()).await;
        }
    };
    let (outcome, ()) = tokio::join!(bench.run_in(one, runner(), Some(Arc::clone(&clients[0]))), two);
    assert_eq!(outcome.health, Health::Complete, "{}", bench.log());
    insta::assert_snapshot!(bench.results(), @r"
    lava.validate pass
    lava.pdu-reboot skip
    lava.reset-device skip
    uboot.dhcp skip
    uboot.multinode-send-addr pass
    uboot.multinode-wait-go pass
    uboot.multinode-sync-done pass
    lava.job pass
    ");
}

/// Its script was told no: a test error, as in a test shell. What the group refuses a request of the job is a job error.
#[tokio::test]
async fn an_interactive_call_that_is_refused_is_a_test_error() {
    let roles = ["one", "two"];
    let bench = Bench::rehearsal();
    let clients = group(&roles);
    clients[1].leave("its job ended");
    let script = json!({"name": "uboot", "prompts": ["=>"], "script": [{"lava-sync": "done"}]});
    let blocks = blocks(json!([
        {"boot": {"method": "bootloader", "bootloader": "u-boot"}}, {"test": {"interactive": [script]}},
    ]));
    let one = member(job(blocks), 0, &roles);
    let outcome = bench.run_in(one, runner(), Some(Arc::clone(&clients[0]))).await;
    let failure = outcome.failure.unwrap();
    assert_eq!((failure.class, failure.reason.as_deref()), (ErrorClass::Test, Some("group.member-lost")));
    assert!(bench.results().contains("uboot.multinode-sync-done fail"), "{}", bench.results());
}

/// A pipeline that makes a request does nothing else, so two that wait for each other are certainly stuck.
#[tokio::test(start_paused = true)]
async fn requests_that_wait_for_each_other_are_refused_before_their_limits() {
    let roles = ["one", "two"];
    let clients = group(&roles);
    let waits = |number: usize, id: &str| {
        let mut deploy = deploy("tmpfs");
        deploy.common.requests = vec![request("lava-overlay", RequestCall::Wait, id, &[])];
        member(job(vec![deploy, boot("qemu"), test(&[("a", &["true"])])]), u32::try_from(number).unwrap(), &roles)
    };
    let began = tokio::time::Instant::now();
    let (one, two) = (Bench::rehearsal(), Bench::rehearsal());
    let (first, second) = tokio::join!(
        one.run_in(waits(0, "from-two"), runner(), Some(Arc::clone(&clients[0]))),
        two.run_in(waits(1, "from-one"), runner(), Some(Arc::clone(&clients[1]))),
    );
    assert!(began.elapsed().as_secs() < 5, "{:?}", began.elapsed());
    let messages = [first, second].map(|outcome| outcome.failure.unwrap().message).join("\n");
    assert!(messages.contains("every member that could still act is waiting"), "{messages}");
}

#[tokio::test]
async fn monitors_and_services_are_skipped_with_a_warning() {
    let bench = Bench::rehearsal();
    let pattern = "(?P<test_case_id>a)(?P<result>b)";
    let blocks = blocks(json!([
        {"deploy": {"to": "overlay"}},
        {"boot": {"method": "pyocd"}},
        {"test": {"monitors": [{"name": "zephyr", "start": "a", "end": "b", "pattern": pattern}]}},
        {"test": {"services": [{"name": "srv", "from": "git", "repository": "r", "path": "p"}]}},
        {"command": {"name": "relay"}},
    ]));
    let outcome = bench.run(job(blocks), runner()).await;
    assert_eq!(outcome.health, Health::Complete, "{}", bench.log());
    insta::assert_snapshot!(bench.results(), @r"
    lava.validate pass
    lava.pdu-reboot skip
    lava.reset-device skip
    lava.zephyr skip
    lava.srv skip
    lava.relay skip
    lava.job pass
    ");
}

#[tokio::test]
async fn packages_are_not_installed_but_install_steps_run() {
    let bench = Bench::rehearsal();
    let install = json!({"install": {"deps": ["no-such-package"], "steps": ["touch installed"]}});
    let one = definition("one", json!({"steps": ["test -e installed"]}), install);
    let blocks = vec![deploy("tmpfs"), boot("qemu"), block(BlockKind::Test(TestKind::Definitions(vec![one])))];
    let outcome = bench.run(job(blocks), PtyDevice::new("d")).await;
    assert_eq!(outcome.health, Health::Complete, "{}", bench.log());
    assert!(bench.results().contains("lava.0_one pass"), "{}", bench.results());
    assert!(bench.log().contains("installs no packages"), "{}", bench.log());
}

#[tokio::test]
async fn a_docker_test_runs_in_the_sandboxs_shell() {
    let bench = Bench::rehearsal();
    let device = runner();
    let calls = Arc::clone(&device.calls);
    let mut docker = test(&[("a", &["true"])]);
    docker.parameters.insert("docker".into(), json!({"image": "debian"}));
    let mut single = job(vec![deploy("downloads"), docker]);
    single.job_id = JobId(7);
    let outcome = bench.run(single, device).await;
    assert_eq!(outcome.health, Health::Complete, "{}", bench.log());
    assert_eq!(*calls.lock().unwrap(), ["deploy", "deploy", "boot", "off"]);
    assert!(bench.typed().contains("/lava-7/bin/lava-test-runner /lava-7/0\n"), "{}", bench.typed());
}
