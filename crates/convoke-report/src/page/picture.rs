//! The lanes as a picture that needs no script: what is printed, and what is seen where scripts may not run.

use convoke_journal::Stage;

use super::html::{self, span};
use crate::story::{Call, Story};

const WIDTH: f64 = 1000.0;
const LABELS: f64 = 120.0;
const TOP: f64 = 26.0;
/// More arrows than this would hide what they are drawn over.
const ARROWS: usize = 2000;

/// Where things stand.
struct Frame<'a> {
    story: &'a Story,
    /// Height of a lane: many members have less each.
    lane: f64,
    height: f64,
}

impl Frame<'_> {
    fn x(&self, ns: u64) -> f64 {
        LABELS + ns as f64 / self.story.end_ns.max(1) as f64 * (WIDTH - LABELS - 8.0)
    }

    fn y(&self, place: usize) -> f64 {
        TOP + self.lane * place as f64
    }

    fn place(&self, sub_id: u32) -> Option<usize> {
        self.story.lanes.iter().position(|lane| lane.sub_id == sub_id)
    }

    /// The middle of the row of calls.
    fn middle(&self, call: &Call) -> Option<f64> {
        Some(self.y(self.place(call.member)?) + self.lane * 0.64)
    }
}

/// The picture as SVG.
pub(super) fn picture(story: &Story) -> String {
    let lane = match story.lanes.len() {
        0..=12 => 32.0,
        13..=30 => 24.0,
        _ => 18.0,
    };
    let frame = Frame { story, lane, height: TOP + lane * story.lanes.len() as f64 + 4.0 };
    let mut out = format!(
        "<svg viewBox=\"0 0 {WIDTH} {}\" role=\"img\" aria-label=\"Lanes of the members on one time axis, {}\" font-size=\"12\">\n\
         <defs>{}{}</defs>\n",
        frame.height,
        span(story.end_ns),
        hatch("hatch", "#fff1cc", "#e0a100"),
        hatch("lost", "#f8c9c9", "#d0555b"),
    );
    axis(&frame, &mut out);
    lanes(&frame, &mut out);
    waits(&frame, &mut out);
    barriers(&frame, &mut out);
    messages(&frame, &mut out);
    failures(&frame, &mut out);
    out.push_str("</svg>\n");
    out
}

fn hatch(name: &str, ground: &str, stripe: &str) -> String {
    format!(
        "<pattern id=\"{name}\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\">\
         <rect width=\"6\" height=\"6\" fill=\"{ground}\"/><rect width=\"2\" height=\"6\" fill=\"{stripe}\"/></pattern>"
    )
}

fn axis(frame: &Frame<'_>, out: &mut String) {
    for ns in ticks(frame.story.end_ns) {
        let at = frame.x(ns);
        let anchor = if at > WIDTH - 40.0 { "end" } else { "middle" };
        out.push_str(&format!(
            "<path d=\"M{at:.1} {:.1}V{:.1}\" stroke=\"#8884\"/><text x=\"{at:.1}\" y=\"12\" text-anchor=\"{anchor}\" class=\"ink\">{}</text>\n",
            TOP - 8.0,
            frame.height,
            if ns == 0 { "0".to_owned() } else { tick(ns) }
        ));
    }
}

/// Up to ten round instants.
fn ticks(end_ns: u64) -> impl Iterator<Item = u64> {
    let powers = (0..19).map(|power| 10u64.pow(power));
    let round = powers.flat_map(|power| [power, power.saturating_mul(2), power.saturating_mul(5)]);
    let step = round.into_iter().find(|step| end_ns / step < 10).unwrap_or(u64::MAX);
    (0..=end_ns / step).map(move |place| place * step)
}

/// A round instant without needless places.
fn tick(ns: u64) -> String {
    let (value, unit) = if ns < 1_000_000_000 { (ns as f64 / 1e6, "ms") } else { (ns as f64 / 1e9, "s") };
    format!("{} {unit}", (value * 1e3).round() / 1e3)
}

fn lanes(frame: &Frame<'_>, out: &mut String) {
    for (index, lane) in frame.story.lanes.iter().enumerate() {
        let top = frame.y(index);
        out.push_str(&format!(
            "<text x=\"2\" y=\"{:.1}\" class=\"ink\">{}</text>\n",
            top + frame.lane * 0.25 + 5.0,
            html::text(&frame.story.label(lane.sub_id))
        ));
        for stage in &lane.stages {
            let (from, to) = (frame.x(stage.from_ns), frame.x(stage.to_ns));
            let title = format!("{}, {}", stage.stage.describe(), span(stage.to_ns - stage.from_ns));
            out.push_str(&rect(from, top + 2.0, to - from, frame.lane * 0.4, colour(&stage.stage), &title));
        }
    }
}

