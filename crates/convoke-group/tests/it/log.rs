//! The inputs of a group are its log: they survive being written, and applied again they give the same.

use convoke_group::{Group, GroupName, Input, Output, Time};
use serde_json::json;

use crate::stage::Stage;

/// Applies a written log again.
#[track_caller]
pub(crate) fn replays(s: &Stage) {
    let mut group = Group::new(GroupName::new("g"), std::num::NonZeroUsize::new(s.group.size()).unwrap());
    for (input, now, outputs) in &s.log {
        let line = serde_json::to_string(&(input, now)).unwrap();
        let (read, at): (Input, Time) = serde_json::from_str(&line).unwrap();
        assert_eq!((&read, &at), (input, now), "{line}");
        let again = group.apply(read, at);
        assert_eq!(&again, outputs, "{line}");
        let written = serde_json::to_string(&again).unwrap();
        assert_eq!(serde_json::from_str::<Vec<Output>>(&written).unwrap(), again, "{written}");
    }
    assert_eq!(group, s.group);
}

#[test]
fn a_log_gives_the_same_state_again() {
    let mut s = Stage::empty(3).certain();
    s.limit(30);
    s.join("a/client");
    let early = s.assemble("a");
    s.join("b/server");
    s.join("c/server");
    s.is_done(early);
    s.send_value("b", "x", json!({"z": 1, "a": [1.5, null, "ü"]}));
    s.wait_role("a", "x", "server");
    s.sync("b", "go");
    s.wait_role("b", "x", "nobody");
    s.tick(10);
    let cut = s.wait("c", "y");
    s.withdraw(cut);
    s.sync("c", "go");
    s.leave("c");
    s.wait("b", "y");
    s.tick(60);
    s.leave("a");
    replays(&s);
}
