//! What findings about practices leave alone: each condition of a rule, tried by the flow that only it keeps quiet.

use convoke_flow::{Origin, Step};

use crate::build::{Role, definition, maybe, opaque, role, send, start, sync, wait};
use crate::one;
use crate::practices::{change, codes, data, read};

#[track_caller]
fn finds(expected: &[&str], roles: Vec<Role>) {
    assert_eq!(codes(&crate::build::flow(roles)), expected);
}

fn request(step: Step) -> Step {
    change(step, |call| {
        call.origin = Origin::Request { action: "prepare-scp-overlay".into(), wanted: Vec::new() };
    })
}

/// A server that sends an address, and data of another kind.
fn server(more: Vec<Step>) -> Role {
    role("server", [vec![data(send("address"), "key"), data(send("ready"), "size")], more].concat())
}

#[test]
fn data_that_came_again_are_there() {
    let again = |key| role("again", vec![data(send("ready"), key)]);
    let client = || role("client", vec![wait("address"), wait("ready"), read("key")]);
    finds(&["flow.stale-cache"], vec![server(vec![]), client(), again("other")]);
    finds(&[], vec![server(vec![]), client(), again("key")]);
}

#[test]
fn a_wait_that_may_be_made_leaves_it_open_what_is_there() {
    let client = |last| role("client", [vec![wait("address"), wait("ready")], last, vec![read("key")]].concat());
    finds(&["flow.stale-cache"], vec![server(vec![]), client(vec![maybe(vec![sync("x")])])]);
    finds(&[], vec![server(vec![]), client(vec![maybe(vec![wait("address")])])]);
}

#[test]
fn what_is_not_known_may_send_the_data() {
    let client = || role("client", vec![wait("address"), wait("ready"), read("key")]);
    finds(&[], vec![server(vec![]), client(), role("other", vec![definition("d", vec![opaque()])])]);
    finds(&[], vec![server(vec![send("re-$n")]), client()]);
}

#[test]
fn a_script_of_several_roles_is_told_once() {
    let flow = one::flow(
        "lava-send address key=1\nlava-send ready size=2\nlava-wait address\nlava-wait ready\n\
         grep key= /tmp/lava_multi_node_cache.txt\n",
    );
    assert_eq!(codes(&flow), ["flow.stale-cache"]);
}

/// A server that tells its address and is not waited for.
fn telling(more: Vec<Step>) -> Role {
    role("server", [vec![data(send("ready"), "Server_IP")], more].concat())
}

#[test]
fn a_server_ends_while_it_is_needed() {
    let client = |more: Vec<Step>| role("client", [vec![wait("ready")], more].concat());
    finds(&["flow.ends-while-needed"], vec![telling(vec![]), client(vec![])]);
    // Of a job that cannot end it is not the end that is wrong.
    finds(&[], vec![telling(vec![]), client(vec![wait("never")])]);
    // Two addresses of one server are one finding.
    let twice = telling(vec![data(send("second"), "ip")]);
    finds(&["flow.ends-while-needed"], vec![twice, client(vec![wait("second")])]);
    // What is not known may wait, or be done.
    finds(&[], vec![telling(vec![definition("d", vec![opaque()])]), client(vec![])]);
    finds(&[], vec![telling(vec![]), client(vec![definition("d", vec![opaque()])])]);
    // Who may take it may also not, and an action has taken it when it is over.
    finds(&[], vec![telling(vec![]), role("client", vec![maybe(vec![wait("ready")])])]);
    finds(&[], vec![telling(vec![]), role("client", vec![request(wait("ready"))])]);
}

#[test]
fn guests_are_no_servers_and_no_clients_of_that_kind() {
    let host = |more: Vec<Step>| role("host", [vec![send("lava_start")], more].concat());
    let guest = |more: Vec<Step>| role("guest", [vec![start("host")], more].concat()).on("host");
    finds(&[], vec![host(vec![wait("ready")]), guest(vec![data(send("ready"), "ip")])]);
    finds(&[], vec![telling(vec![]), host(vec![wait("bye")]), guest(vec![wait("ready"), send("bye")])]);
}

#[test]
fn a_host_that_may_wait_for_its_guest() {
    let host = |more: Vec<Step>| role("host", vec![definition("h", [vec![wait("connected")], more].concat())]);
    let guest = |steps: Vec<Step>| role("guest", vec![request(send("connected")), definition("g", steps)]).on("host");
    finds(&["flow.no-final-sync"], vec![host(vec![]), guest(vec![])]);
    finds(&[], vec![host(vec![opaque()]), guest(vec![])]);
    finds(&[], vec![host(vec![]), guest(vec![opaque()])]);
    // The verdict has told the race.
    let racing = role("guest", vec![start("host"), definition("g", vec![wait("address")])]).on("host");
    finds(&[], vec![role("host", vec![send("lava_start"), send("address")]), racing]);
}

#[test]
fn ids_of_different_members_are_different_results() {
    let roles = [("a", send("Ready")), ("b", send("ready")), ("c", wait("Ready")), ("d", wait("ready"))];
    let roles = || roles.clone().into_iter().map(|(name, step)| role(name, vec![step]));
    finds(&["flow.similar-ids"], roles().collect());
    finds(&["result.collision"], roles().chain([role("e", vec![wait("Ready"), wait("ready")])]).collect());
}

#[test]
fn ids_that_were_told_with_the_nearest_are_not_told_again() {
    // What the verdict says of one ID says nothing of another.
    let server = role("server", vec![send("server-ready"), send("x-1"), send("x_1")]);
    let client = role("client", vec![wait("server_ready"), wait("x-1")]);
    let other = role("other", vec![wait("x_1")]);
    finds(&["flow.similar-ids"], vec![server, client, other]);
}

#[test]
fn keys_are_words_of_any_alphabet_and_requests_carry_any() {
    let sends = |step| vec![role("server", vec![step]), role("client", vec![wait("m")])];
    finds(&["flow.key-name"], sends(data(send("m"), "a-b")));
    finds(&[], sends(data(send("m"), "größe")));
    finds(&[], sends(request(data(send("m"), "a-b"))));
}

#[test]
fn what_several_roles_do_is_told_once() {
    for (script, code) in [
        ("lava-send m a-b=1\n", "flow.key-name"),
        ("lava-test-case c --shell lava-sync x\n", "flow.call-in-test-case"),
        ("lava-send m space=$(df / | tail -n 1)\n", "flow.work-in-call"),
    ] {
        assert_eq!(codes(&one::flow(script)), [code], "{script}");
    }
}

#[test]
fn an_id_that_is_sent_three_times_is_told_once() {
    let sends = ["a", "b", "c"].map(|key| data(send("m"), key));
    finds(&["flow.sent-again"], vec![role("server", sends.to_vec()), role("client", vec![wait("m")])]);
}

#[test]
fn two_members_that_wait_once_each_wait_for_no_second_round() {
    let server = || role("server", vec![send("go"), sync("x"), send("go")]);
    let client = |name, more: Vec<Step>| role(name, [vec![wait("go"), sync("x")], more].concat());
    finds(&[], vec![server(), client("one", vec![]), client("two", vec![])]);
    finds(&["flow.sent-again"], vec![server(), client("one", vec![]), client("two", vec![wait("go")])]);
}
