//! Recording and reading back.

use std::fs;

use convoke_journal::{Body, FILE_NAME, Health, Journal, LogLevel, ReadError, Reader, Recorder};
use proptest::prelude::*;

use crate::support::{Keep, block_on, console, read, run_started};

fn log(text: &str) -> Body {
    Body::Log { level: LogLevel::Info, text: text.into() }
}

fn texts(events: &[convoke_journal::Event]) -> Vec<String> {
    let text = |body: &Body| match body {
        Body::Log { text, .. } => Some(text.clone()),
        _ => None,
    };
    events.iter().filter_map(|event| text(&event.body)).collect()
}

#[test]
fn what_is_recorded_is_read_back_and_seen_by_views_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, recorder) = Journal::create(dir.path()).unwrap();
    let view = Keep::default();
    journal.subscribe(Box::new(view.clone()));
    recorder.group(run_started());
    let threads: Vec<_> = (0..4)
        .map(|member| {
            let recorder = recorder.clone();
            std::thread::spawn(move || {
                for number in 0..500 {
                    recorder.member(member, log(&number.to_string()));
                    block_on(recorder.console(member, format!("{number}\r\n").as_bytes()));
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    journal.close().unwrap();
    recorder.group(log("after the end"));
    let events = read(dir.path());
    assert_eq!(*view.0.lock().unwrap(), events);
    assert!(events.iter().enumerate().all(|(number, event)| event.seq == number as u64));
    assert!(events.windows(2).all(|pair| pair[0].elapsed_ns <= pair[1].elapsed_ns));
    let expected: String = (0..500).map(|number| format!("{number}\r\n")).collect();
    for member in 0..4 {
        assert_eq!(String::from_utf8(console(&events, member)).unwrap(), expected);
    }
    assert_eq!(texts(&events).len(), 2000);
}

#[test]
fn console_pieces_keep_their_place_among_the_members_other_events() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, recorder) = Journal::create(dir.path()).unwrap();
    recorder.group(run_started());
    for piece in ["a", "b"] {
        block_on(recorder.console(0, piece.as_bytes()));
        block_on(recorder.console(1, piece.as_bytes()));
    }
    recorder.member(0, log("mark"));
    block_on(recorder.console(0, b"c"));
    journal.close().unwrap();
    let events = read(dir.path());
    let mark = events.iter().position(|event| matches!(event.body, Body::Log { .. })).unwrap();
    assert_eq!(console(&events[..mark], 0), b"ab");
    assert_eq!(console(&events[mark..], 0), b"c");
    assert_eq!(console(&events, 1), b"ab");
}

#[test]
fn a_flood_is_held_back_but_other_members_are_not() {
    // A view that does not return until it is told to: nothing leaves the queue.
    struct Gate(std::sync::mpsc::Receiver<()>);
    impl convoke_journal::View for Gate {
        fn event(&mut self, event: &convoke_journal::Event) {
            if matches!(event.body, Body::Log { .. }) {
                let _ = self.0.recv();
            }
        }
        fn finish(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let (journal, recorder) = Journal::create(dir.path()).unwrap();
    let (open, gate) = std::sync::mpsc::channel();
    journal.subscribe(Box::new(Gate(gate)));
    recorder.group(run_started());
    recorder.group(log("stop here"));
    let chunk = vec![b'x'; 4096];
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    // At most twice the limit: one lot may have been taken before the gate closed.
    let most = 2 * convoke_journal::recorder::CONSOLE_LIMIT / chunk.len() + 2;
    let held = (0..most).any(|_| Box::pin(recorder.console(0, &chunk)).as_mut().poll(&mut context).is_pending());
    assert!(held, "a console that floods has to wait");
    assert!(Box::pin(recorder.console(1, &chunk)).as_mut().poll(&mut context).is_ready());
    open.send(()).unwrap();
    block_on(recorder.console(0, b"end"));
    journal.close().unwrap();
    assert!(console(&read(dir.path()), 0).ends_with(b"xend"));
}

#[test]
fn secrets_are_masked_in_texts_and_across_console_pieces() {
    let recorder = Recorder::for_tests();
    recorder.mask(vec!["hunter2".into()]);
    recorder.member(0, log("password hunter2"));
    for piece in ["pass: hun", "ter", "2 hunt", "ing hunte"] {
        block_on(recorder.console(0, piece.as_bytes()));
        recorder.member(0, log("between"));
    }
    recorder.member(0, Body::MemberEnded { health: Health::Complete, failure: None });
    let events = recorder.events();
    assert_eq!(texts(&events)[0], "password [MASKED]");
    assert_eq!(String::from_utf8(console(&events, 0)).unwrap(), "pass: [MASKED] hunting hunte");
    let definition = serde_json::json!({"secrets": {"key": "hunter2"}, "list": ["x hunter2"], "n": 7});
    recorder.member(0, Body::Definition { definition });
    let Body::Definition { definition } = recorder.events().pop().unwrap().body else { panic!() };
    assert_eq!(definition.to_string(), r#"{"secrets":{"key":"[MASKED]"},"list":["x [MASKED]"],"n":7}"#);
}

#[test]
fn a_torn_last_line_is_dropped_with_a_note() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, recorder) = Journal::create(dir.path()).unwrap();
    recorder.group(run_started());
    recorder.group(log("kept"));
    recorder.group(log("torn"));
    journal.close().unwrap();
    let path = dir.path().join(FILE_NAME);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 5]).unwrap();
    let mut reader = Reader::open(&path).unwrap();
    let events: Vec<_> = reader.by_ref().map(Result::unwrap).collect();
    assert_eq!(texts(&events), ["kept"]);
    assert!(reader.torn());
}

#[test]
fn what_only_a_newer_writer_knows_is_skipped_but_a_newer_version_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE_NAME);
    let first = serde_json::to_string(&convoke_journal::Event {
        seq: 0,
        at: jiff_now(),
        elapsed_ns: 0,
        member: None,
        body: run_started(),
    })
    .unwrap();
    let newer = r#"{"seq":1,"at":"2026-01-01T00:00:00Z","elapsed_ns":5,"event":"tea-break","sugar":2}
{"seq":2,"at":"2026-01-01T00:00:00Z","elapsed_ns":5,"event":"log","level":"whisper","text":"x"}
{"seq":3,"at":"2026-01-01T00:00:00Z","elapsed_ns":5,"event":"log","level":"info","text":"known","colour":"red"}
"#;
    fs::write(&path, format!("{first}\n{newer}")).unwrap();
    let mut reader = Reader::open(&path).unwrap();
    let events: Vec<_> = reader.by_ref().map(Result::unwrap).collect();
    assert_eq!((texts(&events), reader.skipped(), reader.torn()), (vec!["known".to_owned()], 2, false));

    fs::write(&path, format!("{}\n", first.replace("\"version\":1", "\"version\":2"))).unwrap();
    let error = Reader::open(&path).unwrap().next().unwrap().unwrap_err();
    assert!(matches!(error, ReadError::Newer { found: 2, .. }), "{error}");
    for (content, says) in [("", "empty"), ("{\"event\":\"log\"}\n", "begins with run-started"), ("PK\u{3}\n", ":1:")] {
        fs::write(&path, content).unwrap();
        let error = Reader::open(&path).unwrap().next().unwrap().unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}

