//! The page as people meet it: in a browser, on a phone, on paper, without scripts.

use std::path::PathBuf;
use std::process::Command;

use convoke_journal::{Body, Event};
use convoke_report::{Story, page};
use serde_json::Value;
use tempfile::TempDir;

use crate::browser::{Browser, DESK, PHONE, Screen};
use crate::small::{FIRST, HOSTILE, SERVER};
use crate::{large, small};

/// A page on disk.
struct Page {
    browser: Browser,
    file: PathBuf,
    _dir: TempDir,
}

impl Page {
    fn of(events: &[Event]) -> Page {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("report.html");
        std::fs::write(&file, page::render(&Story::of(events))).unwrap();
        Page { browser: Browser::start(), file, _dir: dir }
    }

    fn small(screen: Screen) -> Page {
        let mut page = Page::of(&small::events());
        page.open("", screen);
        page
    }

    fn open(&mut self, fragment: &str, screen: Screen) {
        self.browser.open(&self.file, fragment, screen);
    }

    #[track_caller]
    fn eval(&mut self, expression: &str) -> Value {
        self.browser.eval(expression)
    }

    #[track_caller]
    fn text(&mut self, selector: &str) -> String {
        let text = self.eval(&format!("document.querySelector('{selector}').innerText"));
        text.as_str().unwrap().to_owned()
    }

    #[track_caller]
    fn click_on(&mut self, pick: &str) {
        let place = self.eval(&format!("convoke.where('{pick}')"));
        self.browser.click(place["x"].as_f64().unwrap(), place["y"].as_f64().unwrap());
    }

    #[track_caller]
    fn now(&mut self, what: &str) -> Value {
        self.eval(&format!("convoke.now().{what}"))
    }
}

/// Index of a call of the small run in the story.
fn place_of(call_id: u64) -> usize {
    Story::of(&small::events()).calls.iter().position(|call| call.call_id == call_id).unwrap()
}

#[test]
fn it_loads_without_a_complaint_and_asks_no_network() {
    let mut page = Page::small(DESK);
    assert_eq!(page.now("lanes"), 3);
    assert!(page.eval("document.querySelectorAll('#log-rows .row').length").as_u64().unwrap() > 5);
    // Something was drawn: the canvas is not of one colour.
    let colours = page.eval(
        "(() => { const c = document.getElementById('canvas'); const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; \
         const s = new Set(); for (let i = 0; i < d.length; i += 4) s.add(d[i] << 16 | d[i + 1] << 8 | d[i + 2]); return s.size; })()",
    );
    assert!(colours.as_u64().unwrap() > 20, "{colours}");
    assert_eq!(page.browser.complaints(), [""; 0]);
}

