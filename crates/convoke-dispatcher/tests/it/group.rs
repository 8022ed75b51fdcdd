//! Two members of one group, each with a device of its own.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

use convoke_coordinator::{CallOptions, GroupClient, LocalFuture, LocalGroup};
use convoke_group::{Answer, Call, GroupName, MemberName, MessageId, Refusal, RoleName};
use convoke_journal::{Body, ErrorClass, Health};
use tokio::sync::mpsc;

use crate::pty::PtyDevice;
use crate::support::{Bench, Scripted, member, sandbox};

/// Clients of a group with these roles, in order; names count from 101.
pub fn group(roles: &[&str]) -> Vec<Arc<dyn GroupClient>> {
    let (events, _) = mpsc::unbounded_channel();
    let group = LocalGroup::start(GroupName::new("group"), NonZeroUsize::new(roles.len()).unwrap(), events);
    let client = |(number, role): (usize, &&str)| {
        group.client(MemberName::new((101 + number).to_string()), RoleName::new(*role))
    };
    roles.iter().enumerate().map(client).collect()
}

/// A client of a coordinator that never answers; it keeps what it is told.
#[derive(Default)]
struct Mute {
    left: Mutex<Vec<String>>,
}

impl GroupClient for Mute {
    fn call(&self, call: Call, _options: CallOptions) -> LocalFuture<'_, Answer> {
        Box::pin(async move {
            if call == Call::Assemble {
                return Answer::Done { messages: Vec::new().into() };
            }
            std::future::pending().await
        })
    }

    fn leave(&self, why: &str) {
        self.left.lock().unwrap().push(why.into());
    }

    fn waits(&self) -> LocalFuture<'_, Vec<convoke_group::WaitView>> {
        Box::pin(async { Vec::new() })
    }
}

/// A client whose coordinator is not there.
struct Lost;

impl GroupClient for Lost {
    fn call(&self, _call: Call, options: CallOptions) -> LocalFuture<'_, Answer> {
        Box::pin(async move {
            tokio::time::sleep(options.limit.unwrap()).await;
            let (what, waiter) = ("group assembly".into(), "101 (one)".into());
            let refusal = Refusal::TimedOut {
                what,
                waiter,
                missing: Vec::new(),
                members: Vec::new(),
                hint: self.trouble(),
                facts: Vec::new(),
            };
            Answer::Refused { refusal }
        })
    }

    fn leave(&self, _why: &str) {}

    fn waits(&self) -> LocalFuture<'_, Vec<convoke_group::WaitView>> {
        Box::pin(async { Vec::new() })
    }

    fn trouble(&self) -> Option<String> {
        Some("coordinator lab:3079 cannot be reached: connection refused".into())
    }
}

#[tokio::test(start_paused = true)]
async fn a_coordinator_that_cannot_be_reached_is_the_labs_fault_and_said_soon() {
    let bench = Bench::new();
    let job = member(sandbox(&[("a", &["true"])]), 0, &["one", "two"]);
    let device = Scripted::new(|mut player| async move { player.drain().await });
    let failure = bench.run_in(job, device, Some(Arc::new(Lost))).await.failure.unwrap();
    assert_eq!(failure.class, ErrorClass::Infrastructure, "{failure:?}");
    assert_eq!(failure.reason.as_deref(), Some("coordinator.unreachable"));
    assert_eq!(failure.message, "group_data: coordinator lab:3079 cannot be reached: connection refused");
    let said = "group assembly: coordinator lab:3079 cannot be reached: connection refused; it is tried again";
    assert_eq!(bench.log().matches(said).count(), 3, "after 3, 30 and 60 s: {}", bench.log());
}