fn jiff_now() -> jiff::Timestamp {
    "2026-11-21T19:31:03.646690Z".parse().unwrap()
}

#[test]
fn a_finished_run_is_not_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    Journal::create(dir.path()).unwrap().0.close().unwrap();
    let error = Journal::create(dir.path()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
    assert!(error.to_string().contains(FILE_NAME));
}

#[test]
fn a_view_that_panics_leaves_the_others_alone() {
    struct Bad;
    impl convoke_journal::View for Bad {
        fn event(&mut self, _: &convoke_journal::Event) {
            panic!("a view with a bug")
        }
        fn finish(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let (journal, recorder) = Journal::create(dir.path()).unwrap();
    let keep = Keep::default();
    journal.subscribe(Box::new(Bad));
    journal.subscribe(Box::new(keep.clone()));
    recorder.group(run_started());
    recorder.group(log("still here"));
    let error = journal.close().unwrap_err();
    assert!(error.to_string().contains("panicked"), "{error}");
    assert_eq!(*keep.0.lock().unwrap(), read(dir.path()));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn any_bytes_and_texts_survive(
        items in prop::collection::vec((0u32..3, any::<bool>(), prop::collection::vec(any::<u8>(), 0..40), any::<String>()), 0..30),
        seconds in any::<f64>().prop_filter("a time", |s| s.is_finite()),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let (journal, recorder) = Journal::create(dir.path()).unwrap();
        let view = Keep::default();
        journal.subscribe(Box::new(view.clone()));
        recorder.group(run_started());
        let mut bytes = [const { Vec::new() }; 3];
        for (member, is_console, chunk, text) in items {
            if is_console {
                block_on(recorder.console(member, &chunk));
                bytes[member as usize].extend(chunk);
            } else {
                recorder.member(member, log(&text));
                let ended = Body::ActionEnded {
                    level: "1".into(), name: text, duration_s: seconds, namespace: "common".into(), failure: None,
                };
                recorder.member(member, ended);
            }
        }
        journal.close().unwrap();
        let events = read(dir.path());
        prop_assert_eq!(&*view.0.lock().unwrap(), &events);
        for member in 0..3 {
            prop_assert_eq!(&console(&events, member), &bytes[member as usize]);
        }
    }
}
