//! The jobs of the specification, run on sandboxes; and the diagnosis that the first line of each broken one asks for.

use convoke_flow::{Repositories, Verdict, judge, lint, times};
use convoke_job::{Diagnostic, Options, Source};
use convoke_lab::Lab;

use crate::flow::jobs;
use crate::harness::fixture;
use crate::said::Said;

#[test]
fn what_happens_to_published_jobs_is_what_the_check_says() {
    let (mut bad, mut ran) = (Vec::new(), 0);
    for path in [jobs(&fixture("jobs")), jobs(&fixture("jobs/broken"))].concat() {
        let Some(said) = Said::of(std::fs::read_to_string(&path).unwrap()) else { continue };
        // Of repositories that are not at hand nothing is known, and nothing can be fetched.
        if said.verdict == Verdict::Unknown {
            continue;
        }
        ran += 1;
        let name = path.file_name().unwrap().to_string_lossy();
        bad.extend(said.wrong(&["--rehearse"]).map(|wrong| format!("{name}: {wrong}")));
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
    assert!(ran >= 15, "{ran} ran");
}

/// Every finding of a job.
fn findings(source: &Source, lab: Option<&Lab>) -> Vec<Diagnostic> {
    let checked = convoke_job::read(source, &Options::default());
    let mut found = checked.diagnostics;
    if let Some(job) = &checked.job {
        let flow = convoke_flow::read(job, source, &Repositories::new());
        let judgement = judge(&flow);
        found.extend(judgement.diagnostics(&flow));
        found.extend(lint(&flow, &judgement));
        found.extend(times::too_short(&flow, &judgement.played));
        found.extend(lab.iter().flat_map(|lab| convoke_lab::check_inventory(job, lab)));
    }
    found
}

/// What a first line asks for: severity, code, and what stands behind it.
fn expected(line: &str) -> Vec<(&str, &str, &str)> {
    let mut severity = "error";
    let mut found: Vec<(&str, &str, usize, usize)> = Vec::new();
    let mut from = 0;
    for word in line.split_inclusive(' ') {
        let plain = word.trim_end_matches([' ', ':', ',', ';']);
        match plain {
            "error" | "warning" => severity = plain,
            "warnings" => severity = "warning",
            _ if convoke_job::codes().any(|code| code == plain) => {
                found.push((severity, plain, from, from + plain.len()));
            }
            _ => {}
        }
        from += word.len();
    }
    let ends = found.iter().skip(1).map(|next| next.2).chain([line.len()]);
    found.iter().zip(ends).map(|((severity, code, _, begin), end)| (*severity, *code, &line[*begin..end])).collect()
}

#[test]
fn every_broken_job_is_diagnosed_where_its_first_line_says() {
    let (lab, _) =
        Lab::read(&Source::new("lab", std::fs::read_to_string(fixture("jobs/broken/lab-small.yaml")).unwrap()));
    let mut seen = 0;
    for path in jobs(&fixture("jobs/broken")) {
        let name = path.file_name().unwrap().to_str().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let Some(line) = text.lines().next().unwrap().strip_prefix("# EXPECT: ") else {
            assert!(name.starts_with("lab"), "{name} has no first line");
            continue;
        };
        let source = Source::new(name, text.as_str());
        let found = findings(&source, lab.as_ref().filter(|_| line.contains("lab-small.yaml")));
        let all = |found: &[Diagnostic]| -> String {
            let lines = found.iter().map(|found| format!("{} at {}: {}\n", found.code, found.path, found.message));
            lines.collect()
        };
        let expected = expected(line);
        assert!(!expected.is_empty(), "{name}: {line}");
        for (severity, code, rest) in expected {
            let of_code: Vec<Diagnostic> = found.iter().filter(|found| found.code == code).cloned().collect();
            if rest.contains("is not raised") {
                assert!(of_code.is_empty(), "{name}: {}", all(&of_code));
                continue;
            }
            let at = rest.strip_prefix(" at ").map(|rest| rest.split([' ', ';']).next().unwrap().trim_end_matches(':'));
            let there = of_code.iter().find(|found| at.is_none_or(|at| found.path == at));
            let Some(there) = there else { panic!("{name}: no {code} at {at:?} in\n{}", all(&found)) };
            assert_eq!(there.severity.as_str(), severity, "{name}: {code}");
            assert!(!there.labels.is_empty(), "{name}: {code} has no place");
            // What it puts in quotes is said.
            let said = format!("{} {}", there.message, there.help.as_deref().unwrap_or_default());
            for quoted in rest.split('"').skip(1).step_by(2) {
                assert!(said.contains(quoted), "{name}: {code} does not say {quoted}: {said}");
            }
        }
        seen += 1;
    }
    assert_eq!(seen, 25);
}
