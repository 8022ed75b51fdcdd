//! The examples of the MultiNode documentation, and its flow table.

use serde_json::json;

use crate::stage::Stage;

/// Example 1: the client gets what the server sent.
#[test]
fn simple_client_server() {
    for server_first in [true, false] {
        let mut s = Stage::of(&["s1/server", "c1/client"]).certain();
        if server_first {
            s.send_value("s1", "server-ready", json!({"free-space": "5G"}));
            s.leave("s1");
        }
        let wait = s.wait("c1", "server-ready");
        if !server_first {
            s.send_value("s1", "server-ready", json!({"free-space": "5G"}));
            s.leave("s1");
        }
        assert_eq!(s.data(wait), r#"[["s1",{"free-space":"5G"}]]"#);
    }
}

/// Example 2: iperf, with several clients.
#[test]
fn iperf_client_server() {
    let mut s = Stage::of(&["s1/server", "c1/client", "c2/client"]).certain();
    let c1 = s.wait("c1", "server-ready");
    s.send_value("s1", "server-ready", json!({"server-ip": "192.168.3.56"}));
    let c2 = s.wait("c2", "server-ready");
    let server = s.wait_role("s1", "client-done", "client");
    assert_eq!(s.data(c1), s.data(c2));
    s.send("c2", "client-done");
    s.leave("c2");
    s.is_parked(server);
    s.send("c1", "client-done");
    s.is_done(server);
}

/// Examples 3 and 4: barriers, for any number of members.
#[test]
fn variable_number_of_members() {
    for clients in [1, 2, 10] {
        let members: Vec<String> = (0..clients).map(|n| format!("c{n}/client")).collect();
        let mut all = vec!["s1/server"];
        all.extend(members.iter().map(String::as_str));
        let mut s = Stage::of(&all).certain();
        for message in ["ready", "done"] {
            let waits: Vec<_> = all.iter().map(|member| s.sync(member.split_once('/').unwrap().0, message)).collect();
            for wait in waits {
                s.is_done(wait);
            }
        }
    }
}

/// Example 5: lava-network broadcast and collect are a send and a wait-all with role.
#[test]
fn lava_network() {
    let mut s = Stage::of(&["database/server", "panda01/client"]).certain();
    s.send_value("panda01", "network_info", json!({"ipv4": "192.168.3.57"}));
    let collect = s.wait_role("panda01", "network_info", "server");
    s.is_parked(collect);
    s.send_value("database", "network_info", json!({"ipv4": "192.168.3.56"}));
    assert_eq!(s.data(collect), r#"[["panda01",{"ipv4":"192.168.3.57"}],["database",{"ipv4":"192.168.3.56"}]]"#);
}

/// The flow table: server, client, observer.
#[test]
fn flow_table() {
    let mut s = Stage::of(&["s1/server", "c1/client", "o1/observer"]).certain();
    let start = [s.sync("o1", "start"), s.sync("s1", "start"), s.sync("c1", "start")];
    for wait in start {
        s.is_done(wait);
    }
    let observer = s.sync("o1", "fin");
    let ready = s.wait_role("c1", "ready", "server");
    s.is_parked(ready);
    s.send("s1", "ready");
    s.is_done(ready);
    let server = s.sync("s1", "fin");
    s.is_parked(observer);
    s.is_parked(server);
    let client = s.sync("c1", "fin");
    for wait in [observer, server, client] {
        s.is_done(wait);
    }
}
