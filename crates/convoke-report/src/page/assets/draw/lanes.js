// Draws the lanes. Only what is in view is drawn, and of what falls into one pixel only the first.

function drawLanes() {
  const context = canvas.getContext("2d");
  const scale = devicePixelRatio || 1;
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.fillStyle = colours.bg;
  context.fillRect(0, 0, layout.width, layout.view);
  context.textBaseline = "middle";
  const seen = layout.lanes.filter((lane) => yOf(lane) + lane.height > layout.top && yOf(lane) < layout.view);
  context.save();
  context.beginPath();
  context.rect(0, layout.top, layout.width, layout.view - layout.top);
  context.clip();
  const steps = ticks();
  drawGround(context, seen, steps);
  context.save();
  context.beginPath();
  context.rect(layout.gutter, layout.top, layout.width - layout.gutter, layout.view - layout.top);
  context.clip();
  for (const lane of seen) drawLane(context, lane);
  drawBarriers(context);
  drawMessages(context);
  for (const lane of seen) drawFailure(context, lane);
  drawPicked(context);
  context.restore();
  for (const lane of seen) drawLabel(context, lane);
  context.restore();
  drawAxis(context, steps);
}

function drawGround(context, seen, steps) {
  for (const lane of seen) {
    const y = yOf(lane);
    if (lane.place === state.lane) {
      context.fillStyle = colours.hover;
      context.fillRect(0, y, layout.width, lane.height);
    }
    context.fillStyle = colours.line;
    context.fillRect(0, Math.round(y + lane.height) - 1, layout.width, 1);
  }
  context.globalAlpha = 0.6;
  context.fillStyle = colours.line;
  for (const at of steps.list) context.fillRect(Math.round(xOf(at)), layout.top, 1, layout.view);
  context.globalAlpha = 1;
  context.fillStyle = colours["odd-bg"];
  context.globalAlpha = 0.55;
  for (const [from, to] of story.stuck) {
    if (to >= state.from && from <= state.to) context.fillRect(xOf(from), layout.top, Math.max(xOf(to) - xOf(from), 2), layout.view);
  }
  context.fillStyle = colours["panel-2"];
  for (const [from, to] of story.stops) {
    if (to >= state.from && from <= state.to) context.fillRect(xOf(from), layout.top, Math.max(xOf(to) - xOf(from), 2), layout.view);
  }
  context.globalAlpha = 1;
}

function drawLane(context, lane) {
  const member = members[lane.place];
  const { bar, call, mark } = layout.size;
  const y = yOf(lane);
  context.font = layout.size.text >= 12 ? FONT : SMALL_FONT;
  for (const [name, from, to] of member.stages) {
    const [fill, ink] = stageColour(name);
    const suites = name.startsWith("test") ? member.suites.filter((suite) => suite[1] >= from && suite[1] < to) : [];
    const text = suites.length ? `${name}: ${suites.map((suite) => suite[0]).join(", ")}` : name;
    box(context, from, to, y + lane.bar, bar, fill, ink, text);
  }
  context.font = SMALL_FONT;
  for (const one of member.calls) drawCall(context, one, y + lane.call + one.row * (call + 1), call);
  drawCases(context, member, y + lane.mark, mark);
  if (lane.actions === undefined) return;
  context.font = SMALL_FONT;
  for (const [name, from, to, depth, failure] of member.actions) {
    const [fill, ink] = failure ? [colours.lost, colours["lost-ink"]] : [colours.action, colours["action-ink"]];
    box(context, from, to, y + lane.actions + depth * DEEP, DEEP - 2, fill, ink, name);
  }
  for (const [name, from, to] of member.suites) box(context, from, to, y + lane.suites, DEEP - 2, colours.suite, colours["test-ink"], name);
  for (const [suite, name, result, from, at] of member.cases) {
    if (suite === "lava" || from === null) continue;
    const ink = result === "fail" ? colours["lost-ink"] : colours["test-ink"];
    box(context, from, at, y + lane.suites + DEEP, DEEP - 2, result === "fail" ? colours.lost : colours.case, ink, name);
  }
}

function drawCases(context, member, y, height) {
  let last = -9;
  const bad = [];
  for (const test of member.cases) {
    if (test[0] === "lava" || test[4] < state.from || test[4] > state.to) continue;
    const x = Math.round(xOf(test[4]));
    if (test[2] === "fail" || test[2] === "unknown") {
      bad.push([x, test[2]]);
    } else if (x > last + 1) {
      context.fillStyle = resultColour(test[2]);
      context.fillRect(x - 1, y, 2, height);
      last = x;
    }
  }
  for (const [x, result] of bad) {
    context.fillStyle = resultColour(result);
    context.fillRect(x - 1.5, y - 1, 3, height + 2);
  }
}
