//! How long a report of 50 members and 100,000 lines takes to write, and to open in Chromium.
//!
//! `-- --write DIR` writes the journal and its report there instead, to be looked at. `-- --picture REPORT OUT WIDTHxHEIGHT
//! [light|dark] [FRAGMENT]` takes a picture of a report.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods, missing_docs, unused)]

#[path = "../tests/it/browser.rs"]
mod browser;
#[path = "../tests/it/large.rs"]
mod large;

use std::path::Path;
use std::time::Instant;

use convoke_journal::{FILE_NAME, Reader};
use convoke_report::{Teller, page, trace};

const RUNS: usize = 7;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(place) = arguments.iter().position(|word| word == "--write") {
        let dir = Path::new(&arguments[place + 1]);
        std::fs::create_dir_all(dir).unwrap();
        write(dir);
        return;
    }
    if let Some(place) = arguments.iter().position(|word| word == "--picture") {
        let rest = &arguments[place + 1..];
        let (width, height) = rest[2].split_once('x').unwrap();
        let (width, height) = (width.parse().unwrap(), height.parse().unwrap());
        let dark = rest.get(3).is_some_and(|word| word == "dark");
        let screen = browser::Screen { width, height, dark, touch: width < 500 };
        let mut chromium = browser::Browser::start();
        let file = Path::new(&rest[0]).canonicalize().unwrap();
        chromium.open(&file, rest.get(4).map_or("", String::as_str), screen);
        if let Some(script) = rest.get(5) {
            chromium.eval(script);
            chromium.settle();
        }
        std::fs::write(&rest[1], chromium.picture()).unwrap();
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut written = Vec::new();
    for _ in 0..RUNS {
        written.push(write(dir.path()));
    }
    let size = |name: &str| std::fs::metadata(dir.path().join(name)).unwrap().len() as f64 / 1e6;
    println!(
        "journal {:.1} MB, report {:.1} MB, {RUNS} runs; median (least … most)",
        size(FILE_NAME),
        size("report.html")
    );
    line("the journal read and the story told", written.iter().map(|times| times.0));
    line("the page written", written.iter().map(|times| times.1));
    line("both", written.iter().map(|times| times.0 + times.1));
    line("the trace made", written.iter().map(|times| times.2));
    let mut chromium = browser::Browser::start();
    chromium.call("Performance.enable", serde_json::json!({"timeDomain": "threadTicks"}));
    let mut opened = Vec::new();
    let mut worked: Vec<[f64; 4]> = Vec::new();
    for _ in 0..RUNS {
        chromium.open(&dir.path().join("report.html"), "", browser::DESK);
        let metrics = chromium.call("Performance.getMetrics", serde_json::json!({}));
        let metric = |name: &str| {
            let all = metrics["metrics"].as_array().unwrap();
            all.iter().find(|metric| metric["name"] == name).and_then(|metric| metric["value"].as_f64()).unwrap() * 1e3
        };
        worked.push(["TaskDuration", "ScriptDuration", "LayoutDuration", "RecalcStyleDuration"].map(metric));
        // From the navigation to the first frame after everything has been drawn.
        let times = chromium.eval(
            "(() => { const n = performance.getEntriesByType('navigation')[0]; \
             return [n.loadEventEnd, performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0]; })()",
        );
        let number = |place: usize| times[place].as_f64().unwrap_or(0.0);
        opened.push((number(0), number(1)));
    }
    line("opened in Chromium: loaded, timeline and log drawn", opened.iter().map(|times| times.0));
    for (place, name) in ["in all", "scripts", "layout", "style"].iter().enumerate() {
        line(&format!("processor time of the page's thread: {name}"), worked.iter().map(|times| times[place]));
    }
    line("first paint", opened.iter().map(|times| times.1));
    let frames = chromium.eval(FRAMES);
    let frames: Vec<f64> = frames.as_array().unwrap().iter().filter_map(serde_json::Value::as_f64).collect();
    line("one step of zoom: work of its frame", frames.into_iter());
    let searched = chromium.eval(SEARCH);
    line("a search in all lines", searched.as_array().unwrap().iter().filter_map(serde_json::Value::as_f64));
}

/// Steps of zoom by wheel; the time from the event to the end of the frame's work.
const FRAMES: &str = "(async () => { const lanes = document.getElementById('lanes'); const out = []; \
    const box = lanes.getBoundingClientRect(); \
    for (let step = 0; step < 60; step += 1) { const start = performance.now(); \
    lanes.dispatchEvent(new WheelEvent('wheel', { deltaY: step < 30 ? -60 : 60, ctrlKey: true, clientX: box.left + 700, clientY: box.top + 120, bubbles: true, cancelable: true })); \
    let busy = 0; await new Promise((done) => requestAnimationFrame((frame) => { const before = performance.now(); queueMicrotask(() => { busy = performance.now() - frame; done(); }); })); \
    out.push(Math.max(busy, 0)); } return out; })()";

/// Searches; each until its matches are counted.
const SEARCH: &str = "(async () => { const find = document.getElementById('find'); const out = []; \
    for (const text of ['transferred', 'queue 3 is', '/unit-0[0-9a-f]+/', 'nowhere at all']) { const start = performance.now(); \
    const said = document.getElementById('found').textContent; find.value = text; find.dispatchEvent(new Event('input')); \
    await new Promise((done) => { const look = () => document.getElementById('found').textContent !== said ? done() : requestAnimationFrame(look); look(); }); \
    out.push(performance.now() - start); } return out; })()";

/// Writes the files; milliseconds for reading and telling, for the page, for the trace.
fn write(dir: &Path) -> (f64, f64, f64) {
    let journal = dir.join(FILE_NAME);
    if !journal.exists() {
        std::fs::write(&journal, large::journal()).unwrap();
    }
    let start = Instant::now();
    let mut teller = Teller::default();
    for event in Reader::open(&journal).unwrap() {
        teller.event(&event.unwrap());
    }
    let story = teller.end();
    let told = start.elapsed();
    std::fs::write(dir.join("report.html"), page::render(&story)).unwrap();
    let written = start.elapsed();
    std::fs::write(dir.join("trace.pftrace"), trace::render(&story)).unwrap();
    let ms = |duration: std::time::Duration| duration.as_secs_f64() * 1e3;
    (ms(told), ms(written - told), ms(start.elapsed() - written))
}

fn line(name: &str, values: impl Iterator<Item = f64>) {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    println!("{name}: {:.1} ms ({:.1} … {:.1})", sorted[sorted.len() / 2], sorted[0], sorted[sorted.len() - 1]);
}
