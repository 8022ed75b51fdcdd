//! The page and the trace of a run.

use serde_json::Value;

use crate::harness::{Place, User, repository};

/// The data in a page.
fn story(page: &str) -> Value {
    let data = page.split_once("id=\"story-data\">").unwrap().1;
    serde_json::from_str(data.split_once("</script>").unwrap().0).unwrap()
}

#[test]
fn a_run_leaves_a_report_that_tells_who_waited_for_whom() {
    let place = Place::new(User::Ordinary);
    let run = place.run(&repository().join("examples/flow-table.yaml"), &["--log-level", "error"]);
    run.expect(0);
    let page = run.file("report.html");
    for wanted in ["<h1>flow table", "lava-wait-all ready server", "lava-sync fin", "0_flow-client"] {
        assert!(page.contains(wanted), "{wanted}");
    }
    let story = story(&page);
    let list = |name: &str| story[name].as_array().unwrap().clone();
    let labels: Vec<Value> = list("members").iter().map(|member| member["label"].clone()).collect();
    assert_eq!(labels, ["server.1", "server.2", "client", "observer"]);
    // Both servers' messages reached the client's wait; all four met in both syncs.
    let calls = list("calls");
    let taken = list("messages");
    assert_eq!(taken.len(), 2);
    for message in taken {
        let call = |place: usize| &calls[usize::try_from(message[place].as_u64().unwrap()).unwrap()];
        assert_eq!((call(0)["say"].as_str(), call(1)["m"].as_u64()), (Some("lava-send ready"), Some(2)));
    }
    let syncs: Vec<(String, usize, bool)> = list("barriers")
        .iter()
        .map(|sync| {
            (
                sync["id"].as_str().unwrap().to_owned(),
                sync["calls"].as_array().unwrap().len(),
                !sync["released"].is_null(),
            )
        })
        .collect();
    assert_eq!(syncs, [("start".to_owned(), 4, true), ("fin".to_owned(), 4, true)]);
}

#[test]
fn report_writes_a_trace_and_the_same_page() {
    let place = Place::new(User::Ordinary);
    let run = place.run(&repository().join("examples/ex4-peer-to-peer.yaml"), &["--log-level", "error"]);
    run.expect(0);
    let before = run.file("report.html");
    std::fs::remove_file(run.dir.join("report.html")).unwrap();
    let ended = place.convoke(&["report", "run", "--trace", "run.pftrace"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(before == run.file("report.html"), "the same bytes");
    let trace = std::fs::read(place.path("run.pftrace")).unwrap();
    let contains = |text: &str| trace.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(contains("peer.3") && contains("lava-sync running") && contains("boot-sandbox"));
}

#[test]
fn a_trace_that_cannot_be_written_is_said_with_its_name() {
    let place = Place::new(User::Ordinary);
    place.run(&repository().join("examples/ex1-client-server.yaml"), &["--log-level", "error"]).expect(0);
    let ended = place.convoke(&["report", "run", "--trace", "no/such/folder/trace"]);
    assert_eq!(ended.code, Some(3));
    assert!(ended.stderr.contains("no/such/folder/trace"), "{}", ended.stderr);
}
