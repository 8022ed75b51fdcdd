//! What other programs make of the files: perl's TAP::Parser, and two readers of JUnit.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::files::rendered;

/// Runs a program over `input`; its output.
fn run(program: &str, arguments: &[&str], input: &[u8], install: &str) -> String {
    let child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}; install {install}"));
    child.stdin.as_ref().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{program} failed; is {install} installed?\n{out}{err}");
    out.into_owned()
}

/// Parses a stream, then every subtest in it as a stream of its own.
const TAP: &str = r#"
use strict; use TAP::Parser;
sub check {
    my ($indent, $text) = @_;
    my $parser = TAP::Parser->new({ tap => $text });
    my @inner = ();
    while (my $result = $parser->next) {
        push @inner, $result->raw =~ s/^    //mgr if $result->raw =~ /^    /;
        if ($result->is_test) {
            print $indent, ($result->is_ok ? "ok" : "not ok"), " ", $result->number, " ", $result->description,
                ($result->has_directive ? " (" . $result->directive . ")" : ""), "\n";
            if (@inner) { check("$indent  ", "TAP version 13\n" . join("\n", @inner) . "\n"); @inner = (); }
        }
        die "unknown at depth '$indent': " . $result->raw if $result->is_unknown && $result->raw !~ /^    /;
    }
    my @errors = $parser->parse_errors;
    die "errors: @errors" if @errors;
    print $indent, "plan ", $parser->plan, " failed ", scalar($parser->failed), "\n";
}
check("", do { local $/; <STDIN> });
"#;

#[test]
fn tap_parser_reads_the_stream_and_its_subtests() {
    let tap = fs::read(rendered().path().join("results.tap")).unwrap();
    insta::assert_snapshot!(run("perl", &["-e", TAP], &tap, "perl"));
}

#[test]
fn quick_junit_reads_the_report() {
    let xml = fs::read_to_string(rendered().path().join("junit.xml")).unwrap();
    let report = quick_junit::Report::deserialize_from_str(&xml).unwrap();
    let suites: Vec<String> = report
        .test_suites
        .iter()
        .map(|suite| {
            format!(
                "{} tests={} failures={} errors={} skipped={} cases={}",
                suite.name.as_str(),
                suite.tests,
                suite.failures,
                suite.errors,
                suite.skipped,
                suite.test_cases.len()
            )
        })
        .collect();
    insta::assert_snapshot!(suites.join("\n"));
}

const JUNITPARSER: &str = "
import sys, junitparser
report = junitparser.JUnitXml.fromroot(junitparser.junitparser.etree.fromstring(sys.stdin.buffer.read()))
for suite in report:
    for case in suite:
        kinds = [type(r).__name__ for r in (case.result or [])]
        print(case.classname, '|', case.name, '|', ' '.join(kinds) or 'passed')
declared = (report.tests, report.failures, report.errors)
report.update_statistics()
assert declared == (report.tests, report.failures, report.errors), declared
";

#[test]
fn junitparser_reads_the_report() {
    let xml = fs::read(rendered().path().join("junit.xml")).unwrap();
    insta::assert_snapshot!(run("/usr/bin/python3", &["-c", JUNITPARSER], &xml, "python3-junitparser"));
}

/// Elements and attributes of the schema that Jenkins' xUnit plug-in checks reports against.
const ALLOWED: [(&str, &[&str]); 7] = [
    ("testsuites", &["name", "time", "tests", "failures", "disabled", "errors"]),
    (
        "testsuite",
        &[
            "name",
            "tests",
            "failures",
            "errors",
            "group",
            "time",
            "skipped",
            "timestamp",
            "hostname",
            "id",
            "package",
            "file",
            "log",
            "url",
            "version",
        ],
    ),
    ("testcase", &["name", "classname", "time", "assertions", "status", "group"]),
    ("failure", &["message", "type"]),
    ("error", &["message", "type"]),
    ("skipped", &["message", "type"]),
    ("system-out", &[]),
];

#[test]
fn the_report_uses_only_what_the_schema_has() {
    let xml = fs::read_to_string(rendered().path().join("junit.xml")).unwrap();
    let tag = elements(&xml);
    assert!(tag.len() > 20);
    for (name, attributes) in tag {
        let (_, allowed) = ALLOWED.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("<{name}>"));
        for attribute in attributes {
            assert!(allowed.contains(&attribute.as_str()), "<{name} {attribute}>");
        }
    }
}

/// Names of the elements with the names of their attributes. Values hold no `<`, `>` or `"`.
fn elements(xml: &str) -> Vec<(String, Vec<String>)> {
    let mut out = Vec::new();
    for piece in xml.split('<').skip(1) {
        let Some((tag, _)) = piece.split_once('>') else { panic!("an open tag: {piece}") };
        if tag.starts_with(['/', '?']) {
            continue;
        }
        let mut quoted = tag.trim_end_matches('/').split('"');
        let head = quoted.next().unwrap();
        let mut words = head.split_whitespace();
        let name = words.next().unwrap().to_owned();
        let mut attributes: Vec<String> = words.map(|word| word.trim_end_matches('=').to_owned()).collect();
        while let (Some(_value), Some(between)) = (quoted.next(), quoted.next()) {
            attributes.extend(between.split_whitespace().map(|word| word.trim_end_matches('=').to_owned()));
        }
        out.push((name, attributes));
    }
    out
}
