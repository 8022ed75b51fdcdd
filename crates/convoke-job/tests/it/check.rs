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

#[test]
fn converted_jobs_of_2014_are_accepted() {
    for name in ["simple", "netperf", "slave"] {
        let text = fixtures::text(&format!("legacy/legacy-2014-{name}.json"));
        let options = convoke_job::legacy::LegacyOptions { rehearse: true, ..Default::default() };
        let converted = convoke_job::legacy::convert(&convoke_job::Source::new("job.json", text), &options);
        let Some(yaml) = converted.yaml else { panic!("{name}: {:?}", converted.diagnostics) };
        assert!(fixtures::check(&yaml).job.is_some(), "{name}: {}\n{yaml}", fixtures::findings(&yaml));
    }
}
