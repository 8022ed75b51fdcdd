//! Large groups: the work of an input grows with the group, not with its square.

use convoke_group::{Output, Quiet};

use crate::stage::Stage;

#[test]
fn a_thousand_members_pass_a_barrier() {
    let members: Vec<String> = (0..1000).map(|n| format!("m{n}")).collect();
    let mut s = Stage::empty(members.len());
    s.quiet = Quiet::Certain;
    for member in &members {
        s.join(member);
    }
    s.limit(600);
    let waits: Vec<_> = members.iter().map(|member| s.sync(member, "go")).collect();
    for wait in waits {
        s.is_done(wait);
    }
    // One output an arrival says who is missing, for all that wait.
    let said =
        s.log.iter().map(|(_, _, outputs)| outputs.iter().filter(|o| matches!(o, Output::Waiting { .. })).count());
    assert_eq!(said.max(), Some(1));
}

#[test]
fn a_thousand_members_wait_for_one() {
    let members: Vec<String> = (0..1000).map(|n| format!("m{n}")).collect();
    let mut s = Stage::empty(members.len());
    for member in &members {
        s.join(member);
    }
    let waits: Vec<_> = members[1..].iter().map(|member| s.wait(member, "go")).collect();
    s.send("m0", "go");
    for wait in waits {
        s.is_done(wait);
    }
}
