//! The trace decodes with Perfetto's published schema, and says what happened.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::{Command, Stdio};

use convoke_journal::Event;
use convoke_report::{Story, trace};

use crate::{large, small};

/// The trace as `protoc` prints it, packet by packet. Fields that the schema does not know, it prints as numbers.
fn decoded(events: &[Event]) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let packed = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/perfetto/perfetto_trace.descriptor.xz");
    let schema = Command::new("xz").args(["-dc", packed]).output().unwrap();
    assert!(schema.status.success());
    let descriptor = dir.path().join("schema");
    std::fs::write(&descriptor, schema.stdout).unwrap();
    let mut protoc = Command::new("protoc")
        .arg(format!("--descriptor_set_in={}", descriptor.display()))
        .arg("--decode=perfetto.protos.Trace")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("protoc is there: cargo xtask setup");
    let bytes = trace::render(&Story::of(events));
    let mut input = protoc.stdin.take().unwrap();
    let writer = std::thread::spawn(move || input.write_all(&bytes));
    let output = protoc.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let unknown = text.lines().find(|line| line.trim_start().starts_with(|first: char| first.is_ascii_digit()));
    assert_eq!(unknown, None, "a field that Perfetto does not know");
    text.split("\npacket {").map(|packet| packet.to_owned()).collect()
}

/// The values of a field in a packet.
fn fields<'a>(packet: &'a str, name: &str) -> Vec<&'a str> {
    let lines = packet.lines().filter_map(|line| line.trim().strip_prefix(name)?.strip_prefix(": "));
    lines.map(|value| value.trim_matches('"')).collect()
}

fn field<'a>(packet: &'a str, name: &str) -> Option<&'a str> {
    fields(packet, name).first().copied()
}

#[test]
fn it_decodes_with_the_published_schema_and_tells_the_run() {
    let packets = decoded(&small::events());
    let processes: Vec<&str> = packets.iter().filter_map(|packet| field(packet, "process_name")).collect();
    assert_eq!(processes, ["group g", "server", "client.1", "client.2"]);
    let find = |name: &str| packets.iter().find(|packet| fields(packet, "name").last() == Some(&name)).unwrap();
    assert_eq!(field(find("lava-send ready"), "timestamp"), Some("2000000000"));
    assert!(find("for server, client.2").contains("TYPE_SLICE_BEGIN"));
    let call = |name: &str| {
        let named = |packet: &&String| fields(packet, "name").last() == Some(&name) && packet.contains("\"call\"");
        packets.iter().find(named).unwrap()
    };
    assert!(call("lava-sync end").contains("server left without arriving"));
    assert_eq!(field(find("\\342\\234\\227 <i>fetch</i>"), "timestamp"), Some("2400000000"));
}

/// What a slice shows when it is clicked.
#[test]
fn slices_say_what_they_are_and_what_is_to_be_known_of_them() {
    let packets = decoded(&small::events());
    let all = |category: &str| -> Vec<&String> {
        packets.iter().filter(|packet| fields(packet, "categories") == [category]).collect()
    };
    let categories: BTreeSet<&str> = packets.iter().flat_map(|packet| fields(packet, "categories")).collect();
    assert_eq!(
        categories.into_iter().collect::<Vec<_>>(),
        ["action", "call", "message", "result", "stage", "suite", "sync", "wait"]
    );
    let wait =
        all("call").into_iter().find(|packet| fields(packet, "name").last() == Some(&"lava-wait ready")).unwrap();
    let notes = ["from", "ended", "waited_s", "waited for"];
    assert_eq!(fields(wait, "name")[..4], notes);
    assert_eq!(field(wait, "double_value"), Some("0.902"));
    assert_eq!(fields(wait, "string_value"), ["shell", "done", "server"]);
    // What was sent is with the send and with its arrival.
    for packet in [
        all("call").into_iter().find(|packet| fields(packet, "name").last() == Some(&"lava-send ready")).unwrap(),
        all("message")[0],
    ] {
        let (_, data) = packet.split_once("dict_entries {").unwrap();
        assert_eq!((field(data, "name"), field(data, "string_value")), (Some("port"), Some("5201")));
    }
    // A sync is a slice from its first arrival until all were let go; one that never is complete reaches to the end.
    let syncs: Vec<_> =
        all("sync").iter().map(|packet| (field(packet, "timestamp"), fields(packet, "string_value"))).collect();
    assert_eq!(syncs[0].1[0], "done");
    assert_eq!(syncs[1], (Some("2500000000"), vec!["never complete", "client.1"]));
}