#[tokio::test(start_paused = true)]
async fn the_group_is_left_once_at_the_very_end_with_a_reason() {
    for (output, left) in [
        ("<LAVA_TEST_RUNNER EXIT>\r\n", "its job ended"),
        ("<LAVA_SIGNAL_TESTRAISE no luck>\r\n", "its test failed: no luck"),
    ] {
        let (bench, client) = (Bench::new(), Arc::new(Mute::default()));
        let device = Scripted::new(move |mut player| async move {
            player.runner(output).await;
            player.drain().await;
        });
        let job = member(sandbox(&[("a", &["true"])]), 0, &["one", "two"]);
        bench.run_in(job, device, Some(Arc::clone(&client) as Arc<dyn GroupClient>)).await;
        assert_eq!(*client.left.lock().unwrap(), [left]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_coordinator_that_never_answers_is_given_up_when_the_limit_has_passed() {
    let (bench, client) = (Bench::new(), Arc::new(Mute::default()));
    let device = Scripted::new(move |mut player| async move {
        player.runner("<LAVA_SIGNAL_STARTRUN 0_a 101_1.1.2.1>\r\n<LAVA_MULTI_NODE> <LAVA_WAIT x>\r\n").await;
        let reply = player.line().await.unwrap_or_default();
        assert!(reply.contains("nack") && reply.contains("no answer from the coordinator within 30 s"), "{reply}");
        player.print("<LAVA_TEST_RUNNER EXIT>\r\n").await;
        player.drain().await;
    });
    let job = member(sandbox(&[("a", &["true"])]), 0, &["one", "two"]);
    let outcome = bench.run_in(job, device, Some(client)).await;
    assert_eq!(outcome.health, Health::Complete, "{}", bench.log());
}

#[tokio::test]
async fn a_send_before_the_end_of_the_script_reaches_the_group() {
    let roles = ["one", "two"];
    let clients = group(&roles);
    let bench = Bench::new();
    let device = Scripted::new(|mut player| async move {
        player.runner("<LAVA_MULTI_NODE> <LAVA_SEND last k=v>\r\n<LAVA_TEST_RUNNER EXIT>\r\n").await;
        player.drain().await;
    });
    let one = member(sandbox(&[("a", &["true"])]), 0, &roles);
    let wait = clients[1].call(Call::Wait { message_id: MessageId::new("last") }, CallOptions::default());
    let (outcome, answer) = tokio::join!(bench.run_in(one, device, Some(Arc::clone(&clients[0]))), wait);
    assert_eq!(outcome.health, Health::Complete);
    assert!(matches!(answer, Answer::Done { .. }), "{answer:?}");
}

#[tokio::test]
async fn what_still_waits_when_the_script_ends_is_withdrawn_and_recorded() {
    let roles = ["one", "two"];
    let clients = group(&roles);
    let bench = Bench::new();
    let device = Scripted::new(|mut player| async move {
        player.runner("<LAVA_MULTI_NODE> <LAVA_WAIT never>\r\n<LAVA_TEST_RUNNER EXIT>\r\n").await;
        player.drain().await;
    });
    let one = member(sandbox(&[("a", &["true"])]), 0, &roles);
    bench.run_in(one, device, Some(Arc::clone(&clients[0]))).await;
    assert!(bench.results().contains("0_a.multinode-wait-never fail"), "{}", bench.results());
    let made = bench.bodies().iter().filter(|body| matches!(body, Body::CallMade { .. })).count();
    let answered = bench.bodies().iter().filter(|body| matches!(body, Body::CallAnswered { .. })).count();
    assert_eq!(made, answered);
}

#[tokio::test]
async fn nothing_is_typed_for_a_helper_that_was_ended() {
    let roles = ["one", "two"];
    let clients = group(&roles);
    let bench = Bench::new();
    let device = Scripted::new(|mut player| async move {
        player
            .runner(
                "<LAVA_SIGNAL_STARTRUN 0_a 101_1.1.2.1>\r\n<LAVA_MULTI_NODE> <LAVA_WAIT m>\r\n\
                 <LAVA_GAVE_UP WAIT m>\r\n<LAVA_MULTI_NODE> <LAVA_WAIT n>\r\n",
            )
            .await;
        let reply = player.line().await.unwrap_or_default();
        assert_eq!(reply, "<LAVA_WAIT_COMPLETE 102:x=right>");
        player.print("<LAVA_TEST_RUNNER EXIT>\r\n").await;
        player.drain().await;
    });
    let one = member(sandbox(&[("a", &["true"])]), 0, &roles);
    let two = async {
        // Both are waited for, or the first one has been taken back already.
        while !clients[1].waits().await.iter().any(|wait| wait.message_id.as_str() == "n") {
            tokio::task::yield_now().await;
        }
        for (id, text) in [("m", "late"), ("n", "right")] {
            let send = Call::Send { message_id: MessageId::new(id), message: serde_json::json!({"x": text}) };
            clients[1].call(send, CallOptions::default()).await;
        }
    };
    tokio::join!(bench.run_in(one, device, Some(Arc::clone(&clients[0]))), two);
    let results = bench.results();
    assert!(results.contains("0_a.multinode-wait-m fail\n"), "{results}");
    assert!(results.contains("0_a.multinode-wait-n pass\n"), "{results}");
    assert!(!bench.typed().contains("late"), "{}", bench.typed());
}

#[tokio::test]
async fn data_and_barriers_cross_between_two_devices() {
    let roles = ["server", "client"];
    let mut clients = group(&roles).into_iter();
    let (server, client) = (Bench::new(), Bench::new());
    let server_job = member(
        sandbox(&[("server", &["lava-send ready ip=10.0.0.1 free-space=5G 'text=a b'", "lava-sync done"])]),
        0,
        &roles,
    );
    let client_job = member(
        sandbox(&[(
            "client",
            &[
                "lava-wait ready",
                "cat \"$LAVA_MULTI_NODE_CACHE\"",
                "lava-test-case got --shell grep -q '^101:free-space=5G$' \"$LAVA_MULTI_NODE_CACHE\"",
                "lava-test-case text --shell grep -q '^101:text=a b$' \"$LAVA_MULTI_NODE_CACHE\"",
                "lava-sync done",
            ],
        )]),
        1,
        &roles,
    );
    let (one, two) = tokio::join!(
        server.run_in(server_job, PtyDevice::new("one"), clients.next()),
        client.run_in(client_job, PtyDevice::new("two"), clients.next()),
    );
    assert_eq!((one.health, two.health), (Health::Complete, Health::Complete), "{}{}", server.log(), client.log());
    insta::assert_snapshot!(format!("{}\n---\n{}", server.results(), client.results()), @r"
    lava.validate pass
    0_server.multinode-send-ready pass
    0_server.multinode-sync-done pass
    lava.0_server pass
    lava.job pass
    ---
    lava.validate pass
    0_client.multinode-wait-ready pass
    0_client.got pass
    0_client.text pass
    0_client.multinode-sync-done pass
    lava.0_client pass
    lava.job pass
    ");
    // On the checked link; nothing is typed in the old form.
    let typed = client.typed();
    assert!(typed.contains("<LAVA2 r ") && !typed.contains("_COMPLETE"), "{typed}");
    let made = client.bodies().iter().filter(|body| matches!(body, Body::CallMade { .. })).count();
    let answered = client.bodies().iter().filter(|body| matches!(body, Body::CallAnswered { .. })).count();
    assert_eq!((made, answered), (3, 3));
}

#[tokio::test]
async fn a_wait_for_a_member_that_has_left_fails_at_once_and_the_script_decides() {
    let roles = ["server", "client"];
    let mut clients = group(&roles).into_iter();
    let (server, client) = (Bench::new(), Bench::new());
    let server_job = member(sandbox(&[("server", &["true"])]), 0, &roles);
    let client_job = member(
        sandbox(&[("client", &["lava-test-case refused --shell '! lava-wait-all never server'", "true"])]),
        1,
        &roles,
    );
    let (one, two) = tokio::join!(
        server.run_in(server_job, PtyDevice::new("one"), clients.next()),
        client.run_in(client_job, PtyDevice::new("two"), clients.next()),
    );
    assert_eq!((one.health, two.health), (Health::Complete, Health::Complete), "{}{}", server.log(), client.log());
    insta::assert_snapshot!(client.results(), @r"
    lava.validate pass
    0_client.multinode-wait_all-never fail
    0_client.refused pass
    lava.0_client pass
    lava.job pass
    ");
    let records = client.records();
    let wait = records.iter().find(|record| record.case == "multinode-wait_all-never").unwrap();
    assert!(wait.extra["missing"][0].as_str().unwrap().contains("its job ended"), "{wait:?}");
}
