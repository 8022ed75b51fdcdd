//! YAML 1.1 as LAVA reads it (job-definition.md §1), and the bounds on a document.

use convoke_job::node::NodeKind;
use convoke_job::yaml::{Limits, parse};
use convoke_job::{Diagnostic, Node, Source};

fn read(text: &str) -> (Option<Node>, Vec<Diagnostic>) {
    parse(&Source::new("t.yaml", text), Limits::default())
}

#[track_caller]
fn value(text: &str) -> NodeKind {
    let (node, findings) = read(&format!("k: {text}\n"));
    assert!(findings.is_empty(), "{text}: {findings:?}");
    node.unwrap().get("k").unwrap().kind.clone()
}

/// Code and line:column of each finding.
#[track_caller]
fn codes(text: &str) -> Vec<String> {
    let source = Source::new("t.yaml", text);
    let (_, findings) = parse(&source, Limits::default());
    findings
        .iter()
        .map(|finding| {
            let at = source.position(finding.labels.first().map_or(0, |label| label.span.start));
            format!("{} {}:{}", finding.code, at.line, at.column)
        })
        .collect()
}

#[test]
fn plain_words() {
    for word in ["yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"] {
        assert_eq!(value(word), NodeKind::Bool(true), "{word}");
    }
    for word in ["no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"] {
        assert_eq!(value(word), NodeKind::Bool(false), "{word}");
    }
    for word in ["", "~", "null", "Null", "NULL"] {
        assert_eq!(value(word), NodeKind::Null, "{word}");
    }
    for word in ["y", "n", "yEs", "nULL", "'yes'", "\"null\"", "None", "!!str no", "! 12", "'12'", "'2026-11-21'"] {
        assert!(matches!(value(word), NodeKind::Text(_)), "{word}");
    }
}

#[test]
fn plain_integers() {
    for (text, number) in [
        ("0", 0),
        ("-12", -12),
        ("+12", 12),
        ("1_000", 1000),
        ("0755", 0o755),
        ("0o755", -1),
        ("08", -1),
        ("0x1F", 31),
        ("0x_ff", 255),
        ("-0b1010_0111", -167),
        ("1:30", 90),
        ("-1:30", -90),
        ("12:30:45", 45045),
        ("190:20:30", 685_230),
        ("1:60", -1),
        ("8080:80", -1),
        ("1e3", -1),
        ("0x", -1),
        ("1-2", -1),
        ("!!int 0x10", 16),
        ("99999999999999999999999999999999999999999999", -1),
    ] {
        let expected = if number == -1 { NodeKind::Text(text.into()) } else { NodeKind::Int(number) };
        assert_eq!(value(text), expected, "{text}");
    }
}

#[test]
fn plain_floats() {
    for (text, number) in [
        ("1.5", 1.5),
        ("1.", 1.0),
        (".5", 0.5),
        ("-.5", -0.5),
        ("6.8523015e+5", 685_230.15),
        ("685_230.15", 685_230.15),
        ("190:20:30.15", 685_230.15),
        (".inf", f64::INFINITY),
        ("-.INF", f64::NEG_INFINITY),
        ("!!float 3", 3.0),
    ] {
        let NodeKind::Float(got) = value(text) else { panic!("{text}: {:?}", value(text)) };
        assert!((got - number).abs() < 1e-6 || got == number, "{text}: {got}");
    }
    assert!(matches!(value(".NaN"), NodeKind::Float(number) if number.is_nan()));
    for text in ["1.5e3", "1.2.3", ".", "+.", "1.x", ".nAn"] {
        assert!(matches!(value(text), NodeKind::Text(_)), "{text}");
    }
}

#[test]
fn plain_dates() {
    for text in ["2026-11-21", "2026-11-21T20:00:00Z", "2026-1-2 3:04:05.60 +01:00", "2001-12-14t21:59:43.10-05:00"] {
        assert_eq!(value(text), NodeKind::Date(text.into()));
    }
    for text in ["2026-1-2", "2026-11", "2026-11-21x", "2026-11-21 20:00"] {
        assert_eq!(value(text), NodeKind::Text(text.into()));
    }
}

#[test]
fn block_texts_keep_their_lines() {
    assert_eq!(value("|\n  a\n  b"), NodeKind::Text("a\nb\n".into()));
    assert_eq!(value(">-\n  a\n  b"), NodeKind::Text("a b".into()));
}