#[test]
fn tracks_stand_in_order_and_time_is_that_of_the_day() {
    let packets = decoded(&small::events());
    let clocks = packets.iter().find(|packet| packet.contains("clock_snapshot")).unwrap();
    assert_eq!(fields(clocks, "timestamp"), ["0", "1795000000000000000"]);
    assert_eq!(field(clocks, "primary_trace_clock"), Some("BUILTIN_CLOCK_BOOTTIME"));
    let processes: Vec<&String> = packets.iter().filter(|packet| packet.contains("process {")).collect();
    let pids: Vec<&str> = processes.iter().filter_map(|packet| field(packet, "pid")).collect();
    assert_eq!(pids, ["1", "2", "3", "4"]);
    assert!(processes.iter().all(|packet| field(packet, "child_ordering") == Some("EXPLICIT")));
    let labels: Vec<&str> = processes.iter().filter_map(|packet| field(packet, "process_labels")).collect();
    assert_eq!(labels, ["sandbox-0", "sandbox-1", "sandbox-2"]);
    let uuid = field(processes[2], "uuid").unwrap();
    let mut tracks: Vec<(u64, &str)> = packets
        .iter()
        .filter(|packet| field(packet, "parent_uuid") == Some(uuid))
        .map(|packet| (field(packet, "sibling_order_rank").unwrap().parse().unwrap(), field(packet, "name").unwrap()))
        .collect();
    tracks.sort_unstable();
    let names: Vec<&str> = tracks.into_iter().map(|(_, name)| name).collect();
    assert_eq!(names, ["stages", "calls", "actions", "suites", "results"]);
}

#[test]
fn a_flow_leads_from_the_send_to_each_wait_that_took_it() {
    let packets = decoded(&small::events());
    let send = packets.iter().find(|packet| fields(packet, "name").contains(&"lava-send ready")).unwrap();
    let leaves = fields(send, "flow_ids");
    assert_eq!(leaves.len(), 2);
    for (flow, taken) in leaves.iter().zip(["2002000000", "2101000000"]) {
        let arrives = packets.iter().find(|packet| fields(packet, "terminating_flow_ids") == [*flow]).unwrap();
        assert_eq!(field(arrives, "timestamp"), Some(taken));
        assert_eq!(fields(arrives, "name").last(), Some(&"ready from server"));
    }
}

#[test]
fn slices_are_nested_and_times_go_on() {
    for events in [small::events(), large::events(large::QUIET)] {
        let mut open: BTreeMap<String, i64> = BTreeMap::new();
        let mut last = 0;
        for packet in decoded(&events) {
            let Some(track) = field(&packet, "track_uuid") else { continue };
            let depth = open.entry(track.to_owned()).or_default();
            *depth += match field(&packet, "type") {
                Some("TYPE_SLICE_BEGIN") => 1,
                Some("TYPE_SLICE_END") => -1,
                _ => 0,
            };
            assert!(*depth >= 0, "a slice ends that has not begun:{packet}");
            let now: u64 = field(&packet, "timestamp").unwrap().parse().unwrap();
            assert!(now >= last);
            last = now;
        }
        assert!(open.values().all(|depth| *depth == 0), "{open:?}");
    }
}

/// Perfetto's own reader, where it is at hand: it cannot be fetched everywhere.
#[test]
fn perfettos_own_reader_finds_no_fault_where_it_is_installed() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("trace");
    std::fs::write(&file, trace::render(&Story::of(&small::events()))).unwrap();
    let query = dir.path().join("query.sql");
    let wanted = "select count(*) from flow; select sum(value) from stats where severity = 'error';";
    std::fs::write(&query, wanted).unwrap();
    let Ok(output) = Command::new("trace_processor_shell").arg("-q").arg(&query).arg(&file).output() else { return };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let numbers: Vec<&str> =
        text.lines().filter(|line| line.bytes().all(|byte| byte.is_ascii_digit()) && !line.is_empty()).collect();
    assert_eq!(numbers, ["2", "0"], "{text}\n{}", String::from_utf8_lossy(&output.stderr));
}
