//! `report.html`: one self-contained file.
//!
//! | part | is made by |
//! |---|---|
//! | verdict, first failure, results, flow, members, a picture of the lanes: plain HTML and SVG | this module, so that it can be read without scripts and printed |
//! | the timeline and the log with zoom, search and filters | the scripts below `assets/`, from the data in the page |
//!
//! Nothing a device printed becomes markup: texts are escaped by [`html`], data stands in JSON without `<`, `>` and `&`. The
//! page's own policy lets no script and no style run but these, known by their hashes, and asks no network.

mod data;
mod failure;
mod flow;
mod head;
mod html;
mod members;
mod picture;
mod results;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::story::Story;

/// The frame of the page, with `{{name}}` where parts go.
const FRAME: &str = include_str!("assets/frame.html");

/// The colours of the light page.
const LIGHT: &str = include_str!("assets/colours.css");

/// What the dark page declares instead, see [`dark`].
const DARK: &str = include_str!("assets/dark.css");

/// The styles that use the colours, in order.
const STYLES: &[&str] = &[
    include_str!("assets/page.css"),
    include_str!("assets/work.css"),
    include_str!("assets/small.css"),
    include_str!("assets/print.css"),
];

/// Scripts in order. They share one scope.
const SCRIPTS: &[&str] = &[
    include_str!("assets/base.js"),
    include_str!("assets/story.js"),
    include_str!("assets/state.js"),
    include_str!("assets/colours.js"),
    include_str!("assets/layout.js"),
    include_str!("assets/draw/text.js"),
    include_str!("assets/draw/axis.js"),
    include_str!("assets/draw/lanes.js"),
    include_str!("assets/draw/calls.js"),
    include_str!("assets/draw/links.js"),
    include_str!("assets/draw/marks.js"),
    include_str!("assets/hit.js"),
    include_str!("assets/overview.js"),
    include_str!("assets/pointer.js"),
    include_str!("assets/terminal.js"),
    include_str!("assets/log.js"),
    include_str!("assets/detail.js"),
    include_str!("assets/menus.js"),
    include_str!("assets/keys.js"),
    include_str!("assets/main.js"),
];

/// The page.
pub fn render(story: &Story) -> String {
    let style = [LIGHT, &dark(), &STYLES.join("\n")].concat();
    let script = format!("(() => {{\n\"use strict\";\n{}}})();\n", SCRIPTS.join("\n"));
    let policy = format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; img-src data:; base-uri 'none'; form-action 'none'",
        hash(&script),
        hash(&style)
    );
    let lines = story.log.lines();
    let log = data::log(&lines, &story.run);
    let data = data::story(story, &lines);
    let parts = [
        ("policy", policy),
        ("title", html::text(&format!("{} – {}", head::verdict(story), story.run.job_name))),
        ("style", style),
        ("head", head::head(story)),
        ("failure", failure::section(story)),
        ("picture", picture::picture(story)),
        ("results", results::section(story)),
        ("flow", flow::section(story)),
        ("members", members::section(story)),
        ("foot", head::foot(story)),
        ("story", data),
        ("log", log),
        ("script", script),
    ];
    fill(FRAME, &parts)
}

/// The dark colours under both rules that ask for them: the reader's button, and the reader's system as long as the button
/// was not pressed. CSS has no way to say "or" across a media query. Paper stays light.
fn dark() -> String {
    format!(
        "@media screen {{\n:root[data-theme=\"dark\"] {{\n{DARK}}}\n}}\n\
         @media screen and (prefers-color-scheme: dark) {{\n:root:not([data-theme]) {{\n{DARK}}}\n}}\n"
    )
}

fn hash(text: &str) -> String {
    STANDARD.encode(Sha256::digest(text))
}

/// Puts the parts where their names stand. What is put in is not searched again.
fn fill(frame: &str, parts: &[(&str, String)]) -> String {
    let mut out = String::with_capacity(frame.len() + parts.iter().map(|(_, part)| part.len()).sum::<usize>());
    let mut rest = frame;
    while let Some((before, after)) = rest.split_once("{{") {
        out.push_str(before);
        let Some((name, after)) = after.split_once("}}") else { break };
        out.push_str(parts.iter().find(|(known, _)| *known == name).map_or("", |(_, part)| part));
        rest = after;
    }
    out.push_str(rest);
    out
}
