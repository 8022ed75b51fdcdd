//! Two members of one group, each with a device of its own.

use std::num::NonZeroUsize;
use std::sync::Arc;

use convoke_coordinator::{GroupClient, LocalGroup};
use convoke_group::{GroupName, MemberName, RoleName};
use convoke_journal::{Body, Health};
use tokio::sync::mpsc;

use crate::pty::PtyDevice;
use crate::support::{Bench, member, sandbox};

/// Clients of a group with these roles, in order; names count from 101.
pub fn group(roles: &[&str]) -> Vec<Arc<dyn GroupClient>> {
    let (events, _) = mpsc::unbounded_channel();
    let group = LocalGroup::start(GroupName::new("group"), NonZeroUsize::new(roles.len()).unwrap(), events);
    let client = |(number, role): (usize, &&str)| {
        group.client(MemberName::new((101 + number).to_string()), RoleName::new(*role))
    };
    roles.iter().enumerate().map(client).collect()
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
    let typed = client.typed();
    assert!(typed.contains("<LAVA_WAIT_COMPLETE 101:ip=10.0.0.1 101:free-space=5G 101:text=a b>\n"), "{typed}");
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
