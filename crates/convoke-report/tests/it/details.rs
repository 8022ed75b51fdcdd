//! Parts of the page that are easily lost: what is written on the lanes, the strip above them, filters, limits, the picture.

use convoke_journal::{Body, ResultValue};
use convoke_report::{Story, page};
use serde_json::json;

use crate::browser::DESK;
use crate::page::Page;
use crate::small::{self, Journal, SECOND};

#[test]
fn a_wait_says_for_whom_and_a_failed_one_for_whom_it_waited() {
    let mut page = Page::small(DESK);
    // What is written on the canvas when it is drawn again, as colours change.
    page.eval(
        "(() => { const own = CanvasRenderingContext2D.prototype.fillText; window.written = []; \
         CanvasRenderingContext2D.prototype.fillText = function (text, ...place) { window.written.push(text); own.call(this, text, ...place); }; })()",
    );
    page.eval("document.getElementById('theme').click()");
    page.browser.settle();
    let written = page.eval("[...new Set(window.written)]");
    let has = |text: &str| written.as_array().unwrap().contains(&json!(text));
    for text in ["wait ready: for server", "sync end: for server, client.2", "first failure", "sync up", "sandbox-1"] {
        assert!(has(text), "{text} in {written}");
    }
}

#[test]
fn the_strip_moves_what_is_in_view() {
    let mut page = Page::small(DESK);
    for _ in 0..2 {
        page.eval("document.getElementById('zoom-in').click()");
        page.browser.settle();
    }
    let (from, to) = (page.now("from").as_f64().unwrap(), page.now("to").as_f64().unwrap());
    let place = page.eval(
        "(() => { const box = document.getElementById('overview').getBoundingClientRect(); return [box.left, box.width, box.top + box.height / 2]; })()",
    );
    let number = |at: usize| place[at].as_f64().unwrap();
    // The middle of the part in view is the middle of the run, right of the names of the lanes.
    let gutter = page.eval("convoke.where('stage:0:0').x").as_f64().unwrap() - number(0);
    let middle = number(0) + (gutter.max(0.0).min(number(1) / 3.0) + number(1)) / 2.0;
    page.browser.drag((middle, number(2)), (middle + 90.0, number(2)), false);
    let (later, end) = (page.now("from").as_f64().unwrap(), page.now("to").as_f64().unwrap());
    assert!(later > from + 50_000.0, "{from} {later}");
    assert!(((end - later) - (to - from)).abs() < 1.0, "as much as before: {} {}", end - later, to - from);
}

#[test]
fn shift_and_a_drag_zoom_to_what_they_measure() {
    let mut page = Page::small(DESK);
    let mut place = |pick: &str| {
        let place = page.eval(&format!("convoke.where('{pick}')"));
        (place["x"].as_f64().unwrap(), place["y"].as_f64().unwrap())
    };
    // From the failing case to the failure of the server: 2.4 to 3.0 s.
    let (from, to) = (place("case:1:0").0, place("fail:0"));
    page.browser.drag((from, to.1), to, true);
    let (from, to) = (page.now("from").as_f64().unwrap(), page.now("to").as_f64().unwrap());
    assert!((2_250_000.0..2_450_000.0).contains(&from) && (2_980_000.0..3_020_000.0).contains(&to), "{from} {to}");
    // Without Shift it moves.
    let width = to - from;
    page.browser.drag((600.0, 400.0), (700.0, 400.0), false);
    assert!((page.now("to").as_f64().unwrap() - page.now("from").as_f64().unwrap() - width).abs() < 1.0);
    assert!(page.now("from").as_f64().unwrap() < from);
}

#[test]
fn an_instant_says_who_waits_for_whom() {
    let mut page = Page::small(DESK);
    page.open("#t=1.5", DESK);
    let said = page.eval("document.getElementById('detail').innerText");
    assert!(said.as_str().unwrap().contains("client.1 waits for server"), "{said}");
}

#[test]
fn members_that_failed_or_whose_tests_did_can_be_shown_alone() {
    let failed =
        "[...document.querySelectorAll('#pick-members button')].find((b) => b.textContent === 'Failed').click()";
    let mut page = Page::small(DESK);
    page.eval(failed);
    page.browser.settle();
    assert_eq!(page.now("lanes"), 2);
    let mut events = small::events();
    for event in events.iter_mut().filter(|event| event.member == Some(SECOND)) {
        if let Body::Result(record) = &mut event.body {
            record.result = ResultValue::Fail;
        }
    }
    let mut page = Page::of(&events);
    page.open("", DESK);
    page.eval(failed);
    page.browser.settle();
    assert_eq!(page.now("lanes"), 3);
}

#[test]
fn of_very_many_results_those_that_did_not_pass_are_all_listed() {
    let mut journal = Journal::new(&["server"]);
    for case in 0..13_000 {
        let result = if case % 6_500 == 6_400 { ResultValue::Fail } else { ResultValue::Pass };
        journal.result(1 + case, 0, &format!("case-{case}"), result);
    }
    let html = page::render(&Story::of(&journal.0));
    let (_, results) = html.split_once("<section id=\"results\"").unwrap();
    let (results, _) = results.split_once("</section>").unwrap();
    for case in ["case-0", "case-6400", "case-12900"] {
        assert!(results.contains(&format!(">{case}</th>")), "{case}");
    }
    assert!(!results.contains(">case-12999</th>"));
    assert!(results.contains("more cases that passed are not listed here"));
}

#[test]
fn the_picture_marks_the_failure_where_it_was() {
    let html = page::render(&Story::of(&small::events()));
    let (_, picture) = html.split_once("<section id=\"picture\"").unwrap();
    let (before, _) = picture.split_once("l8 8m0 -8l-8 8").unwrap();
    let (_, place) = before.rsplit_once('M').unwrap();
    let (x, y) = place.split_once(' ').unwrap();
    let (x, y): (f64, f64) = (x.parse().unwrap(), y.parse().unwrap());
    // At 3.0 of 3.3 s, on the bar of the first lane.
    assert!((885.0..=925.0).contains(&x) && (26.0..40.0).contains(&y), "{x} {y}");
}
