//! Every view over the same small run.
#![allow(clippy::unwrap_used)]

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use convoke_journal::{Event, Reader, RunModel, View};

use super::live::Screen;
use super::style::Paint;
use super::*;

fn events() -> Vec<Event> {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../convoke-journal/tests/fixtures/two-members.jsonl");
    Reader::open(&fixture).unwrap().map(Result::unwrap).collect()
}

#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl io::Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Screen for Paper {
    fn size(&self) -> (u16, u16) {
        (24, 80)
    }
}

fn shown(view: impl FnOnce(Paper) -> Box<dyn View>) -> String {
    let paper = Paper::default();
    let mut view = view(paper.clone());
    events().iter().for_each(|event| view.event(event));
    view.finish().unwrap();
    String::from_utf8(paper.0.lock().unwrap().clone()).unwrap()
}

#[test]
fn plain_lines() {
    insta::assert_snapshot!(shown(|paper| Box::new(Plain::new(paper, Level::Info, Paint(false), None))));
}

#[test]
fn plain_lines_with_everything() {
    insta::assert_snapshot!(shown(|paper| Box::new(Plain::new(paper, Level::Debug, Paint(false), None))));
}

#[test]
fn json_lines_are_the_journal() {
    let text = shown(|paper| Box::new(Json::new(paper)));
    let back: Vec<Event> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(back, events());
}

#[test]
fn lava_lines_name_the_member() {
    let text = shown(|paper| Box::new(Lava::new(paper)));
    insta::assert_snapshot!(text.lines().take(24).collect::<Vec<_>>().join("\n"));
}

#[test]
fn the_summary_tells_cause_from_consequence() {
    let dir = "convoke-runs/x".to_owned();
    let text = shown(|paper| Box::new(Plain::new(paper, Level::Error, Paint(false), Some(dir))));
    insta::assert_snapshot!(text);
}

#[test]
fn the_status_block_says_who_waits_for_whom() {
    let mut model = RunModel::default();
    let mut blocks = Vec::new();
    for event in events() {
        model.apply(&event);
        if matches!(event.seq, 2 | 14 | 24 | 38 | 41 | 63) || event.elapsed_ns == 35_020_000_000 {
            let now = event.elapsed_ns + 3_000_000_000;
            blocks.push(frame::block(&model, (24, 80), now, Paint(false)).join("\n"));
        }
    }
    insta::assert_snapshot!(blocks.join("\n\n"));
}

#[test]
fn no_line_of_the_block_is_wider_than_the_terminal() {
    let mut model = RunModel::default();
    for event in events() {
        model.apply(&event);
        model.job_name = "名前 of a job that is rather long, and then some".into();
        for columns in [20, 33, 57, 80, 200] {
            for line in frame::block(&model, (24, columns), event.elapsed_ns, Paint(true)) {
                assert!(console::measure_text_width(&line) < usize::from(columns), "{columns}: {line:?}");
            }
        }
    }
}

#[test]
fn many_members_end_in_a_summary_line() {
    let mut events = events();
    if let convoke_journal::Body::RunStarted { members, .. } = &mut events[0].body {
        let first = members[1].clone();
        members.extend((2..50).map(|sub_id| convoke_journal::MemberInfo { sub_id, ..first.clone() }));
    }
    let mut model = RunModel::default();
    for event in events.iter().take(45) {
        model.apply(event);
    }
    assert_eq!(
        frame::block(&model, (60, 80), 5_000_000_000, Paint(false)).len(),
        1 + 50 + 2,
        "all, where there is room"
    );
    let block = frame::block(&model, (28, 80), 5_000_000_000, Paint(false));
    assert_eq!(block.len(), 1 + 20);
    insta::assert_snapshot!(format!("{}\n…\n{}", block[..4].join("\n"), block[18..].join("\n")));
}

#[test]
fn nothing_of_a_device_controls_the_terminal() {
    assert_eq!(style::safe("\x1b[2J\x1b]0;title\x07x\x08\ty\u{9b}31m"), "x^H    y");
    assert_eq!(style::safe(" 10%\r 50%\r100%\r"), "100%");
    assert_eq!(style::safe("plain ✓"), "plain ✓");
}
