//! The lanes as a picture that needs no script: what is printed, and what is seen where scripts may not run.

use convoke_journal::Stage;

use super::html::{self, span};
use crate::story::Story;

const WIDTH: f64 = 1000.0;
const LABELS: f64 = 130.0;
const LANE: f64 = 32.0;
const TOP: f64 = 26.0;
/// More arrows than this would hide what they are drawn over.
const ARROWS: usize = 300;

/// The picture as SVG, with a legend.
pub(super) fn picture(story: &Story) -> String {
    let height = TOP + LANE * story.lanes.len() as f64 + 8.0;
    let end = story.end_ns.max(1) as f64;
    let x = |ns: u64| LABELS + ns as f64 / end * (WIDTH - LABELS - 8.0);
    let y = |place: usize| TOP + LANE * place as f64;
    let place = |sub_id: u32| story.lanes.iter().position(|lane| lane.sub_id == sub_id);
    let mut out = format!(
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"Lanes of the members on one time axis, {}\" font-size=\"12\">\n\
         <defs><pattern id=\"hatch\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\">\
         <rect width=\"6\" height=\"6\" fill=\"#fff1cc\"/><rect width=\"2\" height=\"6\" fill=\"#e0a100\"/></pattern>\
         <pattern id=\"lost\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\">\
         <rect width=\"6\" height=\"6\" fill=\"#f8c9c9\"/><rect width=\"2\" height=\"6\" fill=\"#d0555b\"/></pattern></defs>\n",
        span(story.end_ns)
    );
    for ns in ticks(story.end_ns) {
        let at = x(ns);
        let anchor = if at > WIDTH - 40.0 { "end" } else { "middle" };
        out.push_str(&format!(
            "<path d=\"M{at:.1} {:.1}V{height:.1}\" stroke=\"#8884\"/><text x=\"{at:.1}\" y=\"12\" text-anchor=\"{anchor}\" class=\"ink\">{}</text>\n",
            TOP - 8.0,
            if ns == 0 { "0".to_owned() } else { tick(ns) }
        ));
    }
    for (index, lane) in story.lanes.iter().enumerate() {
        let top = y(index);
        out.push_str(&format!(
            "<text x=\"4\" y=\"{:.1}\" class=\"ink\">{}</text>\n",
            top + 16.0,
            html::text(&story.label(lane.sub_id))
        ));
        for stage in &lane.stages {
            let (from, to) = (x(stage.from_ns), x(stage.to_ns));
            out.push_str(&rect(
                from,
                top + 3.0,
                to - from,
                11.0,
                colour(&stage.stage),
                &format!("{}, {}", stage.stage.describe(), span(stage.to_ns - stage.from_ns)),
            ));
        }
    }
    for call in story.calls.iter().filter(|call| !call.waited_for.is_empty()) {
        let Some(index) = place(call.member) else { continue };
        let took = call.took_ns(story.end_ns);
        let (from, to) = (x(call.made_ns), x(call.made_ns + took));
        let whom: Vec<String> = call.last_missing().iter().map(|member| story.label(*member)).collect();
        let title = format!("{}, waited {} for {}", call.command(), span(took), whom.join(", "));
        let hatch = if call.end.as_ref().is_some_and(|end| end.ok) { "url(#hatch)" } else { "url(#lost)" };
        out.push_str(&rect(from, y(index) + 16.0, to - from, 9.0, hatch, &title));
    }
    for barrier in &story.barriers {
        let Some(at) = barrier.released_ns.map(x) else { continue };
        let places: Vec<usize> = barrier.calls.iter().filter_map(|call| place(story.calls[*call].member)).collect();
        if let (Some(first), Some(last)) = (places.iter().min(), places.iter().max()) {
            out.push_str(&format!(
                "<path d=\"M{at:.1} {:.1}V{:.1}\" stroke=\"#bf3989\" stroke-width=\"1.5\"><title>lava-sync {}</title></path>\n",
                y(*first) + 2.0,
                y(*last) + 25.0,
                html::text(&barrier.message_id)
            ));
        }
    }
    let arrows =
        story.messages.iter().filter_map(|message| Some((&story.calls[message.send?], &story.calls[message.wait])));
    for (send, wait) in arrows.take(ARROWS) {
        let (Some(from), Some(to), Some(end)) = (place(send.member), place(wait.member), &wait.end) else { continue };
        let (x1, y1, x2, y2) = (x(send.made_ns), y(from) + 20.0, x(end.at_ns), y(to) + 20.0);
        out.push_str(&format!(
            "<path d=\"M{x1:.1} {y1:.1}C{:.1} {y1:.1} {:.1} {y2:.1} {x2:.1} {y2:.1}\" fill=\"none\" stroke=\"#0969da\" stroke-width=\".8\"/><circle cx=\"{x2:.1}\" cy=\"{y2:.1}\" r=\"1.8\" fill=\"#0969da\"/>\n",
            x1 + 14.0,
            x2 - 14.0
        ));
    }
    for member in &story.run.members {
        if let (Some(at), Some(index)) = (member.failed_ns, place(member.info.sub_id)) {
            let (at, middle) = (x(at), y(index) + 8.5);
            out.push_str(&format!(
                "<path d=\"M{:.1} {:.1}l8 8m0 -8l-8 8\" stroke=\"#cf222e\" stroke-width=\"2.5\"><title>failed</title></path>\n",
                at - 4.0,
                middle - 4.0
            ));
        }
    }
    out.push_str("</svg>\n");
    out
}

/// Up to ten round instants.
fn ticks(end_ns: u64) -> impl Iterator<Item = u64> {
    let round = [1u64, 2, 5]
        .iter()
        .cycle()
        .zip(0u32..)
        .map(|(first, place)| first.saturating_mul(10u64.saturating_pow(place / 3)));
    let step = round.into_iter().find(|step| end_ns / step < 10).unwrap_or(u64::MAX);
    (0..=end_ns / step).map(move |place| place * step)
}

/// A round instant without needless places.
fn tick(ns: u64) -> String {
    let (value, unit) = if ns < 1_000_000_000 { (ns as f64 / 1e6, "ms") } else { (ns as f64 / 1e9, "s") };
    format!("{} {unit}", (value * 1e3).round() / 1e3)
}

fn rect(x: f64, y: f64, width: f64, height: f64, fill: &str, title: &str) -> String {
    format!(
        "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{height}\" rx=\"1.5\" fill=\"{fill}\"><title>{}</title></rect>\n",
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