fn waits(frame: &Frame<'_>, out: &mut String) {
    let story = frame.story;
    for call in story.calls.iter().filter(|call| !call.waited_for.is_empty()) {
        let Some(index) = frame.place(call.member) else { continue };
        let took = call.took_ns(story.end_ns);
        let (from, to) = (frame.x(call.made_ns), frame.x(call.made_ns + took));
        let whom: Vec<String> = story.waited_for(call).iter().map(|member| story.label(*member)).collect();
        let title = format!("{}, waited {} for {}", call.command(), span(took), whom.join(", "));
        let fill = if call.end.as_ref().is_some_and(|end| end.ok) { "url(#hatch)" } else { "url(#lost)" };
        out.push_str(&rect(from, frame.y(index) + frame.lane * 0.5, to - from, frame.lane * 0.28, fill, &title));
    }
}

fn barriers(frame: &Frame<'_>, out: &mut String) {
    for barrier in &frame.story.barriers {
        let Some(at) = barrier.released_ns.map(|at| frame.x(at)) else { continue };
        let members = barrier.calls.iter().map(|call| frame.story.calls[*call].member);
        let places: Vec<usize> = members.filter_map(|member| frame.place(member)).collect();
        if let (Some(first), Some(last)) = (places.iter().min(), places.iter().max()) {
            out.push_str(&format!(
                "<path d=\"M{at:.1} {:.1}V{:.1}\" stroke=\"#bf3989\" stroke-width=\"1.2\"><title>lava-sync {}</title></path>\n",
                frame.y(*first) + 1.0,
                frame.y(*last) + frame.lane * 0.8,
                html::text(&barrier.message_id)
            ));
        }
    }
}

fn messages(frame: &Frame<'_>, out: &mut String) {
    let calls = &frame.story.calls;
    let known = frame.story.messages.iter().filter_map(|message| Some((&calls[message.send?], &calls[message.wait])));
    let mut lines = String::new();
    let mut ends = String::new();
    for (send, wait) in known.take(ARROWS) {
        let (Some(y1), Some(y2), Some(end)) = (frame.middle(send), frame.middle(wait), &wait.end) else { continue };
        let (x1, x2) = (frame.x(send.made_ns), frame.x(end.at_ns));
        let bend = ((x2 - x1) / 2.0).clamp(0.0, 40.0);
        lines.push_str(&format!("M{x1:.1} {y1:.1}C{:.1} {y1:.1} {:.1} {y2:.1} {x2:.1} {y2:.1}", x1 + bend, x2 - bend));
        ends.push_str(&format!("M{:.1} {y2:.1}l-3 -2v4z", x2 + 0.5));
    }
    if lines.is_empty() {
        return;
    }
    // One path, so that lines over each other are no darker than one.
    let strength = if frame.story.messages.len() > 60 { 0.25 } else { 0.9 };
    out.push_str(&format!(
        "<path d=\"{lines}\" fill=\"none\" stroke=\"#0969da\" stroke-width=\".8\" stroke-opacity=\"{strength}\"/>\n\
         <path d=\"{ends}\" fill=\"#0969da\"/>\n"
    ));
}

fn failures(frame: &Frame<'_>, out: &mut String) {
    for member in &frame.story.run.members {
        if let (Some(at), Some(index)) = (member.failed_ns, frame.place(member.info.sub_id)) {
            let (at, middle) = (frame.x(at), frame.y(index) + 2.0 + frame.lane * 0.2);
            out.push_str(&format!(
                "<path d=\"M{:.1} {:.1}l8 8m0 -8l-8 8\" stroke=\"#cf222e\" stroke-width=\"2.5\"><title>failed</title></path>\n",
                at - 4.0,
                middle - 4.0
            ));
        }
    }
}

fn rect(x: f64, y: f64, width: f64, height: f64, fill: &str, title: &str) -> String {
    format!(
        "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{height:.1}\" rx=\"1.5\" fill=\"{fill}\"><title>{}</title></rect>\n",
        width.max(0.6),
        html::text(title)
    )
}

fn colour(stage: &Stage) -> &'static str {
    match stage {
        Stage::Assembling | Stage::DelayedStart => "#d3d9e0",
        Stage::Deploy => "#8fbcf5",
        Stage::Boot => "#c3aef0",
        Stage::Test(_) => "#92d8b6",
        Stage::Command => "#f0c896",
        Stage::Finalize => "#b9c1ca",
    }
}