#[test]
fn merges_put_the_own_keys_last() {
    let text = "base: &b {x: 1, y: 2}\nmore: &m {y: 3, z: 4}\nuse:\n  w: 0\n  <<: [*b, *m]\n  x: 9\n";
    let (node, findings) = read(text);
    assert!(findings.is_empty(), "{findings:?}");
    assert_eq!(node.unwrap().get("use").unwrap().to_value().to_string(), r#"{"y":2,"z":4,"x":9,"w":0}"#);
}

#[test]
fn a_quoted_merge_key_is_a_key() {
    let (node, _) = read("k: {'<<': 1}\n");
    assert_eq!(node.unwrap().to_value().to_string(), r#"{"k":{"<<":1}}"#);
}

#[test]
fn the_last_of_two_equal_keys_wins_at_the_place_of_the_first() {
    let source = Source::new("t", "a: 1\nb: 2\na: 3\n");
    let (node, findings) = parse(&source, Limits::default());
    assert_eq!(node.unwrap().to_value().to_string(), r#"{"a":3,"b":2}"#);
    let lines: Vec<_> = findings[0].labels.iter().map(|label| source.position(label.span.start).line).collect();
    assert_eq!((findings.len(), findings[0].code, lines), (1, "yaml.duplicate-key", vec![3, 1]));
    assert!(!findings[0].is_error());
}

#[test]
fn every_value_knows_its_place() {
    let text = "über: {ä: [eins, 'zwei'], b: &x 3}\nlist:\n- one\n-  k: *x\nlast: end\n";
    let (node, _) = read(text);
    let node = node.unwrap();
    let at = |node: &Node| text[node.span.start..node.span.end].to_owned();
    let flow = node.get("über").unwrap();
    assert_eq!(at(flow), "{ä: [eins, 'zwei'], b: &x 3}");
    assert_eq!(at(&flow.get("ä").unwrap().as_list().unwrap()[1]), "'zwei'");
    let list = node.get("list").unwrap();
    assert_eq!(at(list), "one\n-  k: *x");
    assert_eq!(at(list.as_list().unwrap()[1].get("k").unwrap()), "*x");
    assert_eq!(at(node.get("last").unwrap()), "end");
    let key = &node.entry("last").unwrap().0;
    assert_eq!(&text[key.span.start..key.span.end], "last");
}

#[test]
fn what_is_no_document_is_one_clear_error() {
    for (text, expected) in [
        ("", "yaml.empty 1:1"),
        ("# only a comment\n", "yaml.empty 1:1"),
        ("~\n", "yaml.empty 1:1"),
        ("- a\n- b\n", "yaml.root 1:1"),
        ("just text", "yaml.root 1:1"),
        ("a: 1\n---\nb: 2\n", "yaml.documents 2:1"),
        ("a: [1, 2\n", "yaml.syntax 2:1"),
        ("a: *nowhere\n", "yaml.syntax 1:4"),
        ("a: &x [*x]\n", "yaml.syntax 1:8"),
        ("a: !secret 1\n", "yaml.tag 1:4"),
        ("a: !!int x\n", "yaml.tag 1:4"),
        ("a: !!python/object:os.system {}\n", "yaml.tag 1:4"),
        ("a: {NAME}: 1\n", "yaml.syntax 1:10"),
        ("{a: 1}: b\n", "yaml.key 1:1"),
        ("a: {<<: 3}\n", "yaml.merge 1:9"),
        ("%YAML 9.9 x\n---\na: 1\n", "yaml.syntax 1:1"),
    ] {
        assert_eq!(codes(text), [expected], "{text:?}");
    }
}

#[test]
fn explicit_document_marks_are_fine() {
    assert!(codes("---\na: 1\n...\n").is_empty());
    assert!(codes("%YAML 1.1\n---\na: 1\n").is_empty());
}

#[test]
fn aliases_cannot_blow_up_a_document() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let items = vec![format!("*a{}", level - 1); 10].join(", ");
        text += &format!("a{level}: &a{level} [{items}]\n");
    }
    let findings = codes(&text);
    assert!(findings.len() == 1 && findings[0].starts_with("yaml.nodes"), "{findings:?}");
}

#[test]
fn aliases_cannot_nest_too_deep() {
    let mut text = String::from("a0: &a0 [x]\n");
    for level in 1..150 {
        text += &format!("a{level}: &a{level} [*a{}]\n", level - 1);
    }
    let findings = codes(&text);
    assert!(findings.len() == 1 && findings[0].starts_with("yaml.nesting"), "{findings:?}");
}

#[test]
fn ten_megabytes_of_nesting_are_one_error() {
    let size = 10_000_000;
    let texts = ["[".repeat(size), "{a: ".repeat(size / 4), "- ".repeat(size / 2), "? ".repeat(size / 2)];
    for text in texts {
        let (_, findings) = read(&text);
        assert_eq!((findings.len(), findings[0].code, findings[0].labels.len()), (1, "yaml.size", 0));
        let (node, findings) = parse(&Source::new("t", text.as_str()), Limits { bytes: 1 << 30, ..Limits::default() });
        assert!(node.is_none());
        assert_eq!(findings.iter().map(|finding| finding.code).collect::<Vec<_>>(), ["yaml.nesting"]);
    }
    let mut text = String::new();
    for level in 0..3000 {
        text += &format!("{:level$}a:\n", "");
    }
    let (_, findings) = parse(&Source::new("t", text), Limits { bytes: 1 << 30, ..Limits::default() });
    assert_eq!(findings.iter().map(|finding| finding.code).collect::<Vec<_>>(), ["yaml.nesting"]);
}

#[test]
fn bytes_must_be_utf8() {
    let error = Source::from_bytes("t", b"a: 1\nb: \xff\n".to_vec()).unwrap_err();
    assert_eq!(
        (error.code, error.message.as_str()),
        ("yaml.encoding", "line 2, byte 9: the document is not UTF-8 text")
    );
    let source = Source::from_bytes("t", b"\xef\xbb\xbfa: 1\n".to_vec()).unwrap();
    assert_eq!(source.text(), "a: 1\n");
}
