//! Every sample job is accepted with the warnings its index names, every broken one gets its diagnosis.

use crate::fixtures;

#[test]
fn sample_jobs_are_accepted() {
    let mut report = String::new();
    for (name, text) in fixtures::all("jobs") {
        assert!(fixtures::check(&text).job.is_some(), "{name}: {}", fixtures::findings(&text));
        report += &format!("{name}\n{}\n", fixtures::findings(&text));
    }
    insta::assert_snapshot!(report);
}

#[test]
fn broken_jobs_get_their_diagnosis() {
    for (name, text) in fixtures::all("jobs/broken") {
        insta::assert_snapshot!(name, format!("{}\n\n{}", text.lines().next().unwrap(), fixtures::findings(&text)));
    }
}
