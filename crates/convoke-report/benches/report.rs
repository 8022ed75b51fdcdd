//! How long a report of 50 members and 100,000 lines takes to write, and to open in Chromium.
//!
//! `-- --huge` measures 200 members and 1,000,000 lines. `-- --write DIR` writes the journal and its report there instead, to
//! be looked at. `-- --picture REPORT OUT WIDTHxHEIGHT
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
    let is_huge = arguments.iter().any(|word| word == "--huge");
    let (size, runs) = if is_huge { (large::HUGE, 1) } else { (large::LARGE, RUNS) };
    if let Some(place) = arguments.iter().position(|word| word == "--write") {
        let dir = Path::new(&arguments[place + 1]);
        std::fs::create_dir_all(dir).unwrap();
        write(dir, size);
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
    for _ in 0..runs {
        written.push(write(dir.path(), size));
    }
    let size = |name: &str| std::fs::metadata(dir.path().join(name)).unwrap().len() as f64 / 1e6;
    println!(
        "journal {:.1} MB, report {:.1} MB, {runs} runs; median (least … most)",
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
    for _ in 0..runs {
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
    for (name, step) in STEPS {
        let frames = chromium.eval(&FRAMES.replace("STEP", step));
        let frames: Vec<f64> = frames.as_array().unwrap().iter().filter_map(serde_json::Value::as_f64).collect();
        line(&format!("{name}: busy main thread for a frame"), frames.into_iter());
    }
    let searched = chromium.eval(SEARCH);
    line("a search in all lines", searched.as_array().unwrap().iter().filter_map(serde_json::Value::as_f64));
}

/// What is done for a frame: `n` counts, `lanes` and `log` are the elements, `box` is where the lanes are.
const STEPS: [(&str, &str); 4] = [
    ("zoom by wheel", "turn({ deltaY: n < 30 ? -60 : 60, ctrlKey: true })"),
    ("move along the axis", "turn({ deltaX: n % 20 < 10 ? 60 : -60, deltaY: 0 })"),
    ("scroll the lanes", "lanes.scrollTop += n < 30 ? 25 : -25"),
    ("scroll the log", "log.scrollTop += 3000"),
];

/// The time from the beginning of a step to the end of the work of its frame, drawing included.
const FRAMES: &str = "(async () => { const lanes = document.getElementById('lanes'); const log = document.getElementById('log'); const out = []; \
    const box = lanes.getBoundingClientRect(); const turn = (more) => lanes.dispatchEvent(new WheelEvent('wheel', \
    { clientX: box.left + 700, clientY: box.top + 120, bubbles: true, cancelable: true, ...more })); \
    for (let n = 0; n < 60; n += 1) { await new Promise((done) => requestAnimationFrame(() => setTimeout(done))); \
    const start = performance.now(); STEP; let busy = performance.now() - start; \
    await new Promise((done) => requestAnimationFrame((frame) => { const channel = new MessageChannel(); \
    channel.port1.onmessage = () => { busy += performance.now() - frame; done(); }; channel.port2.postMessage(0); })); \
    out.push(busy); } return out; })()";

/// Searches; each until its matches are counted.
const SEARCH: &str = "(async () => { const find = document.getElementById('find'); const out = []; \
    for (const text of ['transferred', 'queue 3 is', '/unit-0[0-9a-f]+/', 'nowhere at all']) { const start = performance.now(); \
    const said = document.getElementById('found').textContent; find.value = text; find.dispatchEvent(new Event('input')); \
    await new Promise((done) => { const look = () => document.getElementById('found').textContent !== said ? done() : requestAnimationFrame(look); look(); }); \
    out.push(performance.now() - start); } return out; })()";

/// Writes the files; milliseconds for reading and telling, for the page, for the trace.
fn write(dir: &Path, size: large::Size) -> (f64, f64, f64) {
    let journal = dir.join(FILE_NAME);
    if !journal.exists() {
        std::fs::write(&journal, large::journal(size)).unwrap();
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