#[test]
fn what_a_console_says_does_no_harm() {
    let events = small::events();
    let mut page = Page::small(DESK);
    page.browser.key("/");
    for text in ["window.harmed", "onerror", "turned", "quoted"] {
        page.eval(&format!(
            "(() => {{ const find = document.getElementById('find'); find.value = '{text}'; find.dispatchEvent(new Event('input')); }})()"
        ));
        page.browser.until("convoke.now().matches > 0");
        page.browser.settle();
    }
    assert!(page.eval("window.harmed === undefined").as_bool().unwrap());
    assert_eq!(page.eval("document.querySelectorAll('main img, main b b, main i i, #log script').length"), 0);
    assert_eq!(page.eval("document.title"), "Incomplete – a <b>small</b> run & more");
    // The texts are there as they came, for those who look.
    let log: Value =
        serde_json::from_str(page.eval("document.getElementById('log-data').textContent").as_str().unwrap()).unwrap();
    let texts: Vec<&str> = log["x"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    for line in HOSTILE {
        assert!(texts.contains(&line.trim_end_matches("\r\n")), "{line:?}");
    }
    // The parser met nothing that it took for markup of its own.
    let html = page::render(&Story::of(&events));
    assert_eq!(html.matches("</script>").count(), 3);
    assert!(!html.contains("<img") && !html.contains('\0') && !html.contains('\u{202e}') && !html.contains('\u{2028}'));
    assert_eq!(page.browser.complaints(), [""; 0]);
}

#[test]
fn a_click_on_a_wait_shows_the_log_at_that_instant() {
    let mut page = Page::small(DESK);
    let wait = format!("call:{}", place_of(4));
    page.click_on(&wait);
    assert_eq!(page.now("pick"), wait.as_str());
    // Its middle: 1,551 ms.
    let cursor = page.now("cursor").as_f64().unwrap();
    assert!((1_500_000.0..1_600_000.0).contains(&cursor), "{cursor}");
    let at = page.text("#log-rows .row.at");
    assert!(at.contains("server line 3"), "{at}");
    let detail = page.text("#detail");
    assert!(
        detail.contains("client.1: lava-wait ready")
            && detail.contains("waited 902 ms, for server; 1 more could have sent it"),
        "{detail}"
    );
    // From the wait to the send that ended it.
    page.eval("[...document.querySelectorAll('#detail button')].find((b) => b.textContent.includes('sent by server')).click()");
    page.browser.settle();
    assert!(page.text("#detail").contains("server: lava-send ready"));
    // A click on a line of the log puts the cursor there.
    page.eval("document.querySelector('#log-rows .row').click()");
    page.browser.settle();
    assert!(page.now("cursor").as_f64().unwrap() < 2_000_000.0 && page.now("pick").is_null());
}

#[test]
fn the_address_names_an_instant_and_finds_it_again() {
    let mut page = Page::small(DESK);
    let sync = format!("call:{}", place_of(7));
    page.click_on(&sync);
    page.eval("document.getElementById('zoom-in').click()");
    page.browser.until("location.hash.includes('z=')");
    let hash = page.eval("location.hash").as_str().unwrap().to_owned();
    let before = page.now("cursor").as_f64().unwrap();
    page.open(&hash, DESK);
    assert_eq!(page.now("pick"), sync.as_str());
    assert!((page.now("cursor").as_f64().unwrap() - before).abs() < 2.0);
    assert!(page.now("from").as_f64().unwrap() > 0.0);
    // Tables lead to instants too.
    page.eval("document.querySelector('.first .at').click()");
    page.browser.until("convoke.now().cursor === 3000000");
}

#[test]
fn the_first_failure_is_one_sentence_with_who_waited_for_whom() {
    let mut page = Page::small(DESK);
    let told = page.text(".first");
    let wanted = "First failure: server at 3.000 s: the <device> is gone Infrastructure error\n\n\
        Who waited for server: client.1 in lava-sync end (501 ms).\n";
    assert!(told.starts_with(wanted), "{told}");
    // The log is open where it happened.
    assert!(page.text("#log-rows .row.at").contains("3.0000"), "{}", page.text("#log-rows .row.at"));
    assert!(page.now("cursor").is_null());
    // Names of the MultiNode API become labels, and what was said already is not said again.
    let mut events = small::events();
    for event in &mut events {
        match &mut event.body {
            Body::CallAnswered { ok: false, reason, .. } => {
                *reason = Some("lava-sync end of 1002 (client) can no longer be satisfied: 1001 (server) left without arriving: its test failed: the <device> is gone; the console's last lines: one | two".into());
            }
            Body::MemberEnded { failure: Some(failure), .. }
            | Body::RunEnded { first_failure: Some((_, failure)), .. }
                if !failure.consequence =>
            {
                failure.message = "the <device> is gone; the console's last lines: one | two".into();
            }
            _ => {}
        }
    }
    let mut page = Page::of(&events);
    page.open("", DESK);
    assert_eq!(page.text(".first .last"), "one\ntwo");
    assert!(page.text(".first h2").contains("the <device> is gone Infrastructure"));
    page.eval("document.querySelector('.told summary').click()");
    let told = page.text(".told li");
    assert_eq!(
        told,
        "3.001 s client.1 lava-sync end of client.1 can no longer be satisfied: server left without arriving: its test failed"
    );
    assert_eq!(page.browser.complaints(), [""; 0]);
}

#[test]
fn a_run_that_was_cut_off_says_who_waited_then() {
    let mut events = small::events();
    let end = events.iter().position(|event| matches!(&event.body, Body::CallAnswered { call_id: 4, .. })).unwrap();
    events.truncate(end);
    let html = page::render(&Story::of(&events));
    let wanted = "Then these waited: <b>client.1</b> for server, client.2, in <a class=\"at\"";
    assert!(
        html.contains(wanted),
        "{}",
        html.split("class=\"note\"").nth(1).unwrap_or_default().get(..500).unwrap_or_default()
    );
}

#[test]
fn filters_and_search() {
    let mut page = Page::small(DESK);
    let all = page.now("lines").as_u64().unwrap();
    page.eval("document.querySelectorAll('#pick-members input')[0].click()");
    page.browser.settle();
    assert_eq!(page.now("lanes"), 2);
    assert!(page.now("lines").as_u64().unwrap() < all);
    let who = page
        .eval("[...new Set([...document.querySelectorAll('#log-rows .who')].map((who) => who.textContent))].sort()");
    assert_eq!(who, serde_json::json!(["client.1", "client.2", "group"]));
    page.eval(
        "[...document.querySelectorAll('#pick-levels label')].find((l) => l.textContent.includes('Console')).click()",
    );
    page.browser.settle();
    assert!(!page.text("#log-rows").contains("console"));
    assert_eq!(page.text("#pick-levels summary b"), "6 of 7");
    page.eval("[...document.querySelectorAll('#pick-members button')].find((b) => b.textContent === 'All').click()");
    page.eval(
        "[...document.querySelectorAll('#pick-levels label')].find((l) => l.textContent.includes('Console')).click()",
    );
    page.browser.settle();
    assert_eq!(page.now("lines").as_u64(), Some(all));
    // Typing searches; Enter steps; `only` leaves the rest out.
    page.browser.key("/");
    assert_eq!(page.eval("document.activeElement.id"), "find");
    page.browser.type_text("server line 1");
    page.browser.until("convoke.now().matches === 11");
    page.browser.key("Enter");
    page.browser.key("Enter");
    let at = page.text("#log-rows .row.at");
    assert!(at.contains("server line 10"), "{at}");
    assert!(page.eval("document.querySelector('.row.at mark').textContent") == "server line 1");
    page.eval("document.getElementById('find-only').click()");
    page.browser.settle();
    assert_eq!(page.now("lines"), 11);
    page.eval("document.getElementById('find').select()");
    page.browser.type_text("/line [0-9]$/");
    page.browser.until("convoke.now().matches === 10");
}

#[test]
fn the_keyboard_does_everything() {
    let mut page = Page::small(DESK);
    page.eval("document.getElementById('lanes').focus()");
    page.browser.key("ArrowDown");
    assert_eq!(page.now("lane"), SERVER);
    page.browser.key("ArrowDown");
    assert_eq!(page.now("lane"), FIRST);
    page.browser.key(".");
    assert_eq!(page.now("pick"), "stage:1:0");
    page.browser.key(".");
    page.browser.key(".");
    page.browser.key(".");
    assert_eq!(page.now("pick"), format!("call:{}", place_of(1)).as_str());
    page.browser.key("Enter");
    let (from, to) = (page.now("from").as_f64().unwrap(), page.now("to").as_f64().unwrap());
    assert!(from < 600_000.0 && to > 1_001_000.0 && to - from < 600_000.0, "{from} {to}");
    page.browser.key("ArrowRight");
    assert!(page.now("from").as_f64().unwrap() > from);
    page.browser.key("f");
    assert_eq!((page.now("from"), page.now("to")), (0.into(), 3_300_000.into()));
    page.browser.key("+");
    assert!(page.now("to").as_f64().unwrap() - page.now("from").as_f64().unwrap() < 3_300_000.0);
    page.browser.key("-");
    page.browser.key("e");
    assert_eq!(page.now("pick"), "case:1:0");
    page.browser.key("x");
    let open = page.eval("convoke.where('fail:2') === null && document.getElementById('lanes-room').offsetHeight");
    assert!(open.as_f64().unwrap() > 200.0);
    page.browser.key("?");
    assert!(page.eval("document.getElementById('help').open").as_bool().unwrap());
    page.eval("document.getElementById('help').close()");
    page.browser.key("t");
    assert_eq!(page.eval("document.documentElement.dataset.theme"), "dark");
    page.eval("document.getElementById('lanes').focus()");
    page.browser.key("Escape");
    assert!(page.now("cursor").is_null() && page.now("pick").is_null());
}

#[test]
fn the_wheel_scrolls_and_with_control_zooms_where_it_points() {
    let mut page = Page::small(DESK);
    let place = page.eval(&format!("convoke.where('call:{}')", place_of(5)));
    let (x, y) = (place["x"].as_f64().unwrap(), place["y"].as_f64().unwrap());
    page.browser.wheel(x, y, -400.0, true);
    page.browser.until("convoke.now().to - convoke.now().from < 3000000");
    let after = page.eval(&format!("convoke.where('call:{}').x", place_of(5))).as_f64().unwrap();
    assert!((after - x).abs() < 3.0, "what is under the pointer stays there: {x} {after}");
}

#[test]
fn colours_follow_the_system_and_are_readable() {
    let mut page = Page::small(DESK);
    let light = page.eval("getComputedStyle(document.body).backgroundColor");
    let wanted = "(() => { const rgb = (text) => text.match(/[\\d.]+/g).map(Number); \
        const light = ([r, g, b]) => { const f = (c) => { c /= 255; return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; }; return 0.2126 * f(r) + 0.7152 * f(g) + 0.0722 * f(b); }; \
        const ground = (e) => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if ((c[3] ?? 1) > 0.99) return c; } return [255, 255, 255]; }; \
        const bad = []; for (const e of document.querySelectorAll('body *')) { \
        if (![...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()) || !e.checkVisibility() || e.closest('svg, script, style, .sr, .skip')) continue; \
        if (e.disabled) continue; \
        const [a, b] = [light(rgb(getComputedStyle(e).color)), light(ground(e))]; \
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05); \
        if (ratio < 4.5) bad.push(`${e.className || e.tagName} ${e.textContent.slice(0, 20)} ${ratio.toFixed(2)}`); } return bad; })()";
    assert_eq!(page.eval(wanted), serde_json::json!([]));
    page.open("", Screen { dark: true, ..DESK });
    assert_ne!(page.eval("getComputedStyle(document.body).backgroundColor"), light);
    assert_eq!(page.eval(wanted), serde_json::json!([]));
    // The pairs that the canvas draws with.
    let pairs = "(() => { const s = getComputedStyle(document.documentElement); const c = document.createElement('canvas').getContext('2d'); \
        const light = (name) => { c.fillStyle = s.getPropertyValue(name); const n = parseInt(c.fillStyle.slice(1), 16); \
        const f = (v) => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }; return 0.2126 * f(n >> 16) + 0.7152 * f(n >> 8 & 255) + 0.0722 * f(n & 255); }; \
        return ['deploy', 'boot', 'test', 'command', 'finalize', 'assembling', 'action', 'wait', 'lost'].map((name) => { \
        const [a, b] = [light(`--${name}`), light(`--${name}-ink`)]; return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05); }).filter((r) => r < 4.5); })()";
    assert_eq!(page.eval(pairs), serde_json::json!([]));
}

#[test]
fn a_phone_shows_all_of_it_without_scrolling_sideways() {
    let mut page = Page::small(PHONE);
    fits_a_phone(&mut page);
    // What is to be touched is large enough.
    let small = page.eval(
        "[...document.querySelectorAll('.tools button, .menu > summary, nav button')].filter((e) => e.checkVisibility() && e.closest('.find') === null && e.getBoundingClientRect().height < 36).map((e) => e.id || e.textContent)",
    );
    assert_eq!(small, serde_json::json!([]));
    // A finger chooses as a mouse does.
    let place = page.eval(&format!("convoke.where('call:{}')", place_of(4)));
    page.browser.tap(place["x"].as_f64().unwrap(), place["y"].as_f64().unwrap());
    page.browser.until(&format!("convoke.now().pick === 'call:{}'", place_of(4)));
    assert_eq!(page.browser.complaints(), [""; 0]);
}

#[test]
fn a_pinch_zooms_around_the_fingers() {
    let mut page = Page::small(PHONE);
    let place = page.eval(&format!("convoke.where('call:{}')", place_of(5)));
    let (x, y) = (place["x"].as_f64().unwrap(), place["y"].as_f64().unwrap());
    let whole = page.now("to").as_f64().unwrap() - page.now("from").as_f64().unwrap();
    page.browser.pinch((x, y), 60.0, 180.0);
    let width = page.now("to").as_f64().unwrap() - page.now("from").as_f64().unwrap();
    assert!((0.25..0.45).contains(&(width / whole)), "three times as large: {width} of {whole}");
    let after = page.eval(&format!("convoke.where('call:{}').x", place_of(5))).as_f64().unwrap();
    assert!((after - x).abs() < 12.0, "what is between the fingers stays there: {x} {after}");
    page.browser.pinch((x, y), 180.0, 60.0);
    let back = page.now("to").as_f64().unwrap() - page.now("from").as_f64().unwrap();
    assert!((back / whole - 1.0).abs() < 0.1, "{back} of {whole}");
    // Neither did the page itself zoom, nor did the fingers choose anything.
    fits_a_phone(&mut page);
    assert!(page.now("pick").is_null() && page.now("cursor").is_null());
    assert_eq!(page.browser.complaints(), [""; 0]);
}

#[test]
fn what_the_browser_writes_goes_with_it() {
    let mut page = Page::small(DESK);
    let folder = page.browser.folder().to_owned();
    // Its folders and sockets are there, not beside it.
    assert!(std::fs::read_dir(&folder).unwrap().count() > 1);
    page.browser.pdf();
    drop(page);
    assert!(!folder.exists());
}

#[track_caller]
fn fits_a_phone(page: &mut Page) {
    assert_eq!(page.eval("document.documentElement.scrollWidth <= innerWidth"), true);
    assert_eq!(page.eval("visualViewport.scale"), 1);
}

#[test]
fn on_paper_there_are_the_lanes_and_the_results() {
    let mut page = Page::small(Screen { dark: true, ..DESK });
    let pdf = page.browser.pdf();
    assert!(pdf.starts_with(b"%PDF"));
    let file = page.file.with_extension("pdf");
    std::fs::write(&file, pdf).unwrap();
    let output = Command::new("pdftotext")
        .arg("-layout")
        .arg(&file)
        .arg("-")
        .output()
        .expect("pdftotext is there: cargo xtask setup");
    let text = String::from_utf8(output.stdout).unwrap();
    for wanted in
        ["Incomplete", "First failure: server", "client.1", "<i>fetch</i>", "12.5 MB/s", "lava-wait ready", "sandbox-2"]
    {
        assert!(text.contains(wanted), "{wanted} in\n{text}");
    }
    assert!(!text.contains("Search the log"), "{text}");
}

#[test]
fn without_scripts_it_still_tells_the_run() {
    let mut page = Page::small(DESK);
    page.browser.call("Emulation.setScriptExecutionDisabled", serde_json::json!({"value": true}));
    let file = page.file.clone();
    page.browser.load(&file, "", DESK);
    // Tables far below are laid out when they come near, and are no text on the screen before.
    let tables = page.eval("[...document.querySelectorAll('table')].map(table => table.textContent).join(' ')");
    let text = page.text("body") + tables.as_str().unwrap();
    for wanted in ["First failure: server", "the <device> is gone", "<i>fetch</i>", "lava-sync up", "sandbox-1"] {
        assert!(text.contains(wanted), "{wanted} in\n{text}");
    }
    assert!(page.eval("document.querySelector('#picture svg').checkVisibility()").as_bool().unwrap());
    assert!(!page.eval("document.getElementById('work').checkVisibility()").as_bool().unwrap());
}

#[test]
fn fifty_members_and_a_hundred_thousand_lines_are_drawn_a_screenful_at_a_time() {
    let mut page = Page::of(&large::events(large::LARGE));
    page.open("", DESK);
    assert_eq!(page.now("lanes"), large::MEMBERS);
    assert!(page.now("lines").as_u64().unwrap() >= 100_000);
    let rows = "document.querySelectorAll('#log-rows .row').length";
    assert!(page.eval(rows).as_u64().unwrap() < 100);
    page.eval("(() => { const log = document.getElementById('log'); log.scrollTop = log.scrollHeight; })()");
    page.browser.until("document.querySelector('#log-rows').innerText.includes('run ended: Incomplete')");
    assert!(page.eval(rows).as_u64().unwrap() < 100);
    // The lanes scroll in a window of their own, their canvas is no larger than it.
    assert!(page.eval("document.getElementById('canvas').height < 1000").as_bool().unwrap());
    page.eval("document.getElementById('lanes').focus()");
    page.browser.key("e");
    assert!(!page.now("pick").is_null());
    page.open("", PHONE);
    fits_a_phone(&mut page);
    assert_eq!(page.browser.complaints(), [""; 0]);
}

#[test]
fn a_planned_flow_stands_beside_what_happened() {
    let mut events = small::events();
    // As the flow table is in JSON.
    let flow = serde_json::json!({
        "version": 1, "job": "j", "tense": "planned", "rows": 3, "notes": [{"about": "unknown", "text": "depends on x"}],
        "columns": [{"label": "server", "role": "server", "members": [0]}, {"label": "client ×2", "role": "client", "members": [1, 2]}],
        "cells": [
            {"column": 0, "row": 0, "until": 0, "kind": "sync", "id": "up", "text": "lava-sync up", "end": "done"},
            {"column": 1, "row": 0, "until": 0, "kind": "sync", "id": "up", "text": "lava-sync up", "end": "done"},
            {"column": 1, "row": 1, "until": 2, "kind": "wait-all", "id": "<ready>", "text": "lava-wait-all <ready>", "end": "done"},
            {"column": 0, "row": 2, "until": 2, "kind": "send", "id": "ready", "text": "lava-send ready", "end": "never"},
            {"column": 0, "row": 2, "until": 2, "kind": "sync", "id": "perhaps", "text": "lava-sync perhaps", "end": "unknown", "notes": [0]},
            {"column": 0, "row": 2, "until": 2, "kind": "send", "id": "bye", "text": "lava-send bye", "end": "done"},
        ],
    });
    events[1].member = None;
    events[1].body = Body::Planned { flow };
    let mut page = Page::of(&events);
    page.open("", DESK);
    assert_eq!(page.text("#flow figure:first-child figcaption"), "Planned");
    let rows = page.eval(
        "[...document.querySelectorAll('#flow figure:first-child tbody tr')].map((r) => [...r.cells].map((c) => c.innerText + (c.className && ` (${c.className})`)))",
    );
    let wanted = serde_json::json!([
        ["lava-sync up", "lava-sync up"],
        ["", "lava-wait-all <ready>"],
        ["lava-send ready\nlava-sync perhaps\nlava-send bye", " (held)"],
    ]);
    assert_eq!(rows, wanted);
    // What happened beside it: where a member failed, and what it certainly was to call and did not.
    let happened = page.eval(
        "[...document.querySelectorAll('#flow figure:last-child .call.bad, #flow figure:last-child .call.missed')].map((c) => c.innerText)",
    );
    let wanted = serde_json::json!([
        "failed at 3.000 s\nthe <device> is gone",
        "lava-send bye\nnot reached",
        "lava-sync end\nfailed after 501 ms: server left without arriving: its job ended",
        "lava-wait-all <ready>\nnot reached",
        "lava-wait-all <ready>\nnot reached",
    ]);
    assert_eq!(happened, wanted);
    // Side by side where there is room.
    let sides = "[...document.querySelectorAll('#flow figure')].map((figure) => figure.getBoundingClientRect().top)";
    let tops = page.eval(sides);
    assert_eq!(tops[0], tops[1]);
    assert_eq!(page.text("#flow figure:last-child figcaption"), "What happened");
    assert_eq!(page.browser.complaints(), [""; 0]);
    // What is no flow table is not shown.
    events[1].body = Body::Planned { flow: serde_json::json!({"columns": "many", "rows": -1}) };
    assert!(!page::render(&Story::of(&events)).contains("Planned"));
}

#[test]
fn the_same_journal_gives_the_same_page() {
    let events = small::events();
    assert_eq!(page::render(&Story::of(&events)), page::render(&Story::of(&events)));
}
